"""The proof bundle: one JSON object, in one spelling but for white space. Pure.

Bytes are 0x and lower-case digits, numbers are numbers, nothing may be missing or added; so no
byte of the file can change without changing what is checked.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

import msgspec

from ledger.creation import Constants
from ledger.errors import KudosError
from ledger.types import Address, Digest, hex_of

FORMAT = "kudos-proof/2"
MAX_BYTES = 64 << 20
KINDS = (
    *("REQUEST", "ACCEPTED", "CONFIRMED", "RESULT", "REJECTED", "CANARY_OPENED"),
    *("K1", "K2", "K3"),
)


class ProofRefused(KudosError):
    """The bundle does not prove what it says."""


@dataclass(frozen=True, slots=True)
class LogProof:
    """Where a log stands, and the nodes from its block's receiptsRoot to its receipt.

    ``log`` counts within the receipt, which the last node holds.
    """

    block: int
    tx: int
    log: int
    event: str
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class AccountProof:
    """The contract under the stateRoot of the newest header: its code, and the slots of the
    validators and of what its satellites were created from, which ``constants`` give."""

    code: bytes
    proof: tuple[bytes, ...]
    storage: tuple[tuple[bytes, ...], ...]
    constants: Constants


@dataclass(frozen=True, slots=True)
class PartProof:
    """Another contract of the ledger under the same stateRoot, by the name of its artifact."""

    part: str
    code: bytes
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Bundle:
    """Everything that is needed to check one asset or Kudos, but for the hash of a block."""

    id: Digest
    kind: str
    chain_id: int
    contract: Address
    index: int
    """The record's place in its batch; ``path`` are the siblings from its leaf to the root."""
    path: tuple[Digest, ...]
    headers: tuple[bytes, ...]
    logs: tuple[LogProof, ...]
    account: AccountProof | None
    parts: tuple[PartProof, ...] = ()
    """The contracts that logged any of it, or whose code did, but for the ledger itself."""


# What JSON readers agree on; chain ids and blocks are far below.
_Natural = Annotated[int, msgspec.Meta(ge=0, le=(1 << 53) - 1)]


class _Log(msgspec.Struct, forbid_unknown_fields=True):
    block: _Natural
    tx: _Natural
    log: _Natural
    event: str
    proof: list[str]


class _Account(msgspec.Struct, forbid_unknown_fields=True):
    code: str
    proof: list[str]
    storage: list[list[str]]
    constants: dict[str, int | str]


class _Part(msgspec.Struct, forbid_unknown_fields=True):
    part: str
    code: str
    proof: list[str]


class _Text(msgspec.Struct, forbid_unknown_fields=True):
    format: str
    id: str
    kind: str
    chain_id: _Natural
    contract: str
    index: _Natural
    path: list[str]
    headers: list[str]
    logs: list[_Log]
    account: _Account | None
    parts: list[_Part]


def encode(bundle: Bundle) -> bytes:
    """The bundle as JSON: keys sorted, no white space, one line."""
    account = bundle.account
    fields = {
        "format": FORMAT,
        "id": hex_of(bundle.id),
        "kind": bundle.kind,
        "chain_id": bundle.chain_id,
        "contract": hex_of(bundle.contract),
        "index": bundle.index,
        "path": _hexes(bundle.path),
        "headers": _hexes(bundle.headers),
        "logs": [
            {"block": log.block, "tx": log.tx, "log": log.log, "event": log.event}
            | {"proof": _hexes(log.proof)}
            for log in bundle.logs
        ],
        "account": account
        and {
            "code": hex_of(account.code),
            "proof": _hexes(account.proof),
            "storage": [_hexes(nodes) for nodes in account.storage],
            "constants": account.constants.as_json(),
        },
        "parts": [
            {"part": part.part, "code": hex_of(part.code), "proof": _hexes(part.proof)}
            for part in bundle.parts
        ],
    }
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def decode(raw: bytes) -> Bundle:
    """The bundle in a file; ProofRefused when it is none, or is spelled in another way."""
    if len(raw) > MAX_BYTES:
        raise _unreadable(f"it has {len(raw)} bytes, more than any bundle")
    try:
        bundle = _bundle(msgspec.json.decode(raw, type=_Text))
    except (msgspec.DecodeError, ValueError, KeyError, AttributeError, RecursionError) as error:
        raise _unreadable(str(error)) from error
    if b"".join(raw.split()) != encode(bundle).strip():
        raise _unreadable("it is not in the one spelling that bundles have")
    return bundle


def _bundle(text: _Text) -> Bundle:
    if text.format != FORMAT:
        raise ValueError(f"its format is not {FORMAT}")
    if text.kind not in KINDS:
        raise ValueError("it is about an unknown kind of asset")
    account = text.account
    return Bundle(
        Digest(_unhex(text.id, 32)),
        text.kind,
        text.chain_id,
        Address(_unhex(text.contract, 20)),
        text.index,
        tuple(Digest(_unhex(item, 32)) for item in text.path),
        _unhexes(text.headers),
        tuple(
            LogProof(log.block, log.tx, log.log, log.event, _unhexes(log.proof))
            for log in text.logs
        ),
        None if account is None else _account(account),
        tuple(PartProof(part.part, _unhex(part.code), _unhexes(part.proof)) for part in text.parts),
    )


def _account(text: _Account) -> AccountProof:
    storage = tuple(_unhexes(nodes) for nodes in text.storage)
    constants = Constants.from_json(text.constants)
    return AccountProof(_unhex(text.code), _unhexes(text.proof), storage, constants)


def _hexes(values: Iterable[bytes]) -> list[str]:
    return [hex_of(value) for value in values]


def _unhexes(values: Iterable[str]) -> tuple[bytes, ...]:
    return tuple(_unhex(value) for value in values)


def _unhex(text: str, size: int | None = None) -> bytes:
    raw = bytes.fromhex(text[2:])
    if hex_of(raw) != text:
        raise ValueError("bytes that are not 0x and lower-case digits")
    if size is not None and len(raw) != size:
        raise ValueError(f"{len(raw)} bytes where {size} belong")
    return raw


def _unreadable(why: str) -> ProofRefused:
    return ProofRefused(
        f"The file is no proof bundle: {why}.", hint="Fetch it again from whoever gave it to you."
    )
