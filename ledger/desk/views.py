"""What the pages of migrations show, taken from one snapshot of the indexed copy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ledger import schema
from ledger.assets import RejectedMigration, process_name_text
from ledger.desk.checks import Check, checks
from ledger.desk.wording import duration
from ledger.reader import Reader
from ledger.reasons import describe
from ledger.rows import (
    Draw,
    IndexHead,
    KudosRow,
    Opening,
    SettledMigration,
    SingleStep,
    Step,
    ValidatorTest,
    Vote,
)
from ledger.types import BlockNumber, Digest

STATES = {schema.CLAIMED: "waiting", schema.VERIFIED: "verified", schema.REFUSED: "refused"}
STATES |= {schema.VOID: "void"}
VERDICTS = {schema.ABSTAIN: "abstained", schema.APPROVE: "approved", schema.REFUSE: "refused"}


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old the data is, in words, and whether that is too old."""

    text: str
    seconds: int
    stale: bool


@dataclass(frozen=True, slots=True)
class MigrationView:
    """One line of the latest migrations."""

    settled: SettledMigration
    process: str
    rejection: str | None
    claims: list[KudosRow]
    opened: bool


@dataclass(frozen=True, slots=True)
class StepView:
    """One step of a life-cycle, with the votes if it is a claim."""

    step: Step
    detail: str
    votes: list[Vote]


@dataclass(frozen=True, slots=True)
class LifeCycle:
    """Everything that the page of one migration shows."""

    settled: SettledMigration
    process: str
    steps: list[StepView]
    opening: Opening | None
    claims: list[KudosRow]
    checks: list[Check]
    draw: Draw | None
    alone: Mapping[Digest, SingleStep]
    """The assets that came one by one, by id."""
    test: ValidatorTest | None


def freshness(head: IndexHead | None, now: float, stale_after: float) -> Freshness:
    """ "updated 2 s ago", and whether to warn."""
    if head is None:
        return Freshness("no data yet", 0, True)
    seconds = max(0, int(now) - head.indexed_at)
    return Freshness(f"updated {duration(seconds)} ago", seconds, seconds > stale_after)


def migration_views(
    reader: Reader, limit: int, before: BlockNumber | None = None
) -> list[MigrationView]:
    """The latest migrations, the newest first."""
    return [migration_view(reader, settled) for settled in reader.migrations(limit, before)]


def migration_view(reader: Reader, settled: SettledMigration) -> MigrationView:
    """One migration in a line."""
    return MigrationView(
        settled,
        process_name_text(settled.request.process_name),
        _rejection(settled),
        reader.claims_of(settled.request_id),
        reader.opening(settled.request_id) is not None,
    )


def life_cycle(reader: Reader, request_id: Digest) -> LifeCycle | None:
    """One migration in full; None when it is not settled."""
    settled = reader.migration(request_id)
    if settled is None:
        return None
    opening, claims = reader.opening(request_id), reader.claims_of(request_id)
    alone, test = reader.steps(request_id), reader.validator_test(request_id)
    steps = [
        StepView(step, _detail(settled, step), reader.votes(step.id) if step.kudos else [])
        for step in reader.lifecycle(request_id)
    ]
    return LifeCycle(
        settled,
        process_name_text(settled.request.process_name),
        steps,
        opening,
        claims,
        checks(reader.domain, settled, opening, claims, alone, test),
        reader.draw(request_id),
        {step.asset_id: step for step in alone},
        test,
    )


def _detail(settled: SettledMigration, step: Step) -> str:
    if step.kudos is not None:
        return f"K{step.kudos.level} {STATES[step.kudos.state]}"
    return _rejection(settled) or "" if step.asset == "REJECTED" else ""


def _rejection(settled: SettledMigration) -> str | None:
    migration = settled.migration
    if isinstance(migration, RejectedMigration):
        return describe(migration.rejected.reason)
    return None
