"""From a query to SQL: each table that can hold matches becomes a stream in the ledger's order.

A stream is driven by the one index that leaves the fewest rows and has them in order; what else is
asked is tested row by row. Where something is tested, a bounded number of rows is looked at.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ledger import facet_sums, schema
from ledger.desk.queries.explore_query import Kind, Query, Role, State, name_field

STATES = {
    State.WAITING: schema.CLAIMED,
    State.VERIFIED: schema.VERIFIED,
    State.REFUSED: schema.REFUSED,
    State.VOID: schema.VOID,
}
RANKS = {kind: rank for rank, kind in enumerate(Kind)}
LAST = (1 << 62, 1 << 62, 1 << 62)
"""A place above all others."""

Place = tuple[int, int, int]
"""Block, log index, position within the log."""

_ANSWERED = {Kind.ACCEPTED, Kind.CONFIRMED, Kind.RESULT}
ITEMS = {
    "migrations": "coalesce(r.batch_index, 0)",
    "steps": "0",
    "openings": "r.rowid",
    "kudos": "coalesce(r.batch_index, r.rowid)",
}
"""What tells the rows of one log apart: a batch has many records, a claim many canaries."""
COLUMNS = {
    "migrations": "r.request_id, r.home, r.host, r.process_name, r.requested_at, r.answer_id,"
    " r.answered_at, r.rejection, r.confirmed_id, r.confirmed_at, r.result_id, r.finished_at",
    "steps": "r.request_id, r.home, r.host, r.process_name, r.asset_id, r.kind, r.signed_at,"
    " r.rejection",
    "openings": "r.request_id, r.home, r.host, r.process_name, r.opened_id, r.opened_at",
    "kudos": "r.request_id, r.home, r.host, r.process_name, r.kudos_id, r.level, r.state, r.origin",
}
_PREFIX = {"migrations": "by", "steps": "of", "openings": "of", "kudos": "of"}
_DIMENSIONS = {
    "home": facet_sums.HOME,
    "host": facet_sums.HOST,
    "process_name": facet_sums.NAME,
}
_COUNTED = {
    "migrations": "request",
    "steps": "request",
    "openings": "canary_opened",
    "kudos": "kudos",
}


@dataclass(frozen=True, slots=True)
class Stream:
    """Rows of one table. ``drive`` is answered by the index, ``test`` row by row. ``item`` tells
    rows of one log apart."""

    table: str
    index: str
    drive: str
    test: str
    values: dict[str, Any]
    columns: str
    item: str

    @property
    def is_tested(self) -> bool:
        return self.test != "1"

    def rows(self, conn: sqlite3.Connection, limit: int, scan: int, at: Place) -> list[Any]:
        """The first rows at or below a place, newest first: block, log index, item, columns.

        Below ``scan`` rows nobody looks any more; see ``floor``.
        """
        inner = f"SELECT {self._head} {self._ordered(at)} LIMIT :scan"
        sql = f"SELECT * FROM ({inner}) WHERE tested LIMIT :limit"
        return conn.execute(sql, self._values(at) | {"limit": limit, "scan": scan}).fetchall()

    def floor(self, conn: sqlite3.Connection, scan: int, at: Place) -> Place | None:
        """The place of the last row that ``rows`` looks at, if there are that many."""
        place = f"SELECT r.block, r.log_index, {self.item} AS item"
        sql = f"{place} {self._ordered(at)} LIMIT 1 OFFSET :scan"
        row = conn.execute(sql, self._values(at) | {"scan": scan - 1}).fetchone()
        return (row[0], row[1], row[2]) if row else None

    def all_rows(self, conn: sqlite3.Connection) -> sqlite3.Cursor:
        """Every row, newest first, as ``rows`` gives them."""
        sql = f"SELECT {self._head} {self._ordered(LAST, self.test)}"
        return conn.execute(sql, self._values(LAST))

    def sample(self, columns: str, scan: int) -> tuple[str, dict[str, Any]]:
        """SQL, and its values, for these columns of up to ``scan`` rows and whether each passes the
        test, ``tested``."""
        sql = f"SELECT {self.test} AS tested, {columns} {self._from} WHERE {self.drive} LIMIT :scan"
        return sql, self.values | {"scan": scan}

    @property
    def _from(self) -> str:
        return f"FROM {self.table} r INDEXED BY {self.index}"

    @property
    def _head(self) -> str:
        return f"r.block, r.log_index, {self.item} AS item, {self.columns}, {self.test} AS tested"

    def _ordered(self, at: Place, test: str = "1") -> str:
        below = ""
        if at != LAST:
            below = (
                " AND (r.block, r.log_index) <= (:at_block, :at_log)"
                f" AND (r.block, r.log_index, {self.item}) <= (:at_block, :at_log, :at_item)"
            )
        return (
            f"{self._from} WHERE {self.drive}{below} AND {test}"
            " ORDER BY r.block DESC, r.log_index DESC, item DESC"
        )

    def _values(self, at: Place) -> dict[str, Any]:
        places = dict(zip(("at_block", "at_log", "at_item"), at, strict=True))
        return self.values | (places if at != LAST else {})


def gather(
    conn: sqlite3.Connection, streams: Sequence[Stream], limit: int, scan: int, at: Place
) -> tuple[list[tuple[int, Any]], Place | None]:
    """Enough rows of all streams for a page, each with its stream's number; and the place down to
    which they are complete, None if nothing is left below."""
    scan = max(limit + 1, scan // max(1, len(streams)))
    found: list[tuple[int, Any]] = []
    floors: list[Place] = []
    for number, stream in enumerate(streams):
        # The row at the cursor itself may have nothing left to give.
        rows = stream.rows(conn, limit + 1, scan if stream.is_tested else limit + 1, at)
        found += [(number, row) for row in rows]
        if len(rows) > limit:
            floors.append(tuple(rows[-1][:3]))
        elif stream.is_tested and (floor := stream.floor(conn, scan, at)):
            floors.append(floor)
    return found, max(floors) if floors else None


def kinds_of(query: Query) -> frozenset[Kind]:
    """What a query can select."""
    kinds = frozenset({query.kind} if query.kind else Kind)
    return kinds & {Kind.KUDOS} if query.only_kudos else kinds


def streams(conn: sqlite3.Connection, query: Query) -> list[Stream]:
    """The streams that together, and each once, hold all that a query selects."""
    kinds = kinds_of(query)
    tables = [table for table in COLUMNS if kinds & _kinds_in(table)]
    blocks = block_range(conn, query)
    if not tables or blocks is None:
        return []
    roles: list[tuple[str, ...]] = [()]
    if query.node is not None:
        roles = [("home",), ("host",)] if query.role is Role.EITHER else [(query.role.value,)]
    return [
        _Planner(conn, query, kinds, blocks, role).stream(table)
        for table in tables
        for role in roles
    ]


def block_range(conn: sqlite3.Connection, query: Query) -> tuple[int, int] | None:
    """The first and last block of a query's time; None when no block falls into it."""
    low: int | None = 0
    high: int | None = 1 << 62
    if query.since is not None:
        sql = "SELECT min(number) FROM (SELECT number FROM blocks WHERE timestamp >= ?"
        sql += " ORDER BY timestamp LIMIT 1)"
        low = conn.execute(sql, (query.since,)).fetchone()[0]
    if query.until is not None:
        sql = "SELECT max(number) FROM (SELECT number FROM blocks WHERE timestamp < ?"
        sql += " ORDER BY timestamp DESC LIMIT 1)"
        high = conn.execute(sql, (query.until,)).fetchone()[0]
    return None if low is None or high is None or low > high else (low, high)


