"""Validators at work: votes on batches and steps, and what changes who may vote."""

from __future__ import annotations

from dataclasses import astuple, replace
from functools import partial

from ledger.abi import LEDGER, QUEUE
from ledger.assets import ProposalVote, Votes
from ledger.calls import BatchVote, StepVote
from ledger.event_types import ProposalContent
from ledger.keys import Key
from ledger.queue_calls import SET, content_hash
from ledger.reasons import Reason
from ledger.types import Address, Digest
from tests.integration.ledger_model import Signed
from tests.integration.ledger_model.model import votes_hash
from tests.integration.ledger_model.state import NOBODY, mask
from tests.integration.ledger_model.steps import PLACES, Place, State
from tests.integration.side_by_side import SideBySide

RECENT = 30
NOT_A_VOTE = 127


class Validators:
    """Who judges, relays, counts again, and changes the set."""

    def __init__(self, both: SideBySide) -> None:
        self.both, self.random, self.model = both, both.random, both.model
        self._temper: dict[object, float] = {}

    def judge(self) -> Key:
        """Mostly one in office."""
        holders = self.model.core.set.holders
        if self.random.random() < 0.04:
            return self.random.choice(self.both.judges)
        return self.both.key(self.random.choice(holders))

    # -- votes ---------------------------------------------------------------------------------

    def vote(self) -> None:
        """One validator's word on some batches and steps, sent by it or for it."""
        judge = self.judge()
        batches = [self._batch_vote(judge, *place) for place in self._batches(judge)]
        steps = [self._step_vote(*place) for place in self._steps(judge)]
        if not batches and not steps:
            return
        signed = self._signed(judge, Votes(votes_hash(batches, steps)))
        packed = [
            (vote.host, vote.root, vote.approve, vote.refuse, _pairs(vote)) for vote in batches
        ]
        placed = [((vote.home, vote.host, vote.seq), vote.id, vote.reason) for vote in steps]

        def vote() -> None:
            self.model.vote(judge.address, batches, steps, signed)

        if signed is None:
            if not packed and len(placed) == 1 and self.random.random() < 0.7:
                (place, *said) = placed[0]
                self.both.do(judge, LEDGER, vote, "voteOnStep", *place, *said)
            else:
                self.both.do(judge, LEDGER, vote, "vote", packed, placed)
        else:
            values = (judge.address, packed, placed, signed.signature)
            self.both.do(self.both.relayer, LEDGER, vote, "voteFor", *values)

    def _signed(self, judge: Key, votes: Votes) -> Signed | None:
        kind = self.random.random()
        if kind < 0.6:
            return None
        signer = judge if kind < 0.97 else self.both.relayer
        return Signed(signer.sign(self.both.domain, votes))

    def _batches(self, judge: Key) -> list[tuple[Address, Digest]]:
        recent = list(self.model.batches.settled.items())[-RECENT:]
        again = self.random.random() < 0.05
        waiting = [
            place
            for place, batch in recent
            if batch.open and (again or judge.address not in batch.ballots)
        ]
        return self.random.sample(waiting, min(len(waiting), self.random.randrange(4)))

    def _steps(self, judge: Key) -> list[Place]:
        recent = list(self.model.steps.steps.items())[-3 * RECENT :]
        careless = self.random.random() < 0.03
        waiting = [
            (*place[:2], step.seq)
            for place, step in recent
            if careless
            or (
                step.claim == State.CLAIMED
                and judge.address not in place
                and all(said.validator != judge.address for said in step.said)
            )
        ]
        return self.random.sample(waiting, min(len(waiting), self.random.randrange(8)))

    def _batch_vote(self, judge: Key, host: Address, root: Digest) -> BatchVote:
        batch = self.model.batches.settled[host, root]
        approve, refuse = set[int](), set[int]()
        reasons = []
        for index in sorted(batch.claims):
            reason = self._word((root, index))
            if reason == Reason.APPROVE:
                approve.add(index)
                continue
            if 129 <= reason <= 143:
                refuse.add(index)
            reasons.append((index, reason))
        if self.random.random() < 0.02 and approve:
            refuse.add(min(approve))
        extra = mask({self.random.randrange(128)}) if self.random.random() < 0.3 else 0
        approved = mask(approve) | (extra & ~mask(set(batch.claims)))
        return BatchVote(host, root, approved, mask(refuse), tuple(reasons))

    def _step_vote(self, home: Address, host: Address, seq: int) -> StepVote:
        place = (home, host, seq)
        step = self.model.steps.of(place)
        assert step is not None
        latest = step.latest
        if self.random.random() < 0.02:
            latest = Digest(self.random.randbytes(32))
        reason = self._word(place) if self.random.random() > 0.01 else NOT_A_VOTE
        return StepVote(home, host, self._number(seq), latest, reason)

    def _number(self, seq: int) -> int:
        """Now and then another one of the same place."""
        if self.random.random() > 0.02:
            return seq
        return (seq + PLACES * self.random.randrange(1, PLACES)) % (PLACES * PLACES)

    def _word(self, claim: object) -> int:
        """Of most claims all approve; some are disputed."""
        if claim not in self._temper:
            self._temper[claim] = self.random.choice((0.98, 0.98, 0.98, 0.5, 0.1))
        if self.random.random() < self._temper[claim]:
            return int(Reason.APPROVE)
        return self.random.choice((130, 131, 143, 144, 159))

    def recount(self) -> None:
        """Anybody has something counted again."""
        anybody = self.random.choice(self.both.nodes)
        batches = list(self.model.batches.settled)
        if batches and self.random.random() < 0.5:
            host, root = self.random.choice(batches)
            if self.random.random() < 0.1:
                root = Digest(self.random.randbytes(32))
            act = partial(self.model.batches.recount, host, root)
            self.both.do(anybody, LEDGER, act, "recount", host, root)
        elif self.model.steps.steps:
            (home, host, _), step = self.random.choice(list(self.model.steps.steps.items()))
            place = (home, host, self._number(step.seq))
            latest = step.latest
            if self.random.random() < 0.1:
                latest = Digest(self.random.randbytes(32))
            act = partial(self.model.steps.recount, place, latest)
            self.both.do(anybody, LEDGER, act, "recountStep", place, latest)

    # -- the set -------------------------------------------------------------------------------

    def change_set(self) -> None:
        """A proposal with its votes, its delay, and its execution, each at its time or not."""
        content = self._content()
        if not self._propose(content):
            return
        number = len(self.model.queue.proposals)
        for holder in self.model.core.set.holders:
            kind = self.random.random()
            if kind < 0.85:
                self._vote_on(self.both.key(holder), number, content, kind > 0.08)
        if self.random.random() < 0.35:
            for holder in self.model.core.set.holders:
                self._vote_on(self.both.key(holder), number, content, False)
        if self.random.random() < 0.3:
            self._execute(number)
        self.both.wait(self.both.rules.queue_delay_seconds)
        self._execute(number)
        if self.random.random() < 0.2:
            self._vote_on(self.judge(), number, content, self.random.random() < 0.5)

    def _propose(self, content: ProposalContent) -> bool:
        judge, queue = self.judge(), self.model.queue
        fields = astuple(content)
        if self.random.random() < 0.7:
            own = lambda: queue.propose(judge.address, content, None)  # noqa: E731
            return self.both.do(judge, QUEUE, own, "propose", fields)
        asset = ProposalVote(len(queue.proposals) + 1, content_hash(content), True)
        signed = Signed(judge.sign(self.both.domain, asset))
        act = lambda: queue.propose(judge.address, content, signed)  # noqa: E731
        values = (judge.address, fields, signed.signature)
        return self.both.do(self.both.relayer, QUEUE, act, "proposeFor", *values)

    def _vote_on(self, judge: Key, number: int, content: ProposalContent, approve: bool) -> None:
        queue, hashed = self.model.queue, content_hash(content)
        signed: Signed | None = None
        if self.random.random() > 0.7:
            signed = Signed(judge.sign(self.both.domain, ProposalVote(number, hashed, approve)))

        def vote() -> None:
            queue.vote(judge.address, number, content, approve, signed)

        values = (number, hashed, approve)
        if signed is None:
            self.both.do(judge, QUEUE, vote, "vote", *values)
        else:
            relayed = (judge.address, *values, signed.signature)
            self.both.do(self.both.relayer, QUEUE, vote, "voteFor", *relayed)

    def _execute(self, number: int) -> None:
        act = lambda: self.model.queue.execute(number)  # noqa: E731
        self.both.do(self.both.relayer, QUEUE, act, "execute", number)

    def _content(self) -> ProposalContent:
        """Somebody comes, goes, or takes another's place; or only the threshold changes."""
        now = self.model.core.set
        seats = [NOBODY] * 16
        for number, seat in now.seats:
            seats[number] = seat.holder
        outside = [key.address for key in self.both.judges if now.seat_of(key.address) is None]
        taken = [number for number, _ in now.seats]
        kind = self.random.choice(("add", "remove", "rotate", "threshold"))
        if kind == "add" and outside and len(taken) < 6:
            seats[seats.index(NOBODY)] = self.random.choice(outside)
        elif kind == "remove" and len(taken) > 3:
            seats[self.random.choice(taken)] = NOBODY
        elif kind == "rotate" and outside:
            seats[self.random.choice(taken)] = self.random.choice(outside)
        n = sum(seat != NOBODY for seat in seats)
        threshold = self.random.choice((n // 2 + 1, n // 2 + 1, self.random.randint(n // 2 + 1, n)))
        content = ProposalContent(
            *(SET, now.version, tuple(seats), threshold, Digest(bytes(32)), NOBODY)
        )
        return self._spoiled(content, taken) if self.random.random() < 0.1 else content

    def _spoiled(self, content: ProposalContent, taken: list[int]) -> ProposalContent:
        seats = list(content.seats)
        kind = self.random.randrange(4)
        if kind == 0:
            return replace(content, quorum=1)
        if kind == 1:
            return replace(content, set_version=content.set_version + 1)
        if kind == 2:
            seats[15] = seats[taken[0]]
        else:
            seats[taken[0]], seats[taken[1]] = seats[taken[1]], seats[taken[0]]
        return replace(content, seats=tuple(seats))


def _pairs(vote: BatchVote) -> bytes:
    return bytes(byte for pair in vote.reasons for byte in pair)
