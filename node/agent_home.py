"""The home's side of a migration that another program carries out: signs the requests and
confirmations of that program, and hears what the host's agent says.

Number, mark and record are on disk before the REQUEST leaves. Whatever is sent is sent again until
it is answered, so neither a broken connection nor a crash of either agent ends a migration.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from canaries.commitment import ORDINARY, Mark
from canaries.schedule import Schedule
from canaries.vault import Vault
from ledger.assets import (
    ANSWER_WITHIN,
    CONFIRM_WITHIN,
    Accepted,
)
from ledger.errors import PeerError
from ledger.keys import signed_by
from ledger.reasons import describe
from ledger.types import Address, Digest, short
from node import wire
from node.agent_book import Book, Record
from node.agent_protocol import AgentError
from node.agent_records import check_state, confirmed_asset, find, lost, result_asset
from node.agent_tasks import AgentTask
from node.connection import Connection
from node.drafting import Wanted, sign_request
from node.handshake import Credentials
from node.inputs import keep
from node.journal import Journal
from node.marking import mark_of
from node.migration import Move, State, step
from node.store import ContentStore, MissingContent
from node.task import decode_task

log = logging.getLogger(__name__)

CALL_SECONDS = 15.0
RETRY_SECONDS = 0.5
ASK_AGAIN_SECONDS = 0.1
GRACE_SECONDS = 5


@dataclass(slots=True)
class AgentHome:
    """Carries the own scheduler's requests out. ``connection`` finds a host that is connected."""

    me: Credentials
    journal: Journal
    vault: Vault
    store: ContentStore
    book: Book
    schedule: Schedule
    connection: Callable[[Address], Connection | None]
    next_sequence: Callable[[Address], int]
    _under_way: dict[Digest, asyncio.Task[None]] = field(default_factory=dict)

    def request(self, host: Address, task: AgentTask) -> Record:
        """Signs a REQUEST and starts to ask; AgentError when the host cannot be asked at all."""
        if host == self.me.key.address:
            raise AgentError("usage", "The host is this node itself.", "Name another host.")
        if self.connection(host) is None:
            raise AgentError(
                "not_connected",
                f"{short(host)} is not connected.",
                "Start the agent with --peer for it, or wait for the connection.",
            )
        record = self._draft(host, task)
        self._follow(record)
        return record

    def confirm(self, request_id: Digest) -> Record:
        """Signs CONFIRMED and starts to wait for the result."""
        record = find(self.book, request_id, self.me.key.address, "home")
        check_state(record, Move.CONFIRM)
        now = max(int(self.me.clock.now()), record.answered_at)
        if now - record.answered_at > CONFIRM_WITHIN:
            self.book.put(lost(record, "It was not confirmed in time."))
            raise AgentError(
                "too_late",
                f"The host accepted more than {CONFIRM_WITHIN} s ago.",
                "Ask again, and confirm sooner.",
            )
        record = msgspec.structs.replace(
            record, state=step(record.state, Move.CONFIRM), confirmed_at=now
        )
        signature = self.me.key.sign(self.me.domain, confirmed_asset(self.me.domain, record))
        record = msgspec.structs.replace(record, confirm_signature=signature)
        self.book.put(record)
        self._follow(record)
        return record

    def resume(self) -> None:
        """Goes on with what was under way when the agent ended."""
        for record in self.book.unfinished():
            if record.is_home(self.me.key.address) and record.state is not State.ACCEPTED:
                self._follow(record)

    def sweep(self) -> None:
        """Ends acceptances that nobody has confirmed."""
        now = self.me.clock.now()
        for record in self.book.unfinished():
            overdue = now - record.answered_at > 2 * CONFIRM_WITHIN
            if record.is_home(self.me.key.address) and record.state is State.ACCEPTED and overdue:
                self.book.put(lost(record, "It was not confirmed in time."))

    async def close(self) -> None:
        """Stops asking; ``resume`` goes on from what is on disk."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _draft(self, host: Address, task: AgentTask) -> Record:
        """Takes a number, draws the mark, signs REQUEST; all of it is on disk."""
        now = int(self.me.clock.now())
        seq = self.journal.take_sequence(host, self.next_sequence(host))
        mark = self._mark(task, host, seq)
        if task.descriptor is not None:
            keep(self.store, self.journal, task.descriptor, now + task.deadline_seconds)
        wanted = Wanted(task.name, task.digest, task.limits, now, task.deadline_seconds)
        signed = sign_request(self.me, self.vault, host, seq, wanted, mark)
        record = Record(
            request_id=signed.request_id,
            request=signed.request,
            request_signature=signed.signature,
            mark_hash=mark.hash,
            task_digest=task.digest,
            task=task.encoded,
            state=step(State.DRAFT, Move.ASK),
        )
        self.book.put(record)
        return record

    def _mark(self, task: AgentTask, host: Address, seq: int) -> Mark:
        """Only what others can run again can be a canary; from outside all marks look the same."""
        salt = self.me.entropy(32)
        if task.descriptor is None:
            return Mark(ORDINARY, bytes(32), bytes(32), salt)
        return mark_of(task.descriptor, self.schedule.is_canary(host, seq), salt)

    def _follow(self, record: Record) -> None:
        key = record.key
        task = asyncio.create_task(self._carry_on(record), name=f"migration {short(key)}")
        self._under_way[key] = task
        task.add_done_callback(lambda done: self._forget(key, done))

    def _forget(self, key: Digest, done: asyncio.Task[None]) -> None:
        if self._under_way.get(key) is done:
            del self._under_way[key]
        if not done.cancelled() and done.exception() is not None:
            log.error("%s stands still", short(key), exc_info=done.exception())

    async def _carry_on(self, record: Record) -> None:
        """Asks until there is an answer, or a result, or no hope."""
        try:
            if record.state is State.ASKED:
                until = record.request.signed_at + ANSWER_WITHIN + GRACE_SECONDS
                offer = self._offer_of(record)
                self._take_answer(record, await self._until_answered(record, offer, until))
            else:
                until = record.request.result_deadline + GRACE_SECONDS
                confirm = self._confirm_of(record)
                self._take_report(record, await self._until_answered(record, confirm, until))
        except (PeerError, MissingContent) as error:
            reason = error.message if isinstance(error, PeerError) else "Its inputs are gone."
            log.info("%s is lost: %s", short(record.request_id), reason)
            if record.state is State.ASKED:
                self.vault.forget(record.request_id)
            self.book.put(lost(record, reason))

    async def _until_answered(
        self, record: Record, message: wire.Message, until: float
    ) -> wire.Message:
        """The first reply that is news; PeerError when the host refuses or the time is over."""
        while self.me.clock.now() <= until:
            connection = self.connection(record.request.host)
            reply = await _call(connection, message) if connection is not None else None
            if reply is None:
                await asyncio.sleep(RETRY_SECONDS)
            elif isinstance(reply, wire.Ack):
                message = wire.Inquire(record.request_id)
                await asyncio.sleep(ASK_AGAIN_SECONDS)
            else:
                return reply
        raise PeerError("The host did not answer in time.")

    def _offer_of(self, record: Record) -> wire.Offer:
        request = (record.request, record.request_signature, record.mark_hash)
        return wire.Offer(*request, record.task_digest, record.task)

    def _confirm_of(self, record: Record) -> wire.Confirm:
        inputs = decode_task(record.task).inputs if record.task else ()
        wanted = {file.digest for file in inputs} & set(record.missing)
        blobs = tuple(self.store.get(blob) for blob in sorted(wanted))
        confirmed = confirmed_asset(self.me.domain, record)
        return wire.Confirm(record.request_id, confirmed, record.confirm_signature, blobs)

    def _take_answer(self, record: Record, reply: wire.Message) -> None:
        answer = wire.expect(reply, wire.Answer)
        asset = answer.rejected or Accepted(record.key, answer.signed_at)
        if asset.request_id != record.request_id:
            raise PeerError("The answer is to another request.")
        if not signed_by(self.me.domain, asset, answer.signature, record.request.host):
            raise PeerError("The answer is not signed by the host.")
        move = Move.REJECT if answer.rejected else Move.ACCEPT
        if answer.rejected:
            self.vault.forget(record.request_id)
        self.book.put(
            msgspec.structs.replace(
                record,
                state=step(record.state, move),
                answered_at=answer.signed_at,
                answer_signature=answer.signature,
                missing=answer.missing,
                reason=describe(answer.rejected.reason) if answer.rejected else "",
            )
        )

    def _take_report(self, record: Record, reply: wire.Message) -> None:
        report = wire.expect(reply, wire.Report)
        done = msgspec.structs.replace(
            record,
            state=step(record.state, Move.RESULT),
            finished_at=report.asset.signed_at,
            result_digest=report.result_digest,
            salt=report.salt,
            result_signature=report.signature,
        )
        if result_asset(done) != report.asset:
            raise PeerError("The result is not the one that the host has sealed.")
        if not signed_by(self.me.domain, report.asset, report.signature, record.request.host):
            raise PeerError("The result is not signed by the host.")
        self.book.put(done)
        self.journal.count("sent")


async def _call(connection: Connection, message: wire.Message) -> wire.Message | None:
    """The reply, or None when there is none yet and asking again may help."""
    try:
        return await connection.call(message, CALL_SECONDS)
    except PeerError as error:
        log.info("%s", error)
        return None
