"""The host's agent towards homes: takes requests, confirmations and openings in, and tells what its
own scheduler has answered."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from ledger.assets import Accepted, Rejected
from ledger.eip712 import digest
from ledger.errors import PeerError
from ledger.outbox import Outbox
from ledger.types import Address, Digest, short
from node import wire
from node.agent_book import Book, Record
from node.agent_records import confirmed_asset, result_asset
from node.handshake import Credentials
from node.host_checks import (
    SettledMigrations,
    check_confirmation,
    check_request,
    is_committed,
    take_opening,
)
from node.inputs import keep
from node.journal import Journal
from node.migration import Move, State, step
from node.store import ContentStore, sha256
from node.task import TaskDescriptor, decode_task, task_digest

log = logging.getLogger(__name__)

OFFERS_PER_HOME = 64
"""Requests of one home that wait for an answer; each is gone after ten seconds."""
HOLD_SECONDS = 1.0
HELD_PER_HOME = 16
"""How long a home's question is held back in the hope of news, and how many at once."""


@dataclass(slots=True)
class Intake:
    """Serves Offer, Confirm, Inquire and Open."""

    me: Credentials
    journal: Journal
    outbox: Outbox
    store: ContentStore
    book: Book
    settled: SettledMigrations
    sequence_used: Callable[[Address, int], bool]
    _held: Counter[Address] = field(default_factory=Counter)

    def expects(self, peer: Address) -> bool:
        """Whether this home has a task accepted here whose inputs may come now."""
        accepted = (r for r in self.book.hosted(self.me.key.address) if r.state is State.ACCEPTED)
        return any(record.request.home == peer for record in accepted)

    async def offer(self, peer: Address, message: wire.Offer) -> wire.Message:
        """Takes a request in for the scheduler to answer; the same one again is no second one."""
        request_id = digest(self.me.domain, message.request)
        known = self.book.get(request_id)
        if known is None:
            self._check_offer(peer, message)
            self.book.put(
                Record(
                    request_id=request_id,
                    request=message.request,
                    request_signature=message.signature,
                    mark_hash=message.mark_hash,
                    task_digest=message.task_digest,
                    task=message.task,
                    state=step(State.DRAFT, Move.ASK),
                )
            )
            log.info("%s asks %s", short(peer), short(request_id))
        elif known.request.home != peer:
            raise PeerError("That request is somebody else's.")
        return await self._news(peer, request_id)

    async def confirm(self, peer: Address, message: wire.Confirm) -> wire.Message:
        """Takes CONFIRMED and the inputs; the scheduler may start."""
        record = self._of(peer, message.request_id)
        accepted = Accepted(record.key, record.answered_at)
        again = record.state in (State.CONFIRMED, State.DONE)
        if not again:
            state = step(record.state, Move.CONFIRM)
            check_confirmation(self.me.domain, peer, accepted, message)
            if {sha256(blob) for blob in message.blobs} != set(record.missing):
                raise PeerError("CONFIRMED came with other inputs than were asked for.")
            for blob in message.blobs:
                self.store.put(blob)
            if record.task:
                task, deadline = decode_task(record.task), record.request.result_deadline
                keep(self.store, self.journal, task, deadline)
            self.book.put(
                msgspec.structs.replace(
                    record,
                    state=state,
                    confirmed_at=message.confirmed.signed_at,
                    confirm_signature=message.signature,
                )
            )
        elif message.confirmed != confirmed_asset(self.me.domain, record):
            raise PeerError("This request was confirmed before, in another way.")
        return await self._news(peer, record.key)

    async def inquire(self, peer: Address, message: wire.Inquire) -> wire.Message:
        return await self._news(peer, self._of(peer, message.request_id).key)

    def open(self, peer: Address, message: wire.Open) -> wire.Ack:
        """Queues the claim for K3."""
        domain = self.me.domain
        return take_opening(domain, self.journal, self.outbox, self.settled, peer, message)

    def _check_offer(self, peer: Address, message: wire.Offer) -> None:
        request = message.request
        check_request(self.me, peer, request, message.signature)
        if message.task:
            self._check_descriptor(decode_task(message.task), message)
        if not is_committed(self.me.domain, request, message.task_digest, message.mark_hash):
            raise PeerError("The commitment does not cover this task.")
        if self.sequence_used(request.home, request.seq):
            raise PeerError("This sequence number was settled before.")
        waiting = (
            r
            for r in self.book.hosted(self.me.key.address)
            if r.state is State.ASKED and r.request.home == peer
        )
        if sum(1 for _ in waiting) >= OFFERS_PER_HOME:
            raise PeerError(f"More than {OFFERS_PER_HOME} requests of yours wait for an answer.")

    def _check_descriptor(self, task: TaskDescriptor, message: wire.Offer) -> None:
        request, limits = message.request, task.limits
        if task_digest(task) != message.task_digest:
            raise PeerError("The descriptor is of another task.")
        asked = (request.cpu_seconds, request.memory_mib, request.output_kib)
        if asked != (limits.cpu_seconds, limits.memory_mib, limits.output_kib):
            raise PeerError("REQUEST states other limits than the task.")

    async def _news(self, peer: Address, request_id: Digest) -> wire.Message:
        """What the home does not know yet; held back a little in the hope of something new."""
        record = self.book.get(request_id)
        waits = record is not None and record.state in (State.ASKED, State.CONFIRMED)
        if record is not None and waits and self._held[peer] < HELD_PER_HOME:
            self._held[peer] += 1
            try:
                record = await self.book.wait(request_id, record.state, HOLD_SECONDS)
            finally:
                self._held[peer] -= 1
        return self._said(record)

    def _said(self, record: Record | None) -> wire.Message:
        if record is None:
            raise PeerError("The request was not answered in time.")
        key, signature = record.key, record.answer_signature
        match record.state:
            case State.ACCEPTED:
                return wire.Answer(record.answered_at, signature, missing=record.missing)
            case State.REJECTED:
                rejected = Rejected(key, record.rejection, record.answered_at)
                return wire.Answer(record.answered_at, signature, rejected=rejected)
            case State.DONE:
                asset = result_asset(record)
                return wire.Report(
                    asset, record.result_signature, record.result_digest, record.salt
                )
            case State.LOST:
                raise PeerError(record.reason)
        return wire.Ack()

    def _of(self, peer: Address, request_id: bytes) -> Record:
        record = self.book.get(Digest(request_id))
        if record is None or record.request.home != peer:
            raise PeerError("There is no request of yours with this id.")
        return record
