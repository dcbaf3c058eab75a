"""The larger questions of ``ledger.reader``: what validators check, what people look at."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ledger import schema
from ledger.assets import POINTS, CanaryOpened, ConfirmedMigration
from ledger.changes import unsigned_64
from ledger.eip712 import digest
from ledger.rows import (
    SETTLED_COLUMNS,
    Draw,
    KudosRow,
    NodeRow,
    Opening,
    Place,
    SettledMigration,
    SingleStep,
    Step,
    ValidatorRow,
    ValidatorTest,
    Vote,
    settled_migration,
)
from ledger.types import Address, Digest

if TYPE_CHECKING:
    from ledger.reader import Reader

_PLACE = (
    "{row}.block, {row}.log_index, l.tx, b.timestamp,"
    " {row}.block <= (SELECT final_number FROM cursor)"
)
_AT = " JOIN blocks b ON b.number = {row}.block JOIN logs l ON l.block = {row}.block"
_AT += " AND l.log_index = {row}.log_index"


def migrations(
    conn: sqlite3.Connection, where: str, values: Sequence[object], order: str, limit: int
) -> list[SettledMigration]:
    """Settled migrations in the order of the ledger, or against it."""
    ordered = f"ORDER BY m.block {order}, m.log_index {order}, m.batch_index {order} LIMIT ?"
    sql = f"SELECT {SETTLED_COLUMNS}, {placed('m')} FROM migrations m{joined('m')} WHERE {where}"
    rows = conn.execute(f"{sql} {ordered}", (*values, limit))
    return [settled_migration(row[:-5], read_place(row[-5:])) for row in rows]


def opening(conn: sqlite3.Connection, request_id: Digest) -> Opening | None:
    """The opening of one request's mark."""
    columns = (
        "o.request_id, o.result_id, o.task_digest, o.family, o.parameters, o.salt, o.opened_at"
    )
    sql = f"SELECT {columns}, o.signature, o.solution, {placed('o')} FROM openings o{joined('o')}"
    row = conn.execute(f"{sql} WHERE o.request_id = ?", (request_id,)).fetchone()
    if row is None:
        return None
    asset = CanaryOpened(*(*row[:6], unsigned_64(row[6] or 0)))
    return Opening(asset, row[7], row[8], read_place(row[9:]))


def draw(conn: sqlite3.Connection, request_id: Digest) -> Draw | None:
    """The canary that the beacon made of one request."""
    columns = "d.request_id, d.result_id, d.task_digest, d.mark_hash"
    sql = f"SELECT {columns}, {placed('d')} FROM draws d{joined('d')} WHERE d.request_id = ?"
    row = conn.execute(sql, (request_id,)).fetchone()
    return Draw(*(*row[:4], read_place(row[4:]))) if row else None


def validator_test(conn: sqlite3.Connection, request_id: Digest) -> ValidatorTest | None:
    """What was shown of one request's claim, if that tested the validators."""
    columns = "t.kudos_id, t.request_id, t.result_id, t.seal_salt, t.salt"
    sql = f"SELECT {columns}, {placed('t')} FROM tests t{joined('t')} WHERE t.request_id = ?"
    row = conn.execute(sql, (request_id,)).fetchone()
    return ValidatorTest(*(*row[:5], read_place(row[5:]))) if row else None


def steps(conn: sqlite3.Connection, request_id: Digest) -> list[SingleStep]:
    """The assets that came one by one, in the order in which they came."""
    columns = "s.kind, s.asset_id, s.signed_at, g.signature"
    sql = (
        f"SELECT {columns}, {placed('s')} FROM steps s{joined('s')}"
        " LEFT JOIN signatures g ON g.asset_id = s.asset_id"
        " WHERE s.request_id = ? ORDER BY s.block, s.log_index"
    )
    found = conn.execute(sql, (request_id,))
    return [SingleStep(*(*row[:4], read_place(row[4:]))) for row in found]


def claims(conn: sqlite3.Connection, where: str, values: Sequence[object]) -> list[KudosRow]:
    """Kudos claims, with the place of their decision."""
    columns = (
        "k.kudos_id, k.level, k.host, k.home, k.asset_id, k.request_id, k.origin, k.result_digest,"
        " k.seal_salt, k.epoch, k.state, k.repeats, k.attempt"
    )
    sql = f"SELECT {columns}, {placed('k')} FROM kudos k{joined('k')} WHERE {where}"
    return [
        KudosRow(*(*row[:13], read_place(row[13:]), _decided(conn, row[0], row[10])))
        for row in conn.execute(sql, values)
    ]


def votes(conn: sqlite3.Connection, kudos_id: Digest) -> list[Vote]:
    """All votes on one claim."""
    sql = (
        f"SELECT v.validator, v.verdict, v.reason, {placed('v')} FROM votes v{joined('v')}"
        " WHERE v.kudos_id = ? ORDER BY v.block, v.log_index"
    )
    return [Vote(*(*row[:3], read_place(row[3:]))) for row in conn.execute(sql, (kudos_id,))]


