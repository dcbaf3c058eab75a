"""One string to whatever it may name."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from ledger.assets import process_name_field, process_name_text
from ledger.desk.queries.explore_query import name_field
from ledger.desk.queries.nodes import prefix_range
from ledger.facet_sums import NAME
from ledger.reader import Reader
from ledger.types import Digest, hex_of

MAX_HITS = 50
MIN_PREFIX = 3
"""Digits; fewer would find whatever there is."""


class HitKind(StrEnum):
    """What was found."""

    NODE = "node"
    VALIDATOR = "validator"
    ASSET = "asset"
    TRANSACTION = "transaction"
    PROCESS = "process"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that the string names. ``value`` is its whole name (0x hex, text or number);
    ``asset`` the kind of an asset; ``request_id`` the migration to show for an asset, or for a
    transaction if it concerns one migration; ``count`` how many assets stand behind it."""

    kind: HitKind
    value: str
    asset: str | None = None
    request_id: Digest | None = None
    block: int | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Hits:
    """All hits, the exact ones first. ``more``: there are others with this beginning."""

    hits: tuple[Hit, ...]
    more: bool


def search(reader: Reader, text: str, limit: int = MAX_HITS) -> Hits:
    """Looks up an address or its beginning, an asset id, a transaction, a process name or its
    beginning, a block number. An empty text finds nothing."""
    text = text.strip()
    if not text or not 1 <= limit <= MAX_HITS:
        return Hits((), False)
    conn, found = reader.connection, list[Hit]()
    digits = text[2:] if text[:2] in ("0x", "0X") else text
    if set(digits.lower()) <= _HEX and digits:
        if len(digits) == 64:
            found += _by_digest(conn, bytes.fromhex(digits))
        if MIN_PREFIX <= len(digits) <= 40:
            found += _addresses(conn, text, limit + 1)
    if text.isascii() and text.isdigit() and len(text) < 19:
        found += _block(conn, int(text))
    found += _names(conn, text, limit + 1)
    return Hits(tuple(found[:limit]), len(found) > limit)


def _by_digest(conn: sqlite3.Connection, value: bytes) -> Iterator[Hit]:
    shown = hex_of(value)
    for asset, sql in _ASSETS.items():
        for request_id, block in conn.execute(sql, {"id": value}):
            yield Hit(HitKind.ASSET, shown, asset, request_id, block)
    steps = "SELECT kind, request_id, block FROM steps WHERE asset_id = :id"
    for asset, request_id, block in conn.execute(steps, {"id": value}):
        yield Hit(HitKind.ASSET, shown, asset, request_id, block)
    sql = (
        "SELECT min(block), min(log_index), max(log_index), count(*)"
        " FROM logs INDEXED BY logs_by_tx WHERE substr(tx, 1, 8) = substr(:id, 1, 8) AND tx = :id"
    )
    block, first, last, many = conn.execute(sql, {"id": value}).fetchone()
    if many:
        sql = (
            "SELECT request_id FROM migrations WHERE block = ?1 AND log_index BETWEEN ?2 AND ?3"
            " UNION SELECT request_id FROM steps WHERE block = ?1 AND log_index BETWEEN ?2 AND ?3"
            " UNION SELECT request_id FROM kudos WHERE block = ?1 AND log_index BETWEEN ?2 AND ?3"
            " LIMIT 2"
        )
        requests = [Digest(row[0]) for row in conn.execute(sql, (block, first, last))]
        only = requests[0] if len(requests) == 1 else None
        yield Hit(HitKind.TRANSACTION, shown, None, only, block, many)


def _addresses(conn: sqlite3.Connection, text: str, limit: int) -> Iterator[Hit]:
    low, high = prefix_range(text)
    for kind, sql in _WHO.items():
        for address, many in conn.execute(sql, (low, high, limit)):
            yield Hit(kind, hex_of(address), count=many)


def _block(conn: sqlite3.Connection, number: int) -> Iterator[Hit]:
    row = conn.execute("SELECT logs FROM blocks WHERE number = ?", (number,)).fetchone()
    if row:
        yield Hit(HitKind.BLOCK, str(number), block=number, count=row[0])


def _names(conn: sqlite3.Connection, text: str, limit: int) -> Iterator[Hit]:
    """The name itself comes first: it is the lowest of those that begin with it."""
    raw = text.encode("utf-8", "replace").replace(b"\0", b"")
    field = name_field(text)
    if field != process_name_field(text):  # a hash in the place of a name
        low = high = field
    elif 0 < len(raw) <= 32:
        low, high = Digest(raw.ljust(32, b"\0")), Digest(raw.ljust(32, b"\xff"))
    else:
        low = high = field
    sql = (
        "SELECT value, total FROM facets WHERE dimension = ? AND value BETWEEN ? AND ?"
        " AND total > 0 ORDER BY value LIMIT ?"
    )
    for name, many in conn.execute(sql, (NAME, low, high, limit)):
        yield Hit(HitKind.PROCESS, process_name_text(name) or hex_of(name), count=many)


_HEX = frozenset("0123456789abcdef")
_BY_ID = "SELECT request_id, block FROM {0} WHERE substr({1}, 1, 8) = substr(:id, 1, 8)"
_BY_ID += " AND {1} = :id AND {1} IS NOT NULL"
_BATCHED = _BY_ID.replace("{0}", "migrations").replace("{1}", "{0}") + " AND root IS NOT NULL"
_ASSETS = {
    "REQUEST": "SELECT request_id, block FROM migrations WHERE request_id = :id AND root NOTNULL",
    "ACCEPTED": _BATCHED.format("answer_id") + " AND rejection IS NULL",
    "REJECTED": _BATCHED.format("answer_id") + " AND rejection IS NOT NULL",
    "CONFIRMED": _BATCHED.format("confirmed_id"),
    "RESULT": _BATCHED.format("result_id"),
    "CANARY_OPENED": _BY_ID.format("openings", "opened_id"),
    "KUDOS": "SELECT request_id, block FROM kudos WHERE kudos_id = :id",
}
_WHO = {
    HitKind.NODE: "SELECT address, requests + hosted + rejections FROM nodes"
    " WHERE address BETWEEN ? AND ? ORDER BY address LIMIT ?",
    HitKind.VALIDATOR: "SELECT validator, approved + refused + abstained FROM validator_totals"
    " WHERE validator BETWEEN ? AND ? ORDER BY validator LIMIT ?",
}
