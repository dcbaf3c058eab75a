"""What waits for a validator's vote, laid out for a human who decides.

The page shows the evidence and what was recomputed of it; the vote is a transaction that the
validator's own wallet signs in the browser (``static/approve.js``). The service holds no key, and
no route of it changes anything. K3 votes are committed first: their salt is made in the browser and
stays there until they are revealed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

from ledger import calls, claim_calls, record
from ledger.assets import (
    ANSWER_WITHIN,
    CONFIRM_WITHIN,
    ConfirmedMigration,
    Migration,
    process_name_text,
)
from ledger.contracts import contracts_of
from ledger.desk.checks import Check, checks
from ledger.desk.context import Desk
from ledger.desk.html_shell import optional_address, show
from ledger.eip712 import digest
from ledger.reader import Reader
from ledger.reasons import Reason
from ledger.rows import KudosRow, SettledMigration, UnvotedBatch, UnvotedCanary, UnvotedSingle
from ledger.types import ZERO_ADDRESS, Address, Digest, hex_of

SHOWN = 16
"""Batches, and single claims, on one page; the oldest first."""

CANARIES = 64
"""K3 claims on one page. One commitment covers all of a round."""

APPROVALS = (Reason.APPROVE,)
REFUSALS = tuple(reason for reason in Reason if reason.is_refusal)
ABSTENTIONS = tuple(reason for reason in Reason if reason.name.startswith("ABSTAIN_"))


@dataclass(frozen=True, slots=True)
class PendingClaim:
    """One claim with all that was recomputed of it. ``index`` is its place in a batch, ``kudos_id``
    what a vote on a claim by itself names, ``answer_id`` what one on a single step names."""

    index: int
    level: int
    kudos_id: Digest | None
    request_id: Digest
    home: Address
    host: Address
    seq: int
    process: str
    since: int
    checks: tuple[Check, ...]
    origin: str | None = None
    answer_id: Digest | None = None

    @property
    def holds(self) -> bool:
        return all(check.holds for check in self.checks)


@dataclass(frozen=True, slots=True)
class PendingBatch:
    """A batch with open claims: one ballot covers all of them."""

    host: Address
    root: Digest
    since: int
    claims: tuple[PendingClaim, ...]


@dataclass(frozen=True, slots=True)
class PendingRound:
    """K3 claims on which votes are committed in the same round. ``turn`` is "now", "later" or
    "over"."""

    number: int
    begins: int
    ends: int
    turn: str
    claims: tuple[PendingClaim, ...]


@dataclass(frozen=True, slots=True)
class Pending:
    """What one validator has not voted on; ``sealed`` are the rounds in which it committed to votes
    that it can reveal now."""

    batches: tuple[PendingBatch, ...]
    singles: tuple[PendingClaim, ...]
    rounds: tuple[PendingRound, ...]
    sealed: tuple[int, ...]
    committed: bool
    more: bool

    @property
    def is_empty(self) -> bool:
        return not (self.batches or self.singles or self.rounds or self.sealed)


def add_approval(app: FastAPI, desk: Desk) -> None:
    """Registers the page."""

    @app.get("/approve", response_class=HTMLResponse, include_in_schema=False)
    def approve(request: Request, validator: str = "") -> HTMLResponse:
        who = optional_address("validator", validator)
        with desk.reader() as reader, reader.snapshot():
            members = desk.members(reader)
            return show(
                desk,
                request,
                reader,
                "approve.html",
                validator=who,
                is_member=who in members,
                validators=members,
                pending=_pending(desk, reader, who) if who in members else None,
                calls=page_calls(desk.deployment.contract),
                groups={"Approve": APPROVALS, "Refuse": REFUSALS, "Abstain": ABSTENTIONS},
            )


def page_calls(contract: Address) -> dict[str, str]:
    """Contracts and selectors that the page makes its transactions from, by the name that its
    script has for them."""
    zero = Digest(bytes(32))
    return {
        "contract": hex_of(contract),
        "claims": hex_of(contracts_of(contract).claims),
        "vote": hex_of(calls.vote([], [])[:4]),
        "claim-vote": hex_of(claim_calls.vote([])[:4]),
        "commit": hex_of(claim_calls.commit_votes(0, zero)[:4]),
        "reveal": hex_of(claim_calls.reveal_votes(ZERO_ADDRESS, 0, [], zero)[:4]),
        "commitment": hex_of(claim_calls.vote_commitment(ZERO_ADDRESS, 0).data[:4]),
    }


def _pending(desk: Desk, reader: Reader, validator: Address | None) -> Pending | None:
    if validator is None:
        return None
    head = reader.head()
    # A block cannot be older than the newest, and the next one has the time of now.
    now = max(int(desk.clock.now()), head.timestamp if head else 0)
    return pending(reader, validator, now, desk.deployment.round_seconds)


def pending(reader: Reader, validator: Address, now: int, round_seconds: int) -> Pending:
    """The oldest open claims without this validator's vote; K3 that can still be voted on first."""
    batches = reader.batches_unvoted(validator, SHOWN + 1)
    singles = reader.singles_unvoted(validator, SHOWN + 1)
    running = now // round_seconds
    canaries = _canaries(reader, validator, (running - 1) * round_seconds)
    third = [_claim(reader, each.settled, 0, each.kudos) for each in canaries[:CANARIES]]
    return Pending(
        tuple(_batch(reader, each) for each in batches[:SHOWN]),
        tuple(_single(reader, each) for each in singles[:SHOWN]),
        tuple(_rounds(third, running, round_seconds)),
        tuple(number for number in reader.open_rounds(validator) if number < running),
        reader.has_committed(validator, running),
        len(batches) > SHOWN or len(singles) > SHOWN or len(canaries) > CANARIES,
    )


