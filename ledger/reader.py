"""The indexed copy as everybody but the indexer sees it: read-only, in the reader's own process.

One ``Reader`` per thread. Answers to one question come from one state of the copy; who asks several
questions that must agree puts them into one ``snapshot``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

from ledger import browse, schema, standing
from ledger.digests import DAMAGE
from ledger.eip712 import Domain
from ledger.errors import CorruptData, SetupError
from ledger.rows import (
    IndexHead,
    KudosRow,
    NodeRow,
    Opening,
    SettledMigration,
    Step,
    Totals,
    UnvotedBatch,
    UnvotedCanary,
    ValidatorRow,
    Vote,
)
from ledger.source import LedgerIdentity
from ledger.types import Address, BlockNumber, Digest, address_from_hex, hex_of

BUSY_SECONDS = 5.0
_FINAL = "(SELECT final_number FROM cursor)"


class Reader:
    """One open copy, for reading."""

    def __init__(self, conn: sqlite3.Connection, domain: Domain) -> None:
        # The second name is for the modules of SQL that answer in this reader's snapshots.
        self._conn = self.connection = conn
        self.domain = domain

    @classmethod
    def open(
        cls, path: Path, deployment: LedgerIdentity | None = None, *, one_thread: bool = True
    ) -> Reader:
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

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def snapshot(self) -> Iterator[Reader]:
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

    # Admission.

    def kudos(self, address: Address, *, final_only: bool = False) -> Totals:
        """A node's verified Kudos; zero for a stranger."""
        row = self._one("SELECT k1, k2, k3 FROM nodes WHERE address = ?", address)
        if row is None:
            return Totals()
        if not final_only:
            return Totals(*row)
        sql = (
            "SELECT total(level = 1), total(level = 2), total(level = 3) FROM kudos WHERE host = ?"
            f" AND decided_block > {_FINAL} AND state = {schema.VERIFIED}"
        )
        young = self._one(sql, address) or (0, 0, 0)
        return Totals(*(int(all_ - new) for all_, new in zip(row, young, strict=True)))

    # Strategies: now, or as of a block.

    def kudos_at(self, address: Address, at: BlockNumber | None) -> Totals:
        """A node's verified Kudos."""
        return standing.kudos(self._conn, address, at)

    def pair_totals(self, home: Address, host: Address, at: BlockNumber | None = None) -> Totals:
        """The verified Kudos that a host has for tasks of one home."""
        return standing.pair_totals(self._conn, home, host, at)

    def unsettled(
        self, home: Address, host: Address, at: BlockNumber | None = None
    ) -> tuple[int, int]:
        """(asked, missing) of a home's last requests to a host; missing left nothing here."""
        return standing.unsettled(self._conn, home, host, at)

    def epoch_points(self, node: Address, at: BlockNumber | None = None) -> list[tuple[int, int]]:
        """(epoch, verified points claimed in it); takes time with each Kudos of the node."""
        return standing.epoch_points(self._conn, node, at)

    def strangers(self, host: Address, at: BlockNumber | None = None) -> tuple[int, int]:
        """(tried, good) of the homes that a host helped before they had done any work."""
        return standing.strangers(self._conn, host, at)

    def dealings(self, node: Address, limit: int) -> standing.Dealings:
        """A node's claims and pairs, to explain where its Kudos come from."""
        return standing.dealings(self._conn, node, limit)

    def past_requests(
        self, since: int = 0, host: Address | None = None
    ) -> Iterator[standing.PastRequest]:
        """Settled requests from a second on, as they were signed."""
        return standing.past_requests(self._conn, since, host)

    # Settlement.

    def is_settled(self, request_id: Digest) -> bool:
        """Whether this request stands on the ledger."""
        return self._exists("migrations WHERE request_id = ?", request_id)

    def is_final_settled(self, request_id: Digest) -> bool:
        """Whether it stands there in a final block."""
        return self._exists(f"migrations WHERE request_id = ? AND block <= {_FINAL}", request_id)

    def is_claimed(self, kudos_id: Digest) -> bool:
        """Whether this Kudos was claimed, whatever became of it."""
        return self._exists("kudos WHERE kudos_id = ?", kudos_id)

    def is_final_claimed(self, kudos_id: Digest) -> bool:
        """Whether it was claimed in a final block."""
        return self._exists(f"kudos WHERE kudos_id = ? AND block <= {_FINAL}", kudos_id)

    def kudos_state(self, kudos_id: Digest) -> int | None:
        """CLAIMED, VERIFIED or REFUSED of ``ledger.schema``; None for an unknown one."""
        row = self._one("SELECT state FROM kudos WHERE kudos_id = ?", kudos_id)
        return int(row[0]) if row else None

    def skip_reasons(self, request_id: Digest) -> list[int]:
        """Why batches skipped a record of this request, oldest first."""
        sql = "SELECT reason FROM skipped WHERE request_id = ? ORDER BY block, log_index"
        return [row[0] for row in self._conn.execute(sql, (request_id,))]

    def is_sequence_used(self, home: Address, host: Address, seq: int) -> bool:
        """Whether this number of the two is settled."""
        where = "SELECT 1 FROM migrations WHERE home = ? AND host = ? AND seq = ?"
        return self._one(where, home, host, seq) is not None

    def next_free_sequence(self, home: Address, host: Address) -> int:
        """One above the highest sequence number that is settled between the two."""
        sql = "SELECT coalesce(max(seq), -1) + 1 FROM migrations WHERE home = ? AND host = ?"
        return int((self._one(sql, home, host) or (0,))[0])

    def results(
        self, home: Address, since_block: BlockNumber, limit: int = 1000
    ) -> list[SettledMigration]:
        """The home's requests with a RESULT that were settled after this block, oldest first."""
        where = "m.home = ? AND m.block > ? AND m.rejection IS NULL"
        return browse.migrations(self._conn, where, (home, since_block), "ASC", limit)

    # Validators.

    def batches_unvoted(self, validator: Address, limit: int = 64) -> list[UnvotedBatch]:
        """Batches with open claims in which this validator has no ballot, oldest first."""
        return browse.batches_unvoted(self._conn, self.domain.contract, validator, limit)

    def canary_claims_unvoted(self, validator: Address, limit: int = 64) -> list[UnvotedCanary]:
        """Open K3 claims that this validator has not voted on, oldest first."""
        return browse.canary_claims_unvoted(self._conn, validator, limit)

    # People.

    def migration(self, request_id: Digest) -> SettledMigration | None:
        """One migration by its request id; None when it is not settled."""
        found = browse.migrations(self._conn, "m.request_id = ?", (request_id,), "ASC", 1)
        return found[0] if found else None

    def migrations(
        self, limit: int = 50, before: BlockNumber | None = None
    ) -> list[SettledMigration]:
        """The latest migrations, or the latest below a block."""
        where, values = ("1", ()) if before is None else ("m.block < ?", (before,))
        return browse.migrations(self._conn, where, values, "DESC", limit)

    def opening(self, request_id: Digest) -> Opening | None:
        """How the mark of this request was opened, if it was."""
        return browse.opening(self._conn, request_id)

    def claims_of(self, request_id: Digest) -> list[KudosRow]:
        """The Kudos claimed on this migration."""
        return browse.claims(self._conn, "k.request_id = ? ORDER BY k.level", (request_id,))

    def votes(self, kudos_id: Digest) -> list[Vote]:
        """What the validators said of a claim, in the order of their votes."""
        return browse.votes(self._conn, kudos_id)

    def lifecycle(self, request_id: Digest) -> list[Step]:
        """The assets of one migration from REQUEST to KUDOS; empty when it is not settled."""
        return browse.lifecycle(self, request_id)

    def nodes(self) -> list[NodeRow]:
        """Every node with its roll-ups, the most points first."""
        return browse.nodes(self._conn)

    def validators(self) -> list[ValidatorRow]:
        """Every validator that ever voted."""
        return browse.validators(self._conn)

    def kudos_series(self, node: Address) -> list[tuple[int, int]]:
        """(block time, verified points so far), a pair for each block that changed them."""
        return browse.kudos_series(self._conn, node)

    def accepted_series(self, node: Address) -> list[tuple[int, int]]:
        """(block time, tasks of this node that others had accepted so far)."""
        return browse.accepted_series(self._conn, node)

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
