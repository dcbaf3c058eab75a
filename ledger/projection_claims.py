"""Events of the claims contract to rows: canaries, claims made again, committed votes, puzzles."""

from __future__ import annotations

from eth_hash.auto import keccak

from ledger import event_types as events
from ledger import packed_claims, schema, validator_test
from ledger.assets import K3_CANARY, Kudos
from ledger.changes import Changes, Claim, Context, Settled, distrust, signed_64
from ledger.eip712 import Domain, digest
from ledger.errors import PeerError
from ledger.events import RawLog
from ledger.packed_claims import ClaimedCanary, DrawnOpening, PlantedOpening, PuzzleOpening
from ledger.puzzle_result import result_digest_of
from ledger.types import ZERO_ADDRESS, Address, Digest

PLANTED, DRAWN, OPEN = "planted", "drawn", "open"
"""kudos.origin."""


def project_claims(
    domain: Domain,
    event: events.Event,
    log: RawLog,
    epoch: int,
    context: Context,
    changes: Changes,
) -> bool:
    """Whether this event is one of the claims contract's; then its changes are made."""
    match event:
        case events.CanariesClaimed():
            for canary in _claimed(event, log):
                _canary(domain, event.host, canary, log, epoch, context, changes)
        case events.ClaimedAgain() | events.Receipted():
            _single(event, log, epoch, context, changes)
        case events.ClaimVoted():
            changes.vote(context.claim(event.kudos_id), event.validator, event.reason, log)
        case events.ClaimDecided():
            changes.decide(context.claim(event.kudos_id), event.standing, log)
        case events.PuzzleSolved():
            _solved(event, log, epoch, changes)
        case events.ValidatorTested():
            _tested(domain, event, log, context, changes)
        case _:
            return _plain_row(event, log, changes)
    return True


def _plain_row(event: events.Event, log: RawLog, changes: Changes) -> bool:
    match event:
        case events.ClaimSkipped():
            item = ("canary", event.item, event.host, None, None, None)
            changes.add("skipped", log, *item, event.reason)
        case events.VoteSkipped():
            vote = ("vote", 0, None, event.validator, None, event.kudos_id)
            changes.add("skipped", log, *vote, event.reason)
        case events.VotesCommitted():
            changes.add("vote_commitments", log, event.validator, event.round, event.commitment)
        case events.VotesRevealed():
            changes.add("vote_reveals", log, event.validator, event.round)
        case events.FamilyRegistered():
            changes.add("families", log, event.number, event.name, event.implementation)
        case events.PuzzleAsked():
            row = (event.host, event.counter, event.difficulty, event.block_number)
            changes.add("puzzles", log, *row)
        case _:
            return False
    return True


def _claimed(event: events.CanariesClaimed, log: RawLog) -> list[ClaimedCanary]:
    try:
        return packed_claims.decode_claimed(event.claims)
    except PeerError as error:
        distrust(log, f"has claims that cannot be read: {error.message}")


def _canary(
    domain: Domain,
    host: Address,
    canary: ClaimedCanary,
    log: RawLog,
    epoch: int,
    context: Context,
    changes: Changes,
) -> None:
    settled = context.settled_at(canary.home, host, canary.seq)
    if settled is None or settled.result_id is None:
        distrust(log, "claims Kudos on a RESULT that is not settled")
    opening = canary.opening
    if isinstance(opening, PuzzleOpening):
        result_digest = result_digest_of(opening.solution)
    else:
        result_digest = opening.result_digest
    first_id = digest(domain, Kudos(K3_CANARY, settled.result_id, result_digest, opening.seal_salt))
    attempt = context.attempts(first_id)
    earlier = context.claim(first_id) if attempt else None
    kudos_id, repeats = attempt_id(first_id, attempt), first_id if attempt else None
    claim = Claim(kudos_id, K3_CANARY, host, canary.home, epoch, schema.CLAIMED)
    origin = DRAWN if isinstance(opening, DrawnOpening) else PLANTED
    stands_on = (settled.result_id, settled.request_id, origin, None, None)
    answer = (result_digest, opening.seal_salt)
    _add_claim(claim, repeats, attempt, (*stands_on, *answer), earlier, log, changes)
    if attempt:
        return  # what it opens was opened the first time
    if isinstance(opening, DrawnOpening):
        row = (settled.request_id, canary.home, settled.result_id)
        changes.add("draws", log, *row, opening.task_digest, opening.mark_hash)
        return
    _opening(opening, canary, settled, log, context, changes)
    if isinstance(opening, PuzzleOpening):
        changes.decide(claim, schema.VERIFIED, log)


