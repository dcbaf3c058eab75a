"""A validator: follows the ledger, checks every open claim, and votes (protocol section 5).

K1 and K2 are judged from the records alone, batch by batch, and voted at once; so are those that
stand alone. K3 votes are committed and then revealed: ``node.jury``.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from canaries.family import installed
from ledger import calls, claim_calls, record
from ledger.contracts import contracts_of
from ledger.errors import ChainError, PeerError, UsageError
from ledger.reader import Reader
from ledger.reasons import Reason
from ledger.rows import UnvotedBatch, UnvotedSingle
from ledger.sender import Sender
from ledger.types import Address, BlockNumber, hex_of, short
from node import wire
from node.ballot_box import BallotBox
from node.beacon_duty import BeaconDuty
from node.handshake import Credentials
from node.journal import Journal
from node.jury import Jury
from node.only_one import only_one
from node.peers import Endpoint, PeerBook
from node.rerun import Rerun
from node.service import Base, make_data, prepare, stop_signal, supervise
from node.verification import ballot, judge
from node.vote_sender import Key, VoteSender

log = logging.getLogger(__name__)

POLL_SECONDS = 0.7
FAILED_SECONDS = 5.0
MAX_BATCHES, MAX_SINGLES = 16, 64


@dataclass(slots=True)
class Validator:
    """Judges and votes; a round is one look at what is open."""

    me: Credentials
    reader: Reader
    sender: Sender
    jury: Jury
    beacon: BeaconDuty | None = None
    """None where the ledger draws nothing."""
    _votes: VoteSender = field(init=False)

    def __post_init__(self) -> None:
        self._votes = VoteSender(self.sender, self.me.clock)

    async def run(self) -> None:
        """Batches and canaries in turns of their own, so that no canary holds up a batch."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._repeat(self.batch_round))
            group.create_task(self._repeat(self.jury.round))
            if self.beacon is not None:
                group.create_task(self._repeat(self.beacon.round))

    async def batch_round(self) -> int:
        """Votes on every open batch and single claim; how many there were to vote on."""
        self._forget_what_the_index_has()
        singles = self._open_singles()
        in_ledger: dict[Key, calls.BatchVote | calls.StepVote] = {
            (each.event.host, each.event.root): self._judge_batch(each)
            for each in self._open_batches()
        }
        in_ledger |= {
            (each.kudos.kudos_id,): step_vote(each, self._judge_single(each))
            for each in singles
            if each.by_step
        }
        in_claims: dict[Key, claim_calls.ClaimVote] = {
            (each.kudos.kudos_id,): claim_calls.ClaimVote(
                each.kudos.chain_id, self._judge_single(each)
            )
            for each in singles
            if not each.by_step
        }
        if in_ledger:
            ledger = contracts_of(self.me.domain.contract).ledger
            await self._votes.send(ledger, in_ledger, ledger_votes)
        if in_claims:
            await self._votes.send(self._claims_contract, in_claims, claim_calls.vote)
        return len(in_ledger) + len(in_claims)

    @property
    def _claims_contract(self) -> Address:
        return contracts_of(self.me.domain.contract).claims

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
        limit = MAX_BATCHES + self._votes.resting
        unvoted = self.reader.batches_unvoted(self.me.key.address, limit=limit)
        open_ = (
            each for each in unvoted if not self._votes.knows((each.event.host, each.event.root))
        )
        return list(islice(open_, MAX_BATCHES))

    def _open_singles(self) -> list[UnvotedSingle]:
        limit = MAX_SINGLES + self._votes.resting
        unvoted = self.reader.singles_unvoted(self.me.key.address, limit=limit)
        open_ = (each for each in unvoted if not self._votes.knows((each.kudos.kudos_id,)))
        return list(islice(open_, MAX_SINGLES))

    def _forget_what_the_index_has(self) -> None:
        head = self.reader.head()
        self._votes.forget(head.number if head else BlockNumber(-1))

    def _judge_batch(self, unvoted: UnvotedBatch) -> calls.BatchVote:
        event = unvoted.event
        migrations = record.decode_batch(self.me.domain, event.host, event.batch)
        mine = self._claims_of_others(event.host, [each.request.home for each in migrations])
        found = ballot(self.me.domain, migrations, event.claims & mine, unvoted.place.timestamp)
        log.info(
            "batch %s of %s: %d approved, %d refused",
            short(event.root),
            short(event.host),
            found.approve.bit_count(),
            found.refuse.bit_count(),
        )
        return calls.BatchVote(event.host, event.root, found.approve, found.refuse, found.reasons)

    def _claims_of_others(self, host: Address, homes: Sequence[Address]) -> int:
        """The records that this validator is no party to, as a bitmap."""
        me = self.me.key.address
        return 0 if me == host else sum(1 << i for i, home in enumerate(homes) if home != me)

    def _judge_single(self, single: UnvotedSingle) -> Reason:
        settled = single.settled
        return judge(self.me.domain, settled.migration, settled.place.timestamp)


