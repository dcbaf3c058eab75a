"""Nodes with their totals, sorted by any of them, now or as of a block."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ledger import schema
from ledger.assets import POINTS
from ledger.desk.queries.at_block import later
from ledger.desk.queries.common import (
    DAY,
    BadQuery,
    Page,
    check_limit,
    check_span,
    read_cursor,
    write_cursor,
)
from ledger.facet_sums import NODE_DAY_COUNTS
from ledger.reader import Reader
from ledger.rows import Totals
from ledger.types import Address, BlockNumber

SORTS = (
    *("address", "points", "k1", "k2", "k3", "claims", "refused", "void", "requests", "accepted"),
    *("rejected", "hosted", "rejections", "acceptance", "canaries_opened", "canaries_passed"),
    *("canaries_failed",),
)


@dataclass(frozen=True, slots=True)
class NodeLine:
    """One node. As home: requests sent, accepted, rejected by others, canaries opened. As host:
    hosted, rejections, Kudos by level, claims, refused, void (runs disagreed), canaries passed and
    failed (K3 refused). ``carried`` Kudos, within k1 to k3, came from the ledger before."""

    address: Address
    points: int
    k1: int
    k2: int
    k3: int
    claims: int
    refused: int
    void: int
    carried: int
    requests: int
    accepted: int
    rejected: int
    hosted: int
    rejections: int
    canaries_opened: int
    canaries_passed: int
    canaries_failed: int

    @property
    def asked(self) -> int:
        """In how many migrations it took part."""
        return self.requests + self.hosted + self.rejections

    @property
    def acceptance(self) -> int | None:
        """How many of a thousand requests to this host it accepted; None without any."""
        asked = self.hosted + self.rejections
        return self.hosted * 1000 // asked if asked else None

    @property
    def waiting(self) -> int:
        ended = self.k1 + self.k2 + self.k3 - self.carried + self.refused + self.void
        return self.claims - ended


@dataclass(frozen=True, slots=True)
class NodesQuery:
    """Sort by one of ``SORTS``. ``prefix`` is the beginning of an address in hex; ``among`` are the
    only addresses to list (those with a name, say). Without ``at_block`` the first page fixes it in
    its cursor, so that later pages do not shift under new rows."""

    sort: str = "points"
    descending: bool = True
    prefix: str = ""
    min_points: int = 0
    among: frozenset[Address] | None = None
    at_block: BlockNumber | None = None
    limit: int = 50
    cursor: str | None = None


def list_nodes(reader: Reader, query: NodesQuery) -> Page[NodeLine]:
    """One page of nodes."""
    check_limit(query.limit)
    at, after = query.at_block, None
    if query.cursor is not None:
        pinned, value, address = read_cursor(query.cursor, (int, int, bytes))
        at, after = BlockNumber(int(pinned)), (int(value), bytes(address))
    elif at is None and (head := reader.head()):
        at = head.number
    pinned_query = replace(query, at_block=at)
    lines = _top(reader, pinned_query, after)
    if lines is None:
        lines = sort_nodes(select_nodes(reader, pinned_query), query)
        if after is not None:
            lines = [
                line for line in lines if _key(query, line) > (_sign(query) * after[0], after[1])
            ]
    shown = tuple(lines[: query.limit])
    if len(lines) <= query.limit:
        return Page(shown, None)
    last = (at or 0, sort_value(query.sort, shown[-1]), shown[-1].address)
    return Page(shown, write_cursor(last))


def select_nodes(reader: Reader, query: NodesQuery) -> list[NodeLine]:
    """All nodes that pass the filters, in no order; ``limit`` and ``cursor`` do not matter."""
    if query.sort not in SORTS:
        raise BadQuery(f"There is no column {query.sort!r}.", hint=f"One of {', '.join(SORTS)}.")
    low, high = prefix_range(query.prefix)
    conn = reader.connection
    where = "n.address BETWEEN :low AND :high"
    lines = _lines(conn, where, {"low": low, "high": high}, query.at_block)
    return [
        line
        for line in lines
        if line.points >= query.min_points
        and (query.among is None or line.address in query.among)
        and (line.asked or line.claims or line.points or query.at_block is None)
    ]


def sort_nodes(lines: list[NodeLine], query: NodesQuery) -> list[NodeLine]:
    """By the column, then by address."""
    return sorted(lines, key=lambda line: _key(query, line))


def _key(query: NodesQuery, line: NodeLine) -> tuple[int, bytes]:
    return _sign(query) * sort_value(query.sort, line), line.address


def _sign(query: NodesQuery) -> int:
    return -1 if query.descending else 1


def _top(
    reader: Reader, query: NodesQuery, after: tuple[int, bytes] | None
) -> list[NodeLine] | None:
    """One page and a row more straight from the roll-ups; None where these are younger than the
    block, or the column is none that SQL can sort by."""
    column = _SQL_SORTS.get(query.sort)
    head = reader.head()
    if column is None or query.among is not None or not head or (query.at_block or 0) < head.number:
        return None
    low, high = prefix_range(query.prefix)
    where = f"n.address BETWEEN :low AND :high AND {_POINTS} >= :points"
    value = f"{_sign(query)} * ({column})"
    if after is not None:
        where += f" AND ({value}, n.address) > (:value, :after)"
    where += f" ORDER BY {value}, n.address LIMIT :limit"
    values = {"low": low, "high": high, "points": query.min_points, "limit": query.limit + 1}
    if after is not None:
        values |= {"value": _sign(query) * after[0], "after": after[1]}
    return list(_lines(reader.connection, where, values, None))


def sort_value(sort: str, line: NodeLine) -> int:
    """What a column is sorted by; who was never asked comes below who always refused."""
    if sort == "address":
        return int.from_bytes(line.address[:7], "big")
    value = getattr(line, sort)
    return -1 if value is None else int(value)


def prefix_range(prefix: str) -> tuple[bytes, bytes]:
    """The first and last address that begin so; BadQuery when it is no hex."""
    digits = prefix.removeprefix("0x").removeprefix("0X").lower()
    if len(digits) > 40 or not set(digits) <= set("0123456789abcdef"):
        raise BadQuery(
            f"{prefix[:80]!r} begins no address.", hint="Give 0x and up to 40 digits (0-9, a-f)."
        )
    return bytes.fromhex(digits.ljust(40, "0")), bytes.fromhex(digits.ljust(40, "f"))


def _lines(
    conn: sqlite3.Connection,
    where: str,
    values: Mapping[str, object],
    at: BlockNumber | None,
    one: Address | None = None,
) -> Iterator[NodeLine]:
    sql = (
        f"SELECT n.address, {', '.join(f'n.{column}' for column in NODE_DAY_COUNTS[:-2])},"
        " coalesce(c.met, 0), coalesce(c.failed, 0), coalesce(p.k1 + p.k2 + p.k3, 0)"
        " FROM nodes n LEFT JOIN node_canaries c ON c.address = n.address"
        f" LEFT JOIN carried p ON p.host = n.address AND p.block <= :at WHERE {where}"
    )
    young = {} if at is None else later(conn, "node_days", at, one)
    last = {"at": _LAST if at is None else at}
    for address, *counts, carried in conn.execute(sql, {**values, **last}):
        less = young.get((address,))
        if less:
            counts = [all_ - new for all_, new in zip(counts, less, strict=True)]
        *totals, _met, failed = counts
        points = Totals(*totals[:3]).points
        named = dict(zip(schema.NODE_TOTALS, totals, strict=True))
        yield NodeLine(address, points, **named, carried=carried, canaries_failed=failed)


def node_line(
    reader: Reader, address: Address, at_block: BlockNumber | None = None
) -> NodeLine | None:
    """One node's totals, exact at any block; None for a stranger."""
    where, values = "n.address = :address", {"address": address}
    return next(_lines(reader.connection, where, values, at_block, address), None)


