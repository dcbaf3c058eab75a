"""A digest per block over everything that the block put into the indexed copy.

    digest = sha256(digest of the block before | block row | for each table: sorted rows)

Rows are written as MessagePack, which says type and length of every value: two different sets of
rows never give the same bytes. The chain from block to block makes a missing block show too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import groupby
from operator import itemgetter

import msgspec

from ledger import schema
from ledger.facet_rollups import check_facets
from ledger.rollups import check_rollups

Row = tuple[object, ...]
DAMAGE = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What reading a damaged file raises; the second when the schema's own text is hit."""

_NO_ROWS: list[Row] = []


def block_digest(before: bytes, block: Row, rows: Mapping[str, Sequence[Row]]) -> bytes:
    """The digest of one block; ``block`` is its row without the digest."""
    encode = msgspec.msgpack.encode
    hasher = sha256(before)
    hasher.update(encode(block))
    for table in schema.ROWS:
        hasher.update(encode(sorted(encode(row) for row in rows.get(table, _NO_ROWS))))
    return hasher.digest()


def check_copy(conn: sqlite3.Connection) -> list[str]:
    """One sentence for everything that does not fit: digests, derived columns, roll-ups, cursor.

    SQLite's own check comes first: it compares indexes with tables, which decides whether a lookup
    gives the row that the digest covers; about what the rows say it knows nothing.
    """
    damage = [str(row[0]) for row in conn.execute("PRAGMA integrity_check(10)")]
    if damage != ["ok"]:
        return [f"SQLite finds the file damaged: {text}." for text in damage]
    return [*_check_blocks(conn), *_check_derived(conn), *check_rollups(conn), *check_facets(conn)]


class _RowsByBlock:
    """One table read in the order of its blocks, once."""

    def __init__(self, conn: sqlite3.Connection, table: str) -> None:
        columns = schema.ROWS[table]
        place = columns.index("block")
        sql = f"SELECT {', '.join(columns)} FROM {table} ORDER BY block"
        self._groups: Iterator[tuple[int, list[Row]]] = (
            (number, list(rows)) for number, rows in groupby(conn.execute(sql), itemgetter(place))
        )
        self._next = next(self._groups, None)

    def take(self, number: int) -> list[Row]:
        """The rows of this block; strays of unknown earlier blocks come along, to be noticed."""
        rows: list[Row] = []
        while self._next is not None and self._next[0] <= number:
            rows += self._next[1]
            self._next = next(self._groups, None)
        return rows

    @property
    def is_empty(self) -> bool:
        return self._next is None


def _check_blocks(conn: sqlite3.Connection) -> Iterator[str]:
    tables = {table: _RowsByBlock(conn, table) for table in schema.ROWS}
    before = b""
    sql = "SELECT number, hash, parent, timestamp, logs, digest FROM blocks ORDER BY number"
    for *block, stored in conn.execute(sql):
        rows = {table: source.take(block[0]) for table, source in tables.items()}
        if block_digest(before, tuple(block), rows) != stored:
            yield f"Block {block[0]} does not fit its digest."
        before = stored
    for table, source in tables.items():
        if not source.is_empty:
            yield f"Table {table} has rows after the last block."


def _check_derived(conn: sqlite3.Connection) -> Iterator[str]:
    undecided = (
        "SELECT kudos.kudos_id FROM kudos LEFT JOIN decisions USING (kudos_id) WHERE"
        f" kudos.state IS NOT coalesce(decisions.state, {schema.CLAIMED})"
        " OR kudos.decided_block IS NOT decisions.block"
    )
    for (kudos_id,) in conn.execute(undecided):
        yield f"The state of Kudos 0x{kudos_id.hex()} does not fit its decision."
    misjudged = (
        "SELECT number FROM blocks"
        " WHERE final != (number <= (SELECT coalesce(final_number, -1) FROM cursor))"
    )
    for (number,) in conn.execute(misjudged):
        yield f"Block {number} is marked final or not against the cursor."
    last = "SELECT number, hash, timestamp FROM blocks ORDER BY number DESC LIMIT 1"
    if conn.execute("SELECT number, hash, timestamp FROM cursor").fetchone() != (
        conn.execute(last).fetchone() or (None, None, None)
    ):
        yield "The cursor does not stand at the last block."
