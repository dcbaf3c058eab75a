"""The file of the indexed copy: opened read-only, of the right ledger, read in snapshots."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from ledger import schema
from ledger.digests import DAMAGE
from ledger.eip712 import Domain
from ledger.errors import CorruptData, SetupError
from ledger.rows import IndexHead
from ledger.source import LedgerIdentity
from ledger.types import address_from_hex, hex_of

BUSY_SECONDS = 5.0


class OpenCopy:
    """One open copy, as far as it is a file. Its questions are ``ledger.reader.Reader``'s."""

    def __init__(self, conn: sqlite3.Connection, domain: Domain) -> None:
        # The second name is for the modules of SQL that answer in this reader's snapshots.
        self._conn = self.connection = conn
        self.domain = domain

    @classmethod
    def open(
        cls, path: Path, deployment: LedgerIdentity | None = None, *, one_thread: bool = True
    ) -> Self:
        """Opens a copy; SetupError without a file, CorruptData for that of another ledger. Whoever
        hands it from thread to thread says so, and lets only one use it at a time."""
        if not path.is_file():
            raise SetupError(
                f"There is no indexed copy of the ledger at {path}.",
                hint="Start `kudos node` with this data directory once: it makes one.",
            )
        uri = f"file:{quote(str(path.absolute()))}?mode=ro"
        conn = sqlite3.connect(
            uri, BUSY_SECONDS, isolation_level=None, check_same_thread=one_thread, uri=True
        )
        try:
            conn.execute("PRAGMA query_only = ON")
            domain = _domain(conn, path)
        except DAMAGE as error:
            conn.close()
            raise CorruptData(
                f"{path} is no indexed copy of a ledger: {error}.",
                hint="Delete the file: it is rebuilt from the chain.",
            ) from error
        except CorruptData:
            conn.close()
            raise
        if deployment is not None and deployment.domain != domain:
            conn.close()
            raise CorruptData(
                f"{path} is a copy of ledger {hex_of(domain.contract)} on chain {domain.chain_id},"
                f" not of {hex_of(deployment.contract)} on chain {deployment.chain_id}.",
                hint="Use the data directory of this ledger.",
            )
        return cls(conn, domain)

    def close(self) -> None:
        """Closes the file; further questions fail."""
        self._conn.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def snapshot(self) -> Iterator[Self]:
        """All questions inside are answered from the same block."""
        self._conn.execute("BEGIN")
        try:
            yield self
        finally:
            self._conn.execute("COMMIT")

    def head(self) -> IndexHead | None:
        """Where the copy stands; None while it holds no block."""
        sql = (
            "SELECT number, hash, timestamp, indexed_at, head, final_number FROM cursor"
            " WHERE number IS NOT NULL"
        )
        row = self._one(sql)
        return IndexHead(*row) if row else None

    def head_timestamp(self) -> int:
        """The time of the last block that the copy holds; 0 while it holds none."""
        return int(self._one("SELECT coalesce(timestamp, 0) FROM cursor WHERE id = 1")[0])  # type: ignore[index]

    def reorganisations(self) -> int:
        """How often the indexer took blocks back."""
        row = self._one("SELECT value FROM meta WHERE key = 'reorganisations'")
        return int(row[0]) if row else 0

    def _one(self, sql: str, *values: object) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._conn.execute(sql, values).fetchone()
        return row

    def _exists(self, where: str, value: bytes) -> bool:
        return self._one(f"SELECT 1 FROM {where}", value) is not None


def _domain(conn: sqlite3.Connection, path: Path) -> Domain:
    (version,) = conn.execute("PRAGMA user_version").fetchone()
    if version != schema.VERSION:
        raise CorruptData(
            f"{path} has version {version} of the tables, this program reads {schema.VERSION}.",
            hint="Start the indexer of this version once: it brings the file up to date.",
        )
    meta = dict(conn.execute("SELECT key, value FROM meta"))
    try:
        return Domain(int(meta["chain_id"]), address_from_hex(meta["contract"]))
    except (KeyError, ValueError):
        raise CorruptData(
            f"{path} does not say which ledger it is a copy of.",
            hint="Delete the file: it is rebuilt from the chain.",
        ) from None
