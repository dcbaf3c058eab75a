"""A validator: follows the ledger, checks every open claim, and votes (protocol section 5).

K1 and K2 are judged from the records alone, batch by batch. For K3 the validator fetches the task's
inputs from its home or its host and runs it again in its own sandbox. Votes of one round travel in
one transaction.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from eth_hash.auto import keccak

from canaries.family import CannotRun, Family, Finding, Opened, installed
from canaries.replay import parameters_for
from ledger import calls, record
from ledger.errors import ChainError, KudosError, PeerError, UsageError
from ledger.reader import Reader
from ledger.reasons import Reason
from ledger.rows import UnvotedBatch, UnvotedCanary
from ledger.sender import Sender
from ledger.types import Address, BlockNumber, Digest, hex_of, short
from node import wire
from node.handshake import Credentials
from node.inputs import Runner
from node.lending import Lending
from node.peers import Endpoint, PeerBook
from node.service import Base, prepare, stop_signal, supervise
from node.store import ContentStore
from node.task import Limits, TaskDescriptor, decode_task, result_digest, task_digest
from node.verification import ballot, judge_canary

log = logging.getLogger(__name__)

POLL_SECONDS = 0.7
FETCH_SECONDS = 30.0
PATIENCE = 86_400
RETRY_SECONDS_MAX = 600.0
"""Inputs are asked for again, at most this long apart, for a day; then the validator abstains."""
FAILED_SECONDS = 5.0
MAX_BATCHES = 16
CANARIES_PER_ROUND = 4
GAS_BASE, GAS_PER_VOTE = 100_000, 200_000
TURN_SECONDS = 15
"""The first m in line run a canary at once; the others wait this long for a decision first."""

_REASONS: Mapping[Finding, Reason] = {
    Finding.HOLDS: Reason.APPROVE,
    Finding.WRONG_RESULT: Reason.REFUSE_RESULT,
    Finding.WRONG_OPENING: Reason.REFUSE_OPENING,
    Finding.OTHER_TOOLCHAIN: Reason.ABSTAIN_TOOLCHAIN,
    Finding.NO_INPUTS: Reason.ABSTAIN_INPUTS,
    Finding.CANNOT_RUN: Reason.ABSTAIN_SANDBOX,
}


def is_in_turn(
    claim: Digest, me: Address, validators: Sequence[Address], threshold: int, age: float
) -> bool:
    """Whether this validator is among the first ``threshold`` in the claim's own order, or the
    claim has waited long enough for everybody. Saves n - m of n runs when nobody is silent."""
    order = sorted(validators, key=lambda validator: keccak(claim + validator))
    return me in order[:threshold] or age >= TURN_SECONDS


@dataclass(slots=True)
class Validator:
    """Judges and votes; a round is one look at what is open."""

    me: Credentials
    reader: Reader
    sender: Sender
    contract: Address
    validators: Sequence[Address]
    threshold: int
    families: Mapping[bytes, Family]
    toolchain: str
    runner: Runner
    store: ContentStore
    peers: PeerBook
    lends: Lending = field(default_factory=Lending)
    _later: dict[Digest, float] = field(default_factory=dict)
    _found: dict[Digest, Reason] = field(default_factory=dict)
    _voted: dict[tuple[bytes, ...], BlockNumber] = field(default_factory=dict)

    async def run(self) -> None:
        """Batches and canaries in turns of their own, so that no canary holds up a batch."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._repeat(self.batch_round))
            group.create_task(self._repeat(self.canary_round))

    async def batch_round(self) -> int:
        """Votes on every open batch; how many votes were sent."""
        self._forget_what_the_index_has()
        votes = [self._judge_batch(each) for each in self._open_batches()]
        if votes:
            await self._send(votes, [])
        return len(votes)

    async def canary_round(self) -> int:
        """Runs a few canaries again and votes on them; how many votes were sent."""
        votes = await self._judge_canaries()
        if votes:
            await self._send([], votes)
        return len(votes)

    async def _repeat(self, one_round: Callable[[], Awaitable[int]]) -> None:
        """Rounds until cancelled. An unreachable chain is waited for, and whatever else goes wrong
        with one claim must not stop the votes on all others."""
        while True:
            try:
                await one_round()
            except ChainError as error:
                log.warning("votes wait: %s", error)
            except Exception:
                log.exception("a round of votes failed")
                await asyncio.sleep(FAILED_SECONDS)
            await asyncio.sleep(POLL_SECONDS)

    def _open_batches(self) -> list[UnvotedBatch]:
        unvoted = self.reader.batches_unvoted(self.me.key.address, limit=MAX_BATCHES)
        return [each for each in unvoted if (each.event.host, each.event.root) not in self._voted]

    def _forget_what_the_index_has(self) -> None:
        """Votes that the index should have seen by now: if it has not, a reorganisation took them,
        and they are given again."""
        head = self.reader.head()
        reached = head.number if head else BlockNumber(-1)
        self._voted = {key: block for key, block in self._voted.items() if block > reached}

    def _judge_batch(self, unvoted: UnvotedBatch) -> calls.BatchVote:
        event = unvoted.event
        migrations = record.decode_batch(self.me.domain, event.host, event.batch)
        found = ballot(self.me.domain, migrations, event.claims, unvoted.place.timestamp)
        log.info(
            "batch %s of %s: %d approved, %d refused",
            short(event.root),
            short(event.host),
            found.approve.bit_count(),
            found.refuse.bit_count(),
        )
        return calls.BatchVote(event.host, event.root, found.approve, found.refuse, found.reasons)

    async def _judge_canaries(self) -> list[calls.CanaryVote]:
        """The votes on the first few K3 claims that are ours to judge now."""
        votes: list[calls.CanaryVote] = []
        for claim in self.reader.canary_claims_unvoted(self.me.key.address):
            if not self._is_due(claim):
                continue
            reason = await self._judge_safely(claim)
            if reason is None:
                continue
            log.info("canary %s: %s", short(claim.kudos.request_id), reason.name)
            votes.append(calls.CanaryVote(claim.kudos.kudos_id, reason))
            if len(votes) == CANARIES_PER_ROUND:
                break
        return votes

    def _is_due(self, claim: UnvotedCanary) -> bool:
        kudos_id, now = claim.kudos.kudos_id, self.me.clock.now()
        if (kudos_id,) in self._voted or now < self._later.get(kudos_id, 0.0):
            return False
        age = now - claim.kudos.place.timestamp
        return is_in_turn(kudos_id, self.me.key.address, self.validators, self.threshold, age)

    async def _judge_safely(self, claim: UnvotedCanary) -> Reason | None:
        """The vote, or None to look again later. A claim is made by a stranger: nothing in it may
        end this process."""
        kudos_id, now = claim.kudos.kudos_id, self.me.clock.now()
        reason = self._found.get(kudos_id)
        if reason is None:
            try:
                reason = await self._judge_canary(claim)
            except Exception:
                log.exception("canary %s could not be judged", short(kudos_id))
                reason = Reason.ABSTAIN_SANDBOX
        age = now - claim.kudos.place.timestamp
        if reason == Reason.ABSTAIN_INPUTS and age < PATIENCE:
            # A vote is for good, and the parties may only be restarting: look again, ever later.
            self._later[kudos_id] = now + min(max(age / 4, POLL_SECONDS), RETRY_SECONDS_MAX)
            return None
        self._found[kudos_id] = reason
        return reason

    async def _judge_canary(self, claim: UnvotedCanary) -> Reason:
        opened, kudos = claim.opening.asset, claim.kudos
        paper = judge_canary(self.me.domain, claim)
        if not paper.is_approval:
            return paper
        family = self.families.get(opened.family)
        if family is None or kudos.result_digest is None:
            return Reason.ABSTAIN_SANDBOX
        if opened.parameters != parameters_for(self.toolchain):
            return Reason.ABSTAIN_TOOLCHAIN

        async def run_again(_: bytes) -> bytes:
            return await self._run_again(claim)

        answer = Opened(opened.task_digest, opened.parameters, kudos.result_digest)
        return _REASONS[await family.check(answer, run_again)]

    async def _run_again(self, claim: UnvotedCanary) -> bytes:
        """The result digest of a fresh run, within the request's limits and this machine's own."""
        digest, request = claim.opening.asset.task_digest, claim.settled.request
        task = await self._fetch(digest, (claim.kudos.host, claim.kudos.home))
        stated = Limits(request.cpu_seconds, request.memory_mib, request.output_kib)
        if task.toolchain != self.toolchain or task.limits != stated:
            # The mark's parameters or the request say something else than the task: the home's.
            raise CannotRun(Finding.WRONG_OPENING)
        if self.lends.exceeded_by(task.limits):
            raise CannotRun(Finding.CANNOT_RUN)
        try:
            execution = await self.runner.run(task, self.store, timeout=self.lends.wall_seconds)
        except (KudosError, OSError) as error:
            log.warning("cannot run %s again: %s", short(digest), error)
            raise CannotRun(Finding.CANNOT_RUN) from error
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

    async def _send(
        self, batches: Sequence[calls.BatchVote], canaries: Sequence[calls.CanaryVote]
    ) -> None:
        data = calls.vote(batches, canaries)
        # Not an estimate: the vote that decides a claim costs more than the one before it, and
        # which of two validators comes first is known only when the block is made.
        gas = GAS_BASE + GAS_PER_VOTE * (len(batches) + len(canaries))
        await asyncio.to_thread(self.sender.dry_run, self.contract, data)
        receipt = await asyncio.to_thread(self.sender.send, self.contract, data, gas=gas)
        for batch in batches:
            self._voted[batch.host, batch.root] = receipt.block_number
        for canary in canaries:
            self._voted[(canary.kudos_id,)] = receipt.block_number
        log.info("voted in block %d, %d gas", receipt.block_number, receipt.gas_used)


