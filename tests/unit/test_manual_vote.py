"""What `kudos validator approve|refuse` makes of ids, over a synthetic ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from ledger import claim_calls
from ledger.calls import BatchVote
from ledger.claim_calls import ClaimVote
from ledger.contracts import contracts_of
from ledger.errors import UsageError
from ledger.indexer import Indexer
from ledger.reader import Reader
from ledger.reasons import Reason
from ledger.rows import KudosRow, UnvotedBatch
from ledger.sender import Sender
from ledger.store import IndexStore
from ledger.synthetic import SyntheticChain
from ledger.synthetic_actors import Settings
from ledger.types import Address, Digest
from node.ballot_box import BallotBox
from node.jury import MAX_VOTES
from node.manual_canaries import Booth
from node.manual_vote import Votes, decide, reason_of
from node.parser import Handler, make_parser
from tests.unit.canary_claims import make_claim
from tests.unit.node_world import DOMAIN, NOW, ManualClock, credentials, key, seeded_entropy
from tests.unit.validator_fakes import ME, FakeReader, FakeSender

RESULT = Reason.REFUSE_RESULT


class Desk:
    """A validator before a ledger on which it has votes open."""

    def __init__(self, reader: Reader, validator: Address) -> None:
        self.reader, self.validator = reader, validator
        self.batch = reader.batches_unvoted(validator)[0]
        self.claims = self._claims(self.batch)
        self.third = reader.canary_claims_unvoted(validator)[0].kudos

    def _claims(self, batch: UnvotedBatch) -> dict[int, KudosRow]:
        found = {}
        for settled in self.reader.migrations(500):
            index = settled.batch_index
            if settled.root != batch.event.root or index is None:
                continue
            if batch.event.claims >> index & 1:
                rows = [r for r in self.reader.claims_of(settled.request_id) if r.level < 3]
                found[index] = rows[0]
        return found

    def decide(
        self, *ids: Digest, reason: Reason = Reason.APPROVE, rest: Reason | None = None
    ) -> Votes:
        return decide(self.reader, self.validator, ids, reason, rest)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    path = tmp_path_factory.mktemp("desk") / "index.db"
    chain = SyntheticChain(Settings(signatures=False, refused=0.1))
    validator = chain.deployment.validators[0]
    with IndexStore.open(path, chain.deployment) as store:
        indexer = Indexer(chain, store, chain.deployment, ManualClock())
        # The last block claims canaries and settles a batch; nobody has voted on either yet.
        while True:
            chain.mine(15)
            indexer.step()
            with Reader.open(path) as reader:
                if reader.batches_unvoted(validator) and reader.canary_claims_unvoted(validator):
                    yield Desk(reader, validator)
                    return


def test_a_root_stands_for_all_its_claims(desk: Desk) -> None:
    event = desk.batch.event
    assert desk.decide(event.root) == Votes([BatchVote(event.host, event.root, event.claims, 0)])
    doubts = tuple((index, int(RESULT)) for index in sorted(desk.claims))
    refused = BatchVote(event.host, event.root, 0, event.claims, doubts)
    assert desk.decide(event.root, reason=RESULT) == Votes([refused])


def test_one_claim_needs_a_word_on_the_others(desk: Desk) -> None:
    event, (index, claim) = desk.batch.event, next(iter(desk.claims.items()))
    assert len(desk.claims) > 1
    with pytest.raises(UsageError, match=f"{len(desk.claims) - 1} claims of it were not named"):
        desk.decide(claim.kudos_id, reason=RESULT)
    votes = desk.decide(claim.kudos_id, reason=RESULT, rest=Reason.APPROVE)
    others = event.claims & ~(1 << index)
    wanted = BatchVote(event.host, event.root, others, 1 << index, ((index, int(RESULT)),))
    assert votes == Votes([wanted])
    everything = [row.kudos_id for row in desk.claims.values()]
    assert desk.decide(*everything) == desk.decide(event.root)


def test_a_canary_is_named_alone_and_once(desk: Desk) -> None:
    third = desk.third.kudos_id
    votes = desk.decide(third, third)
    assert (votes.batches, [each.kudos.kudos_id for each in votes.canaries]) == ([], [third])
    votes = desk.decide(desk.batch.event.root, third, reason=RESULT)
    assert (len(votes.batches), len(votes.canaries)) == (1, 1)


def test_what_is_not_open_is_refused(desk: Desk) -> None:
    decided = next(
        claim
        for settled in desk.reader.migrations(500)
        for claim in desk.reader.claims_of(settled.request_id)
        if claim.decided is not None
    )
    for wanted in (Digest(bytes(32)), decided.kudos_id):
        with pytest.raises(UsageError, match="Nothing under"):
            desk.decide(wanted)


def test_a_refusal_has_a_reason() -> None:
    assert reason_of("approve", None) == Reason.APPROVE
    assert reason_of("refuse", "refuse_order") == Reason.REFUSE_ORDER
    for name in (None, "APPROVE", "nonsense", "ABSTAIN_INPUTS"):
        with pytest.raises(UsageError) as error:
            reason_of("refuse", name)
        assert "REFUSE_RESULT" in error.value.hint


@pytest.mark.parametrize("options_first", [False, True])
def test_the_command_line_takes_ids_and_still_runs_the_daemon(options_first: bool) -> None:
    common = ["--ledger", "l", "--rpc", "u", "--key", "k", "--data", "d"]
    handlers = defaultdict[str, Handler](lambda: lambda _: 0)
    parser = make_parser(handlers)
    votes = ["refuse", "0x" + "ab" * 32, "--reason", "REFUSE_RESULT", "--rest", "approve"]
    words = ["validator", *common, *votes] if options_first else ["validator", *votes, *common]
    options = parser.parse_args(words)
    assert (options.action, options.ids) == ("refuse", [Digest(b"\xab" * 32)])
    assert (options.reason, options.rest) == ("REFUSE_RESULT", "approve")
    assert parser.parse_args(["validator", "reveal", *common]).ids == []
    daemon = parser.parse_args(["validator", *common])
    assert (daemon.action, daemon.ids, daemon.manual) == (None, [], False)


# -- K3: committed, then opened ------------------------------------------------------------------


@dataclass
class Place:
    """A booth between a copy and a chain that are lists."""

    clock: ManualClock
    reader: FakeReader
    sender: FakeSender
    booth: Booth

    def at(self, round_: float) -> None:
        self.clock.time = (FIRST + round_) * SECONDS

    def reveal(self) -> list[int]:
        return [number for number, _ in self.booth.reveal(cast(Reader, self.reader))]


SECONDS = 100
FIRST = NOW // SECONDS
CLAIM = make_claim(credentials(1, ManualClock()), key(2).address)
VOTES = [ClaimVote(CLAIM.kudos.chain_id, Reason.APPROVE)]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    clock, sender, box = ManualClock(), FakeSender(), BallotBox(tmp_path / "ballots.db")
    booth = Booth(cast(Sender, sender), DOMAIN, box, clock, seeded_entropy(3), SECONDS)
    yield Place(clock, FakeReader(), sender, booth)
    box.close()


def test_votes_by_hand_are_committed_and_opened_a_round_later(place: Place) -> None:
    place.at(1.5)
    place.booth.check([CLAIM])
    place.booth.commit(VOTES)
    sealed = place.booth.box.sealed(FIRST + 1)
    assert sealed is not None and sealed.votes == tuple(VOTES)
    made = claim_calls.votes_commitment(DOMAIN, ME, FIRST + 1, VOTES, sealed.salt)
    contract = contracts_of(DOMAIN.contract).claims
    assert place.sender.sent == [(contract, claim_calls.commit_votes(FIRST + 1, made))]
    place.reader.unopened = [FIRST + 1]
    assert place.reveal() == [], "opened in the round of commitments"
    place.at(2.0)
    assert place.reveal() == [FIRST + 1]
    opened = claim_calls.reveal_votes(ME, FIRST + 1, VOTES, sealed.salt)
    assert place.sender.sent[1:] == [(contract, opened)]
    place.reader.unopened = []
    assert place.reveal() == []


@pytest.mark.parametrize(("at", "hint"), [(0.5, "begins in 50 s"), (2.0, "is over")])
def test_canaries_are_voted_on_in_the_round_after_theirs(
    place: Place, at: float, hint: str
) -> None:
    place.at(at)
    with pytest.raises(UsageError, match="not the time") as error:
        place.booth.check([CLAIM])
    assert hint in error.value.hint


def test_a_second_commitment_of_a_round_is_refused_unless_it_is_the_first(place: Place) -> None:
    place.at(1.5)
    place.booth.commit(VOTES)
    place.booth.commit(VOTES)
    assert place.sender.sent[0] == place.sender.sent[1]
    with pytest.raises(UsageError, match="Other votes are sealed"):
        place.booth.commit([ClaimVote(CLAIM.kudos.chain_id, Reason.REFUSE_RESULT)])
    assert len(place.sender.sent) == 2


def test_more_votes_than_a_reveal_can_hold_are_refused(place: Place) -> None:
    place.at(1.5)
    with pytest.raises(UsageError, match="too many"):
        place.booth.check([CLAIM] * (MAX_VOTES + 1))
