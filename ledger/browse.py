"""The larger questions of ``ledger.reader``: what validators check, what people look at."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ledger import schema
from ledger.assets import POINTS, CanaryOpened, ConfirmedMigration
from ledger.changes import unsigned_64
from ledger.eip712 import digest
from ledger.errors import CorruptData
from ledger.events import BatchSettled, RawLog, decode
from ledger.rows import (
    SETTLED_COLUMNS,
    KudosRow,
    NodeRow,
    Opening,
    Place,
    SettledMigration,
    Step,
    UnvotedBatch,
    UnvotedCanary,
    ValidatorRow,
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
    sql = f"SELECT {SETTLED_COLUMNS}, {_place('m')} FROM migrations m{_at('m')} WHERE {where}"
    rows = conn.execute(f"{sql} {ordered}", (*values, limit))
    return [settled_migration(row[:-5], _read_place(row[-5:])) for row in rows]


def batches_unvoted(
    conn: sqlite3.Connection, contract: Address, validator: Address, limit: int
) -> list[UnvotedBatch]:
    """Batches with open claims without a ballot of this validator, with their log."""
    sql = (
        f"SELECT l.topics, l.data, l.block_hash, {_place('k')} FROM"
        " (SELECT DISTINCT block, log_index FROM kudos AS open"
        f"  WHERE state = {schema.CLAIMED} AND level < 3 AND NOT EXISTS (SELECT 1 FROM ballots v"
        "   WHERE v.host = open.host AND v.root = open.root AND v.validator = ?)"
        f"  ORDER BY block, log_index LIMIT ?) k{_at('k')}"
    )
    found = []
    for topics, data, block_hash, *place in conn.execute(sql, (validator, limit)):
        at = _read_place(place)
        words = tuple(Digest(topics[i : i + 32]) for i in range(0, len(topics), 32))
        event = decode(RawLog(contract, words, data, at.block, block_hash, at.tx, at.log_index))
        if not isinstance(event, BatchSettled):
            raise CorruptData(
                f"Log {at.log_index} of block {at.block} in the copy is no batch.",
                hint="Delete the copy: it is rebuilt from the chain.",
            )
        found.append(UnvotedBatch(event, at))
    return found


def canary_claims_unvoted(
    conn: sqlite3.Connection, validator: Address, limit: int
) -> list[UnvotedCanary]:
    """Open K3 claims without a vote of this validator."""
    where = (
        f"k.state = {schema.CLAIMED} AND k.level = 3 AND NOT EXISTS (SELECT 1 FROM votes v"
        " WHERE v.kudos_id = k.kudos_id AND v.validator = ?)"
        " ORDER BY k.block, k.log_index LIMIT ?"
    )
    found = []
    for claim in claims(conn, where, (validator, limit)):
        settled = migrations(conn, "m.request_id = ?", (claim.request_id,), "ASC", 1)
        opened = opening(conn, claim.request_id)
        if not settled or opened is None:
            raise CorruptData(
                f"Kudos 0x{claim.kudos_id.hex()} in the copy stand on nothing.",
                hint="Delete the copy: it is rebuilt from the chain.",
            )
        found.append(UnvotedCanary(claim, settled[0], opened))
    return found


def opening(conn: sqlite3.Connection, request_id: Digest) -> Opening | None:
    """The opening of one request's mark."""
    columns = (
        "o.request_id, o.result_id, o.task_digest, o.family, o.parameters, o.salt, o.opened_at"
    )
    sql = f"SELECT {columns}, o.signature, {_place('o')} FROM openings o{_at('o')}"
    row = conn.execute(f"{sql} WHERE o.request_id = ?", (request_id,)).fetchone()
    if row is None:
        return None
    return Opening(CanaryOpened(*(*row[:6], unsigned_64(row[6]))), row[7], _read_place(row[8:]))


def claims(conn: sqlite3.Connection, where: str, values: Sequence[object]) -> list[KudosRow]:
    """Kudos claims, with the place of their decision."""
    columns = (
        "k.kudos_id, k.level, k.host, k.home, k.asset_id, k.request_id, k.origin, k.result_digest,"
        " k.seal_salt, k.epoch, k.state"
    )
    sql = f"SELECT {columns}, {_place('k')} FROM kudos k{_at('k')} WHERE {where}"
    return [
        KudosRow(*(*row[:11], _read_place(row[11:]), _decided(conn, row[0], row[10])))
        for row in conn.execute(sql, values)
    ]


def votes(conn: sqlite3.Connection, kudos_id: Digest) -> list[Vote]:
    """All votes on one claim."""
    sql = (
        f"SELECT v.validator, v.verdict, v.reason, {_place('v')} FROM votes v{_at('v')}"
        " WHERE v.kudos_id = ? ORDER BY v.block, v.log_index"
    )
    return [Vote(*(*row[:3], _read_place(row[3:]))) for row in conn.execute(sql, (kudos_id,))]


def lifecycle(reader: Reader, request_id: Digest) -> list[Step]:
    """The assets of one migration in the order of their references."""
    settled = reader.migration(request_id)
    if settled is None:
        return []
    request, migration, place = settled.request, settled.migration, settled.place
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
    if opened := reader.opening(request_id):
        opened_id = digest(reader.domain, opened.asset)
        at = opened.asset.signed_at
        steps.append(Step("CANARY_OPENED", opened_id, request.home, at, opened.place))
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
    sql = f"SELECT {_place('d')} FROM decisions d{_at('d')} WHERE d.kudos_id = ?"
    return _read_place(conn.execute(sql, (kudos_id,)).fetchone())


def _place(row: str) -> str:
    return _PLACE.format(row=row)


def _at(row: str) -> str:
    return _AT.format(row=row)


def _read_place(values: Sequence[Any]) -> Place:
    return Place(*(*values[:4], bool(values[4])))