def run_validator(options: argparse.Namespace) -> int:
    """Runs a validator until it is told to stop."""
    base = prepare(options)
    if base.me.key.address not in base.deployment.validators:
        raise UsageError(
            f"{hex_of(base.me.key.address)} is not a validator of this ledger.",
            hint="Give the keystore of one of those that `kudos deploy` registered.",
        )
    endpoints = [Endpoint.parse(text) for text in options.peer]
    asyncio.run(_serve(base, endpoints, manual=options.manual))
    return 0


async def _serve(base: Base, endpoints: Sequence[Endpoint], *, manual: bool) -> None:
    stop = stop_signal()
    await base.copy.catch_up()
    peers = PeerBook(base.me, endpoints, _serve_nothing, base.outside.dial)
    validator = Validator(
        me=base.me,
        reader=base.reader,
        sender=base.sender,
        contract=base.deployment.contract,
        validators=base.deployment.validators,
        threshold=base.deployment.threshold,
        families=installed(),
        toolchain=base.toolchain.class_id,
        runner=base.runner,
        store=base.store,
        peers=peers,
    )
    log.info("validator %s", hex_of(base.me.key.address))
    votes = [] if manual else [validator.run()]
    await supervise([base.copy.follow(), peers.run(), *votes], stop)


async def _serve_nothing(peer: Address, message: wire.Message) -> wire.Message:
    raise PeerError("A validator takes no requests.")
