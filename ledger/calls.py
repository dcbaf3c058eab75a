"""Calldata of the contract and what it answers: typed values in and out, by the packaged ABI. Pure.

A read is a ``View``: its calldata and how to decode the answer, so that whoever has a chain runs it
against the block of its choice::

    totals = view.decode(rpc.call(contract, view.data, block)) where view = calls.kudos(node)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from typing import Any, Generic, TypeVar

from ledger.abi import decode_result, encode
from ledger.types import Address, Digest, address_from_hex

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BatchVote:
    """A validator's word on one batch; ``reasons`` are (index, reason code) pairs."""

    host: Address
    root: Digest
    approve: int
    refuse: int
    reasons: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class StepVote:
    """A validator's word on the claim of a migration that came the strict way; ``id`` is its
    RESULT's or REJECTED's."""

    home: Address
    host: Address
    seq: int
    id: Digest
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
class Ballot:
    """What a validator said of a batch; ``excluded`` are the records that it is a party to."""

    voted: bool
    approve: int
    refuse: int
    excluded: int


@dataclass(frozen=True, slots=True)
class View(Generic[T]):
    """A read of the contract: what to send and how to read the answer."""

    data: bytes
    decode: Callable[[bytes], T]


# -- transactions ------------------------------------------------------------------------------


def settle(host: Address, batch: bytes, host_signature: bytes = b"") -> bytes:
    """Calldata that settles a packed batch; without a signature the host itself must send it."""
    return encode("settle", host, batch, host_signature)


def vote(batch_votes: Sequence[BatchVote], step_votes: Sequence[StepVote]) -> bytes:
    """Calldata of a validator's votes on the claims that the ledger keeps itself; a vote on one
    single migration has a form of its own that costs less."""
    if not batch_votes and len(step_votes) == 1:
        return encode("voteOnStep", *astuple(step_votes[0]))
    batches = [
        (ballot.host, ballot.root, ballot.approve, ballot.refuse, _pairs(ballot.reasons))
        for ballot in batch_votes
    ]
    steps = [((vote.home, vote.host, vote.seq), vote.id, vote.reason) for vote in step_votes]
    return encode("vote", batches, steps)


# -- views -------------------------------------------------------------------------------------


def kudos(node: Address) -> View[Totals]:
    return View(encode("kudos", node), lambda raw: Totals(*decode_result("kudos", raw)))


def batch(host: Address, root: Digest) -> View[BatchState]:
    return View(encode("batch", host, root), lambda raw: BatchState(*decode_result("batch", raw)))


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


def seats() -> View[tuple[Address, ...]]:
    """The validators by seat number; zero where a seat is empty."""

    def read(raw: bytes) -> tuple[Address, ...]:
        return tuple(address_from_hex(text) for text in decode_result("seats", raw)[0])

    return View(encode("seats"), read)


def set_version() -> View[int]:
    """How many sets of validators there have been, the present one included."""
    return _scalar("setVersion")


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
