"""Exactly what a list shows, as a file, in pieces: ten million rows need the memory of ten.

Numbers are numbers, bytes are 0x and hex digits, what does not apply is null (CSV: empty).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import fields
from functools import lru_cache
from operator import itemgetter
from typing import Any

from ledger.assets import process_name_text
from ledger.changes import unsigned_64
from ledger.desk.queries.explore import KINDS, OF_HOME, STATE_NAMES, WHERE, Places
from ledger.desk.queries.explore_query import Kind, Query
from ledger.desk.queries.export_lines import Lines
from ledger.desk.queries.formats import Format, Table, write, write_lines
from ledger.desk.queries.nodes import NodeLine, NodesQuery, select_nodes, sort_nodes
from ledger.desk.queries.streams import RANKS, Stream, kinds_of, streams
from ledger.reader import Reader
from ledger.types import hex_of

__all__ = ["Format", "assets", "nodes"]

ASSET_TABLE = Table(
    {
        **dict.fromkeys(("kind", "id", "request_id", "owner", "home", "host"), str),
        "process_name": str,
        "level": int,
        "state": str,
        "origin": str,
        "reason": int,
        "signed_at": int,
        "block": int,
        "timestamp": int,
        "tx": str,
        "log_index": int,
        "final": bool,
    }
)
NODE_TABLE = Table(
    {field.name: str if field.name == "address" else int for field in fields(NodeLine)}
    | {"acceptance": int}
)


def assets(reader: Reader, query: Query, form: Format) -> Iterator[bytes]:
    """All that an explore query selects, over all its pages, in their order. Keep the reader open,
    and in one snapshot, until the iterator ends."""
    if form in (Format.NDJSON, Format.JSON):
        return write_lines(_lines(reader, query), form)
    return write(asset_rows(reader, query), ASSET_TABLE, form)


def nodes(reader: Reader, query: NodesQuery, form: Format) -> Iterator[bytes]:
    """All that a list of nodes selects, over all its pages, in their order."""
    lines = sort_nodes(select_nodes(reader, query), query)
    return write((_node(line) for line in lines), NODE_TABLE, form)


def _node(line: NodeLine) -> tuple[Any, ...]:
    values = (getattr(line, name) for name in list(NODE_TABLE.columns)[1:])
    return (hex_of(line.address), *values)


def _lines(reader: Reader, query: Query) -> Iterator[tuple[int, str]]:
    """All of them as lines of JSON: how many assets, and their lines."""
    lines, conn = Lines(reader, kinds_of(query)), reader.connection
    parts = [lines.of(stream.table, stream.all_rows(conn)) for stream in streams(conn, query)]
    merged = parts[0] if len(parts) == 1 else heapq.merge(*parts, key=itemgetter(0), reverse=True)
    return ((many, text) for _, many, text in merged)


def asset_rows(reader: Reader, query: Query) -> Iterator[tuple[Any, ...]]:
    """The rows of all streams in one order, each as the assets that it stands for."""
    kinds = kinds_of(query)
    parts = [_groups(reader, stream, kinds) for stream in streams(reader.connection, query)]
    merged: Iterable[_Group] = heapq.merge(*parts, key=itemgetter(0), reverse=True)
    for _, group in parts[0] if len(parts) == 1 else merged:
        yield from group


def _groups(reader: Reader, stream: Stream, kinds: frozenset[Kind]) -> Iterator[_Group]:
    """Each row's assets, the latest first, under the key of the latest."""
    places, kinds_in = Places(reader), KINDS[stream.table]
    describe = _DESCRIBE[stream.table]
    for row in stream.all_rows(reader.connection):
        made = list(kinds_in(row, kinds))
        block, log_index, item, request_id, home, host, name = row[:7]
        timestamp, tx = places(block, log_index)
        request, parties = hex_of(request_id), (hex_of(home), hex_of(host))
        text, place = _name_text(name), (block, timestamp, hex_of(tx), log_index)
        final = block <= places.final
        yield (
            (block, log_index, item, RANKS[made[-1]]),
            [
                (_NAMES[kind], identity, request, owner, *parties, text, *said, *place, final)
                for kind, identity, owner, said in describe(row, made, request, parties)
            ],
        )


def _of_migration(
    row: Any, made: list[Kind], request: str, parties: tuple[str, str]
) -> Iterator[_Described]:
    for kind in reversed(made):
        column, time = WHERE[kind]
        reason = row[10] if kind is Kind.REJECTED else None
        identity = request if column == 3 else hex_of(row[column])
        yield kind, identity, parties[kind not in OF_HOME], (None, None, None, reason, row[time])


def _of_opening(
    row: Any, _made: list[Kind], _request: str, parties: tuple[str, str]
) -> Iterator[_Described]:
    said = (None, None, None, None, unsigned_64(row[8]))
    yield Kind.CANARY_OPENED, hex_of(row[7]), parties[0], said


def _of_kudos(
    row: Any, _made: list[Kind], _request: str, parties: tuple[str, str]
) -> Iterator[_Described]:
    said = (row[8], STATE_NAMES[row[9]].value, row[10], None, None)
    yield Kind.KUDOS, hex_of(row[7]), parties[1], said


def _of_step(
    row: Any, made: list[Kind], _request: str, parties: tuple[str, str]
) -> Iterator[_Described]:
    for kind in made:
        said = (None, None, None, row[10], row[9])
        yield kind, hex_of(row[7]), parties[kind not in OF_HOME], said


_NAMES = {kind: kind.value for kind in Kind}
_name_text = lru_cache(maxsize=4096)(process_name_text)
_Group = tuple[tuple[int, int, int, int], list[tuple[Any, ...]]]
_Described = tuple[Kind, str, str, tuple[Any, ...]]
_DESCRIBE = {
    "migrations": _of_migration,
    "steps": _of_step,
    "openings": _of_opening,
    "kudos": _of_kudos,
}
