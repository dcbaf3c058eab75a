"""The roll-ups of the auditor's desk, kept block by block as ``ledger.facet_sums`` defines them."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from ledger.assets import CanaryOpened
from ledger.changes import unsigned_64
from ledger.eip712 import Domain, digest
from ledger.facet_sums import SUMS, TABLES
from ledger.types import Digest, address_from_hex

STEP_PARTIES = ("home", "host", "process_name")
EVERYTHING = frozenset(
    {"migrations", "steps", "openings", "kudos", "decisions", "votes", "carried"}
)


def add(
    conn: sqlite3.Connection,
    domain: Domain,
    low: int,
    high: int,
    tables: Collection[str] = EVERYTHING,
) -> None:
    """Counts the rows of these blocks in, once they are there; ``tables`` are those with any."""
    complete(conn, domain, low, high, tables)
    for statement in _statements(tables, 1):
        conn.execute(statement, {"low": low, "high": high})


def take_away(conn: sqlite3.Connection, floor: int) -> None:
    """Counts the rows above ``floor`` out, while they are still there."""
    blocks = {"low": floor + 1, "high": (1 << 63) - 1}
    for statement in _statements(EVERYTHING, -1):
        conn.execute(statement, blocks)
    for table, (_, counts) in TABLES.items():
        conn.execute(f"DELETE FROM {table} WHERE {' AND '.join(f'{c} = 0' for c in counts)}")


def complete(
    conn: sqlite3.Connection, domain: Domain, low: int, high: int, tables: Collection[str]
) -> None:
    """Fills the derived columns of these blocks' rows: names and parties from the REQUEST, the id
    of CANARY_OPENED from its fields. What the contract itself asked for has no name."""
    of = "(SELECT {0} FROM migrations m WHERE m.request_id = {1}.request_id)"
    within = "WHERE block BETWEEN ? AND ?"
    if "kudos" in tables:
        name = f"coalesce({of.format('process_name', 'kudos')}, zeroblob(32))"
        conn.execute(f"UPDATE kudos SET process_name = {name} {within}", (low, high))
    if "steps" in tables:
        asked = "(SELECT {} FROM step_requests q WHERE q.request_id = steps.request_id)"
        parties = ", ".join(f"{name} = {asked.format(name)}" for name in STEP_PARTIES)
        reason = f"CASE kind WHEN 'REJECTED' THEN {of.format('rejection', 'steps')} END"
        conn.execute(f"UPDATE steps SET {parties}, rejection = {reason} {within}", (low, high))
    if "openings" in tables:
        name, host = of.format("process_name", "openings"), of.format("host", "openings")
        sql = f"UPDATE openings SET process_name = {name}, host = {host} {within}"
        conn.execute(sql, (low, high))
        fields = "request_id, result_id, task_digest, family, parameters, salt, opened_at"
        signed = f"{within} AND signature IS NOT NULL"
        rows = conn.execute(f"SELECT {fields} FROM openings {signed}", (low, high)).fetchall()
        conn.executemany(
            "UPDATE openings SET opened_id = ? WHERE request_id = ?",
            ((opened_id(domain, row), row[0]) for row in rows),
        )


def opened_id(domain: Domain, row: Sequence[Any]) -> Digest:
    """The id of CANARY_OPENED from its columns."""
    return digest(domain, CanaryOpened(*(*row[:6], unsigned_64(row[6]))))


def check_facets(conn: sqlite3.Connection) -> Iterable[str]:
    """A sentence for each roll-up, and each id of an opening, that is not what its rows say."""
    yield from _check_opened_ids(conn)
    everything = {"low": 0, "high": (1 << 63) - 1}
    for table, (keys, counts) in TABLES.items():
        numbers = ", ".join(map(str, range(1, len(keys) + 1)))
        sums = ", ".join(f"sum({count})" for count in counts)
        names = ", ".join((*keys, *counts))
        parts = " UNION ALL ".join(
            f"SELECT * FROM ({part.select(counts)})" for part in SUMS if part.table == table
        )
        counted = f"WITH all_parts ({names}) AS ({parts}) SELECT {', '.join(keys)}, {sums}"
        nonzero = " OR ".join(f"sum({count}) != 0" for count in counts)
        counted += f" FROM all_parts GROUP BY {numbers} HAVING {nonzero}"
        stored = f"SELECT {names} FROM {table} WHERE {' OR '.join(f'{c} != 0' for c in counts)}"
        for first, second in ((counted, stored), (stored, counted)):
            sql = f"SELECT * FROM ({first}) EXCEPT SELECT * FROM ({second})"
            for row in conn.execute(sql, everything):
                yield f"The roll-up {table} at {_text(row[: len(keys)])} does not fit its rows."


def _check_opened_ids(conn: sqlite3.Connection) -> Iterator[str]:
    meta = dict(conn.execute("SELECT key, value FROM meta"))
    fields = "request_id, result_id, task_digest, family, parameters, salt, opened_at"
    fields += ", signature, opened_id"
    domain = Domain(int(meta["chain_id"]), address_from_hex(meta["contract"])) if meta else None
    for *row, signature, stored in conn.execute(f"SELECT {fields} FROM openings"):
        expected = opened_id(domain, row) if domain and signature is not None else None
        if stored != expected:
            yield f"The id of CANARY_OPENED of request {_text(row[:1])} does not fit its fields."


def _statements(tables: Collection[str], sign: int) -> Iterator[str]:
    for part in SUMS:
        if part.rows not in tables:
            continue
        keys, counts = TABLES[part.table]
        given = [count for count in counts if count in part.counts]
        yield (
            f"INSERT INTO {part.table} ({', '.join((*keys, *given))}) {part.select(given, sign)}"
            f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET "
            + ", ".join(f"{count} = {count} + excluded.{count}" for count in given)
        )


def _text(key: tuple[object, ...]) -> str:
    return ", ".join("0x" + part.hex() if isinstance(part, bytes) else str(part) for part in key)
