"""What a node must remember over a crash, beside the outbox: answers it gave, seals it set, numbers
it used.

Everything here is on disk before the peer learns of it, so that a node killed at any point neither
answers a request in two ways nor uses a sequence number twice, and can open every seal that it set.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from ledger.errors import CorruptData
from ledger.types import Address, Digest

VERSION = 4
CPU_MS = "cpu_ms"
"""The counter of CPU milliseconds spent on tasks of others: run as a host, or again as a
validator."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    home BLOB NOT NULL,
    seq INTEGER NOT NULL,
    request_id BLOB NOT NULL,
    PRIMARY KEY (home, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seals (
    request_id BLOB PRIMARY KEY,
    task_digest BLOB NOT NULL,
    result_digest BLOB NOT NULL,
    salt BLOB NOT NULL,
    mark_hash BLOB NOT NULL DEFAULT x'',
    solution BLOB
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tasks (
    task_digest BLOB PRIMARY KEY,
    descriptor BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sequences (
    host BLOB PRIMARY KEY,
    next INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS planted (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    task BLOB NOT NULL,
    process_name TEXT NOT NULL,
    family BLOB NOT NULL,
    parameters BLOB NOT NULL,
    within INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS counters (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""
_SINCE_VERSION_2 = "ALTER TABLE seals ADD COLUMN solution BLOB;"
_SINCE_VERSION_1 = (
    f"ALTER TABLE seals ADD COLUMN mark_hash BLOB NOT NULL DEFAULT x''; {_SINCE_VERSION_2}"
)
_UPGRADES = {1: _SINCE_VERSION_1, 2: _SINCE_VERSION_2}


@dataclass(frozen=True, slots=True)
class Seal:
    """How a RESULT of ours opens, and with ``mark_hash`` its request's commitment; that is empty
    for a seal from before version 2 of the journal. ``solution`` is what the task printed, where
    that may be the solution of a puzzle."""

    task_digest: Digest
    result_digest: Digest
    salt: Digest
    mark_hash: bytes
    solution: Digest | None = None


@dataclass(frozen=True, slots=True)
class PlantedTask:
    """A task that waits to go out as a canary: its descriptor, what its mark will say, and within
    how many seconds it goes."""

    task: bytes
    process_name: str
    family: bytes
    parameters: bytes
    within: int


class Journal:
    """One node's memory. Safe to use from several threads of one process."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        path.chmod(0o600)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            self._db.close()
            raise CorruptData(
                f"{path} is of version {version}; this program knows {VERSION}.",
                hint="Use the newer program that wrote it.",
            )
        upgrade = _UPGRADES.get(version, "")
        self._db.executescript(
            f"BEGIN; {upgrade} {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;"
        )

    def claim_answer(self, home: Address, seq: int, request_id: Digest) -> bool:
        """Takes the one answer that (home, seq) gets; False when it was taken before."""
        with self._transaction() as db:
            cursor = db.execute(
                "INSERT OR IGNORE INTO answers (home, seq, request_id) VALUES (?, ?, ?)",
                (home, seq, request_id),
            )
            return cursor.rowcount == 1

    def put_seal(self, request_id: Digest, seal: Seal) -> None:
        with self._transaction() as db:
            db.execute(
                "INSERT INTO seals VALUES (:request_id, :task_digest, :result_digest, :salt,"
                " :mark_hash, :solution)",
                {"request_id": request_id, **asdict(seal)},
            )

    def seal(self, request_id: Digest) -> Seal | None:
        row = self._row(
            "SELECT task_digest, result_digest, salt, mark_hash, solution FROM seals"
            " WHERE request_id = ?",
            request_id,
        )
        if row is None:
            return None
        solution = Digest(row[4]) if row[4] else None
        return Seal(Digest(row[0]), Digest(row[1]), Digest(row[2]), row[3], solution)

    def put_task(self, task_digest: Digest, descriptor: bytes) -> None:
        """Where the content store has a task's descriptor (SHA-256)."""
        with self._transaction() as db:
            db.execute("INSERT OR IGNORE INTO tasks VALUES (?, ?)", (task_digest, descriptor))

    def task(self, task_digest: Digest) -> bytes | None:
        row = self._row("SELECT descriptor FROM tasks WHERE task_digest = ?", task_digest)
        return row[0] if row else None

    def take_sequence(self, host: Address, at_least: int) -> int:
        """The next number towards this host, never below ``at_least`` and never given before."""
        with self._transaction() as db:
            row = db.execute("SELECT next FROM sequences WHERE host = ?", (host,)).fetchone()
            seq = max(at_least, row[0] if row else 0)
            db.execute(
                "INSERT INTO sequences (host, next) VALUES (?, ?)"
                " ON CONFLICT (host) DO UPDATE SET next = excluded.next",
                (host, seq + 1),
            )
            return seq

    def put_planted(self, planted: PlantedTask) -> None:
        """Puts a planted task behind those that wait."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO planted (task, process_name, family, parameters, within)"
                " VALUES (:task, :process_name, :family, :parameters, :within)",
                asdict(planted),
            )

    def next_planted(self) -> tuple[int, PlantedTask] | None:
        """The planted task that has waited longest, with its number; it stays until
        ``drop_planted``."""
        sql = "SELECT id, task, process_name, family, parameters, within FROM planted"
        with self._lock:
            row = self._db.execute(f"{sql} ORDER BY id LIMIT 1").fetchone()
        return (row[0], PlantedTask(*row[1:])) if row else None

    def planted_count(self) -> int:
        """How many planted tasks wait."""
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM planted").fetchone()[0])

    def try_planted(self, number: int) -> int:
        """Counts an attempt to send a planted task, this one included."""
        with self._transaction() as db:
            sql = "UPDATE planted SET tries = tries + 1 WHERE id = ? RETURNING tries"
            return int(db.execute(sql, (number,)).fetchone()[0])

    def drop_planted(self, number: int) -> None:
        """It was sent, or given up."""
        with self._transaction() as db:
            db.execute("DELETE FROM planted WHERE id = ?", (number,))

    def count(self, name: str, by: int = 1) -> None:
        """Adds to a counter that outlives the process."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO counters (name, value) VALUES (?, ?)"
                " ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
                (name, by),
            )

    def counters(self) -> dict[str, int]:
        with self._lock:
            return dict(self._db.execute("SELECT name, value FROM counters"))

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _row(self, query: str, *values: object) -> tuple[bytes, ...] | None:
        with self._lock:
            row: tuple[bytes, ...] | None = self._db.execute(query, values).fetchone()
            return row
