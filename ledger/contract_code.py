"""The contracts' runtime code: whether it is the packaged one, and the constants in it. Pure."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from ledger.abi import LEDGER, artifact

Places = list[dict[str, int]]


def is_our_code(code: bytes, contract: str = LEDGER) -> bool:
    """Whether this is the packaged contract, whatever its immutables were set to."""
    packaged = bytes.fromhex(artifact(contract)["deployedBytecode"].removeprefix("0x"))
    return len(code) == len(packaged) and _masked(code, contract) == _masked(packaged, contract)


def immutables(code: bytes, contract: str = LEDGER) -> list[int]:
    """The values of the packaged contract's immutables, in no order that says whose they are;
    ValueError when one has different values in different places."""
    found: list[int] = []
    for places in artifact(contract)["immutableReferences"].values():
        values = {_value(code, place) for place in places}
        if len(values) != 1:
            raise ValueError("a constant in the code has two values")
        found += values
    return found


def immutable(code: bytes, name: str) -> int:
    """The value of an immutable of the ledger; KeyError when it has none of the name."""
    places: Places = artifact()["immutableReferences"][layout()["immutables"][name]]
    return _value(code, places[0])


def slot(name: str) -> int:
    """Where in storage a variable of the packaged contract begins."""
    return int(layout()["storage"][name])


@cache
def layout() -> dict[str, Any]:
    """The packaged ``artifacts/layout.json``."""
    text = files("ledger").joinpath("artifacts/layout.json").read_text("utf-8")
    parsed: dict[str, Any] = json.loads(text)
    return parsed


def _value(code: bytes, place: dict[str, int]) -> int:
    start, length = place["start"], place["length"]
    return int.from_bytes(code[start : start + length], "big")


def _masked(code: bytes, contract: str) -> bytes:
    masked = bytearray(code)
    for places in artifact(contract)["immutableReferences"].values():
        for place in places:
            start, length = place["start"], place["length"]
            masked[start : start + length] = bytes(length)
    return bytes(masked)
