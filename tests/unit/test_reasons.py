"""One registry of reason codes: its file, Python and Solidity say the same."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ledger.reasons import Reason, describe

RANGES = {"answer": (1, 63), "skip": (64, 127), "vote": (128, 191), "local": (192, 255)}


@pytest.fixture(scope="module")
def registry(project: Path) -> dict[str, dict[str, list[str]]]:
    loaded: dict[str, dict[str, list[str]]] = json.loads(
        (project / "contracts/types/reasons.json").read_text("utf-8")
    )
    return loaded


def test_the_packaged_registry_is_the_contracts(
    project: Path, registry: dict[str, dict[str, list[str]]]
) -> None:
    packaged = project / "ledger/artifacts/reasons.json"
    assert json.loads(packaged.read_text("utf-8")) == registry


def test_python_has_exactly_these_codes(registry: dict[str, dict[str, list[str]]]) -> None:
    written = {int(code): name for group in registry.values() for code, (name, _) in group.items()}
    assert {reason.value: reason.name for reason in Reason} == written
    assert sum(len(group) for group in registry.values()) == len(written), "a code twice"


def test_every_code_is_in_the_range_of_its_group(
    registry: dict[str, dict[str, list[str]]],
) -> None:
    assert len(registry) == len(RANGES)
    for (low, high), (group, codes) in zip(RANGES.values(), registry.items(), strict=True):
        assert all(low <= int(code) <= high for code in codes), group


def test_solidity_agrees(project: Path) -> None:
    source = (project / "contracts/libraries/Reasons.sol").read_text("utf-8")
    constants = {
        name: int(value) for name, value in re.findall(r"constant ([A-Z_]+) = (\d+);", source)
    }
    assert constants.pop("NONE") == 0
    bounds = [constants.pop(name) for name in ("FIRST_REFUSAL", "FIRST_ABSTENTION", "LAST_VOTE")]
    assert bounds == [129, 144, 159]
    for vote in (Reason.APPROVE, Reason.REFUSE_RESULT, Reason.ABSTAIN_NOT_REPEATABLE):
        assert constants.pop(vote.name) == vote
    assert constants == {r.name: r.value for r in Reason if 64 <= r < 128}


def test_votes_fall_into_the_contracts_ranges() -> None:
    for reason in Reason:
        assert reason.is_approval == (reason.name == "APPROVE")
        assert reason.is_refusal == reason.name.startswith("REFUSE_")
        assert (144 <= reason < 160) == reason.name.startswith("ABSTAIN_")


@pytest.mark.parametrize("reason", list(Reason), ids=lambda reason: reason.name)
def test_every_code_has_a_line_for_people(reason: Reason) -> None:
    assert reason.text
    assert "\n" not in reason.text
    assert describe(reason) == f"{reason.name}: {reason.text}"


def test_a_code_of_a_newer_registry_is_shown_as_a_number() -> None:
    assert describe(99) == "reason 99"
