"""The deployment file: read back as written, refused in words when it is not whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.abi import artifact
from ledger.contract_code import is_our_code
from ledger.contracts import contracts_of
from ledger.creation import PARTS, Constants, creation_codes, part_addresses
from ledger.deployment import Deployment
from ledger.errors import CorruptData, UsageError
from ledger.types import Address, BlockNumber, Digest

DAY = 86_400
DEPLOYMENT = Deployment(
    chain_id=31_337,
    contract=Address(b"\x11" * 20),
    deployed_block=BlockNumber(3),
    code_hashes=tuple(Digest(bytes([n]) * 32) for n in range(len(PARTS))),
    validators=(Address(b"\x33" * 20), Address(b"\x44" * 20)),
    threshold=2,
    constants=Constants(draw_rate=7, predecessor=Address(b"\x55" * 20)),
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
        put("format", 1),
        put("chain_id", "1"),
        put("chain_id", -1),
        put("threshold", True),
        put("contract", "0x11"),
        put("contract", 5),
        put("code_hashes", ["0x" + "22" * 32] * (len(PARTS) - 1)),
        put("code_hashes", ["0x" + "22" * 31] * len(PARTS)),
        put("constants", {}),
        put("constants", Constants().as_json() | {"draw_rate": -1}),
        put("constants", Constants().as_json() | {"draw_rate": True}),
        put("constants", Constants().as_json() | {"predecessor": "0x11"}),
        put("constants", Constants().as_json() | {"owner": 1}),
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


@pytest.mark.parametrize("part", PARTS)
def test_code_is_ours_whatever_its_immutables_are_and_nothing_else_is(part: str) -> None:
    code = bytearray(bytes.fromhex(artifact(part)["deployedBytecode"].removeprefix("0x")))
    places = [place for found in artifact(part)["immutableReferences"].values() for place in found]
    for place in places:
        code[place["start"] : place["start"] + place["length"]] = b"\x99" * place["length"]
    assert is_our_code(bytes(code), part)
    assert not is_our_code(bytes(code) + b"\0", part)
    assert not any(is_our_code(bytes(code), other) for other in PARTS if other != part)
    code[0] ^= 1
    assert not is_our_code(bytes(code), part)


def test_every_part_fits_the_chain_s_limits() -> None:
    """24,576 bytes of code (EIP-170), twice that for creating it (EIP-3860)."""
    for part in PARTS:
        assert (len(artifact(part)["deployedBytecode"]) - 2) // 2 <= 24_576, part
    codes = creation_codes((Address(b"\x01" * 20),), 1, Constants())
    assert all(len(code) <= 49_152 for code in (codes.ledger, *codes.satellites))


@pytest.mark.parametrize("constant", Constants.__slots__)
def test_every_constant_is_in_the_ledger_s_creation_code(constant: str) -> None:
    """So that with a salt they are in its address: no satellite of other values can come to it."""
    before = Constants()
    value: Any = getattr(before, constant)
    changed: dict[str, Any] = {
        constant: Address(b"\x01" * 20) if constant == "predecessor" else value + 1
    }
    codes = [
        creation_codes((Address(b"\x01" * 20),), 1, constants).ledger
        for constants in (before, replace(before, **changed))
    ]
    assert codes[0] != codes[1]


@pytest.mark.parametrize(("period", "reveal"), [(6 * DAY, DAY), (7 * DAY - 1, 1)])
def test_a_beacon_that_comes_too_late_is_not_deployed(period: int, reveal: int) -> None:
    with pytest.raises(UsageError) as refused:
        Constants(beacon_period_seconds=period, beacon_reveal_seconds=reveal).check()
    assert "604800 s" in refused.value.hint
    Constants(beacon_period_seconds=period, beacon_reveal_seconds=reveal - 1).check()


def test_each_part_has_its_address() -> None:
    ledger = Address(b"\x11" * 20)
    addresses = part_addresses(ledger)
    assert tuple(addresses) == PARTS
    assert tuple(addresses.values())[:4] == contracts_of(ledger).all
    assert len(set(addresses.values())) == len(PARTS)
