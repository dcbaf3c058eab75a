"""The home's side of a migration: commits, asks host after host, confirms, and takes the result.

``run`` never raises for what a peer did: it returns either the remote result or the reason why the
task has to run at home. Sequence number and mark are on disk before the REQUEST leaves.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from canaries.commitment import Mark, seal
from canaries.schedule import Schedule
from canaries.validator_test import StandsFor, the_result
from canaries.vault import Vault
from ledger.assets import Accepted, Confirmed, Request
from ledger.eip712 import digest
from ledger.errors import PeerError, PeerTimeout
from ledger.keys import signed_by
from ledger.reasons import Reason
from ledger.types import Address, Digest, short
from node import wire
from node.connection import Reaches
from node.drafting import Wanted, sign_request
from node.handshake import Credentials
from node.inputs import keep
from node.journal import Journal
from node.marking import KnownCanary, mark_of
from node.migration import Move, State, step
from node.placement import RoundRobin
from node.store import ContentStore, sha256
from node.task import (
    ResultDescriptor,
    TaskDescriptor,
    decode_result,
    encode_task,
    result_digest,
)

log = logging.getLogger(__name__)

REST_SECONDS, REST_SECONDS_MAX = 5.0, 600.0


@dataclass(frozen=True, slots=True)
class Remote:
    """A task that ran at a host: its result, and the contents by SHA-256."""

    request_id: Digest
    host: Address
    result: ResultDescriptor
    contents: Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Local:
    """A task that has to run at home, and why."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a home waits, in seconds: for an answer, for the result it waits for, and the
    deadline it grants."""

    answer: float = 10.0
    result: float = 120.0
    deadline: int = 900


@dataclass(slots=True)
class _Draft:
    """One attempt at one host."""

    connection: Reaches
    request: Request
    request_id: Digest
    signature: bytes
    mark: Mark
    state: State = State.DRAFT

    def move(self, move: Move) -> None:
        self.state = step(self.state, move)


@dataclass(slots=True)
class HomeSide:
    """Sends tasks out. ``hosts()`` are the live connections, ``next_sequence`` the first number
    that the ledger allows towards a host, ``is_void`` whether runs of a task were found to differ:
    such a task can tell nothing about a host, and is no canary again. ``seals`` is what this home's
    hosts seal."""

    me: Credentials
    journal: Journal
    vault: Vault
    store: ContentStore
    schedule: Schedule
    hosts: Callable[[], Sequence[Reaches]]
    next_sequence: Callable[[Address], int]
    is_void: Callable[[Digest], bool]
    placement: RoundRobin = field(default_factory=RoundRobin)
    patience: Patience = field(default_factory=Patience)
    seals: StandsFor = the_result
    _failures: dict[Address, tuple[int, float]] = field(default_factory=dict)

    async def run(
        self, task: TaskDescriptor, process_name: str, known: KnownCanary | None = None
    ) -> Remote | Local:
        """Asks the hosts in turn until one takes the task; its inputs are in the store already.
        With ``known`` it is planted as that canary, whatever the schedule says."""
        connections = {connection.peer: connection for connection in self.hosts()}
        reason = Reason.NO_HOST
        for host in self.placement.order(list(connections)):
            if self._rests(host):
                continue
            try:
                draft = self._draft(connections[host], task, process_name, known)
                answer = await self._ask(draft, task)
                if answer is not None:
                    remote = await self._confirm(draft, task, answer)
                    self._failures.pop(host, None)
                    return remote
            except PeerError as error:
                log.warning("%s: %s", short(host), error)
                if connections[host].is_open:
                    self._give_rest(host)
                late = isinstance(error, PeerTimeout)
                reason = Reason.PEER_TIMEOUT if late else Reason.PEER_LOST
        return Local(reason)

    def _rests(self, host: Address) -> bool:
        """Whether a host that failed us is left alone for now."""
        return self.me.clock.monotonic() < self._failures.get(host, (0, 0.0))[1]

    def _give_rest(self, host: Address) -> None:
        """After each failure in a row twice as long: a silent host must not cost every task a
        wait."""
        count = self._failures.get(host, (0, 0.0))[0] + 1
        rest = min(REST_SECONDS * 2 ** min(count - 1, 20), REST_SECONDS_MAX)
        self._failures[host] = (count, self.me.clock.monotonic() + rest)

    def _draft(
        self, connection: Reaches, task: TaskDescriptor, name: str, known: KnownCanary | None
    ) -> _Draft:
        """Takes a number, draws the mark, signs the REQUEST; number and mark are on disk."""
        host, now = connection.peer, int(self.me.clock.now())
        seq = self.journal.take_sequence(host, self.next_sequence(host))
        task_digest = keep(self.store, self.journal, task, now + self.patience.deadline)
        plant = self.schedule.is_canary(host, seq) and not self.is_void(task_digest)
        # An ordinary mark and a canary's look the same from outside: both are a hash with a salt.
        mark = mark_of(task, plant, self.me.entropy(32), known)
        wanted = Wanted(name, task_digest, task.limits, now, self.patience.deadline)
        signed = sign_request(self.me, self.vault, host, seq, wanted, mark)
        return _Draft(connection, signed.request, signed.request_id, signed.signature, mark)

    async def _ask(self, draft: _Draft, task: TaskDescriptor) -> wire.Answer | None:
        """The host's acceptance, or None for a proper rejection; PeerError for anything else."""
        ask = wire.Ask(draft.request, draft.signature, draft.mark.hash, encode_task(task))
        draft.move(Move.ASK)
        reply = await draft.connection.call(ask, self.patience.answer)
        answer = wire.expect(reply, wire.Answer)
        asset = answer.rejected or Accepted(draft.request_id, answer.signed_at)
        host = draft.connection.peer
        if asset.request_id != draft.request_id:
            raise PeerError("The answer is to another request.")
        if not signed_by(self.me.domain, asset, answer.signature, host):
            raise PeerError("The answer is not signed by the host.")
        draft.move(Move.REJECT if answer.rejected else Move.ACCEPT)
        if answer.rejected:
            self.vault.forget(draft.request_id)
            return None
        return answer

    async def _confirm(self, draft: _Draft, task: TaskDescriptor, answer: wire.Answer) -> Remote:
        """Signs CONFIRMED, sends what the host lacks, and checks what comes back."""
        accepted = Accepted(draft.request_id, answer.signed_at)
        acceptance_id = digest(self.me.domain, accepted)
        confirmed = Confirmed(acceptance_id, max(int(self.me.clock.now()), answer.signed_at))
        wanted = {file.digest for file in task.inputs} & set(answer.missing)
        blobs = tuple(self.store.get(blob) for blob in sorted(wanted))
        signature = self.me.key.sign(self.me.domain, confirmed)
        message = wire.Confirm(draft.request_id, confirmed, signature, blobs)
        draft.move(Move.CONFIRM)
        reply = await draft.connection.call(message, self.patience.result)
        done = wire.expect(reply, wire.Done)
        remote = self._check(draft, task, done)
        draft.move(Move.RESULT)
        self.journal.count("sent")
        return remote

    def _check(self, draft: _Draft, task: TaskDescriptor, done: wire.Done) -> Remote:
        host = draft.connection.peer
        if done.asset.request_id != draft.request_id:
            raise PeerError("The result is of another request.")
        if not signed_by(self.me.domain, done.asset, done.signature, host):
            raise PeerError("The result is not signed by the host.")
        result = decode_result(done.result)
        answer = self.seals(draft.request_id, result_digest(result))
        sealed = seal(answer, done.salt, host, draft.request_id)
        if sealed != done.asset.seal:
            raise PeerError("The result is not the one that the host has sealed.")
        contents = {sha256(blob): blob for blob in done.blobs}
        needed = {result.stdout, result.stderr, *(file.digest for file in result.outputs)}
        if not needed <= contents.keys():
            raise PeerError("The result came without some of its contents.")
        if not {file.path for file in result.outputs} <= set(task.outputs):
            raise PeerError("The result has outputs that nobody asked for.")
        return Remote(draft.request_id, host, result, contents)
