"""The contracts against the model of them, over random lifecycles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.abi import abi
from ledger.embedded import EmbeddedChain
from tests.integration.lifecycles import Lifecycles
from tests.integration.side_by_side import ALL

NOT_LIVED_THROUGH = {
    # At deployment, before the first lifecycle.
    *("SatelliteBuilt", "FamilyRegistered"),
    # The end of a ledger, and the beginning of the one after it: contracts/test/SystemChange.t.sol.
    *("LedgerClosed", "Carried"),
}
OUTCOMES = {
    *("ClaimDecided 2", "ClaimDecided 3", "ClaimDecided 4"),
    *("StepVoted 1", "StepVoted 2", "StepVoted 3", "StepDecided 3"),
    *("TestOpened", "TestTooEarly", "NotATest"),
}
"""Of single claims verified, refused and void, of steps open, verified, refused, and given up; of
tests of the validators shown, shown too early, and none."""


@pytest.fixture
def short_lived(tmp_path: Path) -> Iterator[EmbeddedChain]:
    """A chain that nobody starts again: old states in its file would make each second's dump
    longer, until the chain answers nobody for it."""
    state = tmp_path / "chain" / "state.json"
    with EmbeddedChain(state, block_time=0, historical_states=False) as running:
        yield running


def run(chain: EmbeddedChain, seed: str, count: int, k2_per_pair: int) -> Counter[str]:
    """Lifecycles on a new ledger; what happened how often."""
    lifecycles = Lifecycles(chain, seed, k2_per_pair=k2_per_pair)
    try:
        lifecycles.run(count)
    finally:
        lifecycles.both.rpc.close()
        print(sorted(lifecycles.both.seen.items()))
    assert lifecycles.ways.begun >= count
    seen = lifecycles.both.seen
    seen["taken again"] = seen["Requested"] - len(lifecycles.model.steps.steps)
    return seen


@pytest.mark.timeout(400)
def test_the_contracts_do_what_the_model_does(short_lived: EmbeddedChain) -> None:
    seen = run(short_lived, "K2 capped", 200, k2_per_pair=3)
    seen += run(short_lived, "K2 not capped", 100, k2_per_pair=0)
    names = {label.split()[0] for label in seen}
    declared = {item["name"] for part in ALL for item in abi(part) if item["type"] == "event"}
    assert declared - names <= NOT_LIVED_THROUGH, "every event happens in some lifecycle"
    assert set(seen) >= OUTCOMES
    assert seen["taken again"] > 0, "places are used again"


@pytest.mark.nightly
@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", range(40))
def test_ten_thousand_lifecycles(short_lived: EmbeddedChain, number: int) -> None:
    run(short_lived, f"night {number}", 250, k2_per_pair=(3, 0, 1, 30)[number % 4])
