"""What the pages and the JSON answers show, taken from one snapshot of the indexed copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from ledger import schema
from ledger.assets import ConfirmedMigration, RejectedMigration, process_name_text
from ledger.desk.checks import Check, checks
from ledger.reader import Reader
from ledger.reasons import describe
from ledger.rows import IndexHead, KudosRow, NodeRow, Opening, SettledMigration, Step, Vote
from ledger.types import Address, BlockNumber, Digest, hex_of

STATES = {schema.CLAIMED: "waiting", schema.VERIFIED: "verified", schema.REFUSED: "refused"}
VERDICTS = {schema.ABSTAIN: "abstained", schema.APPROVE: "approved", schema.REFUSE: "refused"}
SPARK_WIDTH, SPARK_HEIGHT = 120, 28


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old the data is, in words, and whether that is too old."""

    text: str
    seconds: int
    stale: bool


@dataclass(frozen=True, slots=True)
class NodeView:
    """One line of the table of nodes."""

    row: NodeRow
    name: str
    spark: str


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


def freshness(head: IndexHead | None, now: float, stale_after: float) -> Freshness:
    """ "updated 2 s ago", and whether to warn."""
    if head is None:
        return Freshness("no data yet", 0, True)
    seconds = max(0, int(now) - head.indexed_at)
    return Freshness(f"updated {_duration(seconds)} ago", seconds, seconds > stale_after)


def node_views(reader: Reader, names: Mapping[Address, str]) -> list[NodeView]:
    """Every node with its sparkline, the most points first."""
    return [
        NodeView(row, names.get(row.address, ""), sparkline(reader.kudos_series(row.address)))
        for row in reader.nodes()
    ]


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
        checks(reader.domain, settled, opening, claims),
    )


def sparkline(series: Sequence[tuple[int, int]]) -> str:
    """The path of an SVG of 120 by 28 units; empty when there is nothing to draw."""
    if len(series) < 2:
        return ""
    start, end, top = series[0][0], series[-1][0], series[-1][1]
    points: dict[int, float] = {}
    for time, value in series:  # one point per column is all that can be seen
        column = round((time - start) / max(1, end - start) * SPARK_WIDTH)
        points[column] = SPARK_HEIGHT - 2 - value / max(1, top) * (SPARK_HEIGHT - 4)
    return "M" + " L".join(f"{x} {y:.1f}" for x, y in points.items())


def clock_text(timestamp: int) -> str:
    """Date and time in UTC; a time that no calendar knows is shown as its number."""
    try:
        return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, OSError, ValueError):
        return str(timestamp)


def node_json(view: NodeView) -> dict[str, Any]:
    """A node for programs."""
    totals = asdict(view.row) | {"address": hex_of(view.row.address), "points": view.row.points}
    return totals | {"name": view.name}


def migration_json(view: MigrationView) -> dict[str, Any]:
    """A migration for programs."""
    settled, request = view.settled, view.settled.request
    return {
        "request_id": hex_of(settled.request_id),
        "home": hex_of(request.home),
        "host": hex_of(request.host),
        "process_name": view.process,
        "sequence": request.seq,
        "accepted": isinstance(settled.migration, ConfirmedMigration),
        "rejection": view.rejection,
        "canary_opened": view.opened,
        "kudos": [_kudos_json(claim) for claim in view.claims],
        **_place_json(settled.place),
    }


def life_cycle_json(life: LifeCycle) -> dict[str, Any]:
    """One migration in full for programs."""
    opened = life.opening is not None
    view = MigrationView(life.settled, life.process, _rejection(life.settled), life.claims, opened)
    steps = [
        {
            "asset": step.step.asset,
            "id": hex_of(step.step.id),
            "owner": hex_of(step.step.owner),
            "signed_at": step.step.signed_at,
            "detail": step.detail,
            "votes": [_vote_json(vote) for vote in step.votes],
            **_place_json(step.step.place),
        }
        for step in life.steps
    ]
    listed = [asdict(check) | {"holds": check.holds} for check in life.checks]
    return migration_json(view) | {"steps": steps, "checks": listed}


def _kudos_json(claim: KudosRow) -> dict[str, Any]:
    return {"id": hex_of(claim.kudos_id), "level": claim.level, "state": STATES[claim.state]}


def _vote_json(vote: Vote) -> dict[str, Any]:
    return {
        "validator": hex_of(vote.validator),
        "verdict": VERDICTS[vote.verdict],
        "reason": None if vote.reason is None else describe(vote.reason),
        **_place_json(vote.place),
    }


def _place_json(place: Any) -> dict[str, Any]:
    return asdict(place) | {"tx": hex_of(place.tx)}


def _detail(settled: SettledMigration, step: Step) -> str:
    if step.kudos is not None:
        return f"K{step.kudos.level} {STATES[step.kudos.state]}"
    return _rejection(settled) or "" if step.asset == "REJECTED" else ""


def _rejection(settled: SettledMigration) -> str | None:
    migration = settled.migration
    if isinstance(migration, RejectedMigration):
        return describe(migration.rejected.reason)
    return None


def _duration(seconds: int) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
