"""Calldata of the validators' queue, and what it answers. Pure; see ``ledger.calls``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from eth_abi.abi import encode as abi_encode
from eth_hash.auto import keccak

from ledger.abi import QUEUE, decode_result, encode
from ledger.calls import View
from ledger.event_types import ProposalContent
from ledger.events import CONTENT
from ledger.types import Address, Digest, address_from_hex, hex_of

SET, FAMILY, CLOSE = 1, 2, 3
"""What a proposal does: IValidatorQueue.Kind."""


class Status(IntEnum):
    """IValidatorQueue.Status."""

    NONE = 0
    OPEN = 1
    WAITING = 2
    READY = 3
    EXECUTED = 4
    WITHDRAWN = 5
    LAPSED = 6
    STALE = 7


@dataclass(frozen=True, slots=True)
class ProposalStanding:
    """How a proposal stands; masks have a bit for each seat, ``ready_at`` is 0 until approved."""

    status: Status
    approvals: int
    withdrawals: int
    ready_at: int
    expires_at: int


# -- transactions ------------------------------------------------------------------------------


def propose(content: ProposalContent) -> bytes:
    """Calldata that proposes this, and approves it, in the sender's name."""
    return encode("propose", _fields(content), contract=QUEUE)


def vote(proposal: int, content: ProposalContent, *, approve: bool) -> bytes:
    """Calldata of the sender's approval, or of its wish to withdraw the proposal."""
    return encode("vote", proposal, content_hash(content), approve, contract=QUEUE)


def execute(proposal: int) -> bytes:
    """Calldata by which an approved proposal takes effect."""
    return encode("execute", proposal, contract=QUEUE)


def content_hash(content: ProposalContent) -> Digest:
    """What ``hashContent`` of the queue gives."""
    return Digest(keccak(abi_encode([CONTENT], [_fields(content)])))


# -- views -------------------------------------------------------------------------------------


def adding(validator: Address, threshold: int) -> View[ProposalContent]:
    """The content that seats one more validator."""
    return _content("adding", validator, threshold)


def removing(validator: Address, threshold: int) -> View[ProposalContent]:
    """The content that empties a validator's seat."""
    return _content("removing", validator, threshold)


def rotating(old: Address, new: Address) -> View[ProposalContent]:
    """The content that gives a validator's seat to another one."""
    return _content("rotating", old, new)


def setting_threshold(threshold: int) -> View[ProposalContent]:
    """The content that changes how many approvals a claim needs."""
    return _content("settingThreshold", threshold)


def proposals() -> View[int]:
    """How many proposals there are, numbered from 1."""
    return _scalar("proposals")


def content(proposal: int) -> View[ProposalContent]:
    """What a proposal says; of kind 0 when there is none."""
    return _content("content", proposal)


def standing(proposal: int) -> View[ProposalStanding]:
    """How a proposal stands."""

    def read(raw: bytes) -> ProposalStanding:
        status, *rest = decode_result("standing", raw, contract=QUEUE)
        return ProposalStanding(Status(status), *rest)

    return View(encode("standing", proposal, contract=QUEUE), read)


def delay() -> View[int]:
    """Seconds between approval and execution."""
    return _scalar("delay")


def _content(name: str, *values: Any) -> View[ProposalContent]:
    def read(raw: bytes) -> ProposalContent:
        kind, version, seats, quorum, family, implementation = decode_result(
            name, raw, contract=QUEUE
        )[0]
        seated = tuple(map(address_from_hex, seats))
        named = (Digest(family), address_from_hex(implementation))
        return ProposalContent(kind, version, seated, quorum, *named)

    return View(encode(name, *values, contract=QUEUE), read)


def _fields(content: ProposalContent) -> tuple[Any, ...]:
    named = (content.family, hex_of(content.implementation))
    seats = [hex_of(seat) for seat in content.seats]
    return (content.kind, content.set_version, seats, content.quorum, *named)


def _scalar(name: str) -> View[int]:
    return View(
        encode(name, contract=QUEUE), lambda raw: int(decode_result(name, raw, contract=QUEUE)[0])
    )