def lifecycle(reader: Reader, request_id: Digest) -> list[Step]:
    """The assets of one migration in the order of their references."""
    settled = reader.migration(request_id)
    if settled is None:
        return []
    request, migration, place = settled.request, settled.migration, settled.place
    if settled.root is None:
        return _strict_lifecycle(reader, settled)
    steps = [Step("REQUEST", request_id, request.home, request.signed_at, place)]
    if isinstance(migration, ConfirmedMigration):
        accepted, confirmed, result = migration.accepted, migration.confirmed, migration.result
        confirmed_id, result_id = digest(reader.domain, confirmed), digest(reader.domain, result)
        steps += [
            Step("ACCEPTED", settled.answer_id, request.host, accepted.signed_at, place),
            Step("CONFIRMED", confirmed_id, request.home, confirmed.signed_at, place),
            Step("RESULT", result_id, request.host, result.signed_at, place),
        ]
    else:
        at = migration.rejected.signed_at
        steps.append(Step("REJECTED", settled.answer_id, request.host, at, place))
    return steps + _afterwards(reader, settled)


def _strict_lifecycle(reader: Reader, settled: SettledMigration) -> list[Step]:
    home, host = settled.request.home, settled.request.host
    owners = {"REQUEST": home, "CONFIRMED": home}
    steps = [
        Step(step.kind, step.asset_id, owners.get(step.kind, host), step.signed_at, step.place)
        for step in reader.steps(settled.request_id)
    ]
    return steps + _afterwards(reader, settled)


def _afterwards(reader: Reader, settled: SettledMigration) -> list[Step]:
    """What follows the RESULT: the opening or the draw, and the claims."""
    steps, request_id = [], settled.request_id
    if opened := reader.opening(request_id):
        opened_id = digest(reader.domain, opened.asset)
        at = opened.asset.signed_at if opened.signature else None
        steps.append(Step("CANARY_OPENED", opened_id, settled.request.home, at, opened.place))
    for claim in reader.claims_of(request_id):
        steps.append(Step("KUDOS", claim.kudos_id, claim.host, None, claim.place, claim))
    return steps


def nodes(conn: sqlite3.Connection) -> list[NodeRow]:
    """Every node, by points."""
    points = " + ".join(f"{weight} * k{level}" for level, weight in POINTS.items())
    columns = ", ".join(schema.NODE_TOTALS)
    sql = f"SELECT address, {columns} FROM nodes ORDER BY {points} DESC, address"
    return [NodeRow(*row) for row in conn.execute(sql)]


def validators(conn: sqlite3.Connection) -> list[ValidatorRow]:
    """Votes by validator."""
    sql = (
        f"SELECT validator, sum(verdict = {schema.APPROVE}), sum(verdict = {schema.REFUSE}),"
        f" sum(verdict = {schema.ABSTAIN}) FROM votes GROUP BY validator ORDER BY validator"
    )
    return [ValidatorRow(*row) for row in conn.execute(sql)]


def kudos_series(conn: sqlite3.Connection, node: Address) -> list[tuple[int, int]]:
    """Cumulative verified points."""
    points = " ".join(f"WHEN {level} THEN {weight}" for level, weight in POINTS.items())
    sql = (
        f"SELECT b.timestamp, sum(CASE k.level {points} END) FROM kudos k"
        " JOIN blocks b ON b.number = k.decided_block"
        f" WHERE k.host = ? AND k.state = {schema.VERIFIED} GROUP BY b.number ORDER BY b.number"
    )
    return _cumulative(conn.execute(sql, (node,)))


def accepted_series(conn: sqlite3.Connection, node: Address) -> list[tuple[int, int]]:
    """Cumulative requests that were accepted."""
    sql = (
        "SELECT b.timestamp, count(*) FROM migrations m JOIN blocks b ON b.number = m.block"
        " WHERE m.home = ? AND m.rejection IS NULL GROUP BY b.number ORDER BY b.number"
    )
    return _cumulative(conn.execute(sql, (node,)))


def _cumulative(rows: sqlite3.Cursor) -> list[tuple[int, int]]:
    total, series = 0, []
    for timestamp, count in rows:
        total += count
        series.append((timestamp, total))
    return series


def _decided(conn: sqlite3.Connection, kudos_id: Digest, state: int) -> Place | None:
    if state == schema.CLAIMED:
        return None
    sql = f"SELECT {placed('d')} FROM decisions d{joined('d')} WHERE d.kudos_id = ?"
    return read_place(conn.execute(sql, (kudos_id,)).fetchone())


def placed(row: str) -> str:
    """The columns of a row's place, for ``read_place``."""
    return _PLACE.format(row=row)


def joined(row: str) -> str:
    """The joins that ``placed`` needs."""
    return _AT.format(row=row)


def read_place(values: Sequence[Any]) -> Place:
    """Where a row came from."""
    return Place(*(*values[:4], bool(values[4])))
