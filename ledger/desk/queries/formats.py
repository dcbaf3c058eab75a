"""Rows to CSV, JSON, NDJSON and Parquet, a batch at a time."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any

import msgspec

FIRST_BATCH, BATCH, ROW_GROUP = 100, 5_000, 16_384
PIECE = 2_000
"""Rows of a piece that is made of lines: a megabyte, which stays near the processor."""

Rows = Iterator[tuple[Any, ...]]


class Format(StrEnum):
    """The file formats."""

    CSV = "csv"
    JSON = "json"
    NDJSON = "ndjson"
    PARQUET = "parquet"

    @property
    def media_type(self) -> str:
        return _MEDIA[self]


_MEDIA = {
    Format.CSV: "text/csv; charset=utf-8; header=present",
    Format.JSON: "application/json",
    Format.NDJSON: "application/x-ndjson",
    Format.PARQUET: "application/vnd.apache.parquet",
}


@dataclass(frozen=True, slots=True)
class Table:
    """Columns in their order, each str, int or bool; any value may be None."""

    columns: Mapping[str, type]


def write(rows: Rows, table: Table, form: Format) -> Iterator[bytes]:
    """The file in pieces; the first piece comes with the first rows."""
    return _WRITERS[form](rows, table)


def write_lines(lines: Iterator[tuple[int, str]], form: Format) -> Iterator[bytes]:
    """As NDJSON or JSON, of rows that are lines of JSON already: how many rows, and their text."""
    pieces = _joined(lines)
    return _array(pieces) if form is Format.JSON else pieces


def _joined(lines: Iterator[tuple[int, str]]) -> Iterator[bytes]:
    texts: list[str] = []
    rows, size = 0, FIRST_BATCH
    for many, text in lines:
        texts.append(text)
        rows += many
        if rows >= size:
            yield "".join(texts).encode()
            texts.clear()
            rows, size = 0, PIECE
    if rows:
        yield "".join(texts).encode()


def _batches(rows: Rows) -> Iterator[list[tuple[Any, ...]]]:
    size = FIRST_BATCH
    while batch := list(islice(rows, size)):
        yield batch
        size = BATCH


def _ndjson(rows: Rows, table: Table) -> Iterator[bytes]:
    line = msgspec.defstruct("Line", [(name, Any) for name in table.columns], gc=False)
    encoder = msgspec.json.Encoder()
    for batch in _batches(rows):
        yield encoder.encode_lines([line(*row) for row in batch])


def _json(rows: Rows, table: Table) -> Iterator[bytes]:
    return _array(_ndjson(rows, table))


def _array(pieces: Iterator[bytes]) -> Iterator[bytes]:
    before = b"[\n"
    for lines in pieces:
        # A line end inside of a value is escaped: these are all between rows.
        yield before + lines[:-1].replace(b"\n", b",\n")
        before = b",\n"
    yield b"[]\n" if before == b"[\n" else b"\n]\n"


def _csv(rows: Rows, table: Table) -> Iterator[bytes]:
    yield ",".join(table.columns).encode() + b"\r\n"
    for batch in _batches(rows):
        text = io.StringIO(newline="")
        csv.writer(text).writerows(batch)
        yield text.getvalue().encode()


def _parquet(rows: Rows, table: Table) -> Iterator[bytes]:
    import pyarrow as pa  # takes longer to import than all of the service
    from pyarrow import parquet

    kinds: dict[type, Any] = {str: pa.string(), int: pa.int64(), bool: pa.bool_()}
    schema = pa.schema([(name, kinds[kind]) for name, kind in table.columns.items()])
    sink = _Sink()
    # Ids hardly repeat: a dictionary of them costs time and gains nothing.
    repeating = [name for name in table.columns if not name.endswith("id") and name != "tx"]
    options = {"compression": "lz4", "use_dictionary": repeating, "write_statistics": False}
    with parquet.ParquetWriter(sink, schema, **options) as writer:
        yield sink.take()
        while batch := list(islice(rows, ROW_GROUP)):
            columns = [
                pa.array(values, type=field.type)
                for values, field in zip(zip(*batch, strict=True), schema, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
            yield sink.take()
    yield sink.take()


class _Sink(io.RawIOBase):
    """A file that is handed on while it is written."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._at = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def write(self, data: Any, /) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._at += len(part)
        return len(part)

    def take(self) -> bytes:
        """What has been written since."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


_WRITERS: dict[Format, Callable[[Rows, Table], Iterator[bytes]]] = {
    Format.CSV: _csv,
    Format.JSON: _json,
    Format.NDJSON: _ndjson,
    Format.PARQUET: _parquet,
}
