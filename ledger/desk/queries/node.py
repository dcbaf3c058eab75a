"""One node: how it came to what it has, with whom, and what it does not have and why not.

Its assets by kind are ``explore.page(reader, Query(node=..., kind=...))``.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger import schema
from ledger.desk.queries.common import DAY, Page, check_span
from ledger.desk.queries.flow import Edge, edges_page
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
class CanaryRecord:
    """As home: opened; as host: opened to it, K3 claimed, verified, refused, waiting, unclaimed."""

    opened_as_home: int
    met_as_host: int
    claimed: int
    passed: int
    failed: int

    @property
    def waiting(self) -> int:
        return self.claimed - self.passed - self.failed

    @property
    def unclaimed(self) -> int:
        return self.met_as_host - self.claimed


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
    sql = "SELECT canaries_opened, canaries_passed FROM nodes WHERE address = ?"
    opened, passed = conn.execute(sql, (node,)).fetchone() or (0, 0)
    sql = "SELECT met, failed FROM node_canaries WHERE address = ?"
    met, failed = conn.execute(sql, (node,)).fetchone() or (0, 0)
    sql = (
        "SELECT count(*) FROM kudos INDEXED BY kudos_lacking_of WHERE host = ? AND level = 3"
        f" AND state = {schema.CLAIMED} AND state != {schema.VERIFIED}"
    )
    (waiting,) = conn.execute(sql, (node,)).fetchone()
    return CanaryRecord(opened, met, passed + failed + waiting, passed, failed)
