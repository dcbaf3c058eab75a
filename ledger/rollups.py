"""The roll-ups of the indexed copy, counted again from its rows after a rollback or to check."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field

from ledger import schema
from ledger.facet_sums import NEWLY_CLAIMED

_PLACE = {column: position for position, column in enumerate(schema.NODE_TOTALS)}

NODE_COUNTS = {
    **{
        f"k{level}": "SELECT host, sum(records) FROM"
        f" (SELECT host, 1 AS records FROM kudos WHERE level = {level}"
        f" AND state = {schema.VERIFIED} UNION ALL SELECT host, k{level} FROM carried)"
        " WHERE {who} GROUP BY host"
        for level in (1, 2, 3)
    },
    "claims": f"SELECT host, count(*) FROM kudos r WHERE {{who}} AND {NEWLY_CLAIMED} GROUP BY host",
    "refused": f"SELECT host, count(*) FROM kudos WHERE state = {schema.REFUSED}"
    " AND {who} GROUP BY host",
    "void": f"SELECT host, count(*) FROM kudos WHERE state = {schema.VOID}"
    " AND {who} GROUP BY host",
    "requests": "SELECT home, count(*) FROM migrations WHERE {who} GROUP BY home",
    "accepted": "SELECT home, count(*) FROM migrations WHERE rejection IS NULL"
    " AND {who} GROUP BY home",
    "rejected": "SELECT home, count(*) FROM migrations WHERE rejection IS NOT NULL"
    " AND {who} GROUP BY home",
    "hosted": "SELECT host, count(*) FROM migrations WHERE rejection IS NULL"
    " AND {who} GROUP BY host",
    "rejections": "SELECT host, count(*) FROM migrations WHERE rejection IS NOT NULL"
    " AND {who} GROUP BY host",
    "canaries_opened": "SELECT home, count(*) FROM openings WHERE {who} GROUP BY home",
    "canaries_passed": f"SELECT host, count(*) FROM kudos WHERE level = 3"
    f" AND state = {schema.VERIFIED} AND {{who}} GROUP BY host",
}
"""Where every roll-up column of ``nodes`` comes from; ``{who}`` narrows it to one node."""

PAIR_COUNTS = (
    "SELECT home, host, level, epoch, count(*) FROM kudos"
    f" WHERE state = {schema.VERIFIED} GROUP BY home, host, level, epoch"
)


@dataclass(slots=True)
class Totals:
    """One node's roll-ups, in the order of the columns."""

    values: list[int] = field(default_factory=lambda: [0] * len(_PLACE))

    def add(self, column: str, count: int) -> None:
        self.values[_PLACE[column]] += count


@dataclass(frozen=True, slots=True)
class Affected:
    """Whose roll-ups a rollback touches."""

    nodes: tuple[bytes, ...]
    pairs: tuple[tuple[bytes, bytes, int, int], ...]


def affected_since(conn: sqlite3.Connection, floor: int) -> Affected:
    """Every node and pair with a row above ``floor``."""
    nodes = conn.execute(
        "SELECT home FROM migrations WHERE block > ?1"
        " UNION SELECT host FROM migrations WHERE block > ?1"
        " UNION SELECT home FROM openings WHERE block > ?1"
        " UNION SELECT host FROM kudos WHERE block > ?1"
        " UNION SELECT host FROM carried WHERE block > ?1"
        " UNION SELECT host FROM kudos NATURAL JOIN"
        " (SELECT kudos_id FROM decisions WHERE block > ?1)",
        (floor,),
    )
    pairs = conn.execute(
        "SELECT DISTINCT home, host, level, epoch FROM kudos NATURAL JOIN"
        " (SELECT kudos_id FROM decisions WHERE block > ?)",
        (floor,),
    )
    return Affected(tuple(row[0] for row in nodes), tuple(pairs))


def recount(conn: sqlite3.Connection, affected: Affected) -> None:
    """Counts these nodes and pairs again from the rows; who has no rows left is forgotten."""
    columns = ", ".join(schema.NODE_TOTALS)
    marks = ", ".join("?" * (1 + len(schema.NODE_TOTALS)))
    for address in affected.nodes:
        conn.execute("DELETE FROM nodes WHERE address = ?", (address,))
        totals = [_count_one(conn, sql, address) for sql in NODE_COUNTS.values()]
        if any(totals):
            conn.execute(
                f"INSERT INTO nodes (address, {columns}) VALUES ({marks})",
                (address, *(totals[list(NODE_COUNTS).index(c)] for c in schema.NODE_TOTALS)),
            )
    for pair in affected.pairs:
        _recount_pair(conn, pair)


def check_rollups(conn: sqlite3.Connection) -> Iterable[str]:
    """A sentence for each roll-up that is not what its rows say."""
    for column, sql in NODE_COUNTS.items():
        counted = dict(conn.execute(sql.format(who="1")))
        for address, stored in conn.execute(f"SELECT address, {column} FROM nodes"):
            if stored != counted.pop(address, 0):
                yield f"The roll-up {column} of node 0x{address.hex()} does not fit its rows."
        for address in counted:
            yield f"Node 0x{address.hex()} has rows for {column}, but no roll-up."
    expected = set(conn.execute(PAIR_COUNTS))
    stored_pairs = set(conn.execute("SELECT home, host, level, epoch, count FROM pairs"))
    for home, host, level, epoch, _ in sorted(expected ^ stored_pairs):
        pair = f"0x{home.hex()} → 0x{host.hex()}"
        yield f"The roll-up of pair {pair}, level {level}, epoch {epoch} does not fit its rows."


def _count_one(conn: sqlite3.Connection, sql: str, address: bytes) -> int:
    who = f"{sql.split('SELECT ')[1].split(',')[0]} = ?"
    row = conn.execute(sql.format(who=who), (address,)).fetchone()
    return int(row[1]) if row else 0


def _recount_pair(conn: sqlite3.Connection, pair: tuple[bytes, bytes, int, int]) -> None:
    where = "home = ? AND host = ? AND level = ? AND epoch = ?"
    conn.execute(f"DELETE FROM pairs WHERE {where}", pair)
    sql = f"SELECT count(*) FROM kudos WHERE {where} AND state = {schema.VERIFIED}"
    (count,) = conn.execute(sql, pair).fetchone()
    if count:
        conn.execute("INSERT INTO pairs VALUES (?, ?, ?, ?, ?)", (*pair, count))
