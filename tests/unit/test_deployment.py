"""The deployment file: read back as written, refused in words when it is not whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.abi import artifact
from ledger.contract_code import is_our_code
from ledger.deployment import Deployment
from ledger.errors import CorruptData, UsageError
from ledger.types import Address, BlockNumber, Digest

DEPLOYMENT = Deployment(
    chain_id=31_337,
    contract=Address(b"\x11" * 20),
    deployed_block=BlockNumber(3),
    code_hash=Digest(b"\x22" * 32),
    validators=(Address(b"\x33" * 20), Address(b"\x44" * 20)),
    threshold=2,
    epoch_seconds=86_400,
    k1_per_host_and_epoch=100,
    finality_depth=5,
    finality="chain",
)


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ledger.json"
    DEPLOYMENT.save(path)
    assert Deployment.load(path) == DEPLOYMENT
    assert [file.name for file in path.parent.iterdir()] == ["ledger.json"]
    assert DEPLOYMENT.domain.contract == DEPLOYMENT.contract


def test_a_missing_file_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="kudos deploy"):
        Deployment.load(tmp_path / "ledger.json")


def remove(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda fields: fields.pop(name)


def put(name: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda fields: fields.update({name: value})


@pytest.mark.parametrize(
    "damage",
    [
        *(remove(name) for name in ("format", "chain_id", "validators", "finality")),
        put("format", 2),
        put("chain_id", "1"),
        put("chain_id", -1),
        put("threshold", True),
        put("contract", "0x11"),
        put("contract", 5),
        put("code_hash", "0x22"),
        put("validators", ["0x33"]),
        put("finality", "soon"),
    ],
)
def test_a_damaged_file_is_refused(
    tmp_path: Path, damage: Callable[[dict[str, Any]], object]
) -> None:
    path = tmp_path / "ledger.json"
    DEPLOYMENT.save(path)
    fields = json.loads(path.read_text())
    damage(fields)
    path.write_text(json.dumps(fields))
    with pytest.raises(CorruptData, match="cannot be read"):
        Deployment.load(path)


@pytest.mark.parametrize("content", ["", "{", "[]", "\x00"])
def test_what_is_no_deployment_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "ledger.json"
    path.write_text(content)
    with pytest.raises(CorruptData, match="cannot be read"):
        Deployment.load(path)


def test_code_is_ours_whatever_its_immutables_are_and_nothing_else_is() -> None:
    code = bytearray(bytes.fromhex(artifact()["deployedBytecode"].removeprefix("0x")))
    places = [place for found in artifact()["immutableReferences"].values() for place in found]
    for place in places:
        code[place["start"] : place["start"] + place["length"]] = b"\x99" * place["length"]
    assert is_our_code(bytes(code))
    assert not is_our_code(bytes(code) + b"\0")
    code[0] ^= 1
    assert not is_our_code(bytes(code))
