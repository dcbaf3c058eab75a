"""One node: how it came to what it has, with whom, and what it does not have and why not.

Its assets by kind are ``explore.page(reader, Query(node=..., kind=...))``.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger.desk.queries.common import DAY, Page, check_span
from ledger.desk.queries.explore_query import Origin
from ledger.desk.queries.flow import Edge, edges_page
from ledger.facet_sums import ORIGIN_COUNTS
from ledger.reader import Reader
from ledger.rows import Totals
from ledger.types import Address


@dataclass(frozen=True, slots=True)
class DayOfNode:
    """One UTC day of a node, by its first second; points are those at the day's end."""

    start: int
    points: int
    k1: int
    k2: int
    k3: int
    refused: int
    requests: int
    accepted: int
    hosted: int
    rejections: int


@dataclass(frozen=True, slots=True)
class OfOrigin:
    """K3 of one origin, which say more the less anybody knew beforehand."""

    origin: Origin
    claimed: int
    passed: int
    failed: int
    void: int


@dataclass(frozen=True, slots=True)
class CanaryRecord:
    """As home: opened. As host: K3 claimed, verified, refused, void (runs disagreed) and waiting,
    by the origin of the canary."""

    opened_as_home: int
    origins: tuple[OfOrigin, ...]

    @property
    def claimed(self) -> int:
        return sum(each.claimed for each in self.origins)

    @property
    def passed(self) -> int:
        return sum(each.passed for each in self.origins)

    @property
    def failed(self) -> int:
        return sum(each.failed for each in self.origins)

    @property
    def void(self) -> int:
        return sum(each.void for each in self.origins)

    @property
    def waiting(self) -> int:
        return self.claimed - self.passed - self.failed - self.void


def series(reader: Reader, node: Address, days: int = 365) -> tuple[DayOfNode, ...]:
    """The last days up to that of the newest block, the oldest first, without gaps."""
    last = reader.head_timestamp() // DAY
    first = last - check_span(days, 3660) + 1
    conn = reader.connection
    columns = "k1, k2, k3, refused, requests, accepted, hosted, rejections"
    sql = f"SELECT day, {columns} FROM node_days WHERE address = ? AND day >= ?"
    found = {day: rest for day, *rest in conn.execute(sql, (node, first))}
    total = conn.execute("SELECT k1, k2, k3 FROM nodes WHERE address = ?", (node,)).fetchone()
    points: int = Totals(*(total or ())).points
    points -= sum(Totals(*rest[:3]).points for rest in found.values())
    made = []
    for day in range(first, last + 1):
        counts = found.get(day, [0] * 8)
        points += Totals(*counts[:3]).points
        made.append(DayOfNode(day * DAY, points, *counts))
    return tuple(made)


def earned_from(
    reader: Reader, node: Address, limit: int = 50, cursor: str | None = None
) -> Page[Edge]:
    """Who gave this node Kudos or work, the most points first."""
    return edges_page(reader, "host = ?", (node,), limit, cursor)


def gave_to(
    reader: Reader, node: Address, limit: int = 50, cursor: str | None = None
) -> Page[Edge]:
    """Whom this node gave Kudos or work, the most points first."""
    return edges_page(reader, "home = ?", (node,), limit, cursor)


def canary_record(reader: Reader, node: Address) -> CanaryRecord:
    """How the node stands with canaries."""
    conn = reader.connection
    sql = "SELECT canaries_opened FROM nodes WHERE address = ?"
    (opened,) = conn.execute(sql, (node,)).fetchone() or (0,)
    columns = ", ".join(ORIGIN_COUNTS)
    sql = f"SELECT origin, {columns} FROM node_origins WHERE address = ?"
    found = {origin: counts for origin, *counts in conn.execute(sql, (node,))}
    none = [0] * len(ORIGIN_COUNTS)
    origins = tuple(OfOrigin(origin, *found.get(origin.value, none)) for origin in Origin)
    return CanaryRecord(opened, origins)
