"""Counting row by row, where no roll-up has the answer: bounded, and honest about it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ledger.desk.queries.common import DAY, Count
from ledger.desk.queries.explore import KINDS, SCAN, STATE_NAMES
from ledger.desk.queries.explore_query import Query, Role
from ledger.desk.queries.streams import Stream, kinds_of, streams

CAP = 10_000
DIMENSIONS = ("kind", "level", "state", "origin", "node", "validator", "name", "day")
OUTCOMES = ("level", "state", "origin")


_COLUMNS = (
    "r.block AS block, r.home AS home, r.host AS host, r.process_name AS name"
    ", {answer} AS answer, {outcome}"
)
_OUTCOME = "r.level AS level, r.state AS state, r.origin AS origin"
_NO_OUTCOME = "NULL AS level, NULL AS state, NULL AS origin"
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
        for dimension, answer, value, many in _tallied(conn, stream, query.role, scan + 1):
            if dimension == "looked":
                complete = complete and many <= scan
                continue
            made = tuple(KINDS[stream.table]((*(None,) * 8, answer, None, answer), kinds))
            if dimension == "all":
                matched += len(made) * many
                counters["kind"].update(dict.fromkeys(made, many))
            elif dimension == "state":
                counters[dimension][STATE_NAMES[value]] += many
            elif value is not None:
                counters[dimension][value] += many * len(made)
    total = Count(matched) if complete else Count(min(matched, CAP), exact=False)
    return Scan(total, counters)


def _tallied(
    conn: sqlite3.Connection, stream: Stream, role: Role, scan: int
) -> Iterator[tuple[str, Any, Any, int]]:
    """Dimension, answer, value, and how many rows: ``looked`` is about all rows, the others about
    those that pass.

    One statement that gives the sums alone: Python leaves and takes its lock for every row that it
    is given, and while others wait for the lock a row costs what that costs.
    """
    kudos = stream.table == "kudos"
    outcome = _OUTCOME if kudos else _NO_OUTCOME
    answer = _ANSWERS.get(stream.table, "NULL")
    rows, values = stream.sample(_COLUMNS.format(answer=answer, outcome=outcome), scan)
    nodes = ("home", "host") if role is Role.EITHER else (role.value,)
    grouped = "SELECT '{0}', answer, {1}, count(*) FROM sampled WHERE tested GROUP BY answer, {1}"
    parts = [
        "SELECT 'looked', NULL, NULL, count(*) FROM sampled",
        "SELECT 'all', answer, NULL, count(*) FROM sampled WHERE tested GROUP BY answer",
        *(grouped.format("node", column) for column in nodes),
        *(grouped.format(column, column) for column in ("name", *(OUTCOMES if kudos else ()))),
        f"SELECT 'day', answer, timestamp / {DAY} * {DAY} AS day, sum(many) FROM"
        " (SELECT answer, block, count(*) AS many FROM sampled WHERE tested GROUP BY answer, block)"
        " JOIN blocks ON number = block GROUP BY answer, day",
    ]
    sql = f"WITH sampled AS MATERIALIZED ({rows}) {' UNION ALL '.join(parts)}"
    yield from conn.execute(sql, values).fetchall()
