"""All votes, the newest first: of everybody, of one validator, or on one claim."""

from __future__ import annotations

import sqlite3
from typing import Any

from ledger.desk import api_asset_models as assets
from ledger.desk.api_convert import vote
from ledger.desk.queries.common import Page, check_limit, read_cursor, write_cursor
from ledger.reader import Reader
from ledger.rows import Place, Vote
from ledger.types import Address, Digest

_PLACE = (
    "{row}.block, {row}.log_index, l.tx, b.timestamp,"
    " {row}.block <= (SELECT final_number FROM cursor)"
)
_AT = " JOIN blocks b ON b.number = {row}.block JOIN logs l ON l.block = {row}.block"
_AT += " AND l.log_index = {row}.log_index"


def votes(
    reader: Reader,
    *,
    validator: Address | None,
    kudos_id: Digest | None,
    verdict: int | None,
    limit: int,
    cursor: str | None,
) -> Page[assets.Vote]:
    """One page. The key is the place on the chain and the claim: a vote on a batch is many votes in
    one log."""
    check_limit(limit)
    conn: sqlite3.Connection = reader.connection
    where: list[str] = ["1"]
    values: list[object] = []
    for column, wanted in (("validator", validator), ("kudos_id", kudos_id), ("verdict", verdict)):
        if wanted is not None:
            where.append(f"v.{column} = ?")
            values.append(wanted)
    if cursor is not None:
        block, log_index, last = read_cursor(cursor, (int, int, bytes))
        where.append("(v.block, v.log_index) <= (?, ?)")
        where.append("(v.block, v.log_index, v.kudos_id) < (?, ?, ?)")
        values += [block, log_index, block, log_index, last]
    sql = (
        f"SELECT v.kudos_id, v.validator, v.verdict, v.reason, {_PLACE.format(row='v')}"
        f" FROM votes v{_AT.format(row='v')} WHERE {' AND '.join(where)}"
        " ORDER BY v.block DESC, v.log_index DESC, v.kudos_id DESC LIMIT ?"
    )
    found = conn.execute(sql, (*values, limit + 1)).fetchall()
    rows = [_vote(row) for row in found[:limit]]
    more = len(found) > limit
    last_row = found[limit - 1] if more else None
    return Page(
        tuple(rows), None if last_row is None else write_cursor((*last_row[4:6], last_row[0]))
    )


def _vote(row: tuple[Any, ...]) -> assets.Vote:
    kudos_id, validator, verdict, reason, block, log_index, tx, timestamp, final = row
    place = Place(block, log_index, tx, timestamp, bool(final))
    return vote(kudos_id, Vote(validator, verdict, reason, place))
