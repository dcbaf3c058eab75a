"""What each kind of event leaves in the copy: the strict way, claims of every origin, the
validators' rule, and what comes over from the ledger before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from ledger import event_types as events
from ledger import schema, validator_test
from ledger.assets import (
    Accepted,
    Confirmed,
    ConfirmedMigration,
    Kudos,
    Rejected,
    RejectedMigration,
    Request,
    Result,
)
from ledger.contracts import contracts_of
from ledger.eip712 import digest
from ledger.errors import ChainError
from ledger.events import EMITTER, RawLog
from ledger.packed_claims import (
    ClaimedCanary,
    DrawnOpening,
    HomesWords,
    Opening,
    PlantedOpening,
    PuzzleOpening,
    encode_claimed,
)
from ledger.puzzle_result import result_digest_of
from ledger.reader import Reader
from ledger.reasons import Reason
from ledger.rows import KudosRow
from ledger.store import IndexStore
from ledger.synthetic import Header
from ledger.synthetic_actors import SyntheticDeployment
from ledger.types import (
    ZERO_ADDRESS,
    Address,
    BlockHash,
    BlockNumber,
    Digest,
    TxHash,
    UnixSeconds,
)
from tests.unit.event_logs import log_of, values_of

HOME, HOST, A, B, C = (Address(bytes([n]) * 20) for n in (0x11, 0x22, 0xA1, 0xB2, 0xC3))
LEDGER = Address(b"\xee" * 20)
WORDS = tuple(Digest(bytes([n]) * 32) for n in range(1, 9))
ONE, TWO, THREE, *_ = WORDS
REQUEST = Request(HOME, HOST, ONE, TWO, THREE, 60, 512, 1024, 7, 900, 100)
DEPLOYMENT = SyntheticDeployment(7, LEDGER, BlockNumber(0), (A, B, C), 2, 1_000, 4)
DOMAIN = DEPLOYMENT.domain
REQUEST_ID = digest(DOMAIN, REQUEST)
ACCEPTED = Accepted(REQUEST_ID, 101)
CONFIRMED = Confirmed(digest(DOMAIN, ACCEPTED), 102)
RESULT = Result(REQUEST_ID, WORDS[3], 110)
REJECTED = Rejected(REQUEST_ID, Reason.CAPACITY, 103)
CONFIRMED_ID, RESULT_ID, REJECTED_ID = (digest(DOMAIN, a) for a in (CONFIRMED, RESULT, REJECTED))
K1 = digest(DOMAIN, Kudos(1, REJECTED_ID))
K2 = digest(DOMAIN, Kudos(2, CONFIRMED_ID))
REQUESTED = events.Requested(REQUEST_ID, REQUEST)
UP_TO_CONFIRMED = (
    REQUESTED,
    events.Accepted(REQUEST_ID, 101),
    events.Confirmed(REQUEST_ID, 102),
)
RESULTED = events.Resulted(REQUEST_ID, WORDS[3], 110, True)
DRAWN = DrawnOpening(*WORDS[:4])
PLANTED = PlantedOpening(*WORDS[:6])
TEST_SALT = WORDS[7]
TEST = replace(PLANTED, result_digest=validator_test.digest_of(REQUEST_ID, TEST_SALT))
WORDS_OF_HOME = HomesWords(1 << 63, b"s" * 65)


@dataclass
class Book:
    """A copy that is fed events, block by block."""

    path: Path
    store: IndexStore
    number: int = 0
    reader: Reader = field(init=False)

    def block(self, *logged: events.Event) -> int:
        """One block with these events; its number."""
        self.number += 1
        header = Header(
            BlockNumber(self.number),
            _hash(self.number),
            _hash(self.number - 1),
            UnixSeconds(1_000 * self.number),
        )
        self.store.add_block(header, [self._log(each, i) for i, each in enumerate(logged)])
        self.store.note_head(BlockNumber(self.number), BlockNumber(self.number), UnixSeconds(0))
        return self.number

    def _log(self, event: events.Event, index: int) -> RawLog:
        address: Address = getattr(contracts_of(LEDGER), EMITTER[type(event)])
        where = (BlockNumber(self.number), _hash(self.number), TxHash(b"\x07" * 32))
        plain = log_of(type(event), values_of(event))
        return RawLog(address, plain.topics, plain.data, *where, index)

    def claim(self, kudos_id: Digest) -> KudosRow:
        """A claim on the one migration of these tests."""
        (found,) = [c for c in self.reader.claims_of(REQUEST_ID) if c.kudos_id == kudos_id]
        return found

    def rows(self, table: str) -> list[tuple[object, ...]]:
        """A table without the place of its rows."""
        columns = ", ".join(schema.ROWS[table][:-2])
        order = "ORDER BY block, log_index"
        return self.store.connection.execute(f"SELECT {columns} FROM {table} {order}").fetchall()

    def totals(self, node: Address = HOST) -> tuple[int, int, int]:
        found = self.reader.kudos(node)
        return (found.k1, found.k2, found.k3)


def _hash(number: int) -> BlockHash:
    return BlockHash(number.to_bytes(32, "big"))


def minted(level: int, count: int = 1, host: Address = HOST) -> events.Event:
    return events.KudosMinted(A, host, level, count)


def canary(opening: Opening, words: HomesWords | None = None, seq: int = 7) -> events.Event:
    claimed = ClaimedCanary(HOME, seq, opening, words)
    return events.CanariesClaimed(HOST, encode_claimed([claimed]))


def k3(opening: Opening) -> Digest:
    """The id of the KUDOS that this opening claims."""
    if isinstance(opening, PuzzleOpening):
        result_digest = result_digest_of(opening.solution)
    else:
        result_digest = opening.result_digest
    return digest(DOMAIN, Kudos(3, RESULT_ID, result_digest, opening.seal_salt))


TESTED = events.ValidatorTested(k3(TEST), RESULT_ID, REQUEST_ID, TEST.seal_salt, TEST_SALT)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    path = tmp_path / "index.db"
    with IndexStore.open(path, DEPLOYMENT) as store:
        made = Book(path, store)
        made.block(events.ValidatorSetChanged(1, (A, B, C, *[ZERO_ADDRESS] * 13), 2))
        with Reader.open(path, DEPLOYMENT) as reader:
            made.reader = reader
            yield made
        assert store.verify_digests() == []


def test_the_strict_way_makes_the_same_migration_as_a_batch(book: Book) -> None:
    book.block(*UP_TO_CONFIRMED)
    assert book.reader.migration(REQUEST_ID) is None
    number = book.block(events.Signed(RESULT_ID, b"x" * 65), RESULTED)
    settled = book.reader.migration(REQUEST_ID)
    assert settled is not None
    assert settled.migration == ConfirmedMigration(
        REQUEST, ACCEPTED, CONFIRMED, RESULT, settled.migration.home_signature
    )
    assert (settled.confirmed_id, settled.result_id) == (CONFIRMED_ID, RESULT_ID)
    assert (settled.root, settled.batch_index, settled.place.block) == (None, None, number)
    told = [(step.kind, step.signed_at, step.signature) for step in book.reader.steps(REQUEST_ID)]
    assert told == [
        *(("REQUEST", 100, None), ("ACCEPTED", 101, None), ("CONFIRMED", 102, None)),
        ("RESULT", 110, b"x" * 65),
    ]
    claim = book.claim(K2)
    assert (claim.level, claim.asset_id, claim.state) == (2, CONFIRMED_ID, schema.CLAIMED)
    (waiting,) = book.reader.singles_unvoted(A)
    assert (waiting.kudos.kudos_id, waiting.by_step) == (K2, True)


def test_votes_on_a_step_decide_it(book: Book) -> None:
    book.block(*UP_TO_CONFIRMED, RESULTED)
    book.block(events.StepVoted(A, RESULT_ID, Reason.ABSTAIN_INPUTS, schema.CLAIMED))
    assert book.reader.singles_unvoted(A) == []
    book.block(events.StepVoted(B, RESULT_ID, Reason.APPROVE, schema.CLAIMED))
    assert book.totals() == (0, 0, 0)
    number = book.block(events.StepVoted(C, RESULT_ID, Reason.APPROVE, schema.VERIFIED), minted(2))
    claim = book.claim(K2)
    assert claim.state == schema.VERIFIED
    assert claim.decided is not None and claim.decided.block == number
    assert book.totals() == (0, 1, 0)
    verdicts = [(vote.validator, vote.verdict) for vote in book.reader.votes(K2)]
    assert verdicts == [(A, schema.ABSTAIN), (B, schema.APPROVE), (C, schema.APPROVE)]
    # One who votes after the decision changes nothing.
    book.block(events.StepVoted(HOME, RESULT_ID, Reason.APPROVE, schema.VERIFIED))
    assert book.totals() == (0, 1, 0)


def test_a_rejection_by_steps_claims_k1_unless_it_is_over_the_cap(book: Book) -> None:
    other = replace(REQUEST, seq=8)
    other_id = digest(DOMAIN, other)
    book.block(REQUESTED, events.Rejected(REQUEST_ID, Reason.CAPACITY, 103, True))
    book.block(events.Requested(other_id, other), events.Rejected(other_id, 3, 103, False))
    settled = book.reader.migration(REQUEST_ID)
    assert settled is not None and isinstance(settled.migration, RejectedMigration)
    assert settled.migration.rejected == REJECTED
    assert book.claim(K1).asset_id == REJECTED_ID
    assert book.reader.claims_of(other_id) == []
    book.block(events.StepDecided(HOME, HOST, 7, schema.REFUSED))
    assert book.claim(K1).state == schema.REFUSED
    (row,) = [node for node in book.reader.nodes() if node.address == HOST]
    assert (row.rejections, row.claims, row.refused, row.k1) == (2, 1, 1, 0)


def test_a_late_result_has_no_claim_until_its_home_receipts_it(book: Book) -> None:
    book.block(*UP_TO_CONFIRMED, replace(RESULTED, claimed=False))
    assert book.reader.claims_of(REQUEST_ID) == []
    book.block(events.Receipted(K2, HOST, RESULT_ID, (1 << 64) - 1, b"r" * 64))
    assert book.rows("receipts") == [(RESULT_ID, -1, b"r" * 64)]
    assert book.claim(K2).state == schema.CLAIMED
    (waiting,) = book.reader.singles_unvoted(A)
    assert not waiting.by_step, "it is voted on in the claims contract"


def test_a_claim_that_timed_out_is_claimed_again_under_its_own_row(book: Book) -> None:
    book.block(*UP_TO_CONFIRMED, RESULTED)
    book.block(
        events.StepDecided(HOME, HOST, 7, schema.REFUSED),
        events.ClaimedAgain(K2, HOST, RESULT_ID, 2),
    )
    first, second = book.reader.claims_of(REQUEST_ID)
    assert (first.kudos_id, first.attempt, first.state) == (K2, 0, schema.REFUSED)
    assert (second.repeats, second.attempt, second.state) == (K2, 1, schema.CLAIMED)
    assert second.kudos_id != K2 and second.chain_id == K2
    book.block(events.ClaimVoted(A, K2, Reason.APPROVE))
    book.block(events.ClaimDecided(K2, HOST, 2, schema.VERIFIED), minted(2))
    first, second = book.reader.claims_of(REQUEST_ID)
    assert (first.state, second.state) == (schema.REFUSED, schema.VERIFIED)
    assert [vote.validator for vote in book.reader.votes(second.kudos_id)] == [A]
    assert book.totals() == (0, 1, 0)


def test_a_planted_canary_and_what_its_home_said_of_it(book: Book) -> None:
    book.block(*UP_TO_CONFIRMED, RESULTED)
    book.block(canary(PLANTED, WORDS_OF_HOME))
    opening = book.reader.opening(REQUEST_ID)
    assert opening is not None and opening.signature == WORDS_OF_HOME.signature
    assert (opening.asset.signed_at, opening.asset.family) == (1 << 63, PLANTED.family)
    claim = book.claim(k3(PLANTED))
    assert (claim.level, claim.origin, claim.state) == (3, "planted", schema.CLAIMED)
    (waiting,) = book.reader.canary_claims_unvoted(A)
    assert waiting.task_digest == PLANTED.task_digest
    book.block(events.ClaimDecided(k3(PLANTED), HOST, 3, schema.VERIFIED), minted(3))
    assert book.totals() == (0, 0, 1)
    assert book.reader.canary_claims_unvoted(A) == []


def test_an_opening_that_nobody_signed_is_no_asset(book: Book) -> None:
    book.block(*UP_TO_CONFIRMED, RESULTED)
    book.block(canary(PLANTED))
    opening = book.reader.opening(REQUEST_ID)
    assert opening is not None
    assert (opening.signature, opening.asset.signed_at) == (None, 0)


def test_a_drawn_canary_that_does_not_repeat_is_void(book: Book) -> None:
    book.block(*UP_TO_CONFIRMED, RESULTED)
    book.block(canary(DRAWN))
    draw = book.reader.draw(REQUEST_ID)
    assert draw is not None and draw.mark_hash == DRAWN.mark_hash
    assert book.reader.opening(REQUEST_ID) is None
    (waiting,) = book.reader.canary_claims_unvoted(A)
    assert (waiting.opening, waiting.draw, waiting.kudos.origin) == (None, draw, "drawn")
    assert not book.reader.is_void(DRAWN.task_digest)
    book.block(events.ClaimDecided(k3(DRAWN), HOST, 3, schema.VOID))
    assert book.claim(k3(DRAWN)).state == schema.VOID
    assert book.reader.is_void(DRAWN.task_digest)
    (row,) = [node for node in book.reader.nodes() if node.address == HOST]
    assert (row.claims, row.void, row.refused, row.k3) == (2, 1, 0, 0)


def test_a_canary_claimed_again_is_opened_once(book: Book) -> None:
    book.block(*UP_TO_CONFIRMED, RESULTED)
    book.block(canary(PLANTED))
    book.block(events.ClaimDecided(k3(PLANTED), HOST, 3, schema.REFUSED), canary(PLANTED))
    assert len(book.rows("openings")) == 1
    again = book.reader.claims_of(REQUEST_ID)[-1]
    assert (again.repeats, again.attempt, again.state) == (k3(PLANTED), 1, schema.CLAIMED)


def test_a_claim_that_was_a_test_of_the_validators(book: Book) -> None:
    book.block(*UP_TO_CONFIRMED, RESULTED)
    book.block(canary(TEST))
    book.block(*(events.ClaimVoted(who, k3(TEST), 131) for who in (A, B)))
    book.block(events.ClaimDecided(k3(TEST), HOST, 3, schema.REFUSED))
    assert book.reader.validator_test(REQUEST_ID) is None
    shown_in = book.block(TESTED)
    found = book.reader.validator_test(REQUEST_ID)
    assert found is not None and found.place.block == shown_in
    assert (found.kudos_id, found.result_id) == (k3(TEST), RESULT_ID)
    assert (found.seal_salt, found.salt) == (TEST.seal_salt, TEST_SALT)
    assert book.totals() == (0, 0, 0)


def test_a_test_that_is_shown_twice_was_shown_the_first_time(book: Book) -> None:
    book.block(*UP_TO_CONFIRMED, RESULTED)
    book.block(canary(TEST))
    first = book.block(TESTED, TESTED)
    second = book.block(TESTED)
    found = book.reader.validator_test(REQUEST_ID)
    assert found is not None and (found.place.block, found.place.log_index) == (first, 0)
    book.store.roll_back(BlockNumber(first - 1))
    assert book.reader.validator_test(REQUEST_ID) is None
    book.number = first
    book.block(TESTED)
    found = book.reader.validator_test(REQUEST_ID)
    assert found is not None and found.place.block == second


def test_a_puzzle_is_verified_as_it_is_claimed(book: Book) -> None:
    puzzle = PuzzleOpening(4, *WORDS[:5])
    book.block(events.FamilyRegistered(4, WORDS[6], B))
    assert book.reader.family_number(WORDS[6]) == 4
    book.block(*UP_TO_CONFIRMED, RESULTED)
    book.block(canary(puzzle), minted(3))
    claim, opening = book.claim(k3(puzzle)), book.reader.opening(REQUEST_ID)
    assert claim.state == schema.VERIFIED and book.totals() == (0, 0, 1)
    assert opening is not None
    assert (opening.asset.family, opening.solution) == (WORDS[6], puzzle.solution)


def test_a_puzzle_of_the_contract_s_own(book: Book) -> None:
    book.block(events.PuzzleAsked(HOST, 1, 20, 77))
    assert book.rows("puzzles") == [(HOST, 1, 20, 77)]
    book.block(events.PuzzleSolved(HOST, 1, ONE, TWO), minted(3))
    book.block(events.PuzzleSolved(HOST, 2, ONE, TWO), minted(3))
    assert book.totals() == (0, 0, 2)
    found = {(row[6], row[8], row[5]) for row in book.rows("kudos")}
    assert {(origin, home) for _, origin, home in found} == {("open", ZERO_ADDRESS)}
    assert len(found) == 2, "each has an id of its own"


def test_what_is_carried_over_counts_without_a_decision(book: Book) -> None:
    book.block(
        *(events.Carried(HOST), minted(1, 5), minted(3, 2)),
        *(events.Carried(HOME), minted(2, 4, HOME)),
    )
    assert book.totals() == (5, 0, 2)
    assert book.totals(HOME) == (0, 4, 0)
    assert book.rows("decisions") == []


def test_rounds_of_votes(book: Book) -> None:
    book.block(events.VotesCommitted(A, 5, ONE), events.VotesCommitted(A, 6, TWO))
    assert book.reader.open_rounds(A) == [5, 6]
    assert book.reader.has_committed(A, 5) and not book.reader.has_committed(B, 5)
    skipped = events.VoteSkipped(A, K2, Reason.NOT_ELIGIBLE)
    book.block(skipped, events.VotesRevealed(A, 5))
    assert book.reader.open_rounds(A) == [6]
    (row,) = book.rows("skipped")
    assert (row[0], row[3], row[-1]) == ("vote", A, Reason.NOT_ELIGIBLE)


def test_the_beacon_of_a_period(book: Book) -> None:
    def stands() -> tuple[object, ...]:
        state = book.reader.beacon(A, 3)
        counts = (state.committed, state.revealed, state.commitments, state.reveals)
        return (*counts, state.kind, state.value)

    assert stands() == (False, False, 0, 0, None, None)
    book.block(events.SecretCommitted(3, A, ONE), events.SecretCommitted(3, B, TWO))
    book.block(events.SecretRevealed(3, A, THREE))
    assert stands() == (True, True, 2, 1, None, None)
    book.block(events.BlockNamed(3, 77))
    assert stands()[4:] == ("named", None)
    book.block(events.BeaconKnown(3, ONE, 1), events.NoBeacon(4, 2, 0))
    assert stands()[4:] == ("known", ONE)
    assert book.reader.beacon(A, 3).is_settled and book.reader.beacon(A, 4).is_settled
    assert book.reader.known_beacons(0) == [(3, ONE)]
    assert book.reader.known_beacons(4) == []


def test_a_change_of_the_set_from_proposal_to_seat(book: Book) -> None:
    seats = (A, B, HOME, *[ZERO_ADDRESS] * 13)
    content = events.ProposalContent(1, 1, seats, 2, Digest(bytes(32)), ZERO_ADDRESS)
    book.block(events.Proposed(1, ONE, A, content), events.ProposalVoted(1, A, True))
    book.block(events.ProposalVoted(1, B, True), events.ProposalApproved(1, 99))
    book.block(*UP_TO_CONFIRMED, RESULTED)
    book.block(events.ValidatorSetChanged(2, seats, 2), events.ProposalExecuted(1))
    assert [row[:4] for row in book.rows("proposals")] == [(1, ONE, A, "set")]
    assert book.rows("proposal_votes") == [(1, A, schema.APPROVE), (1, B, schema.APPROVE)]
    assert book.rows("proposal_steps") == [(1, "approved", 99), (1, "executed", None)]
    seated = book.reader.validator_set()
    assert seated is not None and (seated.version, seated.members) == (2, (A, B, HOME))
    assert [each.kudos.kudos_id for each in book.reader.singles_unvoted(A)] == [K2]
    assert book.reader.singles_unvoted(C) == [], "it has left"


def test_a_newcomer_votes_on_what_is_opened_after_it_took_its_seat(book: Book) -> None:
    newcomer = Address(b"\xd4" * 20)
    book.block(*UP_TO_CONFIRMED, RESULTED)
    changed = events.ValidatorSetChanged(2, (A, B, newcomer, *[ZERO_ADDRESS] * 13), 2)
    book.block(changed)
    assert book.reader.singles_unvoted(newcomer) == []
    assert len(book.reader.singles_unvoted(A)) == 1
    later = replace(REQUEST, seq=8)
    later_id = digest(DOMAIN, later)
    book.block(events.Requested(later_id, later), events.Rejected(later_id, 3, 103, True))
    assert [each.settled.request_id for each in book.reader.singles_unvoted(newcomer)] == [later_id]


def test_the_life_of_the_ledger(book: Book) -> None:
    book.block(events.SatelliteBuilt(1, A), events.ProposalWithdrawn(2), events.LedgerClosed(99))
    assert book.rows("life") == [("built", 1, A), ("closed", 99, None)]
    assert book.rows("proposal_steps") == [(2, "withdrawn", None)]


def test_a_reorganisation_takes_back_decisions_and_totals(book: Book) -> None:
    book.block(*UP_TO_CONFIRMED, RESULTED)
    before = book.block(canary(DRAWN))
    book.block(events.ClaimDecided(k3(DRAWN), HOST, 3, schema.VERIFIED), minted(3))
    book.block(events.Carried(HOME), minted(2, 4, HOME))
    assert (book.totals(), book.totals(HOME)) == ((0, 0, 1), (0, 4, 0))
    book.store.roll_back(BlockNumber(before))
    assert (book.totals(), book.totals(HOME)) == ((0, 0, 0), (0, 0, 0))
    assert book.claim(k3(DRAWN)).state == schema.CLAIMED
    book.number = before
    book.block(events.ClaimDecided(k3(DRAWN), HOST, 3, schema.REFUSED))
    assert book.claim(k3(DRAWN)).state == schema.REFUSED


Lie = tuple[tuple[events.Event, ...], str]
LIES: dict[str, Callable[[], Lie]] = {
    "another id": lambda: ((replace(REQUESTED, request_id=ONE),), "id that is not its own"),
    "no request": lambda: ((events.Confirmed(ONE, 102),), "REQUEST that nobody recorded"),
    "not accepted": lambda: ((REQUESTED, events.Confirmed(REQUEST_ID, 1)), "not accepted"),
    "not confirmed": lambda: ((*UP_TO_CONFIRMED[:2], RESULTED), "not confirmed"),
    "no step": lambda: ((events.StepVoted(A, ONE, 128, 1),), "nobody claimed"),
    "decided, not claimed": lambda: ((events.ClaimDecided(ONE, HOST, 3, 2),), "not open"),
    "voted, not claimed": lambda: ((events.ClaimVoted(A, ONE, 128),), "nobody claimed"),
    "canary of nothing": lambda: ((canary(PLANTED),), "not settled"),
    "again on nothing": lambda: ((events.ClaimedAgain(ONE, HOST, TWO, 2),), "not settled"),
    "again by another": lambda: (
        (*UP_TO_CONFIRMED, RESULTED, events.ClaimedAgain(K2, HOME, RESULT_ID, 2)),
        "not settled",
    ),
    "another sequence number": lambda: (
        (*UP_TO_CONFIRMED, RESULTED, canary(PLANTED, seq=8)),
        "not settled",
    ),
    "unknown family": lambda: (
        (*UP_TO_CONFIRMED, RESULTED, canary(PuzzleOpening(9, *WORDS[:5]))),
        "nobody registered",
    ),
    "test of another claim": lambda: (
        (*UP_TO_CONFIRMED, RESULTED, canary(PLANTED), replace(TESTED, kudos_id=k3(PLANTED))),
        "not this claim's",
    ),
    "test with another salt": lambda: (
        (*UP_TO_CONFIRMED, RESULTED, canary(TEST), replace(TESTED, salt=ONE)),
        "not this claim's",
    ),
    "test that nobody claimed": lambda: (
        (*UP_TO_CONFIRMED, RESULTED, TESTED),
        "nobody claimed",
    ),
    "half a claim": lambda: ((events.CanariesClaimed(HOST, b"\x01"),), "cannot be read"),
    "not minted": lambda: ((events.PuzzleSolved(HOST, 1, ONE, TWO),), "more than it mints"),
    "minted twice": lambda: (
        (events.PuzzleSolved(HOST, 1, ONE, TWO), minted(3, 2)),
        "more than it mints",
    ),
    "minted for nothing": lambda: ((minted(2),), "more than it mints"),
    "carried by another": lambda: ((events.Carried(HOME), minted(2)), "more than it mints"),
}


@pytest.mark.parametrize("name", LIES)
def test_what_cannot_be_true_is_not_taken_over(book: Book, name: str) -> None:
    logged, says = LIES[name]()
    with pytest.raises(ChainError, match=says):
        book.block(*logged)
    cursor = book.store.cursor()
    assert cursor is not None and cursor.number == 1
    assert book.rows("step_requests") == []


def test_an_event_of_another_contract_is_not_taken_over(book: Book) -> None:
    header = Header(BlockNumber(2), _hash(2), _hash(1), UnixSeconds(2_000))
    log = replace(book._log(REQUESTED, 0), address=contracts_of(LEDGER).claims)
    with pytest.raises(ChainError, match="another contract"):
        book.store.add_block(header, [log])