def ledger_votes(votes: Sequence[calls.BatchVote | calls.StepVote]) -> bytes:
    """Calldata of votes on claims that the ledger itself keeps."""
    return calls.vote(
        [vote for vote in votes if isinstance(vote, calls.BatchVote)],
        [vote for vote in votes if isinstance(vote, calls.StepVote)],
    )


def step_vote(single: UnvotedSingle, reason: Reason) -> calls.StepVote:
    """A vote on a claim that the ledger itself keeps."""
    request, settled = single.settled.request, single.settled
    asset_id = settled.result_id or settled.answer_id
    return calls.StepVote(request.home, request.host, request.seq, asset_id, reason)


def run_validator(options: argparse.Namespace) -> int:
    """Runs a validator until it is told to stop."""
    with only_one(make_data(options), "validator"):
        base = prepare(options)
        endpoints = [Endpoint.parse(text) for text in options.peer]
        asyncio.run(_serve(base, endpoints, manual=options.manual))
    return 0


async def _serve(base: Base, endpoints: Sequence[Endpoint], *, manual: bool) -> None:
    stop = stop_signal()
    await base.copy.catch_up()
    seated = base.reader.validator_set()
    if seated is None or base.me.key.address not in seated.members:
        raise UsageError(
            f"{hex_of(base.me.key.address)} is not a validator of this ledger.",
            hint="Give the keystore of one that is, or have it proposed: `kudos validators`.",
        )
    peers = PeerBook(base.me, endpoints, _serve_nothing, base.outside.dial)
    rerun = Rerun(
        me=base.me,
        families=installed(),
        toolchain=base.toolchain.class_id,
        runner=base.runner,
        store=base.store,
        peers=peers,
        journal=Journal(base.data / "journal.db"),
    )
    jury = Jury(
        me=base.me,
        reader=base.reader,
        sender=base.sender,
        rerun=rerun,
        box=BallotBox(base.data / "ballots.db"),
        commit_seconds=await asyncio.to_thread(_ask, base, "claims", claim_calls.commit_seconds()),
    )
    beacon = await asyncio.to_thread(_beacon_duty, base)
    validator = Validator(base.me, base.reader, base.sender, jury, beacon)
    log.info("validator %s", hex_of(base.me.key.address))
    votes = [] if manual else [validator.run()]
    await supervise([base.copy.follow(), peers.run(), _until_unseated(base), *votes], stop)


async def _until_unseated(base: Base) -> None:
    """Ends with an error once the validators have put others in office."""
    while True:
        seated = base.reader.validator_set()
        if seated is not None and base.me.key.address not in seated.members:
            raise UsageError(
                f"{hex_of(base.me.key.address)} is no validator of this ledger any more.",
                hint="`kudos validators list` names those who are.",
            )
        await asyncio.sleep(POLL_SECONDS)


def _beacon_duty(base: Base) -> BeaconDuty | None:
    if _ask(base, "claims", claim_calls.draw_rate()) == 0:
        return None
    period = _ask(base, "beacon", claim_calls.period_seconds())
    reveal = _ask(base, "beacon", claim_calls.reveal_seconds())
    return BeaconDuty(base.me, base.reader, base.sender, period, reveal)


def _ask(base: Base, role: str, view: calls.View[int]) -> int:
    """A constant of one of the ledger's contracts."""
    contract: Address = getattr(contracts_of(base.deployment.contract), role)
    return view.decode(base.sender.rpc.call(contract, view.data))


async def _serve_nothing(peer: Address, message: wire.Message) -> wire.Message:
    raise PeerError("A validator takes no requests.")