_LAST = (1 << 63) - 1
_POINTS = " + ".join(f"{weight} * n.k{level}" for level, weight in POINTS.items())
_SQL_SORTS = {column: f"n.{column}" for column in schema.NODE_TOTALS} | {
    "points": _POINTS,
    "canaries_failed": "coalesce(c.failed, 0)",
    "acceptance": "coalesce(n.hosted * 1000 / nullif(n.hosted + n.rejections, 0), -1)",
}


def sparklines(
    reader: Reader, addresses: Sequence[Address], days: int = 30
) -> dict[Address, tuple[tuple[int, int], ...]]:
    """(first second of a day, points at its end) of each node, over the last days, without gaps."""
    last = reader.head_timestamp() // DAY
    first = last - check_span(days, 366) + 1
    conn, found = reader.connection, {}
    recent = "SELECT day, k1, k2, k3 FROM node_days WHERE address = ? AND day >= ?"
    total = "SELECT k1, k2, k3 FROM nodes WHERE address = ?"
    for address in addresses:
        earned = {
            day: Totals(*levels).points for day, *levels in conn.execute(recent, (address, first))
        }
        now = Totals(*(conn.execute(total, (address,)).fetchone() or ())).points
        points, series = now - sum(earned.values()), []
        for day in range(first, last + 1):
            points += earned.get(day, 0)
            series.append((day * DAY, points))
        found[address] = tuple(series)
    return found