def _opening(
    opening: PlantedOpening | PuzzleOpening,
    canary: ClaimedCanary,
    settled: Settled,
    log: RawLog,
    context: Context,
    changes: Changes,
) -> None:
    if isinstance(opening, PuzzleOpening):
        family, solution = context.family(opening.family), opening.solution
        if family is None:
            distrust(log, "opens a puzzle of a family that nobody registered")
    else:
        family, solution = opening.family, None
    row = (settled.request_id, canary.home, settled.result_id, opening.task_digest, family)
    words = canary.words
    signed = (signed_64(words.opened_at), words.signature) if words else (None, None)
    changes.add("openings", log, *row, opening.parameters, opening.salt, solution, *signed)
    changes.nodes[canary.home, "canaries_opened"] += 1


def _single(
    event: events.ClaimedAgain | events.Receipted,
    log: RawLog,
    epoch: int,
    context: Context,
    changes: Changes,
) -> None:
    """K1 or K2, claimed again or receipted."""
    asset_id = event.asset_id if isinstance(event, events.ClaimedAgain) else event.result_id
    settled = context.settled_as(asset_id)
    if settled is None or settled.host != event.host:
        distrust(log, "claims Kudos on what is not settled")
    if isinstance(event, events.Receipted):
        level = 2
        row = (event.result_id, signed_64(event.received_at), event.signature)
        changes.add("receipts", log, *row)
    else:
        level = event.level
    attempt = context.attempts(event.kudos_id)
    earlier = context.claim(event.kudos_id) if attempt else None
    repeats = event.kudos_id if attempt else None
    kudos_id = attempt_id(event.kudos_id, attempt)
    claim = Claim(kudos_id, level, event.host, settled.home, epoch, schema.CLAIMED)
    stands_on = (asset_id, settled.request_id, None, None, None, None, None)
    _add_claim(claim, repeats, attempt, stands_on, earlier, log, changes)


def _solved(event: events.PuzzleSolved, log: RawLog, epoch: int, changes: Changes) -> None:
    """K3 of a puzzle that the contract itself gave: nobody's request stands behind it."""
    puzzle_id = open_puzzle_id(event.host, event.counter)
    claim = Claim(puzzle_id, K3_CANARY, event.host, ZERO_ADDRESS, epoch, schema.CLAIMED)
    stands_on = (puzzle_id, puzzle_id, OPEN, None, None, event.solution, event.parameters)
    _add_claim(claim, None, 0, stands_on, None, log, changes)
    changes.decide(claim, schema.VERIFIED, log)


def _tested(
    domain: Domain, event: events.ValidatorTested, log: RawLog, context: Context, changes: Changes
) -> None:
    """A claim shown to be a test of the validators; shown again, it says nothing new."""
    shown = (event.request_id, event.result_id, event.seal_salt, event.salt)
    if validator_test.kudos_of(domain, *shown) != event.kudos_id:
        distrust(log, "shows a test of the validators that is not this claim's")
    claim, settled = context.claim(event.kudos_id), context.settled_as(event.result_id)
    if claim is None or settled is None or settled.request_id != event.request_id:
        distrust(log, "shows a test of the validators that nobody claimed")
    if not context.is_test(event.kudos_id):
        changes.add("tests", log, event.kudos_id, *shown)


def _add_claim(
    claim: Claim,
    repeats: Digest | None,
    attempt: int,
    stands_on: tuple[object, ...],
    earlier: Claim | None,
    log: RawLog,
    changes: Changes,
) -> None:
    """``earlier`` is the claim that this one makes again. Where that is open still, this one takes
    its place, and is no further claim (``facet_sums.NEWLY_CLAIMED``)."""
    row = (claim.kudos_id, repeats, attempt, claim.level, claim.host, claim.home)
    changes.add("kudos", log, *row, *stands_on, claim.epoch)
    if earlier is None or earlier.state != schema.CLAIMED:
        changes.nodes[claim.host, "claims"] += 1


def attempt_id(kudos_id: Digest, attempt: int) -> Digest:
    """The row's id of a Kudos that is claimed for the ``attempt``th time (0 the first)."""
    if not attempt:
        return kudos_id
    return Digest(keccak(kudos_id + attempt.to_bytes(4, "big")))


def open_puzzle_id(host: Address, counter: int) -> Digest:
    """The row's id of the K3 of a host's open puzzle."""
    return Digest(keccak(b"open puzzle" + host + counter.to_bytes(4, "big")))
