"""A file holds what the pages hold, in any format."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import pytest

from ledger.assets import process_name_text
from ledger.desk.queries import explore, export, export_lines, nodes
from ledger.desk.queries.explore_query import Kind, Query, Role, State, name_field
from ledger.desk.queries.export import Format
from ledger.desk.queries.formats import write
from ledger.desk.queries.nodes import NodesQuery
from ledger.types import Address, hex_of
from tests.unit.desk_ledger import Told, make

Lines = list[dict[str, Any]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    path = tmp_path_factory.mktemp("desk") / "index.db"
    make(path, 2000)
    found = Told(path)
    yield found
    found.reader.close()


def read(form: Format, chunks: Iterator[bytes]) -> Lines:
    raw = b"".join(chunks)
    if form is Format.NDJSON:
        return [json.loads(line) for line in raw.splitlines()]
    if form is Format.JSON:
        return list(json.loads(raw))
    if form is Format.PARQUET:
        from pyarrow import parquet

        return list(parquet.read_table(io.BytesIO(raw)).to_pylist())
    return list(csv.DictReader(io.StringIO(raw.decode(), newline="")))


def plain(row: Any) -> dict[str, Any]:
    values = asdict(row)
    return {name: hex_of(v) if isinstance(v, bytes) else v for name, v in values.items()}


def as_csv(rows: Lines) -> Lines:
    return [{name: "" if v is None else str(v) for name, v in row.items()} for row in rows]


def pages(told: Told, query: Query) -> Lines:
    rows: Lines = []
    while True:
        page = explore.page(told.reader, query)
        rows += map(plain, page.rows)
        if page.next is None:
            return rows
        query = replace(query, cursor=page.next)


@pytest.mark.parametrize("form", Format)
def test_a_file_of_assets_holds_what_the_pages_hold(told: Told, form: Format) -> None:
    host = Address(told.assets[0].host)
    for query in (
        Query(limit=500),
        Query(node=host, limit=500),
        Query(node=host, role=Role.HOST, name="cc -O2 unit1.c"),
        Query(kind=Kind.CANARY_OPENED),
        Query(level=3, state=State.REFUSED),
        Query(name="nothing"),
    ):
        expected = pages(told, query)
        found = read(form, export.assets(told.reader, query, form))
        assert found == (as_csv(expected) if form is Format.CSV else expected)


@pytest.mark.parametrize("form", Format)
def test_a_file_of_nodes_holds_what_the_list_holds(told: Told, form: Format) -> None:
    query = NodesQuery(sort="hosted", descending=False, limit=500)
    listed = nodes.list_nodes(told.reader, query).rows
    expected = [plain(line) | {"acceptance": line.acceptance} for line in listed]
    found = read(form, export.nodes(told.reader, query, form))
    assert found == (as_csv(expected) if form is Format.CSV else expected)


@pytest.mark.parametrize("form", Format)
def test_the_first_piece_does_not_wait_for_the_last_row(told: Told, form: Format) -> None:
    chunks = export.assets(told.reader, Query(), form)
    first = next(chunks)
    assert first and len(first) < sum(map(len, chunks)) / 2


@pytest.mark.parametrize("form", [Format.NDJSON, Format.JSON])
def test_lines_written_directly_are_those_of_the_general_writer(told: Told, form: Format) -> None:
    host = Address(told.assets[0].host)
    for query in (
        Query(),
        *(Query(kind=kind) for kind in Kind),
        Query(node=host),
        Query(name="no"),
    ):
        rows = export.asset_rows(told.reader, query)
        general = b"".join(write(rows, export.ASSET_TABLE, form))
        assert b"".join(export.assets(told.reader, query, form)) == general


@pytest.mark.parametrize(
    "name", ['"quoted" \\ back', "tab\tand line\n", "größer", "\x7f", "a" * 32]
)
def test_a_name_in_a_line_is_escaped(name: str) -> None:
    field = name_field(name)
    assert json.loads(export_lines._name(field)) == process_name_text(field)
