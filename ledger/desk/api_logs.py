"""The raw logs of the copy as events for programs."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from ledger.contracts import contracts_of
from ledger.event_types import BatchSettled, CanariesClaimed, Event, KudosMinted, ValidatorTested
from ledger.events import RawLog, decode
from ledger.packed_claims import decode_claimed
from ledger.reader import Reader
from ledger.record import decode_batch
from ledger.types import BlockNumber, Digest, hex_of

_NAMES: dict[type, str] = {KudosMinted: "TransferSingle", ValidatorTested: "TestOpened"}
"""Events whose class is named apart from the contract's event."""


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One log, decoded."""

    name: str
    block: int
    log_index: int
    block_hash: bytes
    data: dict[str, Any]


def after(reader: Reader, block: int, log_index: int, limit: int) -> list[LogEvent]:
    """The logs behind this place in the order of the chain."""
    conn: sqlite3.Connection = reader.connection
    sql = (
        "SELECT l.block, l.log_index, l.block_hash, l.tx, l.contract, l.topics, l.data, b.timestamp"
        " FROM logs l JOIN blocks b ON b.number = l.block"
        " WHERE (l.block, l.log_index) > (?, ?) ORDER BY l.block, l.log_index LIMIT ?"
    )
    return [_event(reader, row) for row in conn.execute(sql, (block, log_index, limit))]


def block_hash(reader: Reader, number: int) -> bytes | None:
    """The hash of a block that the copy holds."""
    conn: sqlite3.Connection = reader.connection
    row = conn.execute("SELECT hash FROM blocks WHERE number = ?", (number,)).fetchone()
    return bytes(row[0]) if row else None


def _event(reader: Reader, row: tuple[Any, ...]) -> LogEvent:
    block, log_index, hash_, tx, contract, topics, data, timestamp = row
    words = tuple(Digest(topics[i : i + 32]) for i in range(0, len(topics), 32))
    log = RawLog(contract, words, data, BlockNumber(block), hash_, tx, log_index)
    event = decode(log)
    place = {"contract": contracts_of(reader.domain.contract).role(contract)}
    place |= {"block": block, "log_index": log_index, "tx": hex_of(tx), "timestamp": timestamp}
    name = _NAMES.get(type(event), type(event).__name__)
    return LogEvent(name, block, log_index, hash_, place | _members(reader, event))


def _members(reader: Reader, event: Event) -> dict[str, Any]:
    """The event's own fields. Of what many records are packed into, which may be large, only how
    many: /api/v1/assets shows them."""
    members = {each.name: _plain(getattr(event, each.name)) for each in fields(event)}
    if isinstance(event, BatchSettled):
        records = decode_batch(reader.domain, event.host, event.batch)
        members = members | {"batch": None, "records": len(records)}
    if isinstance(event, CanariesClaimed):
        members = members | {"claims": None, "canaries": len(decode_claimed(event.claims))}
    return {name: value for name, value in members.items() if value is not None}


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return hex_of(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    # Bitmaps and seconds may exceed what a JSON number of other languages holds exactly.
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1 << 53:
        return hex(value)
    return value
