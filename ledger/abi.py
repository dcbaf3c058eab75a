"""The packaged contracts: artifacts, ABI types, selectors, and what their refusals mean. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_abi.exceptions import DecodingError, EncodingError
from eth_hash.auto import keccak

from ledger.errors import ChainError, Reverted
from ledger.refusals import in_words
from ledger.types import hex_of


class ContractReverted(Reverted):
    """A call or transaction that the contract refused; ``values`` are the custom error's own."""

    def __init__(
        self, message: str, *, error: str, values: tuple[Any, ...] = (), hint: str = ""
    ) -> None:
        super().__init__(message, error=error, hint=hint)
        self.values = values


def revert_error(data: bytes) -> ContractReverted:
    """The error for a call that was undone with this data: its name, its values, a sentence."""
    selector, rest = data[:4], data[4:]
    known = _errors().get(selector)
    if known is None:
        shown = hex_of(data[:36]) if data else "no reason given"
        return ContractReverted(
            f"The contract refused the call ({shown}).",
            error="",
            hint="It may be another contract, or one that ran out of gas.",
        )
    name, kinds = known
    try:
        values = abi_decode(kinds, rest)
    except DecodingError:
        values = ()
    sentence, hint = in_words(name, values)
    return ContractReverted(sentence, error=name, values=values, hint=hint)


LEDGER, QUEUE, CLAIMS, BEACON = "KudosLedger", "ValidatorQueue", "KudosClaims", "Beacon"
"""The contracts of one ledger, by the names of their artifacts."""


@cache
def artifact(contract: str = LEDGER) -> dict[str, Any]:
    """A compiled contract as packaged: ABI, bytecode and where its immutables are."""
    path = files("ledger").joinpath(f"artifacts/{contract}.json")
    parsed: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return parsed


def abi(contract: str = LEDGER) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = artifact(contract)["abi"]
    return items


@cache
def _function(contract: str, name: str) -> tuple[bytes, tuple[str, ...], tuple[str, ...]]:
    """Selector, argument types and result types of a function."""
    functions = [entry for entry in abi(contract) if entry["type"] == "function"]
    (item,) = [entry for entry in functions if entry["name"] == name]
    kinds = kinds_of(item["inputs"])
    return _selector(name, kinds), kinds, kinds_of(item["outputs"])


@cache
def _errors() -> dict[bytes, tuple[str, tuple[str, ...]]]:
    """The custom errors, and the two that the compiler adds, by selector."""
    found = {
        (item["name"], kinds_of(item["inputs"]))
        for contract in (LEDGER, QUEUE, CLAIMS, BEACON)
        for item in abi(contract)
        if item["type"] == "error"
    }
    found |= {("Error", ("string",)), ("Panic", ("uint256",))}
    return {_selector(name, kinds): (name, kinds) for name, kinds in found}


def _selector(name: str, kinds: Sequence[str]) -> bytes:
    return keccak(f"{name}({','.join(kinds)})".encode())[:4]


def kinds_of(parameters: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Canonical types; a struct is the tuple of its fields."""
    return tuple(
        item["type"].replace("tuple", f"({','.join(kinds_of(item['components']))})")
        if item["type"].startswith("tuple")
        else item["type"]
        for item in parameters
    )


def encode_creation(*values: Any, contract: str = LEDGER) -> bytes:
    """Creation code with the constructor's arguments: the data of the deploying transaction."""
    items = [item for item in abi(contract) if item["type"] == "constructor"]
    kinds = kinds_of(items[0]["inputs"]) if items else ()
    code = bytes.fromhex(artifact(contract)["bytecode"].removeprefix("0x"))
    return code + abi_encode(kinds, values)


def encode(name: str, *values: Any, contract: str = LEDGER) -> bytes:
    """Calldata of a function; ValueError when the values are not of its types."""
    selector, kinds, _ = _function(contract, name)
    try:
        return selector + abi_encode(kinds, values)
    except EncodingError as error:
        raise ValueError(f"{name} does not take these values: {error}") from error


def decode_result(name: str, raw: bytes, *, contract: str = LEDGER) -> tuple[Any, ...]:
    """What a function answered; ChainError when it cannot have been this function."""
    try:
        return abi_decode(_function(contract, name)[2], raw)
    except DecodingError as error:
        raise ChainError(
            f"The answer to {name}() does not decode: {error}.",
            hint="The address may not be that of a Kudos ledger; check the deployment file.",
        ) from error
