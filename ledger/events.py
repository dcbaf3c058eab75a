"""The contract's events: raw logs in, typed events out. An unknown topic raises; nothing is dropped
silently.

The signatures below are those of ``IKudosLedger``; a test compares them with the compiled ABI.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from eth_abi.abi import decode as abi_decode
from eth_abi.exceptions import DecodingError
from eth_hash.auto import keccak

from ledger.errors import ChainError
from ledger.types import ZERO_ADDRESS, Address, BlockHash, BlockNumber, Digest, TxHash


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


@dataclass(frozen=True, slots=True)
class BatchSettled:
    host: Address
    root: Digest
    claims: int
    skipped: tuple[tuple[int, int], ...]
    """(index, reason code) of every record that changed nothing."""
    batch: bytes


@dataclass(frozen=True, slots=True)
class BatchVoted:
    validator: Address
    host: Address
    root: Digest
    approve: int
    refuse: int
    reasons: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class BatchDecided:
    host: Address
    root: Digest
    verified: int
    refused: int


@dataclass(frozen=True, slots=True)
class MarkOpened:
    """The event CanaryOpened; named apart from the asset that it carries."""

    request_id: Digest
    home: Address
    result_id: Digest
    task_digest: Digest
    family: Digest
    parameters: Digest
    salt: Digest
    signed_at: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class CanaryClaimed:
    kudos_id: Digest
    host: Address
    request_id: Digest
    result_digest: Digest
    seal_salt: Digest


@dataclass(frozen=True, slots=True)
class CanarySkipped:
    index: int
    reason: int


@dataclass(frozen=True, slots=True)
class CanaryVoted:
    validator: Address
    kudos_id: Digest
    reason: int


@dataclass(frozen=True, slots=True)
class CanaryDecided:
    kudos_id: Digest
    host: Address
    verified: bool


@dataclass(frozen=True, slots=True)
class KudosMinted:
    """The event TransferSingle; named for the one thing that it can mean here."""

    operator: Address
    host: Address
    level: int
    count: int


Event = (
    BatchSettled
    | BatchVoted
    | BatchDecided
    | MarkOpened
    | CanaryClaimed
    | CanarySkipped
    | CanaryVoted
    | CanaryDecided
    | KudosMinted
)

SIGNATURES = {
    "BatchSettled": "BatchSettled(address,bytes32,uint128,bytes,bytes)",
    "BatchVoted": "BatchVoted(address,address,bytes32,uint128,uint128,bytes)",
    "BatchDecided": "BatchDecided(address,bytes32,uint128,uint128)",
    "CanaryOpened": (
        "CanaryOpened(bytes32,address,bytes32,bytes32,bytes32,bytes32,bytes32,uint64,bytes)"
    ),
    "CanaryClaimed": "CanaryClaimed(bytes32,address,bytes32,bytes32,bytes32)",
    "CanarySkipped": "CanarySkipped(uint256,uint8)",
    "CanaryVoted": "CanaryVoted(address,bytes32,uint8)",
    "CanaryDecided": "CanaryDecided(bytes32,address,bool)",
    "TransferSingle": "TransferSingle(address,address,address,uint256,uint256)",
}


def decode(log: RawLog) -> Event:
    """The typed event of a log of our contract; ChainError when it is none of them or does not
    decode."""
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


def _address(topic: bytes) -> Address:
    return Address(topic[12:])


def _pairs(raw: bytes) -> tuple[tuple[int, int], ...]:
    if len(raw) % 2:
        raise ValueError("an odd number of bytes is no list of (index, reason) pairs")
    return tuple(zip(raw[::2], raw[1::2], strict=True))


def _batch_settled(log: RawLog) -> BatchSettled:
    claims, skipped, batch = abi_decode(["uint128", "bytes", "bytes"], log.data)
    return BatchSettled(_address(log.topics[1]), log.topics[2], claims, _pairs(skipped), batch)


def _batch_voted(log: RawLog) -> BatchVoted:
    approve, refuse, reasons = abi_decode(["uint128", "uint128", "bytes"], log.data)
    validator, host = _address(log.topics[1]), _address(log.topics[2])
    return BatchVoted(validator, host, log.topics[3], approve, refuse, _pairs(reasons))


def _batch_decided(log: RawLog) -> BatchDecided:
    verified, refused = abi_decode(["uint128", "uint128"], log.data)
    return BatchDecided(_address(log.topics[1]), log.topics[2], verified, refused)


def _mark_opened(log: RawLog) -> MarkOpened:
    kinds = ["bytes32"] * 5 + ["uint64", "bytes"]
    result_id, task, family, parameters, salt, signed_at, signature = abi_decode(kinds, log.data)
    return MarkOpened(
        log.topics[1],
        _address(log.topics[2]),
        Digest(result_id),
        Digest(task),
        Digest(family),
        Digest(parameters),
        Digest(salt),
        signed_at,
        signature,
    )


def _canary_claimed(log: RawLog) -> CanaryClaimed:
    result_digest, seal_salt = abi_decode(["bytes32", "bytes32"], log.data)
    host = _address(log.topics[2])
    return CanaryClaimed(
        log.topics[1], host, log.topics[3], Digest(result_digest), Digest(seal_salt)
    )


def _canary_skipped(log: RawLog) -> CanarySkipped:
    index, reason = abi_decode(["uint256", "uint8"], log.data)
    return CanarySkipped(index, reason)


def _canary_voted(log: RawLog) -> CanaryVoted:
    (reason,) = abi_decode(["uint8"], log.data)
    return CanaryVoted(_address(log.topics[1]), log.topics[2], reason)


def _canary_decided(log: RawLog) -> CanaryDecided:
    (verified,) = abi_decode(["bool"], log.data)
    return CanaryDecided(log.topics[1], _address(log.topics[2]), verified)


def _kudos_minted(log: RawLog) -> KudosMinted:
    level, count = abi_decode(["uint256", "uint256"], log.data)
    operator, source, host = (_address(topic) for topic in log.topics[1:4])
    if source != ZERO_ADDRESS:
        raise ValueError("tokens were moved, and this contract only mints them")
    return KudosMinted(operator, host, level, count)


_DECODERS: dict[bytes, Callable[[RawLog], Event]] = {
    keccak(SIGNATURES["BatchSettled"].encode()): _batch_settled,
    keccak(SIGNATURES["BatchVoted"].encode()): _batch_voted,
    keccak(SIGNATURES["BatchDecided"].encode()): _batch_decided,
    keccak(SIGNATURES["CanaryOpened"].encode()): _mark_opened,
    keccak(SIGNATURES["CanaryClaimed"].encode()): _canary_claimed,
    keccak(SIGNATURES["CanarySkipped"].encode()): _canary_skipped,
    keccak(SIGNATURES["CanaryVoted"].encode()): _canary_voted,
    keccak(SIGNATURES["CanaryDecided"].encode()): _canary_decided,
    keccak(SIGNATURES["TransferSingle"].encode()): _kudos_minted,
}
