"""What a host checks of what a home signed, whoever schedules the tasks; PeerError when it does not
hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from canaries.commitment import PLANTED, Mark, Place, commitment
from canaries.family import Family
from ledger.assets import (
    ANSWER_WITHIN,
    CONFIRM_WITHIN,
    RESULT_WITHIN_MAX,
    Accepted,
    CanaryOpened,
    ConfirmedMigration,
    Request,
)
from ledger.eip712 import Domain, digest
from ledger.errors import PeerError
from ledger.keys import signed_by
from ledger.outbox import Outbox
from ledger.outbox_codec import OpenedCanary
from ledger.types import Address, Digest, Signature
from node import wire
from node.handshake import Credentials
from node.journal import Journal
from node.puzzle_task import solves

CLOCK_SKEW = 300
"""Seconds by which a home's clock may run ahead of its host's."""

_NO_FAMILIES: Mapping[bytes, Family] = MappingProxyType({})

SettledMigrations = Callable[[Digest], ConfirmedMigration | None]
"""From a request id to the migration, once the index has it."""


def check_request(me: Credentials, peer: Address, request: Request, signature: bytes) -> None:
    """Parties, signature and times of a REQUEST that came from ``peer``."""
    if request.home != peer or request.host != me.key.address or peer == request.host:
        raise PeerError("REQUEST names other parties than this connection has.")
    if not signed_by(me.domain, request, signature, peer):
        raise PeerError("REQUEST is not signed by its home.")
    now = int(me.clock.now())
    # Validators refuse an answer that comes later than ANSWER_WITHIN after its request.
    if not -CLOCK_SKEW <= now - request.signed_at <= ANSWER_WITHIN:
        raise PeerError("REQUEST was not signed just now; check both clocks.")
    if not now < request.result_deadline <= request.signed_at + RESULT_WITHIN_MAX:
        raise PeerError("The result deadline is out of bounds.")


def check_confirmation(
    domain: Domain, peer: Address, accepted: Accepted, message: wire.Confirm
) -> None:
    """That CONFIRMED is the home's, of this acceptance, and in time."""
    confirmed = message.confirmed
    if confirmed.acceptance_id != digest(domain, accepted):
        raise PeerError("CONFIRMED names another acceptance.")
    if not signed_by(domain, confirmed, message.signature, peer):
        raise PeerError("CONFIRMED is not signed by its home.")
    # Validators refuse anything else: the host would work for nothing.
    if not 0 <= confirmed.signed_at - accepted.signed_at <= CONFIRM_WITHIN:
        raise PeerError("CONFIRMED was not signed in time; check both clocks.")


def is_committed(domain: Domain, request: Request, task: bytes, mark_hash: bytes) -> bool:
    """Whether the request's commitment covers this task digest and mark."""
    place = Place(domain.chain_id, domain.contract, request.home, request.host, request.seq)
    return len(mark_hash) == 32 and commitment(place, task, mark_hash) == request.commitment


def take_opening(
    domain: Domain,
    journal: Journal,
    outbox: Outbox,
    settled: SettledMigrations,
    peer: Address,
    message: wire.Open,
    families: Mapping[bytes, Family] = _NO_FAMILIES,
) -> wire.Ack:
    """Puts the home's opening of a canary into the outbox: the claim for K3. With the right
    solution of a puzzle of these ``families`` it needs no votes."""
    opened = message.opened
    if not signed_by(domain, opened, message.signature, peer):
        raise PeerError("CANARY_OPENED is not signed by its home.")
    migration = settled(opened.request_id)
    answer = journal.seal(opened.request_id)
    if migration is None or answer is None or answer.task_digest != opened.task_digest:
        raise PeerError("There is no settled result of that task here, or not yet.")
    _check_opening(domain, peer, migration.request, opened)
    signature = Signature(message.signature)
    # Claimed as a puzzle, a wrong solution would get no hearing; validators see what it is worth.
    right = solves(families.get(opened.family), opened.parameters, answer.solution)
    solution = answer.solution if right else None
    outbox.append_canary(
        OpenedCanary(migration, opened, signature, answer.result_digest, answer.salt, solution)
    )
    return wire.Ack()


def _check_opening(domain: Domain, peer: Address, request: Request, opened: CanaryOpened) -> None:
    """A claim on a wrong opening would be refused, and stand in the way of the right one."""
    if request.home != peer:
        raise PeerError("CANARY_OPENED comes from another node than the home.")
    if not any(opened.salt):
        raise PeerError("CANARY_OPENED has no salt.")
    mark = Mark(PLANTED, opened.family, opened.parameters, opened.salt)
    if not is_committed(domain, request, opened.task_digest, mark.hash):
        raise PeerError("CANARY_OPENED does not open the commitment of its request.")
