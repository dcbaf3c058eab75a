"""Counting row by row, where no roll-up has the answer: bounded, and honest about it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass
from typing import Any

from ledger.desk.queries.common import DAY, Count
from ledger.desk.queries.explore import KINDS, SCAN, STATE_NAMES
from ledger.desk.queries.explore_query import Kind, Query, Role
from ledger.desk.queries.streams import kinds_of, streams

CAP = 10_000
DIMENSIONS = ("kind", "level", "state", "origin", "node", "validator", "name", "day")


_ANSWERS = {
    "migrations": "CASE WHEN r.rejection IS NULL THEN NULL ELSE 1 END",
    "steps": "r.kind",
}
"""What tells which assets a row stands for."""


@dataclass(slots=True)
class Scan:
    """Matches among the rows that were looked at."""

    total: Count
    counters: dict[str, Counter[Any]]

    def values(self, dimension: str) -> dict[Any, Count]:
        exact = self.total.exact
        return {value: Count(many, exact) for value, many in self.counters[dimension].items()}


def scanned(conn: sqlite3.Connection, query: Query) -> Scan:
    kinds, matched, complete = kinds_of(query), 0, True
    counters: dict[str, Counter[Any]] = {dimension: Counter() for dimension in DIMENSIONS}
    sources = streams(conn, query)
    scan = SCAN // max(1, len(sources))
    for stream in sources:
        outcome = "r.level, r.state, r.origin" if stream.table == "kudos" else "0, 0, NULL"
        # What decides which assets a row stands for, where ``KINDS`` looks for it.
        answer = _ANSWERS.get(stream.table, "NULL")
        columns = f"{answer}, r.block, r.home, r.host, r.process_name, {outcome}"
        rows = stream.sample(conn, columns, scan + 1).fetchall()
        complete = complete and len(rows) <= scan
        for said in {row[1] for row in rows}:
            found = [row for row in rows if row[0] and row[1] == said]
            made = tuple(KINDS[stream.table]((*(None,) * 8, said, None, said), kinds))
            matched += len(made) * len(found)
            if made and found:
                _tally(counters, list(zip(*found, strict=True))[2:], made, query.role)
    days: Counter[Any] = Counter()
    for block, many in counters["day"].items():
        sql = "SELECT timestamp / ? * ? FROM blocks WHERE number = ?"
        days[conn.execute(sql, (DAY, DAY, block)).fetchone()[0]] += many
    counters["day"] = days
    total = Count(matched) if complete else Count(min(matched, CAP), exact=False)
    return Scan(total, counters)


def _tally(
    counters: dict[str, Counter[Any]],
    columns: list[tuple[Any, ...]],
    made: tuple[Kind, ...],
    role: Role,
) -> None:
    """Adds rows, column by column, each row standing for the same assets; days are still blocks."""
    blocks, homes, hosts, names, levels, states, origins = columns
    nodes = {Role.HOME: [homes], Role.HOST: [hosts]}.get(role, [homes, hosts])
    parts: list[tuple[str, tuple[Any, ...]]] = [("day", blocks), ("name", names)]
    parts += [("node", column) for column in nodes]
    for dimension, column in parts:
        for value, many in Counter(column).items():
            counters[dimension][value] += many * len(made)
    for kind in made:
        counters["kind"][kind] += len(blocks)
    if made == (Kind.KUDOS,):
        counters["level"].update(levels)
        counters["origin"].update(origin for origin in origins if origin is not None)
        for state, many in Counter(states).items():
            counters["state"][STATE_NAMES[state]] += many
