"""The disk of the settlement queue: signed assets that may not stand on the ledger for good yet.

An item is on disk when ``append_*`` returns, and stays until the index calls it final; what counts
is the index, never this file's idea of what was sent. "Sent" only keeps an item from being sent
again while its transaction is under way. An item that the contract will never take is "dead": kept,
with the reason, until somebody looks at it.

One connection, used by any thread, one at a time.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sqlite_utils import Database

from ledger import outbox_codec as codec
from ledger.assets import Migration
from ledger.eip712 import Domain, digest
from ledger.errors import CorruptData, PeerError, SetupError
from ledger.outbox_codec import Canary
from ledger.ports import Clock
from ledger.types import Digest, TxHash, hex_of, short

MIGRATION, CANARY, AGAIN = "migration", "canary", "again"
PENDING, DEAD = "pending", "dead"


class FinalView(Protocol):
    """What pruning asks of the index."""

    def is_final_settled(self, request_id: Digest, /) -> bool: ...
    def is_final_claimed(self, kudos_id: Digest, /) -> bool: ...


@dataclass(frozen=True, slots=True)
class Item:
    """One queued asset without its content; ``key`` is a request id or a Kudos id, for what is
    claimed again that of the row which timed out."""

    kind: str
    key: Digest
    added_at: float
    tx: TxHash | None
    sent_at: float
    skip_reason: int | None
    """Why the contract skipped it when it was sent last, if it did and may yet take it."""
    skip_block: int


@dataclass(frozen=True, slots=True)
class DeadItem:
    """An asset that the contract will never take, and why (a skip code of ``ledger.reasons``)."""

    kind: str
    key: Digest
    reason: int
    died_at: float


class Outbox:
    """The queue of one node for one ledger."""

    def __init__(self, db: Database, domain: Domain, clock: Clock) -> None:
        self._db = db
        self._domain = domain
        self._clock = clock
        self._lock = threading.RLock()

    @classmethod
    def open(cls, path: Path, domain: Domain, clock: Clock) -> Outbox:
        """Opens or makes the file; CorruptData when it belongs to another ledger."""
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            connection = sqlite3.connect(path, check_same_thread=False, timeout=10.0)
        except sqlite3.OperationalError as error:
            raise SetupError(
                f"The settlement queue {path} cannot be opened: {error}.",
                hint="Check the data directory's permissions and the disk.",
            ) from error
        try:
            outbox = cls(_prepared(connection), domain, clock)
            outbox._belongs_here(path)
        except sqlite3.DatabaseError as error:
            connection.close()
            raise CorruptData(
                f"The settlement queue {path} cannot be read: {error}.",
                hint="Keep the file: it may hold what was signed and is not settled yet.",
            ) from error
        except CorruptData:
            connection.close()
            raise
        return outbox

    def close(self) -> None:
        with self._lock:
            self._db.close()

    # -- filling -------------------------------------------------------------------------------

    def append_migration(self, migration: Migration) -> bool:
        """Queues a finished migration for good; False if it was queued before.

        PeerError when its assets do not fit together or it contradicts what is queued.
        """
        packed = codec.pack_migration(self._domain, migration)
        return self._append(MIGRATION, digest(self._domain, migration.request), packed)

    def append_canary(self, canary: Canary) -> bool:
        """Queues a claim for K3 for good; False if it was queued before: a RESULT that was both
        planted and drawn earns one K3, by the claim that came first."""
        packed = codec.pack_canary(self._domain, canary)
        return self._append(CANARY, codec.kudos_id(self._domain, canary), packed)

    def append_again(self, kudos_id: Digest) -> bool:
        """Queues a claim that timed out to be made again, by the id of its row in the index, which
        has all that it takes; False if it was queued before."""
        return self._append(AGAIN, kudos_id, b"")

    # -- reading -------------------------------------------------------------------------------

    def pending(self, kind: str) -> list[Item]:
        """Everything that is not known to be final or dead, oldest first."""
        rows = self._query(
            "SELECT kind, key, added_at, tx, sent_at, skip_reason, skip_block FROM items"
            " WHERE state = ? AND kind = ? ORDER BY id",
            (PENDING, kind),
        )
        return [Item(*row) for row in rows]

    def migration(self, request_id: Digest) -> Migration:
        """The signed copy; KeyError when it is not queued."""
        return codec.unpack_migration(self._domain, self._content(MIGRATION, request_id))

    def canary(self, kudos_id: Digest) -> Canary:
        """The signed copy; KeyError when it is not queued."""
        return codec.unpack_canary(self._domain, self._content(CANARY, kudos_id))

    def dead(self) -> list[DeadItem]:
        """What the contract will never take, oldest first."""
        rows = self._query(
            "SELECT kind, key, skip_reason, sent_at FROM items WHERE state = ? ORDER BY id",
            (DEAD,),
        )
        return [DeadItem(*row) for row in rows]

    def counts(self) -> tuple[int, int]:
        """How many items are pending and how many are dead."""
        rows = dict(self._query("SELECT state, count(*) FROM items GROUP BY state", ()))
        return rows.get(PENDING, 0), rows.get(DEAD, 0)

    # -- what became of them -------------------------------------------------------------------

    def mark_sent(self, kind: str, keys: Iterable[Digest], tx: TxHash) -> None:
        """These go into this transaction; called before it leaves."""
        now = self._clock.now()
        self._update("tx = ?, sent_at = ?, skip_reason = NULL", kind, keys, (tx, now))

    def mark_skipped(self, kind: str, key: Digest, reason: int, block: int) -> None:
        """The contract passed it over, for a reason that need not be the last word."""
        now = self._clock.now()
        update = "sent_at = ?, skip_reason = ?, skip_block = ?"
        self._update(update, kind, [key], (now, reason, block))

    def unmark(self, kind: str, keys: Iterable[Digest]) -> None:
        """These are not under way any more."""
        self._update("tx = NULL, sent_at = 0, skip_reason = NULL, skip_block = 0", kind, keys, ())

    def bury(self, kind: str, key: Digest, reason: int) -> None:
        """The contract will never take it."""
        now = self._clock.now()
        self._update("state = ?, skip_reason = ?, sent_at = ?", kind, [key], (DEAD, reason, now))

    def prune_final(self, index: FinalView) -> int:
        """Removes what stands on the ledger for good; says how many."""
        gone = [
            (item.kind, item.key)
            for kind, is_final in (
                (MIGRATION, index.is_final_settled),
                (CANARY, index.is_final_claimed),
            )
            for item in self.pending(kind)
            if is_final(item.key)
        ]
        self._forget(gone)
        return len(gone)

    def forget(self, kind: str, keys: Iterable[Digest]) -> None:
        """These need nothing any more."""
        self._forget([(kind, key) for key in keys])

    # -- plumbing ------------------------------------------------------------------------------

    def _append(self, kind: str, key: Digest, content: bytes) -> bool:
        with self._lock, self._db.atomic():
            added = self._db.conn.execute(
                "INSERT OR IGNORE INTO items (kind, key, content, added_at) VALUES (?, ?, ?, ?)",
                (kind, key, content, self._clock.now()),
            ).rowcount
        if not added and kind == MIGRATION and self._content(kind, key) != content:
            raise PeerError(f"The {kind} {short(key)} is queued already, with another ending.")
        return bool(added)

    def _forget(self, items: Sequence[tuple[str, Digest]]) -> None:
        with self._lock, self._db.atomic():
            self._db.conn.executemany("DELETE FROM items WHERE kind = ? AND key = ?", items)

    def _content(self, kind: str, key: Digest) -> bytes:
        rows = self._query("SELECT content FROM items WHERE kind = ? AND key = ?", (kind, key))
        if not rows:
            raise KeyError(hex_of(key))
        return bytes(rows[0][0])

    def _update(
        self, assignments: str, kind: str, keys: Iterable[Digest], values: Sequence[Any]
    ) -> None:
        sql = f"UPDATE items SET {assignments} WHERE kind = ? AND key = ?"
        with self._lock, self._db.atomic():
            self._db.conn.executemany(sql, [(*values, kind, key) for key in keys])

    def _query(self, sql: str, values: Sequence[Any]) -> list[Any]:
        with self._lock:
            return self._db.conn.execute(sql, values).fetchall()

    def _belongs_here(self, path: Path) -> None:
        ours = (self._domain.chain_id, self._domain.contract)
        with self._lock, self._db.atomic():
            self._db.conn.execute("INSERT OR IGNORE INTO ledger VALUES (1, ?, ?)", ours)
        (found,) = self._query("SELECT chain_id, contract FROM ledger", ())
        if found != ours:
            raise CorruptData(
                f"The settlement queue {path} is for {hex_of(found[1])} on chain {found[0]}.",
                hint="Give this ledger a data directory of its own; what is queued stays valid.",
            )


def _create(db: Database) -> None:
    """Version 1: one table for everything that waits, one row that says for which ledger."""
    db.table("ledger").create({"id": int, "chain_id": int, "contract": bytes}, pk="id", strict=True)
    db.table("items").create(
        {
            "id": int,
            "kind": str,
            "key": bytes,
            "content": bytes,
            "state": str,
            "added_at": float,
            "tx": bytes,
            "sent_at": float,
            "skip_reason": int,
            "skip_block": int,
        },
        pk="id",
        not_null={"kind", "key", "content", "state", "added_at", "sent_at", "skip_block"},
        defaults={"state": PENDING, "sent_at": 0.0, "skip_block": 0},
        strict=True,
    )
    db.table("items").create_index(["kind", "key"], unique=True)
    db.table("items").create_index(["state", "kind"])


_VERSIONS: tuple[Callable[[Database], None], ...] = (_create,)
"""Step n brings a file from version n to n + 1."""


def _prepared(connection: sqlite3.Connection) -> Database:
    connection.execute("PRAGMA journal_mode = WAL")
    # A power cut must not take back what a peer was told is safe.
    connection.execute("PRAGMA synchronous = FULL")
    db = Database(connection)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(_VERSIONS):
        raise CorruptData(
            f"The settlement queue is of version {version}; this program knows {len(_VERSIONS)}.",
            hint="Use the newer program that wrote it.",
        )
    for number, step in enumerate(_VERSIONS[version:], version + 1):
        with db.atomic():
            step(db)
            connection.execute(f"PRAGMA user_version = {number}")
    return db
