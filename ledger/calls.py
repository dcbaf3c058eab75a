"""Calldata of the contract and what it answers: typed values in and out, by the packaged ABI. Pure.

A read is a ``View``: its calldata and how to decode the answer, so that whoever has a chain runs it
against the block of its choice::

    totals = view.decode(rpc.call(contract, view.data, block)) where view = calls.kudos(node)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from typing import Any, Generic, TypeVar

from ledger.abi import decode_result, encode, encode_creation
from ledger.assets import Request
from ledger.types import Address, Digest, address_from_hex

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CanaryClaim:
    """A claim for K3, field by field the interface's ``CanaryClaim``."""

    request: Request
    seal: Digest
    result_signed_at: int
    root: Digest
    index: int
    path: tuple[Digest, ...]
    task_digest: Digest
    family: Digest
    parameters: Digest
    salt: Digest
    opened_at: int
    opening_signature: bytes
    result_digest: Digest
    seal_salt: Digest
    host_signature: bytes = b""


@dataclass(frozen=True, slots=True)
class BatchVote:
    """A validator's word on one batch; ``reasons`` are (index, reason code) pairs."""

    host: Address
    root: Digest
    approve: int
    refuse: int
    reasons: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class CanaryVote:
    """A validator's word on one K3 claim."""

    kudos_id: Digest
    reason: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Verified Kudos records of one node."""

    k1: int
    k2: int
    k3: int


@dataclass(frozen=True, slots=True)
class BatchState:
    """What the contract stores of a batch; all zero for an unknown one."""

    n: int
    confirmed: int
    settled_at: int
    claims: int
    verified: int
    refused: int


@dataclass(frozen=True, slots=True)
class CanaryState:
    """How a K3 claim stands: 0 unknown, 1 claimed, 2 verified, 3 refused."""

    state: int
    host: Address
    claimed_at: int


@dataclass(frozen=True, slots=True)
class Ballot:
    """What a validator said of a batch."""

    voted: bool
    approve: int
    refuse: int


@dataclass(frozen=True, slots=True)
class View(Generic[T]):
    """A read of the contract: what to send and how to read the answer."""

    data: bytes
    decode: Callable[[bytes], T]


# -- transactions ------------------------------------------------------------------------------


def settle(host: Address, batch: bytes, host_signature: bytes = b"") -> bytes:
    """Calldata that settles a packed batch; without a signature the host itself must send it."""
    return encode("settle", host, batch, host_signature)


def claim_canaries(claims: Sequence[CanaryClaim]) -> bytes:
    """Calldata that claims K3 for opened canaries."""
    return encode("claimCanaries", [astuple(claim) for claim in claims])


def vote(batch_votes: Sequence[BatchVote], canary_votes: Sequence[CanaryVote]) -> bytes:
    """Calldata of a validator's votes."""
    batches = [
        (ballot.host, ballot.root, ballot.approve, ballot.refuse, _pairs(ballot.reasons))
        for ballot in batch_votes
    ]
    return encode("vote", batches, [astuple(ballot) for ballot in canary_votes])


def constructor(
    validators: Sequence[Address], threshold: int, epoch_seconds: int, k1_per_host_and_epoch: int
) -> bytes:
    """Creation code with its arguments, the data of the deploying transaction."""
    return encode_creation(list(validators), threshold, epoch_seconds, k1_per_host_and_epoch)


# -- views -------------------------------------------------------------------------------------


def kudos(node: Address) -> View[Totals]:
    return View(encode("kudos", node), lambda raw: Totals(*decode_result("kudos", raw)))


def batch(host: Address, root: Digest) -> View[BatchState]:
    return View(encode("batch", host, root), lambda raw: BatchState(*decode_result("batch", raw)))


def canary(kudos_id: Digest) -> View[CanaryState]:
    def read(raw: bytes) -> CanaryState:
        state, host, claimed_at = decode_result("canary", raw)
        return CanaryState(state, address_from_hex(host), claimed_at)

    return View(encode("canary", kudos_id), read)


def ballot(host: Address, root: Digest, validator: Address) -> View[Ballot]:
    return View(
        encode("ballot", host, root, validator), lambda raw: Ballot(*decode_result("ballot", raw))
    )


def sequence_used(home: Address, host: Address, seq: int) -> View[bool]:
    return _scalar("sequenceUsed", home, host, seq)


def balance(node: Address, level: int) -> View[int]:
    """The tokens of one level, ERC-1155's ``balanceOf``; as many as ``kudos`` says."""
    return _scalar("balanceOf", node, level)


def balances(asked: Sequence[tuple[Address, int]]) -> View[tuple[int, ...]]:
    """The same for up to 256 pairs of node and level."""
    data = encode("balanceOfBatch", [node for node, _ in asked], [level for _, level in asked])
    return View(data, lambda raw: tuple(decode_result("balanceOfBatch", raw)[0]))


def token_uri(level: int) -> View[str]:
    """A data URI with what wallets show of a level."""
    return _scalar("uri", level)


def validators() -> View[tuple[Address, ...]]:
    def read(raw: bytes) -> tuple[Address, ...]:
        return tuple(address_from_hex(text) for text in decode_result("validators", raw)[0])

    return View(encode("validators"), read)


def threshold() -> View[int]:
    return _scalar("threshold")


def epoch_seconds() -> View[int]:
    return _scalar("epochSeconds")


def k1_per_host_and_epoch() -> View[int]:
    return _scalar("k1PerHostAndEpoch")


def domain_separator() -> View[Digest]:
    return _scalar("domainSeparator")


def _scalar(name: str, *values: Any) -> View[Any]:
    return View(encode(name, *values), lambda raw: decode_result(name, raw)[0])


def _pairs(reasons: Sequence[tuple[int, int]]) -> bytes:
    return bytes(byte for pair in reasons for byte in pair)
