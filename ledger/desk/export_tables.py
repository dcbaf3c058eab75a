"""Which lists can be had as files, and what stands in their columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any, TypeVar, get_type_hints

from ledger.desk.context import Desk
from ledger.desk.html_nodes import nodes_query
from ledger.desk.html_shell import node_address
from ledger.desk.html_validators import VERDICTS
from ledger.desk.problems import BadRequest
from ledger.desk.queries import export, flow, validators, why
from ledger.desk.queries.common import MAX_LIMIT, Page
from ledger.desk.queries.explore_query import Query
from ledger.desk.queries.formats import Format, Table, write
from ledger.desk.views import STATES
from ledger.desk.views import VERDICTS as VERDICT_NAMES
from ledger.desk.views_explore import form_params
from ledger.reader import Reader
from ledger.reasons import describe
from ledger.types import hex_of

T = TypeVar("T")
Columns = Mapping[str, type]
Row = Mapping[str, Any]
Params = Mapping[str, str]
Source = Callable[[Reader], Iterator[bytes]]


def all_rows(fetch: Callable[[str | None], Page[T]]) -> Iterator[T]:
    """The rows of all pages."""
    cursor: str | None = None
    while True:
        page = fetch(cursor)
        yield from page.rows
        if page.next is None:
            return
        cursor = page.next


def encode(columns: Columns, rows: Iterable[Row], form: Format) -> Iterator[bytes]:
    """A file of these rows; bytes become 0x and hex digits."""
    plain = (tuple(_plain(row[name]) for name in columns) for row in rows)
    return write(plain, Table(columns), form)


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return hex_of(value)
    return value if value is None or isinstance(value, int) else str(value)


def assets(desk: Desk, params: Params, form: Format) -> Source:
    """As /explore."""
    query = Query.from_params(form_params(params))
    return lambda reader: export.assets(reader, query, form)


def nodes(desk: Desk, params: Params, form: Format) -> Source:
    """As /nodes."""
    query = nodes_query(
        desk,
        params.get("sort", "points"),
        params.get("order", "desc"),
        params.get("prefix", ""),
        _number(params, "least") or 0,
        params.get("named", "") in ("1", "true"),
        _number(params, "at"),
    )
    return lambda reader: export.nodes(reader, query, form)


def flows(desk: Desk, params: Params, form: Format) -> Source:
    """As the table of /flow."""
    columns = _columns(flow.Edge)

    def rows(reader: Reader) -> Iterator[bytes]:
        edges = all_rows(lambda cursor: flow.table(reader, MAX_LIMIT, cursor))
        return encode(columns, ({name: getattr(e, name) for name in columns} for e in edges), form)

    return rows


def all_validators(desk: Desk, params: Params, form: Format) -> Source:
    """As /validators."""
    quantiles = ("latency_blocks", "latency_seconds")
    columns = {n: k for n, k in _columns(validators.ValidatorLine).items() if n not in quantiles}
    columns |= {f"{name}_{which}": int for name in quantiles for which in ("median", "p95")}

    def row(line: validators.ValidatorLine) -> dict[str, Any]:
        values = {field.name: getattr(line, field.name) for field in fields(line)}
        for name in quantiles:
            found = values.pop(name)
            values |= {f"{name}_median": found.median, f"{name}_p95": found.p95}
        return values

    def rows(reader: Reader) -> Iterator[bytes]:
        lines = validators.list_validators(reader, desk.members(reader))
        return encode(columns, map(row, lines), form)

    return rows


def votes(desk: Desk, params: Params, form: Format) -> Source:
    """As /validators/{address}."""
    who = node_address(params.get("validator", ""))
    verdict = _one_of(params, "verdict", ("", *VERDICTS))
    disagreeing = params.get("disagreeing", "") in ("1", "true")
    columns = _columns(validators.Ballot) | {"verdict": str, "state": str, "reason": str}

    def row(ballot: validators.Ballot) -> dict[str, Any]:
        values = {field.name: getattr(ballot, field.name) for field in fields(ballot)}
        reason = None if ballot.reason is None else describe(ballot.reason)
        names = {"verdict": VERDICT_NAMES[ballot.verdict], "state": STATES[ballot.state]}
        return values | names | {"reason": reason}

    def rows(reader: Reader) -> Iterator[bytes]:
        def fetch(cursor: str | None) -> Page[validators.Ballot]:
            wanted = VERDICTS.get(verdict)
            return validators.ballots(reader, who, wanted, disagreeing, MAX_LIMIT, cursor)

        return encode(columns, map(row, all_rows(fetch)), form)

    return rows


def reasons(desk: Desk, params: Params, form: Format) -> Source:
    """As the reasons on /nodes/{address}."""
    who = node_address(params.get("node", ""))
    outcome = _one_of(params, "outcome", ("", *why.Outcome))
    chosen = why.Outcome(outcome) if outcome else None
    columns = _columns(why.Why) | {"votes": str, "waiting_on": str, "reason": str, "state": str}

    def row(each: why.Why) -> dict[str, Any]:
        said = "; ".join(
            f"0x{one.validator.hex()} {VERDICT_NAMES[one.verdict]}"
            + ("" if one.reason is None else f" ({describe(one.reason)})")
            for one in each.votes
        )
        values = {field.name: getattr(each, field.name) for field in fields(each)}
        waiting = "; ".join(f"0x{one.hex()}" for one in each.waiting_on)
        reason = None if each.reason is None else describe(each.reason)
        return values | {"votes": said, "waiting_on": waiting, "reason": reason}

    def rows(reader: Reader) -> Iterator[bytes]:
        def fetch(cursor: str | None) -> Page[why.Why]:
            return why.why(reader, who, desk.members(reader), chosen, MAX_LIMIT, cursor)

        return encode(columns, map(row, all_rows(fetch)), form)

    return rows


TABLES: Mapping[str, Callable[[Desk, Params, Format], Source]] = {
    "assets": assets,
    "nodes": nodes,
    "flow": flows,
    "validators": all_validators,
    "votes": votes,
    "why": reasons,
}
"""By the name in the file's address."""


def _columns(row: type) -> dict[str, type]:
    """The fields of a dataclass: numbers stay numbers, everything else becomes text."""
    hints = get_type_hints(row)
    return {each.name: _kind(hints[each.name]) for each in fields(row)}


def _kind(hint: Any) -> type:
    kinds = [getattr(kind, "__supertype__", kind) for kind in getattr(hint, "__args__", (hint,))]
    return next((kind for kind in (bool, int) if kind in kinds), str)


def _number(params: Params, name: str) -> int | None:
    text = params.get(name, "")
    if not text:
        return None
    if not text.isdecimal() or len(text) > 18:
        raise BadRequest(name, "a whole number is needed")
    return int(text)


def _one_of(params: Params, name: str, choices: tuple[str, ...]) -> str:
    text = params.get(name, "")
    if text not in choices:
        raise BadRequest(name, f"one of {', '.join(filter(None, choices))}")
    return text
