"""The packaged contract: its artifact, ABI types, selectors, and what its refusals mean. Pure."""

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
from ledger.reasons import describe
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
    sentence, hint = _SENTENCES.get(name, (f"The contract refused the call with {name}.", ""))
    return ContractReverted(
        sentence.format(*_shown(name, values)), error=name, values=values, hint=hint
    )


_SENTENCES = {
    "Error": ("The contract refused the call: {0}.", ""),
    "Panic": ("The contract failed with panic code {0}.", "This is a bug in the contract."),
    "BadValidatorSet": (
        "The validator list or its threshold is not allowed.",
        "Name 1 to 16 different validators and a threshold above half of them.",
    ),
    "BadParameter": ("A value of the deployment is zero.", "Give every value of the deployment."),
    "MalformedBatch": (
        "The batch is not in the packed form; reading stopped at byte {0}.",
        "This program and the contract are of different versions.",
    ),
    "NotTheHost": (
        "The batch is neither sent nor signed by its host.",
        "Send it with the host's key or add the host's signature.",
    ),
    "NothingToSettle": (
        "Nothing in it could be settled; the first item because of {0}.",
        "If it was settled before there is nothing to do.",
    ),
    "NotAValidator": (
        "The sender is not a registered validator.",
        "Vote with the key of a registered validator.",
    ),
    "UnknownBatch": ("The host has no settled batch with this root.", "Wait for its settlement."),
    "UnknownClaim": ("There is no such K3 claim.", "Wait for its settlement."),
    "VotedBefore": ("This validator voted on this before.", "Votes cannot be changed."),
    "ContradictoryVote": (
        "A claim is both approved and refused, or a reason code is not a vote.",
        "Vote once per claim with a code from 128 to 159.",
    ),
    "NotEnoughGas": (
        "A contract wallet has to be asked about a signature, which needs {0} gas.",
        "Send the transaction with more gas.",
    ),
    "NotTransferable": (
        "Kudos are earned: they cannot be transferred, nor anybody be approved to do so.",
        "Run tasks for others to earn your own.",
    ),
    "UnknownLevel": ("There is no Kudos level {0}.", "Levels are 1, 2 and 3."),
    "UnequalLists": (
        "The lists of accounts and of levels are not equally long.",
        "Name one level for each account.",
    ),
    "TooManyBalances": (
        "More than {0} balances were asked for at once.",
        "Ask in several calls.",
    ),
}


def _shown(name: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values for the sentence: a reason code with its text; "?" when they did not decode."""
    if name == "NothingToSettle" and values:
        return (describe(values[0]),)
    return values or ("?",)


@cache
def artifact() -> dict[str, Any]:
    """The compiled contract as packaged: ABI, bytecode and where its immutables are."""
    path = files("ledger").joinpath("artifacts/KudosLedger.json")
    parsed: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return parsed


def abi() -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = artifact()["abi"]
    return items


@cache
def _function(name: str) -> tuple[bytes, tuple[str, ...], tuple[str, ...]]:
    """Selector, argument types and result types of a function."""
    (item,) = [entry for entry in abi() if entry["type"] == "function" and entry["name"] == name]
    kinds = kinds_of(item["inputs"])
    return _selector(name, kinds), kinds, kinds_of(item["outputs"])


@cache
def _errors() -> dict[bytes, tuple[str, tuple[str, ...]]]:
    """The custom errors, and the two that the compiler adds, by selector."""
    found = {item["name"]: kinds_of(item["inputs"]) for item in abi() if item["type"] == "error"}
    found |= {"Error": ("string",), "Panic": ("uint256",)}
    return {_selector(name, kinds): (name, kinds) for name, kinds in found.items()}


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


def encode_creation(*values: Any) -> bytes:
    """Creation code with the constructor's arguments: the data of the deploying transaction."""
    kinds = kinds_of(next(item for item in abi() if item["type"] == "constructor")["inputs"])
    return bytes.fromhex(artifact()["bytecode"].removeprefix("0x")) + abi_encode(kinds, values)


def encode(name: str, *values: Any) -> bytes:
    """Calldata of a function; ValueError when the values are not of its types."""
    selector, kinds, _ = _function(name)
    try:
        return selector + abi_encode(kinds, values)
    except EncodingError as error:
        raise ValueError(f"{name} does not take these values: {error}") from error


def decode_result(name: str, raw: bytes) -> tuple[Any, ...]:
    """What a function answered; ChainError when it cannot have been this function."""
    try:
        return abi_decode(_function(name)[2], raw)
    except DecodingError as error:
        raise ChainError(
            f"The answer to {name}() does not decode: {error}.",
            hint="The address may not be that of a Kudos ledger; check the deployment file.",
        ) from error
