"""The home's secret: which of its requests are canaries, until it opens them. One SQLite file,
owner-only.

A mark is on disk before its REQUEST leaves, and an opening before it is shown, so that a crash can
neither lose an opening nor make two of them. Only the node's service and the command line open this
file; what runs a task does not.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from canaries.commitment import Mark

VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS marks (
    request_id BLOB PRIMARY KEY,
    host BLOB NOT NULL,
    task_digest BLOB NOT NULL,
    kind INTEGER NOT NULL,
    family BLOB NOT NULL,
    parameters BLOB NOT NULL,
    salt BLOB NOT NULL,
    result_id BLOB,
    opened_at INTEGER,
    opening_signature BLOB,
    delivered INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS marks_unopened ON marks (kind, delivered, opened_at);
"""


class VaultError(Exception):
    """The vault refuses: wrong owner, or a second mark or opening for one request."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """One request's secret."""

    request_id: bytes
    host: bytes
    task_digest: bytes
    mark: Mark


@dataclass(frozen=True, slots=True)
class Opening:
    """A signed opening: the RESULT it follows, Unix seconds, the home's signature of
    CANARY_OPENED."""

    sealed: Sealed
    result_id: bytes
    opened_at: int
    signature: bytes


class Vault:
    """All marks of one home. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        if path.exists() and path.stat().st_uid != os.geteuid():
            raise VaultError(f"{path.name} belongs to another user; only its owner may open it")
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        path.chmod(0o600)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            self._db.close()
            raise VaultError(f"{path.name} is of version {version}; this program knows {VERSION}")
        self._db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")

    def put(self, sealed: Sealed) -> None:
        """Durable on return; VaultError when the request has a mark already."""
        mark = sealed.mark
        row = (sealed.request_id, sealed.host, sealed.task_digest)
        secret = (mark.kind, mark.family, mark.parameters, mark.salt)
        with self._transaction() as db:
            try:
                db.execute(
                    "INSERT INTO marks"
                    " (request_id, host, task_digest, kind, family, parameters, salt)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    row + secret,
                )
            except sqlite3.IntegrityError as error:
                raise VaultError("this request has a mark already") from error

    def canary(self, request_id: bytes) -> Sealed | None:
        """The secret of a request if it is a canary that was not opened yet."""
        rows = self._select("request_id = ? AND kind = 1 AND opened_at IS NULL", (request_id,))
        return _sealed(rows[0]) if rows else None

    def open(
        self, request_id: bytes, result_id: bytes, opened_at: int, signature: bytes
    ) -> Opening:
        """Fixes the one opening of a request; the first one stands if there is one already."""
        with self._transaction() as db:
            db.execute(
                "UPDATE marks SET result_id = ?, opened_at = ?, opening_signature = ?"
                " WHERE request_id = ? AND kind = 1 AND opened_at IS NULL",
                (result_id, opened_at, signature, request_id),
            )
        opening = self.opening(request_id)
        if opening is None:
            raise VaultError("this request is no canary of ours")
        return opening

    def opening(self, request_id: bytes) -> Opening | None:
        """How the mark of this request was opened, if it was."""
        rows = self._select("request_id = ? AND opened_at IS NOT NULL", (request_id,))
        return _opening(rows[0]) if rows else None

    def undelivered(self) -> list[Opening]:
        """Openings that their host has not acknowledged."""
        rows = self._select("kind = 1 AND delivered = 0 AND opened_at IS NOT NULL", ())
        return [_opening(row) for row in rows]

    def delivered(self, request_id: bytes) -> None:
        """The host has this opening on its own disk."""
        with self._transaction() as db:
            db.execute("UPDATE marks SET delivered = 1 WHERE request_id = ?", (request_id,))

    def forget(self, request_id: bytes) -> None:
        """Drops the mark of a request that came to nothing (rejected, host lost)."""
        with self._transaction() as db:
            db.execute(
                "DELETE FROM marks WHERE request_id = ? AND opened_at IS NULL",
                (request_id,),
            )

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

    def _select(self, where: str, values: tuple[object, ...]) -> list[tuple[object, ...]]:
        query = (
            "SELECT request_id, host, task_digest, kind, family, parameters, salt, result_id,"
            f" opened_at, opening_signature FROM marks WHERE {where}"
        )
        with self._lock:
            return self._db.execute(query, values).fetchall()


def _sealed(row: tuple[object, ...]) -> Sealed:
    request_id, host, task_digest, kind, family, parameters, salt = row[:7]
    mark = Mark(int(str(kind)), _bytes(family), _bytes(parameters), _bytes(salt))
    return Sealed(_bytes(request_id), _bytes(host), _bytes(task_digest), mark)


def _opening(row: tuple[object, ...]) -> Opening:
    return Opening(_sealed(row), _bytes(row[7]), int(str(row[8])), _bytes(row[9]))


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise VaultError("the vault is damaged: a digest is not a blob")
    return value
