"""Totals as of a block: those of now, less what came after it.

What came after is in the roll-up by day, but for the rest of the block's own day, which is summed
from its rows by the definitions that made the roll-up.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict

from ledger.desk.queries.common import DAY
from ledger.facet_rollups import SUMS, TABLES
from ledger.types import Address, BlockNumber


def later(
    conn: sqlite3.Connection, table: str, at: BlockNumber, node: Address | None = None
) -> dict[tuple[bytes, ...], list[int]]:
    """What the blocks after ``at`` add to a roll-up by day, by the rest of its key."""
    keys, counts = TABLES[table]
    found: defaultdict[tuple[bytes, ...], list[int]] = defaultdict(lambda: [0] * len(counts))
    sql = "SELECT timestamp / ? FROM blocks WHERE number > ? ORDER BY number LIMIT 1"
    row = conn.execute(sql, (DAY, at)).fetchone()
    if row is None:
        return found
    day = int(row[0])
    names = [key for key in keys if key != "day"]
    sums = ", ".join(f"sum({count})" for count in counts)
    parts = [
        f"SELECT {', '.join([*names, sums])} FROM {table} WHERE day > :day{_only(node, names)}"
    ]
    parts[0] += f" GROUP BY {', '.join(names or ['day'])}"
    (newest,) = conn.execute("SELECT timestamp / ? FROM cursor", (DAY,)).fetchone()
    if day >= newest:  # no later day to look for among all nodes' days
        parts.clear()
    sql = "SELECT coalesce(max(number), 0) FROM blocks WHERE timestamp < ?"
    (last,) = conn.execute(sql, ((day + 1) * DAY,)).fetchone()
    for part in SUMS:
        if part.table == table:
            who = [key for key in part.keys if "timestamp" not in key]
            chosen = part.narrowed(f"{who[0]} = :node") if node is not None else part
            parts.append(chosen.select(counts))
    place = {"day": day, "low": at + 1, "high": last, "node": node}
    for part_sql in parts:
        for values in conn.execute(part_sql, place):
            key = tuple(value for value in values[: -len(counts)] if isinstance(value, bytes))
            total = found[key]
            for position, many in enumerate(values[-len(counts) :]):
                total[position] += many
    return found


def _only(node: Address | None, names: list[str]) -> str:
    return f" AND {names[0]} = :node" if node is not None else ""