def _canaries(reader: Reader, validator: Address, votable: int) -> list[UnvotedCanary]:
    """One more than is shown; those whose round is over only where there is room."""
    found = reader.canary_claims_unvoted(validator, CANARIES + 1, since=max(votable, 0))
    room = CANARIES + 1 - len(found)
    return found + reader.canary_claims_unvoted(validator, room, until=votable)


def _rounds(
    claims: Iterable[PendingClaim], running: int, round_seconds: int
) -> Iterator[PendingRound]:
    by_round: dict[int, list[PendingClaim]] = {}
    for claim in claims:
        by_round.setdefault(claim.since // round_seconds + 1, []).append(claim)
    for number, together in sorted(by_round.items()):
        turn = "now" if number == running else "later" if number > running else "over"
        begins = number * round_seconds
        yield PendingRound(number, begins, begins + round_seconds, turn, tuple(together))


def _batch(reader: Reader, unvoted: UnvotedBatch) -> PendingBatch:
    event, place = unvoted.event, unvoted.place
    claims = []
    for index, migration in enumerate(record.decode_batch(reader.domain, event.host, event.batch)):
        if event.claims >> index & 1:
            settled = reader.migration(digest(reader.domain, migration.request))
            if settled is not None:
                claims.append(_claim(reader, settled, index, None))
    return PendingBatch(event.host, event.root, place.timestamp, tuple(claims))


def _single(reader: Reader, unvoted: UnvotedSingle) -> PendingClaim:
    """A K1 or K2 by itself: on a single step in the ledger, or claimed again."""
    settled = unvoted.settled
    answer = (settled.result_id or settled.answer_id) if unvoted.by_step else None
    return _claim(reader, settled, 0, unvoted.kudos, answer)


def _claim(
    reader: Reader,
    settled: SettledMigration,
    index: int,
    alone: KudosRow | None,
    answer_id: Digest | None = None,
) -> PendingClaim:
    """A claim on a record of a batch, or one by itself."""
    request, migration = settled.request, settled.migration
    level = 2 if isinstance(migration, ConfirmedMigration) else 1
    level = alone.level if alone else level
    claims = [alone] if alone else []
    claims = claims or [c for c in reader.claims_of(settled.request_id) if c.level == level]
    opening = reader.opening(settled.request_id) if level == 3 else None
    steps = reader.steps(settled.request_id)
    found = checks(reader.domain, settled, opening, claims, steps)
    return PendingClaim(
        *(index, level, alone.chain_id if alone else None, settled.request_id),
        *(request.home, request.host, request.seq, process_name_text(request.process_name)),
        alone.place.timestamp if alone else settled.place.timestamp,
        (*found, *_order(migration)),
        alone.origin if alone else None,
        answer_id,
    )


def _order(migration: Migration) -> Iterator[Check]:
    """That every step follows the one before it, and in time."""
    request = migration.request
    if not isinstance(migration, ConfirmedMigration):
        yield _within("REJECTED after REQUEST", migration.rejected.signed_at - request.signed_at)
        return
    accepted, confirmed = migration.accepted.signed_at, migration.confirmed.signed_at
    yield _within("ACCEPTED after REQUEST", accepted - request.signed_at)
    yield _within("CONFIRMED after ACCEPTED", confirmed - accepted, CONFIRM_WITHIN)
    left = request.result_deadline - confirmed
    yield _within("RESULT after CONFIRMED", migration.result.signed_at - confirmed, left)


def _within(name: str, seconds: int, most: int = ANSWER_WITHIN) -> Check:
    allowed = f"0 to {most} s"
    return Check(name, allowed, allowed if 0 <= seconds <= most else f"{seconds} s")
