"""K3 votes over rounds: judged as claims come, committed once, opened afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest

from ledger import claim_calls
from ledger.abi import CLAIMS, ContractReverted, encode
from ledger.assets import CLAIM_WITHIN
from ledger.claim_calls import ClaimVote
from ledger.contracts import contracts_of
from ledger.errors import ChainError
from ledger.reader import Reader
from ledger.reasons import Reason
from ledger.rows import UnvotedCanary
from ledger.sender import Sender
from ledger.types import Digest, UnixSeconds
from node.ballot_box import BallotBox
from node.jury import JUDGED_AT_ONCE, LAST_MOMENT, MAX_VOTES, Jury
from node.rerun import Rerun
from tests.unit.canary_claims import make_claim
from tests.unit.node_world import DOMAIN, NOW, ManualClock, credentials, key
from tests.unit.validator_fakes import ME, FakeReader, FakeSender

SECONDS = 100
FIRST = NOW // SECONDS
"""The round in which the claims of these tests are opened."""
HOME = credentials(1, ManualClock())


@dataclass
class FakeRerun:
    """Says of a claim what the test has put in; APPROVE of all others."""

    says: dict[Digest, Reason | Exception] = field(default_factory=dict)
    asked: list[Digest] = field(default_factory=list)

    async def judge(self, claim: UnvotedCanary) -> Reason:
        self.asked.append(claim.kudos.kudos_id)
        found = self.says.get(claim.kudos.kudos_id, Reason.APPROVE)
        if isinstance(found, Exception):
            raise found
        return found


@dataclass
class Court:
    clock: ManualClock
    reader: FakeReader
    sender: FakeSender
    rerun: FakeRerun
    box: BallotBox
    jury: Jury

    def claim(self, number: int, opened: float = 0.0) -> Digest:
        """A claim that is opened in a round, counted from the first."""
        kudos_id = Digest(bytes([number]) * 32)
        claim = make_claim(HOME, key(2).address, number, kudos_id)
        at = UnixSeconds(int((FIRST + opened) * SECONDS))
        place = replace(claim.kudos.place, timestamp=at)
        self.reader.canaries.append(replace(claim, kudos=replace(claim.kudos, place=place)))
        return kudos_id

    def round(self, at: float, indexed: float | None = None) -> int:
        """One look at what is due, at a time counted in rounds from the first; the index has come
        there, too, unless it is said where it stands."""
        self.clock.time = (FIRST + at) * SECONDS
        self.reader.timestamp = int((FIRST + (at if indexed is None else indexed)) * SECONDS)
        return asyncio.run(self.jury.round())

    def commitment(self, number: int) -> bytes:
        """The calldata of the commitment to what lies in the box for a round."""
        sealed = self.box.sealed(FIRST + number)
        assert sealed is not None
        made = claim_calls.votes_commitment(DOMAIN, ME, FIRST + number, sealed.votes, sealed.salt)
        return claim_calls.commit_votes(FIRST + number, made)

    def reveal(self, number: int) -> bytes:
        sealed = self.box.sealed(FIRST + number)
        assert sealed is not None
        return claim_calls.reveal_votes(ME, FIRST + number, sealed.votes, sealed.salt)

    def votes(self, number: int) -> dict[Digest, int]:
        sealed = self.box.sealed(FIRST + number)
        return {vote.kudos_id: vote.reason for vote in sealed.votes} if sealed else {}

    @property
    def calldata(self) -> list[bytes]:
        claims = contracts_of(DOMAIN.contract).claims
        assert all(to == claims for to, _ in self.sender.sent)
        return [data for _, data in self.sender.sent]


@pytest.fixture
def court(tmp_path: Path) -> Iterator[Court]:
    clock, reader, sender, rerun = ManualClock(), FakeReader(), FakeSender(), FakeRerun()
    box = BallotBox(tmp_path / "ballots.db")
    jury = Jury(
        me=credentials(11, clock),
        reader=cast(Reader, reader),
        sender=cast(Sender, sender),
        rerun=cast(Rerun, rerun),
        box=box,
        commit_seconds=SECONDS,
    )
    yield Court(clock, reader, sender, rerun, box, jury)
    box.close()


def test_a_claim_is_judged_at_once_committed_in_the_next_round_and_opened_after_it(
    court: Court,
) -> None:
    kudos_id = court.claim(1)
    assert court.round(0.1) == 0
    assert court.rerun.asked == [kudos_id]
    assert court.round(1.1) == 1
    assert court.calldata == [court.commitment(1)]
    assert court.votes(1) == {kudos_id: Reason.APPROVE}
    court.reader.committed, court.reader.unopened = {FIRST + 1}, [FIRST + 1]
    assert court.round(1.9) == 0
    assert court.round(2.1) == 1
    assert court.calldata[1:] == [court.reveal(1)]
    assert court.rerun.asked == [kudos_id], "it was judged twice"


def test_one_commitment_is_for_all_claims_of_the_round_before(court: Court) -> None:
    first, second, later = court.claim(1), court.claim(2, 0.9), court.claim(3, 1.0)
    court.rerun.says[second] = Reason.REFUSE_RESULT
    assert court.round(1.1) == 1
    assert court.votes(1) == {first: Reason.APPROVE, second: Reason.REFUSE_RESULT}
    court.reader.committed = {FIRST + 1}
    assert court.round(2.1) == 1
    assert court.votes(2) == {later: Reason.APPROVE}


def test_a_commitment_waits_until_everything_is_judged(court: Court) -> None:
    many = [court.claim(number) for number in range(1, JUDGED_AT_ONCE + 2)]
    assert court.round(1.1) == 0
    assert court.rerun.asked == many[:JUDGED_AT_ONCE]
    assert court.round(1.2) == 1
    assert court.votes(1) == dict.fromkeys(many, Reason.APPROVE)


def test_a_commitment_waits_for_claims_that_the_index_has_not_come_to(court: Court) -> None:
    first = court.claim(1)
    assert court.round(1.02, indexed=0.97) == 0
    second = court.claim(2, 0.98)
    assert court.round(1.04, indexed=1.0) == 1
    assert court.votes(1) == dict.fromkeys((first, second), Reason.APPROVE)


def test_an_index_that_stands_still_is_waited_for_no_longer_than_there_is_time(
    court: Court,
) -> None:
    first = court.claim(1)
    assert court.round(1.9 - LAST_MOMENT, indexed=0.97) == 0
    assert court.round(2 - LAST_MOMENT, indexed=0.97) == 1
    assert court.votes(1) == {first: Reason.APPROVE}


@pytest.mark.parametrize("answer", ["WrongRound", "NothingToReveal"])
def test_a_round_that_no_block_has_come_to_is_waited_for(court: Court, answer: str) -> None:
    court.claim(1)
    court.sender.refuse = ContractReverted("not yet", error=answer)
    assert court.round(1.1) == 0
    court.sender.refuse = None
    assert court.round(1.1) == 1
    assert court.calldata == [court.commitment(1)]


def test_other_refusals_are_told(court: Court) -> None:
    court.claim(1)
    court.sender.refuse = ContractReverted("no", error="NotAValidator")
    with pytest.raises(ContractReverted):
        court.round(1.1)


def test_at_the_end_of_the_round_it_waits_no_longer(court: Court) -> None:
    many = [court.claim(number) for number in range(1, JUDGED_AT_ONCE + 2)]
    assert court.round(2 - LAST_MOMENT) == 1
    assert list(court.votes(1)) == many[:JUDGED_AT_ONCE]


def test_inputs_are_asked_for_again_until_the_last_moment(court: Court) -> None:
    kudos_id = court.claim(1)
    court.rerun.says[kudos_id] = Reason.ABSTAIN_INPUTS
    for at in (0.5, 1.0, 1.9 - LAST_MOMENT):
        assert court.round(at) == 0
    assert len(court.rerun.asked) == 3
    assert court.round(2 - LAST_MOMENT) == 1
    assert court.votes(1) == {kudos_id: Reason.ABSTAIN_INPUTS}


def test_inputs_that_come_late_are_still_in_time(court: Court) -> None:
    kudos_id = court.claim(1)
    court.rerun.says[kudos_id] = Reason.ABSTAIN_INPUTS
    assert court.round(1.0) == 0
    del court.rerun.says[kudos_id]
    assert court.round(1.1) == 1
    assert court.votes(1) == {kudos_id: Reason.APPROVE}


def test_a_claim_that_breaks_something_stands_in_nobodys_way(court: Court) -> None:
    broken, other = court.claim(1), court.claim(2)
    court.rerun.says[broken] = RuntimeError("no such thing")
    assert court.round(1.1) == 1
    assert court.votes(1) == {broken: Reason.ABSTAIN_SANDBOX, other: Reason.APPROVE}


def test_a_party_does_not_vote(court: Court) -> None:
    court.claim(1)
    (claim,) = court.reader.canaries
    for party in ("home", "host"):
        mine = replace(claim, kudos=replace(claim.kudos, **{party: ME}))  # type: ignore[arg-type]
        court.reader.canaries = [mine]
        assert court.round(1.1) == 0
    assert court.rerun.asked == []


def test_what_was_opened_too_long_ago_is_not_run_for_nothing(court: Court) -> None:
    court.claim(1)
    assert court.round(2.1) == 0
    assert (court.rerun.asked, court.calldata) == ([], [])


def test_a_repeated_claim_is_voted_on_under_the_contracts_own_id(court: Court) -> None:
    court.claim(1)
    (claim,) = court.reader.canaries
    known = Digest(b"\x77" * 32)
    court.reader.canaries = [replace(claim, kudos=replace(claim.kudos, repeats=known, attempt=1))]
    assert court.round(1.1) == 1
    assert court.votes(1) == {known: Reason.APPROVE}


def test_a_commitment_is_sent_once_until_the_index_shows_that_it_was_lost(court: Court) -> None:
    court.claim(1)
    assert court.round(1.1) == 1
    assert court.round(1.2) == 0
    court.reader.number = 8  # its block is indexed, and holds no commitment
    assert court.round(1.3) == 1
    assert court.calldata[0] == court.calldata[1], "another commitment than was sealed"


def test_a_reveal_is_sent_once_until_the_index_shows_that_it_was_lost(court: Court) -> None:
    court.claim(1)
    assert court.round(1.1) == 1
    court.reader.committed, court.reader.unopened = {FIRST + 1}, [FIRST + 1]
    assert court.round(2.1) == 1
    assert court.round(2.2) == 0
    court.reader.number = 8
    assert court.round(2.3) == 1
    court.reader.unopened = []
    court.reader.number = 9
    assert court.round(2.4) == 0


def test_killed_before_it_was_sent_the_same_votes_are_sent(court: Court) -> None:
    kudos_id = court.claim(1)
    court.sender.refuse = ChainError("away")
    with pytest.raises(ChainError):
        court.round(1.1)
    sealed = court.box.sealed(FIRST + 1)
    court.sender.refuse = None
    court.rerun.says[kudos_id] = Reason.REFUSE_RESULT
    again = replace(court.jury)  # a new process: nothing in memory, the box on disk
    again._found, again._sent = {}, {}
    court.jury = again
    assert court.round(1.2) == 1
    assert court.box.sealed(FIRST + 1) == sealed
    assert court.calldata == [court.commitment(1)]


def test_what_is_too_old_to_matter_is_forgotten(court: Court) -> None:
    court.claim(1)
    court.round(1.1)
    later = 1 + CLAIM_WITHIN / SECONDS
    court.round(later)
    assert court.box.numbers() == [FIRST + 1]
    court.round(later + 1)
    assert court.box.numbers() == []


def test_claims_whose_round_is_over_stand_in_nobodys_way(court: Court) -> None:
    for number in range(1, 251):
        court.claim(number)
    honest = court.claim(251, 100)
    assert court.round(100.1) == 0
    assert court.rerun.asked == [honest]
    assert court.round(101.1) == 1
    assert court.votes(101) == {honest: Reason.APPROVE}


def test_claims_of_the_running_round_do_not_wait_before_those_of_the_round_before(
    court: Court,
) -> None:
    for number in range(1, 251):
        court.claim(number, 1.0)
    due = court.claim(251)
    assert court.round(1.1) == 1
    assert court.votes(1) == {due: Reason.APPROVE}


def test_no_more_votes_than_a_reveal_can_hold(court: Court) -> None:
    for number in range(1, MAX_VOTES + 10):
        court.claim(number)
    for _ in range(MAX_VOTES):
        court.round(1.1)
    assert len(court.votes(1)) == MAX_VOTES
    sealed = court.box.sealed(FIRST + 1)
    assert sealed is not None
    vote = ClaimVote(Digest(b"\x01" * 32), 128)
    size = len(encode("revealVotes", ME, 1, [(vote.kudos_id, 128)], sealed.salt, contract=CLAIMS))
    assert len(court.reveal(1)) == size + 64 * (MAX_VOTES - 1)
