"""The host's side of a migration: judges a request, runs the task once it is confirmed, signs the
result.

Nothing leaves before what it promises is on disk: an answer is claimed in the journal, a rejection
or a finished migration stands in the outbox, the seal's opening in the journal.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from canaries.commitment import seal
from canaries.family import Family
from canaries.validator_test import StandsFor, the_result
from ledger.assets import (
    CONFIRM_WITHIN,
    Accepted,
    ConfirmedMigration,
    Rejected,
    RejectedMigration,
    Request,
    Result,
    process_name_text,
)
from ledger.eip712 import digest
from ledger.errors import PeerError
from ledger.outbox import Outbox
from ledger.reasons import Reason
from ledger.types import Address, Digest, Signature, short
from node import wire
from node.admission import Evidence, Question, Strategy, Verdict
from node.handshake import Credentials
from node.host_checks import check_confirmation, check_request, is_committed, take_opening
from node.inputs import Runner, keep
from node.journal import CPU_MS, Journal, Seal
from node.lending import Lending
from node.migration import Move, State, step
from node.puzzle_task import solution_of
from node.store import ContentStore, sha256
from node.task import TaskDescriptor, decode_task, encode_result, result_digest, task_digest
from node.wasm_task import is_for

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Running:
    """One migration between ACCEPTED and RESULT."""

    request: Request
    request_id: Digest
    accepted: Accepted
    task: TaskDescriptor
    missing: frozenset[bytes]
    mark_hash: bytes
    state: State = State.ACCEPTED


@dataclass(slots=True)
class HostSide:
    """Serves Ask, Confirm and Open. ``evidence(home)`` reads the local ledger; ``lends`` bounds
    what is taken on; ``families`` are the canaries that this host knows; ``seals`` says what it
    seals for a result."""

    me: Credentials
    journal: Journal
    outbox: Outbox
    store: ContentStore
    runner: Runner
    strategy: Strategy
    toolchain: str
    evidence: Callable[[Address], Evidence | None]
    settled: Callable[[Digest], ConfirmedMigration | None]
    sequence_used: Callable[[Address, int], bool]
    lends: Lending = field(default_factory=Lending)
    families: Mapping[bytes, Family] = field(default_factory=dict)
    seals: StandsFor = the_result
    asked: int = 0
    _running: dict[Digest, _Running] = field(default_factory=dict)
    _slots: asyncio.Semaphore = field(init=False)
    _rejections: dict[Address, int] = field(default_factory=dict)
    _rejections_day: int = 0

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.lends.slots)

    @property
    def load(self) -> int:
        """Tasks taken on and not finished."""
        return len(self._running)

    def expects(self, peer: Address) -> bool:
        """Whether this home has a task accepted here whose inputs may come now."""
        return any(running.request.home == peer for running in self._running.values())

    async def ask(self, peer: Address, message: wire.Ask) -> wire.Answer:
        """Checks a signed REQUEST, asks the strategy, and answers once."""
        request = message.request
        task = self._check_request(peer, message)
        request_id = digest(self.me.domain, request)
        self._drop_unconfirmed()
        if not self.journal.claim_answer(request.home, request.seq, request_id):
            raise PeerError("This sequence number was answered before.")
        verdict = self._judge(request, task)
        state = step(step(State.DRAFT, Move.ASK), Move.ACCEPT if verdict.accept else Move.REJECT)
        said = (state.value, verdict.reason.name, dict(verdict.numbers))
        log.info("%s from %s: %s, %s %s", short(request_id), short(peer), *said)
        if not verdict.accept:
            return self._reject(message, request_id, verdict.reason)
        accepted = Accepted(request_id, self._not_before(request.signed_at))
        missing = frozenset(f.digest for f in task.inputs if not self.store.has(f.digest))
        self._running[request_id] = _Running(
            request, request_id, accepted, task, missing, message.mark_hash
        )
        signature = self.me.key.sign(self.me.domain, accepted)
        return wire.Answer(accepted.signed_at, signature, missing=tuple(sorted(missing)))

    async def confirm(self, peer: Address, message: wire.Confirm) -> wire.Done:
        """Checks CONFIRMED, stores the inputs, runs the task and signs its RESULT."""
        running = self._running.get(Digest(message.request_id))
        if running is None or running.request.home != peer:
            raise PeerError("There is no accepted request of yours with this id.")
        check_confirmation(self.me.domain, peer, running.accepted, message)
        if {sha256(blob) for blob in message.blobs} != running.missing:
            raise PeerError("CONFIRMED came with other inputs than were asked for.")
        running.state = step(running.state, Move.CONFIRM)
        try:
            for blob in message.blobs:
                self.store.put(blob)
            return await self._run(running, message)
        except BaseException:
            running.state = step(running.state, Move.LOSE)
            raise
        finally:
            del self._running[running.request_id]

    async def open(self, peer: Address, message: wire.Open) -> wire.Ack:
        """Puts the home's opening of a canary into the outbox: the claim for K3."""
        domain, journal, families = self.me.domain, self.journal, self.families
        return take_opening(domain, journal, self.outbox, self.settled, peer, message, families)

    def _drop_unconfirmed(self) -> None:
        """Forgets acceptances whose confirmation is overdue; otherwise homes that never confirm
        would take up all slots for good."""
        overdue = self._now() - CONFIRM_WITHIN
        gone = [
            key
            for key, running in self._running.items()
            if running.state is State.ACCEPTED and running.accepted.signed_at < overdue
        ]
        for key in gone:
            del self._running[key]

    def _check_request(self, peer: Address, message: wire.Ask) -> TaskDescriptor:
        request = message.request
        check_request(self.me, peer, request, message.signature)
        task = decode_task(message.task)
        if not is_committed(self.me.domain, request, task_digest(task), message.mark_hash):
            raise PeerError("The commitment does not cover this task.")
        asked = (request.cpu_seconds, request.memory_mib, request.output_kib)
        limits = task.limits
        if asked != (limits.cpu_seconds, limits.memory_mib, limits.output_kib):
            raise PeerError("REQUEST states other limits than the task.")
        if self.sequence_used(request.home, request.seq):
            raise PeerError("This sequence number was settled before.")
        return task

    def _judge(self, request: Request, task: TaskDescriptor) -> Verdict:
        """The machine's own bounds first, then the strategy."""
        question = Question(
            request.home,
            request.host,
            process_name_text(request.process_name),
            self.evidence(request.home),
            self.asked,
            now=self._now(),
            load=self.load,
            cpu_seconds=request.cpu_seconds,
            memory_mib=request.memory_mib,
        )
        own = self._own_reason(task)
        verdict = self.strategy.decide(question)
        if own is not None:
            return replace(verdict, accept=False, reason=own)
        self.asked += 1
        return verdict

    def _own_reason(self, task: TaskDescriptor) -> Reason | None:
        lends = self.lends
        if not is_for(task, self.toolchain):
            return Reason.TOOLCHAIN
        if lends.exceeded_by(task.limits):
            return Reason.LIMITS
        return Reason.CAPACITY if self.load >= lends.slots + lends.waiting else None

    def _reject(self, message: wire.Ask, request_id: Digest, reason: Reason) -> wire.Answer:
        rejected = Rejected(request_id, reason, self._not_before(message.request.signed_at))
        signature = self.me.key.sign(self.me.domain, rejected)
        if self._is_worth_recording(message.request.home):
            self.outbox.append_migration(
                RejectedMigration(message.request, rejected, Signature(message.signature))
            )
        return wire.Answer(rejected.signed_at, signature, rejected=rejected)

    def _is_worth_recording(self, home: Address) -> bool:
        """Counts the home's rejections of today: it must not be able to drain the host's gas."""
        day = self._now() // 86_400
        if day != self._rejections_day:
            self._rejections_day = day
            self._rejections.clear()
        self._rejections[home] = self._rejections.get(home, 0) + 1
        return self._rejections[home] <= self.lends.rejections_recorded

    async def _run(self, running: _Running, message: wire.Confirm) -> wire.Done:
        request, request_id = running.request, running.request_id
        async with self._slots:
            left = request.result_deadline - self.me.clock.now()
            if left <= 0:
                raise PeerError("The result deadline passed while the task waited.")
            timeout = min(left, self.lends.wall_seconds)
            execution = await self.runner.run(running.task, self.store, timeout=timeout)
        self.journal.count(CPU_MS, round(execution.cpu_seconds * 1000))
        if execution.killed:
            raise PeerError(f"The task was stopped at its limit: {execution.killed}.")
        result = execution.result()
        blobs = (execution.stdout, execution.stderr, *(out.data for out in execution.outputs))
        task = keep(self.store, self.journal, running.task, request.result_deadline)
        salt = Digest(self.me.entropy(32))
        solution = solution_of(result, execution.stdout)
        sealed_digest = Digest(self.seals(request_id, result_digest(result)))
        answer = Seal(task, sealed_digest, salt, running.mark_hash, solution)
        sealed = seal(answer.result_digest, answer.salt, request.host, request_id)
        finished = self._not_before(message.confirmed.signed_at)
        asset = Result(request_id, Digest(sealed), finished)
        # The seal's opening first: an outbox entry without it could never become a K3.
        self.journal.put_seal(request_id, answer)
        self.outbox.append_migration(
            ConfirmedMigration(
                request, running.accepted, message.confirmed, asset, Signature(message.signature)
            )
        )
        running.state = step(running.state, Move.RESULT)
        signature = self.me.key.sign(self.me.domain, asset)
        return wire.Done(encode_result(result), blobs, asset, signature, answer.salt)

    def _now(self) -> int:
        return int(self.me.clock.now())

    def _not_before(self, signed_at: int) -> int:
        """The time to sign at: assets out of order earn nothing, and the home's clock may be
        ahead of ours."""
        return max(self._now(), signed_at)
