"""What waits for a validator's vote, laid out for a human who decides.

The page shows the evidence and what was recomputed of it; the vote is a transaction that the
validator's own wallet signs in the browser (``static/approve.js``). The service holds no key, and
no route of it changes anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

from ledger import calls, record
from ledger.assets import (
    ANSWER_WITHIN,
    CONFIRM_WITHIN,
    ConfirmedMigration,
    Migration,
    process_name_text,
)
from ledger.desk.checks import Check, checks
from ledger.desk.context import Desk
from ledger.desk.html_shell import optional_address, show
from ledger.eip712 import digest
from ledger.reader import Reader
from ledger.reasons import Reason
from ledger.rows import SettledMigration, UnvotedBatch
from ledger.types import Address, Digest

SHOWN = 16
"""Batches, and K3 claims, on one page; the oldest first."""

APPROVALS = (Reason.APPROVE,)
REFUSALS = tuple(reason for reason in Reason if reason.is_refusal)
ABSTENTIONS = tuple(reason for reason in Reason if reason.name.startswith("ABSTAIN_"))


@dataclass(frozen=True, slots=True)
class PendingClaim:
    """One claim with all that was recomputed of it. ``index`` is its place in a batch."""

    index: int
    level: int
    kudos_id: Digest | None
    request_id: Digest
    home: Address
    host: Address
    process: str
    since: int
    checks: tuple[Check, ...]

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
class Pending:
    """What one validator has not voted on."""

    batches: tuple[PendingBatch, ...]
    canaries: tuple[PendingClaim, ...]
    more: bool


def add_approval(app: FastAPI, desk: Desk) -> None:
    """Registers the page."""

    @app.get("/approve", response_class=HTMLResponse, include_in_schema=False)
    def approve(request: Request, validator: str = "") -> HTMLResponse:
        who = optional_address("validator", validator)
        with desk.reader() as reader, reader.snapshot():
            return show(
                desk,
                request,
                reader,
                "approve.html",
                validator=who,
                is_member=who in desk.deployment.validators,
                validators=desk.deployment.validators,
                pending=None if who is None else pending(reader, who),
                selector=calls.vote([], [])[:4],
                groups={"Approve": APPROVALS, "Refuse": REFUSALS, "Abstain": ABSTENTIONS},
            )


def pending(reader: Reader, validator: Address) -> Pending:
    """The oldest open claims without this validator's vote."""
    batches = reader.batches_unvoted(validator, SHOWN + 1)
    canaries = reader.canary_claims_unvoted(validator, SHOWN + 1)
    third = [
        _claim(reader, each.settled, 0, each.kudos.kudos_id, each.kudos.place.timestamp)
        for each in canaries[:SHOWN]
    ]
    more = len(batches) > SHOWN or len(canaries) > SHOWN
    return Pending(tuple(_batch(reader, each) for each in batches[:SHOWN]), tuple(third), more)


def _batch(reader: Reader, unvoted: UnvotedBatch) -> PendingBatch:
    event, place = unvoted.event, unvoted.place
    claims = []
    for index, migration in enumerate(record.decode_batch(reader.domain, event.host, event.batch)):
        if event.claims >> index & 1:
            settled = reader.migration(digest(reader.domain, migration.request))
            if settled is not None:
                claims.append(_claim(reader, settled, index, None, place.timestamp))
    return PendingBatch(event.host, event.root, place.timestamp, tuple(claims))


def _claim(
    reader: Reader, settled: SettledMigration, index: int, third: Digest | None, since: int
) -> PendingClaim:
    """A claim on a record of a batch, or, with an id of its own, a K3."""
    request, migration = settled.request, settled.migration
    confirmed = isinstance(migration, ConfirmedMigration)
    level = 3 if third is not None else 2 if confirmed else 1
    claims = [row for row in reader.claims_of(settled.request_id) if row.level == level]
    opening = reader.opening(settled.request_id) if level == 3 else None
    found = checks(reader.domain, settled, opening, claims)
    return PendingClaim(
        index,
        level,
        third,
        settled.request_id,
        request.home,
        request.host,
        process_name_text(request.process_name),
        since,
        (*found, *_order(migration)),
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
