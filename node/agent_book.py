"""The agent's memory of the migrations that other programs carry out, on either side.

A record is on disk before anything that it says leaves, so that an agent killed at any point goes
on from there. One SQLite file, owner-only: it holds the salts of seals.
"""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import msgspec

from ledger.assets import Request
from ledger.errors import CorruptData
from ledger.types import Address, Digest
from node.inputs import KEEP_SECONDS
from node.migration import FINAL, State

VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS migrations (
    request_id BLOB PRIMARY KEY,
    at_end INTEGER NOT NULL,
    gone_after INTEGER NOT NULL,
    record BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS migrations_by_end ON migrations (at_end);
"""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One migration as one of its parties knows it; what has not happened yet is empty."""

    request_id: bytes
    request: Request
    request_signature: bytes
    mark_hash: bytes
    task_digest: bytes
    task: bytes
    state: State
    reason: str = ""
    answered_at: int = 0
    answer_signature: bytes = b""
    rejection: int = 0
    missing: tuple[bytes, ...] = ()
    confirmed_at: int = 0
    confirm_signature: bytes = b""
    finished_at: int = 0
    result_digest: bytes = b""
    salt: bytes = b""
    result_signature: bytes = b""

    @property
    def key(self) -> Digest:
        return Digest(self.request_id)

    @property
    def at_end(self) -> bool:
        return self.state in FINAL

    def is_home(self, me: Address) -> bool:
        return self.request.home == me


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Record)


class Book:
    """All migrations until nothing can be claimed on them any more. Belongs to one thread."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
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
        self._db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
        self._open = {record.key: record for record in self._stored_open()}
        self._waiting: dict[Digest, set[asyncio.Future[None]]] = {}

    def put(self, record: Record) -> None:
        """Durable on return; whoever waits for this migration is woken."""
        key, gone_after = record.key, record.request.result_deadline + KEEP_SECONDS
        self._db.execute(
            "INSERT OR REPLACE INTO migrations VALUES (?, ?, ?, ?)",
            (key, record.at_end, gone_after, _encoder.encode(record)),
        )
        if record.at_end:
            self._open.pop(key, None)
        else:
            self._open[key] = record
        for future in self._waiting.pop(key, set()):
            if not future.done():
                future.set_result(None)

    def get(self, request_id: Digest) -> Record | None:
        found = self._open.get(request_id)
        if found is not None:
            return found
        sql = "SELECT record FROM migrations WHERE request_id = ?"
        row = self._db.execute(sql, (request_id,)).fetchone()
        return _decoder.decode(row[0]) if row else None

    def unfinished(self) -> list[Record]:
        """What is not at its end, oldest first."""
        return sorted(self._open.values(), key=lambda r: (r.request.signed_at, r.request_id))

    def hosted(self, me: Address) -> list[Record]:
        """What is not at its end and came from others."""
        return [record for record in self.unfinished() if not record.is_home(me)]

    def drop(self, request_id: Digest) -> None:
        """Forgets a migration that came to nothing and that nobody will ask about."""
        self._open.pop(request_id, None)
        self._db.execute("DELETE FROM migrations WHERE request_id = ?", (request_id,))

    def prune(self, now: float) -> int:
        """Forgets what nothing can be claimed on any more; says how much."""
        sql = "DELETE FROM migrations WHERE at_end = 1 AND gone_after < ?"
        return self._db.execute(sql, (int(now),)).rowcount

    async def wait(self, request_id: Digest, since: State, seconds: float) -> Record | None:
        """The record as soon as it is no longer in ``since``, or when the time is over."""
        try:
            async with asyncio.timeout(seconds):
                while (record := self.get(request_id)) is not None and record.state is since:
                    await self._change_of(request_id)
        except TimeoutError:
            pass
        return self.get(request_id)

    def close(self) -> None:
        self._db.close()

    async def _change_of(self, request_id: Digest) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(request_id, set())
        waiting.add(future)
        try:
            await future
        finally:
            waiting.discard(future)

    def _stored_open(self) -> list[Record]:
        rows = self._db.execute("SELECT record FROM migrations WHERE at_end = 0").fetchall()
        return [_decoder.decode(row[0]) for row in rows]
