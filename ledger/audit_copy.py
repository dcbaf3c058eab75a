"""The indexed copy, held against the recount. Read-only."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from ledger.audit_recount import Recount
from ledger.audit_rows import GROUPED, TABLES
from ledger.audit_rule_rows import Row, Rows
from ledger.audit_state import VERIFIED, Difference
from ledger.audit_tokens import LEVELS
from ledger.audit_views import unlike
from ledger.errors import SetupError
from ledger.source import ChainHeader
from ledger.types import hex_of

Cursor = tuple[int | None, bytes] | None
ALWAYS = (1 << 63) - 1


class Copy:
    """One read transaction: the indexer goes on, the audit sees one block."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise SetupError(
                f"There is no indexed copy of the ledger at {path}.",
                hint="Start a node or `kudos serve` first, or audit without a copy.",
            )
        self._conn = sqlite3.connect(
            f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, isolation_level=None
        )
        self._conn.execute("BEGIN")
        self.cursor: Cursor = self._conn.execute("SELECT number, hash FROM cursor").fetchone()

    def close(self) -> None:
        self._conn.close()

    def compare(self, recount: Recount, block: ChainHeader) -> Iterator[Difference]:
        """Totals, claims, migrations and the rest, as of the audited block."""
        at = self._as_of(block)
        yield from self._compare_cursor(block, at)
        up_to = ALWAYS if at is None else at
        yield from self._compare_totals(recount, at)
        for table, columns, expected in TABLES:
            rest = GROUPED.get(table, "")
            sql = f"SELECT {columns} FROM {table} WHERE block <= :at{rest}"
            yield from self._rows(table, expected(recount), up_to, sql)

    def _as_of(self, block: ChainHeader) -> int | None:
        """The block to read the copy as of; None where it stands at the audited one or before."""
        reached = self.cursor is not None and (self.cursor[0] or -1) > block.number
        return block.number if reached else None

    def _compare_cursor(self, block: ChainHeader, at: int | None) -> Iterator[Difference]:
        found = "empty"
        if self.cursor is not None and self.cursor[0] is not None:
            found = f"at {self.cursor[0]} {hex_of(self.cursor[1])}"
        if at is not None:
            # Blocks far back without logs are not kept; the rows of the others say what they have.
            sql = "SELECT hash FROM blocks WHERE number = ?"
            kept = self._conn.execute(sql, (block.number,)).fetchone()
            found = f"at {block.number} {hex_of(kept[0] if kept else block.hash)}"
        expected = f"at {block.number} {hex_of(block.hash)}"
        yield from unlike("SQLite", "the copy", expected, found)

    def _compare_totals(self, recount: Recount, at: int | None) -> Iterator[Difference]:
        sql, up_to = "SELECT address, k1, k2, k3 FROM nodes", {"at": at}
        if at is not None:
            sql = _EARLIER_TOTALS
        stored = {bytes(address): tuple(counts) for address, *counts in self._run(sql, up_to)}
        totals = recount.book.totals()
        for node in sorted({*stored, *totals}):
            expected, found = totals.get(node, (0, 0, 0)), stored.get(node, (0, 0, 0))
            yield from unlike("SQLite nodes", f"Kudos of {hex_of(node)}", expected, found)

    def _rows(self, table: str, expected: Rows, up_to: int, sql: str) -> Iterator[Difference]:
        found: dict[Row, Row] = {}
        for keys, *values in self._run(sql, {"at": up_to}):
            found[tuple(values[:keys])] = tuple(values[keys:])
        for key in sorted({*expected, *found}, key=repr):
            wanted, stored = expected.get(key, "absent"), found.get(key, "absent")
            name = ", ".join(hex_of(v) if isinstance(v, bytes) else str(v) for v in key)
            yield from unlike(f"SQLite {table}", f"row {name}", wanted, stored)

    def _run(self, sql: str, values: Mapping[str, object]) -> sqlite3.Cursor:
        return self._conn.execute(sql, values)


_LEVELS = ", ".join(f"level = {level} AS k{level}" for level in LEVELS)
_EARLIER_TOTALS = (
    f"SELECT host, sum(k1), sum(k2), sum(k3) FROM (SELECT host, {_LEVELS} FROM kudos"
    f" WHERE state = {VERIFIED} AND decided_block <= :at"
    " UNION ALL SELECT host, k1, k2, k3 FROM carried WHERE block <= :at) GROUP BY host"
)
