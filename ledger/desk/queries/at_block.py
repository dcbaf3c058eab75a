"""Totals as of a block: those of now, less what came after it.

What came after is in the roll-up by day, but for the block's own day. Of that, the shorter part,
before or after the block, is summed from its rows by the definitions that made the roll-up.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ledger.desk.queries.common import DAY
from ledger.facet_sums import SUMS, TABLES, Sum
from ledger.types import Address, BlockNumber


def later(
    conn: sqlite3.Connection, table: str, at: BlockNumber, node: Address | None = None
) -> dict[tuple[bytes, ...], list[int]]:
    """What the blocks after ``at`` add to a roll-up by day, by the rest of its key."""
    _, counts = TABLES[table]
    found: defaultdict[tuple[bytes, ...], list[int]] = defaultdict(lambda: [0] * len(counts))
    rest = _rest(conn, at)
    if rest is None:
        return found
    place = {"day": rest.first_day, "low": rest.low, "high": rest.high, "node": node}
    for sql in (*_days(conn, table, rest, node), *_rows(table, rest, node)):
        for values in conn.execute(sql, place):
            key = tuple(value for value in values[: -len(counts)] if isinstance(value, bytes))
            total = found[key]
            for position, many in enumerate(values[-len(counts) :]):
                total[position] += many
    return found


@dataclass(frozen=True, slots=True)
class _Rest:
    """Everything after a block: the days from ``first_day`` on, and the rows of some blocks, to be
    added (1) or, where they are in the first of these days already, taken off (-1)."""

    first_day: int
    low: int
    high: int
    sign: int


def _rest(conn: sqlite3.Connection, at: BlockNumber) -> _Rest | None:
    """None when nothing came after."""
    sql = "SELECT timestamp / ? FROM blocks WHERE number > ? ORDER BY number LIMIT 1"
    row = conn.execute(sql, (DAY, at)).fetchone()
    if row is None:
        return None
    day = int(row[0])
    sql = "SELECT coalesce(max(number), 0) FROM blocks WHERE timestamp < ?"
    before, last = (conn.execute(sql, (end * DAY,)).fetchone()[0] for end in (day, day + 1))
    if at - before < last - at:
        return _Rest(day, before + 1, at, -1)
    return _Rest(day + 1, at + 1, last, 1)


def _days(conn: sqlite3.Connection, table: str, rest: _Rest, node: Address | None) -> Iterator[str]:
    keys, counts = TABLES[table]
    (newest,) = conn.execute("SELECT timestamp / ? FROM cursor", (DAY,)).fetchone()
    if rest.first_day > newest:
        return  # no need to look for a later day among all nodes' days
    names = [key for key in keys if key != "day"]
    sums = ", ".join(f"sum({count})" for count in counts)
    only = f" AND {names[0]} = :node" if node is not None else ""
    yield (
        f"SELECT {', '.join([*names, sums])} FROM {table} WHERE day >= :day{only}"
        f" GROUP BY {', '.join(names or ['day'])}"
    )


def _rows(table: str, rest: _Rest, node: Address | None) -> Iterator[str]:
    for part in SUMS:
        if part.table != table:
            continue
        who = [key for key in part.keys if "timestamp" not in key]
        if who == ["k.host"]:
            part = _by_host(part, node)
        chosen = part.narrowed(f"{who[0]} = :node") if node is not None else part
        yield chosen.select(TABLES[table][1], rest.sign)


def _by_host(part: Sum, node: Address | None) -> Sum:
    """The same decisions by way of their claims, host by host: an index has these in order, where
    decisions by block have to look each claim up by its hash."""
    hosts = "" if node is not None else "nodes n CROSS JOIN "
    claims = "kudos k INDEXED BY kudos_by_host" + (
        "" if node is not None else " ON k.host = n.address"
    )
    return replace(
        part,
        counts={name: sql.replace("r.state", "k.state") for name, sql in part.counts.items()},
        source=f"{hosts}{claims} CROSS JOIN blocks b ON b.number = k.decided_block",
        where="k.decided_block BETWEEN :low AND :high",
    )
