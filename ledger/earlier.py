"""What the projection asks about earlier events, answered from the rows they left
(``ledger.changes.Context``)."""

from __future__ import annotations

import sqlite3
from typing import Any

from ledger import schema
from ledger.assets import Request
from ledger.changes import Claim, Settled, Strict
from ledger.types import Address, Digest

_CLAIM = "kudos_id, level, host, home, epoch, state"


class EarlierRows:
    """One copy, as its writer's connection sees it."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn

    def batch_claims(self, host: Address, root: Digest) -> dict[int, Claim] | None:
        if self._one("SELECT 1 FROM batches WHERE host = ? AND root = ?", host, root) is None:
            return None
        sql = (
            f"SELECT batch_index, {_CLAIM} FROM kudos"
            " WHERE host = ? AND root = ? AND level < 3 ORDER BY batch_index"
        )
        return {row[0]: Claim(*row[1:]) for row in self._conn.execute(sql, (host, root))}

    def claim(self, kudos_id: Digest) -> Claim | None:
        last = "SELECT {} FROM kudos WHERE repeats = ? ORDER BY attempt DESC LIMIT 1"
        row = self._one(last.format(_CLAIM), kudos_id)
        row = row or self._one(f"SELECT {_CLAIM} FROM kudos WHERE kudos_id = ?", kudos_id)
        return Claim(*row) if row else None

    def attempts(self, kudos_id: Digest) -> int:
        sql = "SELECT (SELECT count(*) FROM kudos WHERE kudos_id = ?1)"
        return int(self._one(f"{sql} + count(*) FROM kudos WHERE repeats = ?1", kudos_id)[0])  # type: ignore[index]

    def is_test(self, kudos_id: Digest) -> bool:
        return self._one("SELECT 1 FROM tests WHERE kudos_id = ?", kudos_id) is not None

    def step_claim(self, request_id: Digest) -> Claim | None:
        sql = f"SELECT {_CLAIM} FROM kudos WHERE request_id = ? AND level < 3 AND root IS NULL"
        row = self._one(f"{sql} ORDER BY block, log_index LIMIT 1", request_id)
        return Claim(*row) if row else None

    def settled(self, request_id: Digest) -> Settled | None:
        return self._settled("request_id = ?", request_id)

    def settled_at(self, home: Address, host: Address, seq: int) -> Settled | None:
        return self._settled("home = ? AND host = ? AND seq = ?", home, host, seq)

    def settled_as(self, asset_id: Digest) -> Settled | None:
        known = "substr({0}, 1, 8) = substr(?1, 1, 8) AND {0} = ?1"
        return self._settled(
            f"({known.format('result_id')} OR {known.format('answer_id')} AND result_id IS NULL)",
            asset_id,
        )

    def strict(self, request_id: Digest) -> Strict | None:
        columns = ", ".join(schema.ROWS["step_requests"][1:-2])
        row = self._one(f"SELECT {columns} FROM step_requests WHERE request_id = ?", request_id)
        if row is None:
            return None
        sql = "SELECT kind, signed_at FROM steps WHERE request_id = ?"
        signed: dict[str, int] = dict(self._conn.execute(sql, (request_id,)).fetchall())
        return Strict(Request(*row), signed.get("ACCEPTED"), signed.get("CONFIRMED"))

    def family(self, number: int) -> Digest | None:
        row = self._one("SELECT family FROM families WHERE number = ?", number)
        return Digest(row[0]) if row else None

    def carried_before(self, block: int, log_index: int) -> Address | None:
        sql = "SELECT host FROM carried WHERE block = ? AND log_index = ?"
        row = self._one(sql, block, log_index - 1)
        return Address(row[0]) if row else None

    def _settled(self, where: str, *values: object) -> Settled | None:
        columns = "request_id, home, host, answer_id, confirmed_id, result_id"
        row = self._one(f"SELECT {columns} FROM migrations WHERE {where}", *values)
        return Settled(*row) if row else None

    def _one(self, sql: str, *arguments: object) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._conn.execute(sql, arguments).fetchone()
        return row
