"""Who gave Kudos to whom: from the home, whose task it was, to the host, who ran it.
Kudos carried over from the ledger before this one come from nobody here and are left out."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.desk.queries.common import BadQuery, Page, check_limit, read_cursor, write_cursor
from ledger.desk.queries.overview import counts
from ledger.reader import Reader
from ledger.types import Address

MAX_EDGES = 200


@dataclass(frozen=True, slots=True)
class Edge:
    """Verified Kudos and settled work of one (home, host)."""

    home: Address
    host: Address
    points: int
    k1: int
    k2: int
    k3: int
    requests: int
    accepted: int
    rejected: int


@dataclass(frozen=True, slots=True)
class Flow:
    """The heaviest edges, and how much of the whole they are: never a part that looks complete."""

    edges: tuple[Edge, ...]
    edges_total: int
    points_shown: int
    points_total: int

    @property
    def is_capped(self) -> bool:
        return len(self.edges) < self.edges_total


COLUMNS = "home, host, points, k1, k2, k3, requests, accepted, rejected"


def top(reader: Reader, edges: int = 100) -> Flow:
    """The edges with the most points; at most ``MAX_EDGES``."""
    if not 1 <= edges <= MAX_EDGES:
        raise BadQuery(
            f"A graph has 1 to {MAX_EDGES} edges, not {edges}.", hint="See the table for all."
        )
    conn = reader.connection
    sql = f"SELECT {COLUMNS} FROM flows WHERE points > 0 ORDER BY points DESC, home, host LIMIT ?"
    rows = tuple(Edge(*row) for row in conn.execute(sql, (edges,)))
    (many,) = conn.execute("SELECT count(*) FROM flows WHERE points > 0").fetchone()
    found = counts(reader)
    points = found.points - found.carried_points
    return Flow(rows, many, sum(edge.points for edge in rows), points)


def table(reader: Reader, limit: int = 50, cursor: str | None = None) -> Page[Edge]:
    """All edges with points, the most first: the graph's equivalent table."""
    return edges_page(reader, "points > 0", (), limit, cursor)


def edges_page(
    reader: Reader, where: str, values: tuple[object, ...], limit: int, cursor: str | None
) -> Page[Edge]:
    """Edges by points, then by addresses."""
    check_limit(limit)
    if cursor is not None:
        key = read_cursor(cursor, (int, bytes, bytes))
        where += " AND points <= ? AND (points < ? OR (home, host) > (?, ?))"
        values += (key[0], *key)
    sql = f"SELECT {COLUMNS} FROM flows WHERE {where} ORDER BY points DESC, home, host LIMIT ?"
    rows = [Edge(*row) for row in reader.connection.execute(sql, (*values, limit + 1))]
    last = rows[limit - 1] if len(rows) > limit else None
    following = write_cursor((last.points, last.home, last.host)) if last else None
    return Page(tuple(rows[:limit]), following)
