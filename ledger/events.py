"""The contracts' events: raw logs in, typed events out. An unknown topic raises; nothing is dropped
silently.

One table holds every event's declaration, by the contract that emits it; a test compares it with
the compiled ABIs. A field's Python value follows from its Solidity type, and the few that mean more
than their type have a reading of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from eth_abi.abi import decode as abi_decode
from eth_abi.exceptions import DecodingError
from eth_hash.auto import keccak

from ledger import event_types as types
from ledger.assets import Request
from ledger.errors import ChainError
from ledger.event_types import Event
from ledger.types import (
    ZERO_ADDRESS,
    Address,
    BlockHash,
    BlockNumber,
    Digest,
    TxHash,
    address_from_hex,
)


@dataclass(frozen=True, slots=True)
class RawLog:
    """One log as the chain gives it; (block_hash, log_index) is its key."""

    address: Address
    topics: tuple[Digest, ...]
    data: bytes
    block_number: BlockNumber
    block_hash: BlockHash
    tx_hash: TxHash
    log_index: int


_REQUEST = "(address,address,bytes32,bytes32,bytes32,uint32,uint32,uint32,uint32,uint64,uint64)"
CONTENT = "(uint8,uint64,address[16],uint256,bytes32,address)"

DECLARED: Mapping[str, Mapping[type[Any], str]] = {
    "ledger": {
        types.BatchSettled: "BatchSettled(address*,bytes32*,uint128,bytes,bytes)",
        types.ValidatorExcluded: "ValidatorExcluded(address*,bytes32*,address*,uint128)",
        types.BatchVoted: "BatchVoted(address*,address*,bytes32*,uint128,uint128,bytes)",
        types.BatchDecided: "BatchDecided(address*,bytes32*,uint128,uint128)",
        types.Requested: f"Requested(bytes32*,{_REQUEST})",
        types.Accepted: "Accepted(bytes32*,uint64)",
        types.Rejected: "Rejected(bytes32*,uint8,uint64,bool)",
        types.Confirmed: "Confirmed(bytes32*,uint64)",
        types.Resulted: "Resulted(bytes32*,bytes32,uint64,bool)",
        types.Signed: "Signed(bytes32*,bytes)",
        types.StepVoted: "StepVoted(address*,bytes32*,uint8,uint8)",
        types.StepDecided: "StepDecided(address*,address*,uint32,uint8)",
        types.KudosMinted: "TransferSingle(address*,address*,address*,uint256,uint256)",
        types.ValidatorSetChanged: "ValidatorSetChanged(uint256*,address[16],uint256)",
        types.LedgerClosed: "LedgerClosed(uint64)",
        types.Carried: "Carried(address*)",
        types.SatelliteBuilt: "SatelliteBuilt(uint256*,address)",
    },
    "claims": {
        types.CanariesClaimed: "CanariesClaimed(address*,bytes)",
        types.ClaimSkipped: "ClaimSkipped(address*,uint256,uint8)",
        types.ClaimedAgain: "ClaimedAgain(bytes32*,address*,bytes32*,uint8)",
        types.Receipted: "Receipted(bytes32*,address*,bytes32*,uint64,bytes)",
        types.FamilyRegistered: "FamilyRegistered(uint8*,bytes32*,address)",
        types.VotesCommitted: "VotesCommitted(address*,uint64*,bytes32)",
        types.VotesRevealed: "VotesRevealed(address*,uint64*)",
        types.ClaimVoted: "ClaimVoted(address*,bytes32*,uint8)",
        types.VoteSkipped: "VoteSkipped(address*,bytes32*,uint8)",
        types.ClaimDecided: "ClaimDecided(bytes32*,address*,uint8,uint8)",
        types.PuzzleAsked: "PuzzleAsked(address*,uint32,uint8,uint256)",
        types.PuzzleSolved: "PuzzleSolved(address*,uint32,bytes32,bytes32)",
        types.ValidatorTested: "TestOpened(bytes32*,bytes32*,bytes32,bytes32,bytes32)",
    },
    "queue": {
        types.Proposed: f"Proposed(uint256*,bytes32*,address*,{CONTENT})",
        types.ProposalVoted: "ProposalVoted(uint256*,address*,bool)",
        types.ProposalApproved: "ProposalApproved(uint256*,uint64)",
        types.ProposalWithdrawn: "ProposalWithdrawn(uint256*)",
        types.ProposalExecuted: "ProposalExecuted(uint256*)",
    },
    "beacon": {
        types.SecretCommitted: "SecretCommitted(uint64*,address*,bytes32)",
        types.SecretRevealed: "SecretRevealed(uint64*,address*,bytes32)",
        types.BlockNamed: "BlockNamed(uint64*,uint256)",
        types.BeaconKnown: "BeaconKnown(uint64*,bytes32,uint256)",
        types.NoBeacon: "NoBeacon(uint64*,uint256,uint256)",
    },
}
"""Every event of every contract; a star marks an indexed parameter."""


def canonical(declaration: str) -> str:
    """The signature that an event's topic is the hash of."""
    return declaration.replace("*", "")


