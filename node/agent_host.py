"""The host's side of a migration that another program carries out: signs what that program says.

Nothing leaves before what it promises is on disk, as in ``node.host``; the states are those of
``node.migration``.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field

import msgspec

from ledger.assets import (
    ANSWER_WITHIN,
    CONFIRM_WITHIN,
    Accepted,
    ConfirmedMigration,
    Rejected,
    RejectedMigration,
)
from ledger.outbox import Outbox
from ledger.reasons import Reason
from ledger.types import Address, Digest, Signature
from node.agent_book import Book, Record
from node.agent_protocol import AgentError
from node.agent_records import check_state, confirmed_asset, find, lost, result_asset
from node.handshake import Credentials
from node.journal import Journal, Seal
from node.migration import Move, State, step
from node.store import ContentStore
from node.task import decode_task

log = logging.getLogger(__name__)


@dataclass(slots=True)
class AgentHost:
    """Signs what the own scheduler says about requests that ``Intake`` took in."""

    me: Credentials
    journal: Journal
    outbox: Outbox
    store: ContentStore
    book: Book
    rejections_recorded: int = 100
    _rejections: Counter[Address] = field(default_factory=Counter)
    _rejections_day: int = 0

    @property
    def load(self) -> int:
        """Tasks taken on and not finished."""
        taken = (State.ACCEPTED, State.CONFIRMED)
        return sum(record.state in taken for record in self.book.hosted(self.me.key.address))

    def accept(self, request_id: Digest) -> Record:
        """Signs ACCEPTED."""
        record = self._answerable(request_id, Move.ACCEPT)
        inputs = decode_task(record.task).inputs if record.task else ()
        accepted = Accepted(request_id, self._not_before(record.request.signed_at))
        answered = msgspec.structs.replace(
            record,
            state=step(record.state, Move.ACCEPT),
            answered_at=accepted.signed_at,
            answer_signature=self.me.key.sign(self.me.domain, accepted),
            missing=tuple(sorted({f.digest for f in inputs if not self.store.has(f.digest)})),
        )
        self.book.put(answered)
        return answered

    def reject(self, request_id: Digest, reason: Reason) -> Record:
        """Signs REJECTED, and queues it: a rejection in time is worth K1."""
        record = self._answerable(request_id, Move.REJECT)
        rejected = Rejected(request_id, reason, self._not_before(record.request.signed_at))
        answered = msgspec.structs.replace(
            record,
            state=step(record.state, Move.REJECT),
            reason=reason.name,
            rejection=int(reason),
            answered_at=rejected.signed_at,
            answer_signature=self.me.key.sign(self.me.domain, rejected),
        )
        if self._is_worth_recording(record.request.home):
            signature = Signature(record.request_signature)
            self.outbox.append_migration(RejectedMigration(record.request, rejected, signature))
        self.book.put(answered)
        return answered

    def result(self, request_id: Digest, result: Digest) -> Record:
        """Seals the scheduler's result, signs RESULT and queues the migration."""
        record = find(self.book, request_id, self.me.key.address, "host")
        if record.finished_at and record.result_digest != result:
            raise AgentError(
                "wrong_state",
                "Another result was given for this request.",
                "The first result stands.",
            )
        if record.state is State.DONE:
            return record
        check_state(record, Move.RESULT)
        return self.finish(record if record.finished_at else self._intend(record, result))

    def finish(self, record: Record) -> Record:
        """From the written intention to the settled queue; safe to do again after a crash."""
        digests = Digest(record.task_digest), Digest(record.result_digest)
        if self.journal.seal(record.key) is None:
            seal = Seal(*digests, Digest(record.salt), record.mark_hash)
            self.journal.put_seal(record.key, seal)
        asset = result_asset(record)
        self.outbox.append_migration(
            ConfirmedMigration(
                record.request,
                Accepted(record.key, record.answered_at),
                confirmed_asset(self.me.domain, record),
                asset,
                Signature(record.confirm_signature),
            )
        )
        done = msgspec.structs.replace(
            record,
            state=step(record.state, Move.RESULT),
            result_signature=self.me.key.sign(self.me.domain, asset),
        )
        self.book.put(done)
        return done

    def sweep(self) -> None:
        """Ends what nobody can go on with: unanswered, unconfirmed and late."""
        now = self._now()
        for record in self.book.hosted(self.me.key.address):
            if record.state is State.ASKED:
                if now - record.request.signed_at > ANSWER_WITHIN:
                    # A stranger must not fill the disk with requests that nobody answered.
                    self.book.drop(record.key)
            elif record.state is State.ACCEPTED:
                if now - record.answered_at > 2 * CONFIRM_WITHIN:
                    self.book.put(lost(record, "The home did not confirm in time."))
            elif now > record.request.result_deadline and not record.finished_at:
                self.book.put(lost(record, "The result deadline passed."))

    def resume(self) -> None:
        """Finishes what a crash left between intention and queue."""
        for record in self.book.hosted(self.me.key.address):
            if record.state is State.CONFIRMED and record.finished_at:
                self.finish(record)

    def _intend(self, record: Record, result: Digest) -> Record:
        """Result, salt and time on disk, so that a crash cannot lead to a second RESULT."""
        now = self._not_before(record.confirmed_at)
        if now > record.request.result_deadline:
            self.book.put(lost(record, "The result deadline passed."))
            raise AgentError(
                "too_late", "The result deadline has passed.", "Nothing can be earned any more."
            )
        salt = self.me.entropy(32)
        intended = msgspec.structs.replace(record, finished_at=now, result_digest=result, salt=salt)
        self.book.put(intended)
        return intended

    def _answerable(self, request_id: Digest, move: Move) -> Record:
        """A request that is answered now and never again."""
        record = find(self.book, request_id, self.me.key.address, "host")
        check_state(record, move)
        if self._now() - record.request.signed_at > ANSWER_WITHIN:
            raise AgentError(
                "too_late",
                f"The request is older than {ANSWER_WITHIN} s.",
                "Answer sooner; an answer that late would earn nothing.",
            )
        request = record.request
        if not self.journal.claim_answer(request.home, request.seq, request_id):
            self.book.put(lost(record, "The answer was given before a crash and is not known."))
            raise AgentError(
                "wrong_state", "This sequence number was answered before.", "Wait for a new one."
            )
        return record

    def _is_worth_recording(self, home: Address) -> bool:
        """A home must not be able to drain the host's gas by being rejected."""
        day = self._now() // 86_400
        if day != self._rejections_day:
            self._rejections_day = day
            self._rejections.clear()
        self._rejections[home] += 1
        return self._rejections[home] <= self.rejections_recorded

    def _now(self) -> int:
        return int(self.me.clock.now())

    def _not_before(self, signed_at: int) -> int:
        return max(self._now(), signed_at)
