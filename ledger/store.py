"""The indexed copy of the ledger in SQLite, as its one writer sees it; ``ledger.reader`` reads it.

The rows of a block, the roll-ups, the cursor and the block's hash move in one transaction. Each
block has a digest over its rows that continues the digest of the block before, so that a bit
flipped anywhere is found by ``verify_digests``; SQLite's own integrity check would not find it.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlite_utils import Database

from ledger import facet_rollups, schema
from ledger.changes import Changes, check_minted
from ledger.digests import DAMAGE, block_digest, check_copy
from ledger.earlier import EarlierRows
from ledger.errors import CorruptData
from ledger.events import RawLog
from ledger.projection import Projector
from ledger.rollups import Totals, affected_since, recount
from ledger.source import ChainHeader, LedgerIdentity
from ledger.types import Address, BlockHash, BlockNumber, UnixSeconds, hex_of

BUSY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last block that the copy holds."""

    number: BlockNumber
    hash: BlockHash


class IndexStore:
    """One open copy, for writing. Use it from one thread at a time."""

    def __init__(self, db: Database, deployment: LedgerIdentity) -> None:
        self._db = db
        self._conn = db.conn
        self._earlier = EarlierRows(db.conn)
        self._domain = deployment.domain
        self._projector = Projector(deployment.domain, deployment.epoch_seconds)

    @classmethod
    def open(cls, path: Path, deployment: LedgerIdentity) -> IndexStore:
        """Opens or creates the copy; CorruptData when the file is none, or is of another ledger."""
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        db = Database(connection)
        try:
            db.enable_wal()
            connection.execute("PRAGMA synchronous = NORMAL")
            schema.migrate(db)
            _check_identity(db, path, deployment)
        except DAMAGE as error:
            connection.close()
            raise _unreadable(path, error) from error
        except CorruptData:
            connection.close()
            raise
        return cls(db, deployment)

    @property
    def connection(self) -> sqlite3.Connection:
        """For what is loaded past the projection; inside a transaction of this store."""
        return self._conn

    def close(self) -> None:
        """Closes the file; further calls fail."""
        self._conn.close()

    def __enter__(self) -> IndexStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def cursor(self) -> Cursor | None:
        """The last block indexed; None in a copy that is still empty."""
        row = self._one("SELECT number, hash FROM cursor WHERE number IS NOT NULL")
        return Cursor(BlockNumber(row[0]), BlockHash(row[1])) if row else None

    def blocks(self) -> int:
        """How many blocks the copy holds; those far back without logs are not kept."""
        return int(self._value("SELECT count(*) FROM blocks"))

    def block_at(self, position: int) -> Cursor:
        """The block at a position, counted from the oldest."""
        sql = "SELECT number, hash FROM blocks ORDER BY number LIMIT 1 OFFSET ?"
        row = self._one(sql, position)
        if row is None:
            raise IndexError(f"no block at position {position}")
        return Cursor(BlockNumber(row[0]), BlockHash(row[1]))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Groups whole blocks into one commit; an error takes all of them back."""
        with self._db.atomic():
            yield

    def add_block(self, header: ChainHeader, logs: Sequence[RawLog]) -> None:
        """Takes over one block: rows, roll-ups, digest and cursor, or nothing of it."""
        with self._db.atomic():
            rows: dict[str, list[tuple[object, ...]]] = {table: [] for table in schema.ROWS}
            unminted: Counter[tuple[Address, int]] = Counter()
            for log in logs:
                changes = self._projector.project(log, header.timestamp, self._earlier)
                self._write(changes, header.number)
                unminted.update(changes.unminted)
                for table, added in changes.rows.items():
                    rows[table] += added
            check_minted(header.number, unminted)
            block = (header.number, header.hash, header.parent, header.timestamp, len(logs))
            digest = block_digest(self._last_digest(), block, rows)
            self._conn.execute("INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?, 0)", (*block, digest))
            self._conn.execute(
                "UPDATE cursor SET number = ?, hash = ?, timestamp = ?",
                (header.number, header.hash, header.timestamp),
            )
            filled = [table for table, added in rows.items() if added]
            facet_rollups.add(self._conn, self._domain, header.number, header.number, filled)

    def note_head(self, head: BlockNumber, final: BlockNumber, indexed_at: UnixSeconds) -> None:
        """Records what the chain said last, and when: the age of the data."""
        with self.transaction():
            self._conn.execute(
                "UPDATE cursor SET head = ?, final_number = ?, indexed_at = ?",
                (head, final, indexed_at),
            )
            finals = "UPDATE blocks SET final = 1 WHERE final = 0 AND number <= ?"
            self._conn.execute(finals, (final,))
            # A chain that came back younger has fewer final blocks than before.
            self._conn.execute(
                "UPDATE blocks SET final = 0 WHERE number > ? AND final = 1", (final,)
            )

    def roll_back(self, ancestor: BlockNumber | None) -> None:
        """Forgets every block above ``ancestor`` (None: all), as if it had never been."""
        floor = -1 if ancestor is None else ancestor
        with self._db.atomic():
            affected = affected_since(self._conn, floor)
            facet_rollups.take_away(self._conn, floor)
            self._conn.execute(
                "UPDATE kudos SET state = ?, decided_block = NULL WHERE kudos_id IN"
                " (SELECT kudos_id FROM decisions WHERE block > ?)",
                (schema.CLAIMED, floor),
            )
            for table in schema.ROWS:
                self._conn.execute(f"DELETE FROM {table} WHERE block > ?", (floor,))
            self._conn.execute("DELETE FROM blocks WHERE number > ?", (floor,))
            recount(self._conn, affected)
            self._reset_cursor()
            self._conn.execute(
                "UPDATE meta SET value = value + 1 WHERE key = 'reorganisations'",
            )

    def reorganisations(self) -> int:
        """How often blocks were taken back."""
        return int(self._value("SELECT value FROM meta WHERE key = 'reorganisations'"))

    def verify_digests(self) -> list[str]:
        """Everything in the copy that does not fit its digests or roll-ups, one sentence each."""
        try:
            return check_copy(self._conn)
        except DAMAGE as error:
            return [f"The file is damaged: {error}."]

    def _write(self, changes: Changes, block: BlockNumber) -> None:
        for table, rows in changes.rows.items():
            self._conn.executemany(_INSERT[table], rows)
        self._conn.executemany(
            "UPDATE kudos SET state = ?, decided_block = ? WHERE kudos_id = ?",
            [(state, block, kudos_id) for kudos_id, state in changes.decided],
        )
        nodes: dict[Address, Totals] = {}
        for (address, column), count in changes.nodes.items():
            nodes.setdefault(address, Totals()).add(column, count)
        self._conn.executemany(_ADD_NODE, [(a, *t.values) for a, t in nodes.items()])
        self._conn.executemany(_ADD_PAIR, [(*key, n) for key, n in changes.pairs.items()])

    def _last_digest(self) -> bytes:
        row = self._one("SELECT digest FROM blocks ORDER BY number DESC LIMIT 1")
        return bytes(row[0]) if row else b""

    def _reset_cursor(self) -> None:
        last = self._one("SELECT number, hash, timestamp FROM blocks ORDER BY number DESC LIMIT 1")
        number, block_hash, timestamp = last or (None, None, None)
        self._conn.execute(
            "UPDATE cursor SET number = ?, hash = ?, timestamp = ?,"
            " final_number = min(final_number, ?)",
            (number, block_hash, timestamp, -1 if number is None else number),
        )

    def _one(self, sql: str, *arguments: object) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._conn.execute(sql, arguments).fetchone()
        return row

    def _value(self, sql: str) -> str:
        return str(self._conn.execute(sql).fetchone()[0])


def _insert(table: str, columns: Iterable[str]) -> str:
    names = tuple(columns)
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


_INSERT = {table: _insert(table, columns) for table, columns in schema.ROWS.items()}
_ADD_NODE = (
    _insert("nodes", ("address", *schema.NODE_TOTALS))
    + " ON CONFLICT (address) DO UPDATE SET "
    + ", ".join(f"{column} = {column} + excluded.{column}" for column in schema.NODE_TOTALS)
)
_ADD_PAIR = (
    _insert("pairs", ("home", "host", "level", "epoch", "count"))
    + " ON CONFLICT (home, host, level, epoch) DO UPDATE SET count = count + excluded.count"
)


def _check_identity(db: Database, path: Path, deployment: LedgerIdentity) -> None:
    """The first opening binds the file to its ledger; every later one compares."""
    identity = {"chain_id": str(deployment.chain_id), "contract": hex_of(deployment.contract)}
    with db.atomic():
        stored = dict(db.execute("SELECT key, value FROM meta").fetchall())
        if not stored:
            first = identity | {"reorganisations": "0"}
            db.conn.executemany("INSERT INTO meta VALUES (?, ?)", first.items())
            db.execute(
                "INSERT INTO cursor (id, head, final_number, indexed_at) VALUES (1, 0, -1, 0)"
            )
            return
    for key, expected in identity.items():
        if stored.get(key) != expected:
            raise CorruptData(
                f"{path} is a copy of another ledger: its {key} is {stored.get(key)},"
                f" not {expected}.",
                hint="Use another data directory, or delete the file to rebuild it from the chain.",
            )


def _unreadable(path: Path, error: Exception) -> CorruptData:
    return CorruptData(
        f"{path} cannot be read as a copy of the ledger: {error}.",
        hint="Delete the file: it is rebuilt from the chain.",
    )
