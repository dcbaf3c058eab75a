"""Judging one K3 claim: its papers, then the task run again, from inputs that its parties keep."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from canaries.family import CannotRun, Family, Finding, Opened, field_of
from canaries.replay import Replay, parameters_for
from ledger.errors import KudosError, PeerError
from ledger.reasons import Reason
from ledger.rows import UnvotedCanary
from ledger.types import Address, Digest, short
from node import wire
from node.handshake import Credentials
from node.inputs import Runner
from node.journal import CPU_MS, Journal
from node.lending import Lending
from node.peers import PeerBook
from node.store import ContentStore
from node.task import Limits, TaskDescriptor, decode_task, result_digest, task_digest
from node.verification import judge_canary
from node.wasm_task import is_for

log = logging.getLogger(__name__)

FETCH_SECONDS = 30.0
REPLAY = field_of(Replay.name)

_REASONS: Mapping[Finding, Reason] = {
    Finding.HOLDS: Reason.APPROVE,
    Finding.WRONG_RESULT: Reason.REFUSE_RESULT,
    Finding.WRONG_OPENING: Reason.REFUSE_OPENING,
    Finding.OTHER_TOOLCHAIN: Reason.ABSTAIN_TOOLCHAIN,
    Finding.NO_INPUTS: Reason.ABSTAIN_INPUTS,
    Finding.CANNOT_RUN: Reason.ABSTAIN_SANDBOX,
}


@dataclass(slots=True)
class Rerun:
    """What one validator judges K3 claims with."""

    me: Credentials
    families: Mapping[bytes, Family]
    toolchain: str
    runner: Runner
    store: ContentStore
    peers: PeerBook
    journal: Journal
    lends: Lending = field(default_factory=Lending)

    async def judge(self, claim: UnvotedCanary) -> Reason:
        """The vote that the claim deserves, as far as this machine can tell."""
        paper = judge_canary(self.me.domain, claim)
        if not paper.is_approval:
            return paper
        opened = claim.opening.asset if claim.opening else None
        name, parameters = (opened.family, opened.parameters) if opened else (REPLAY, b"")
        family = self.families.get(name)
        if family is None or claim.kudos.result_digest is None:
            return Reason.ABSTAIN_SANDBOX
        if opened and name == REPLAY and parameters != parameters_for(self.toolchain):
            return Reason.ABSTAIN_TOOLCHAIN

        async def run_again(_: bytes) -> bytes:
            return await self._run(claim)

        answer = Opened(claim.task_digest, parameters, claim.kudos.result_digest)
        return _REASONS[await family.check(answer, run_again)]

    async def _run(self, claim: UnvotedCanary) -> bytes:
        """The result digest of a fresh run, within the request's limits and this machine's own."""
        digest, request = claim.task_digest, claim.settled.request
        task = await self._fetch(digest, (claim.kudos.host, claim.kudos.home))
        stated = Limits(request.cpu_seconds, request.memory_mib, request.output_kib)
        if task.limits != stated:
            # The request says something else than the task: the home's fault.
            raise CannotRun(Finding.WRONG_OPENING)
        if not is_for(task, self.toolchain):
            # A replay's mark has named our class; a drawn task names none beforehand.
            named = claim.opening is not None and claim.opening.asset.family == REPLAY
            raise CannotRun(Finding.WRONG_OPENING if named else Finding.OTHER_TOOLCHAIN)
        if self.lends.exceeded_by(task.limits):
            raise CannotRun(Finding.CANNOT_RUN)
        try:
            execution = await self.runner.run(task, self.store, timeout=self.lends.wall_seconds)
        except (KudosError, OSError) as error:
            log.warning("cannot run %s again: %s", short(digest), error)
            raise CannotRun(Finding.CANNOT_RUN) from error
        self.journal.count(CPU_MS, round(execution.cpu_seconds * 1000))
        if execution.killed:
            raise CannotRun(Finding.CANNOT_RUN)
        return result_digest(execution.result())

    async def _fetch(self, digest: Digest, parties: Sequence[Address]) -> TaskDescriptor:
        """The task with its inputs in the store, from whichever party has them."""
        for party in parties:
            connection = self.peers.of(party)
            if connection is None:
                continue
            try:
                reply = await connection.call(wire.Fetch(digest), FETCH_SECONDS)
                inputs = wire.expect(reply, wire.Inputs)
                task = decode_task(inputs.task)
                if task_digest(task) != digest:
                    raise PeerError("The descriptor is of another task.")
                for blob in inputs.blobs:
                    self.store.put(blob)
                if all(self.store.has(file.digest) for file in task.inputs):
                    return task
                raise PeerError("Some inputs are missing.")
            except PeerError as error:
                log.warning("inputs from %s: %s", short(party), error)
        raise CannotRun(Finding.NO_INPUTS)