SIGNATURES: Mapping[str, str] = {
    canonical(text).partition("(")[0]: canonical(text)
    for table in DECLARED.values()
    for text in table.values()
}
"""By the event's name in Solidity."""

EMITTER: Mapping[type[Any], str] = {
    event: contract for contract, table in DECLARED.items() for event in table
}
"""Which contract emits an event."""


def decode(log: RawLog) -> Event:
    """The typed event of a log of ours; ChainError when it is none of them or does not decode."""
    try:
        decoder = _DECODERS[log.topics[0]]
    except (KeyError, IndexError):
        raise ChainError(
            f"Log {log.log_index} of block {log.block_number} has an unknown topic.",
            hint="The contract is newer than this program: update it.",
        ) from None
    try:
        return decoder(log)
    except (DecodingError, IndexError, ValueError) as error:
        raise ChainError(
            f"Log {log.log_index} of block {log.block_number} does not decode: {error}.",
            hint="The RPC endpoint returned damaged data; try another one.",
        ) from error


def _pairs(raw: bytes) -> types.Pairs:
    if len(raw) % 2:
        raise ValueError("an odd number of bytes is no list of (index, reason) pairs")
    return tuple(zip(raw[::2], raw[1::2], strict=True))


def _addresses(found: tuple[str, ...]) -> tuple[Address, ...]:
    return tuple(map(address_from_hex, found))


def _request(found: tuple[Any, ...]) -> Request:
    home, host, *rest = found
    return Request(address_from_hex(home), address_from_hex(host), *rest)


def _content(found: tuple[Any, ...]) -> types.ProposalContent:
    kind, version, seats, quorum, family, implementation = found
    named = (Digest(family), address_from_hex(implementation))
    return types.ProposalContent(kind, version, _addresses(seats), quorum, *named)


_READINGS: Mapping[str, Callable[[Any], Any]] = {
    "address": address_from_hex,
    "bytes32": Digest,
    "address[16]": _addresses,
    _REQUEST: _request,
    CONTENT: _content,
}
"""From what eth_abi gives to what the field holds; types not named here stay as they are."""

_SPECIAL = {(types.BatchSettled, "skipped"): _pairs, (types.BatchVoted, "reasons"): _pairs}


def _decoder(event: type[Any], declaration: str) -> Callable[[RawLog], Event]:
    """How a log becomes this event, worked out once."""
    parameters = re.findall(
        r"(\([^()]*\)|[^,()*]+)(\*?)(?:,|$)", declaration.partition("(")[2][:-1]
    )
    names = list(event.__dataclass_fields__)
    indexed = [kind for kind, star in parameters if star]
    plain = [kind for kind, star in parameters if not star]
    readings = [
        _SPECIAL.get((event, name)) or _READINGS.get(kind)
        for name, (kind, _) in zip(names, parameters, strict=True)
    ]

    def read(log: RawLog) -> Event:
        if len(log.topics) != 1 + len(indexed):
            raise ValueError(f"{len(log.topics)} topics, not {1 + len(indexed)}")
        topics = iter(abi_decode(indexed, b"".join(log.topics[1:])))
        values = iter(abi_decode(plain, log.data))
        found = [next(topics if star else values) for _, star in parameters]
        fields = [
            value if reading is None else reading(value)
            for reading, value in zip(readings, found, strict=True)
        ]
        return cast("Event", event(*fields))

    return read


def _kudos_minted(read: Callable[[RawLog], Event], log: RawLog) -> Event:
    """TransferSingle has the token's source, too, which is nobody in a mint."""
    if len(log.topics) != 4 or log.topics[2] != ZERO_ADDRESS.rjust(32, b"\0"):
        raise ValueError("tokens were moved, and this contract only mints them")
    return read(log)


def _all_decoders() -> dict[bytes, Callable[[RawLog], Event]]:
    found = {
        keccak(canonical(text).encode()): _decoder(event, text)
        for table in DECLARED.values()
        for event, text in table.items()
        if event is not types.KudosMinted
    }

    def minted(log: RawLog) -> Event:
        level, count = abi_decode(["uint256", "uint256"], log.data)
        operator, host = (Address(log.topics[place][12:]) for place in (1, 3))
        return types.KudosMinted(operator, host, level, count)

    return found | {keccak(SIGNATURES["TransferSingle"].encode()): partial(_kudos_minted, minted)}


_DECODERS = _all_decoders()