def _kinds_in(table: str) -> frozenset[Kind]:
    if table in ("migrations", "steps"):
        return frozenset(Kind) - {Kind.CANARY_OPENED, Kind.KUDOS}
    return frozenset({Kind.KUDOS if table == "kudos" else Kind.CANARY_OPENED})


@dataclass(frozen=True, slots=True)
class _Planner:
    conn: sqlite3.Connection
    query: Query
    kinds: frozenset[Kind]
    blocks: tuple[int, int]
    role: tuple[str, ...]

    def stream(self, table: str) -> Stream:
        query = self.query
        values: dict[str, Any] = {"low": self.blocks[0], "high": self.blocks[1]}
        equals: dict[str, str] = {}
        for column in self.role:
            values["node"] = query.node
            equals[column] = ":node"
        if query.name is not None:
            values["name"] = name_field(query.name)
            equals["process_name"] = ":name"
        index, driven, extra = self._index(table, equals, values)
        drive = ["r.block BETWEEN :low AND :high", *extra]
        drive += [f"r.{column} = {equals.pop(column)}" for column in driven]
        tests = [f"r.{column} = {value}" for column, value in equals.items()]
        tests += self._tests(table, index, values)
        return Stream(
            table,
            index,
            " AND ".join(drive),
            " AND ".join(tests) or "1",
            values,
            COLUMNS[table],
            ITEMS[table],
        )

    def _index(
        self, table: str, equals: dict[str, str], values: dict[str, Any]
    ) -> tuple[str, list[str], list[str]]:
        """The index, the columns that it answers of ``equals``, and what it asks besides."""
        lacking = self.query.state not in (None, State.VERIFIED)
        if table == "kudos" and lacking and (not equals or "host" in equals):
            state = STATES[State(str(self.query.state))]
            only = [f"r.state = {state} AND r.state != {schema.VERIFIED}"]
            if "host" in equals:
                return "kudos_lacking_of", ["host"], only
            return "kudos_lacking", [], only
        if not equals:
            if table == "kudos" and self.query.level is not None:
                return "kudos_of_level", [], [f"r.level + 0 = {self.query.level}"]
            if table == "migrations" and self.kinds <= {Kind.REJECTED}:
                return "migrations_rejected", [], ["r.rejection IS NOT NULL"]
            return f"{table}_by_block", [], []
        best = min(equals, key=lambda column: self._rows(table, column, values[equals[column][1:]]))
        name = "name" if (table, best) == ("migrations", "process_name") else best
        return f"{table}_{_PREFIX[table]}_{name}", [best], []

    def _rows(self, table: str, column: str, value: bytes) -> int:
        sql = f"SELECT {_COUNTED[table]} FROM facets WHERE dimension = ? AND value = ?"
        row = self.conn.execute(sql, (_DIMENSIONS[column], value)).fetchone()
        return int(row[0]) if row else 0

    def _tests(self, table: str, index: str, values: dict[str, Any]) -> Iterator[str]:
        if where := facet_sums.ASSETS_WHERE.get(table):
            yield where
        if table == "steps" and (asked := self.kinds & _kinds_in(table)) != _kinds_in(table):
            yield f"r.kind IN ({', '.join(repr(kind.value) for kind in sorted(asked))})"
        if table == "migrations":
            asked = self.kinds & _kinds_in(table)
            if asked <= {Kind.REJECTED} and index != "migrations_rejected":
                yield "r.rejection IS NOT NULL"
            elif asked <= _ANSWERED:
                yield "r.rejection IS NULL"
        if table == "kudos":
            yield from self._kudos_tests(index, values)

    def _kudos_tests(self, index: str, values: dict[str, Any]) -> Iterator[str]:
        query = self.query
        if query.level is not None and index != "kudos_of_level":
            yield f"r.level = {query.level}"
        if query.state is not None and not index.startswith("kudos_lacking"):
            yield f"r.state = {STATES[query.state]}"
        if query.origin is not None:
            yield f"r.origin = '{query.origin}'"
        if query.validator is not None:
            values["validator"] = query.validator
            yield (
                "EXISTS (SELECT 1 FROM votes v"
                " WHERE v.kudos_id = r.kudos_id AND v.validator = :validator)"
            )
