"""All assets, filtered, the newest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ledger.assets import process_name_text
from ledger.changes import unsigned_64
from ledger.desk.queries.common import Page, check_limit, read_cursor, write_cursor
from ledger.desk.queries.explore_query import Kind, Origin, Query, State
from ledger.desk.queries.streams import LAST, RANKS, STATES, gather, kinds_of, streams
from ledger.reader import Reader
from ledger.types import Address, BlockNumber, Digest, TxHash, UnixSeconds

SCAN = 4_000
"""How many rows a page looks at where no index answers the whole query."""

STATE_NAMES = {number: state for state, number in STATES.items()}
Key = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class AssetRow:
    """One asset. ``level``, ``state`` and ``origin`` are those of Kudos, ``reason`` that of a
    rejection; ``request_id`` names the migration that it belongs to."""

    kind: Kind
    id: Digest
    request_id: Digest
    owner: Address
    home: Address
    host: Address
    process_name: str
    level: int | None
    state: State | None
    origin: Origin | None
    reason: int | None
    signed_at: int | None
    block: BlockNumber
    timestamp: UnixSeconds
    tx: TxHash
    log_index: int
    final: bool


def page(reader: Reader, query: Query, scan: int = SCAN) -> Page[AssetRow]:
    """One page of what a query selects."""
    limit, conn = check_limit(query.limit), reader.connection
    start: Key | None = None
    at = LAST
    if query.cursor is not None:
        block, log, item, rank = (int(part) for part in read_cursor(query.cursor, [int] * 4))
        start, at = (block, log, item, rank), (block, log, item)
    kinds, sources = kinds_of(query), streams(conn, query)
    rows, floor = gather(conn, sources, limit, scan, at)
    found = [
        ((*row[:3], RANKS[kind]), kind, sources[number].table, row)
        for number, row in rows
        for kind in KINDS[sources[number].table](row, kinds)
    ]
    bottom: Key | None = (*floor, 0) if floor else None
    chosen = [
        (key, kind, table, row)
        for key, kind, table, row in found
        if (start is None or key < start) and (bottom is None or key >= bottom)
    ]
    chosen.sort(key=lambda entry: entry[0], reverse=True)
    following = chosen[limit - 1][0] if len(chosen) > limit else bottom
    place = Places(reader)
    assets = tuple(asset_row(kind, table, row, place) for _, kind, table, row in chosen[:limit])
    return Page(assets, write_cursor(following) if following else None)


def _migration_kinds(row: Any, kinds: frozenset[Kind]) -> Iterator[Kind]:
    return (kind for kind in (_CONFIRMED if row[10] is None else _REJECTED) if kind in kinds)


_CONFIRMED = (Kind.REQUEST, Kind.ACCEPTED, Kind.CONFIRMED, Kind.RESULT)
_REJECTED = (Kind.REQUEST, Kind.REJECTED)


def _step_kinds(row: Any, kinds: frozenset[Kind]) -> Iterator[Kind]:
    return (kind for kind in (Kind(row[8]),) if kind in kinds)


KINDS: dict[str, Callable[[Any, frozenset[Kind]], Iterator[Kind]]] = {
    "migrations": _migration_kinds,
    "steps": _step_kinds,
    "openings": lambda _row, _kinds: iter((Kind.CANARY_OPENED,)),
    "kudos": lambda _row, _kinds: iter((Kind.KUDOS,)),
}
"""By table: the assets of one row, of the kinds that are asked for."""


class Places:
    """Time and transaction of a log; the rows of one batch share them."""

    def __init__(self, reader: Reader) -> None:
        self._conn = reader.connection
        (self.final,) = self._conn.execute("SELECT final_number FROM cursor").fetchone()
        self._at: tuple[int, int] = (-1, -1)
        self._found: tuple[int, bytes] = (0, b"")

    def __call__(self, block: int, log_index: int) -> tuple[int, bytes]:
        """(timestamp, transaction hash)."""
        if self._at != (block, log_index):
            sql = (
                "SELECT b.timestamp, l.tx FROM blocks b JOIN logs l ON l.block = b.number"
                " WHERE b.number = ? AND l.log_index = ?"
            )
            self._found = self._conn.execute(sql, (block, log_index)).fetchone()
            self._at = (block, log_index)
        return self._found


def asset_row(kind: Kind, table: str, row: Any, places: Places) -> AssetRow:
    """One asset of a row of its table."""
    block, log_index, _item, request_id, home, host, name = row[:7]
    level = state = origin = reason = None
    if kind is Kind.KUDOS:
        identity, level, state = row[7], row[8], STATE_NAMES[row[9]]
        origin = None if row[10] is None else Origin(row[10])
        signed_at = None
    elif table == "steps":
        identity, signed_at, reason = row[7], row[9], row[10]
    elif kind is Kind.CANARY_OPENED:
        identity, signed_at = row[7], unsigned_64(row[8])
    else:
        column, time = WHERE[kind]
        identity, signed_at = row[column], row[time]
        reason = row[10] if kind is Kind.REJECTED else None
    timestamp, tx = places(block, log_index)
    return AssetRow(
        kind=kind,
        id=identity,
        request_id=request_id,
        owner=home if kind in OF_HOME else host,
        home=home,
        host=host,
        process_name=process_name_text(name),
        level=level,
        state=state,
        origin=origin,
        reason=reason,
        signed_at=signed_at,
        block=block,
        timestamp=UnixSeconds(timestamp),
        tx=TxHash(tx),
        log_index=log_index,
        final=block <= places.final,
    )


OF_HOME = frozenset({Kind.REQUEST, Kind.CONFIRMED, Kind.CANARY_OPENED})
WHERE = {
    Kind.REQUEST: (3, 7),
    Kind.ACCEPTED: (8, 9),
    Kind.REJECTED: (8, 9),
    Kind.CONFIRMED: (11, 12),
    Kind.RESULT: (13, 14),
}
"""Columns of id and signing time in a row of ``migrations``."""
