"""How many assets a query selects, and how they spread over each dimension.

Exact from roll-ups: no filter, one of kind, level, state, node, day(s), validator or name, kind
with any one of these, level with state. Everything else is counted row by row, up to ``CAP``
matches and ``SCAN`` rows looked at; a count that was cut short says so.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from ledger import facet_sums
from ledger.assets import process_name_text
from ledger.desk.queries.common import DAY, Count
from ledger.desk.queries.explore import STATE_NAMES
from ledger.desk.queries.explore_query import (
    Kind,
    Origin,
    Query,
    Role,
    State,
    day_text,
    kind_column,
    name_field,
)
from ledger.desk.queries.facet_scan import CAP, DIMENSIONS, scanned
from ledger.desk.queries.streams import STATES, kinds_of
from ledger.reader import Reader
from ledger.types import hex_of

__all__ = ["CAP", "VALUES", "Facet", "FacetValue", "count", "survey"]

VALUES = 20
"""How many values of one dimension are shown, those with the most assets first."""

CANDIDATES = 250
"""Of a dimension with more values, those with the most assets of all kinds are considered."""

_NODE = {Role.HOME: facet_sums.HOME, Role.HOST: facet_sums.HOST}


@dataclass(frozen=True, slots=True)
class FacetValue:
    """One value of a dimension: what to show, the query that selects it (or, if it is selected,
    the one that lets it go), how many assets it leaves."""

    value: str
    params: str
    count: Count
    selected: bool


@dataclass(frozen=True, slots=True)
class Facet:
    """One dimension: kind, level, state, origin, node, validator, name or day (these newest first).
    ``more``: there are values that are not shown."""

    dimension: str
    values: tuple[FacetValue, ...]
    more: bool


def count(reader: Reader, query: Query) -> Count:
    """How many assets a query selects, over all its pages."""
    rolled = _rolled_up(reader.connection, query)
    return Count(rolled) if rolled is not None else scanned(reader.connection, query).total


def survey(reader: Reader, query: Query) -> tuple[Count, tuple[Facet, ...]]:
    """``count``, and every dimension, counted without its own filter where roll-ups know that, else
    only the selected value."""
    conn = reader.connection
    rolled = _rolled_up(conn, query)
    scan = scanned(conn, query) if rolled is None else None
    total = scan.total if scan else Count(rolled or 0)
    found = []
    for dimension in DIMENSIONS:
        selected = _selected(query, dimension)
        base = query.without(dimension)
        values = _rolled_values(conn, base, dimension)
        if values is None and selected is not None:
            values = {selected: total}
        elif values is None:
            scan = scan or scanned(conn, query)
            values = scan.values(dimension)
        if selected is not None:
            values.setdefault(selected, total)
        found.append(_facet(base, dimension, values, selected))
    return total, tuple(found)


def _facet(base: Query, dimension: str, values: dict[Any, Count], selected: Any) -> Facet:
    ordered = sorted(
        ((value, many) for value, many in values.items() if many.value or value == selected),
        key=lambda pair: (-pair[0] if dimension == "day" else -pair[1].value, _order(pair[0])),
    )
    shown = ordered[:VALUES]
    if selected is not None and selected not in dict(shown):
        shown[-1:] = [pair for pair in ordered if pair[0] == selected]
    return Facet(
        dimension,
        tuple(
            FacetValue(
                _text(dimension, value),
                base.url() if value == selected else _with(base, dimension, value),
                many,
                value == selected,
            )
            for value, many in shown
        ),
        len(ordered) > len(shown),
    )


def _order(value: Any) -> Any:
    return value if isinstance(value, bytes | int) else str(value)


def _text(dimension: str, value: Any) -> str:
    match dimension:
        case "node" | "validator":
            return hex_of(value)
        case "name":
            return process_name_text(value)
        case "day":
            return day_text(value)
        case _:
            return str(value)


def _with(base: Query, dimension: str, value: Any) -> str:
    if dimension == "day":
        return base.url(since=value, until=value + DAY)
    if dimension == "name":
        return base.url(name=process_name_text(value) or hex_of(value))
    return base.url(**{dimension: value})


def _selected(query: Query, dimension: str) -> Any:
    if dimension == "day":
        whole = query.since is not None and query.until == query.since + DAY
        return query.since if whole and query.since and query.since % DAY == 0 else None
    if dimension == "name":
        return name_field(query.name) if query.name is not None else None
    return getattr(query, dimension)


# From roll-ups.


def _filters(query: Query) -> set[str]:
    """The dimensions that are filtered, kind aside; level and state count as one."""
    given = {
        name for name in ("node", "validator", "name", "origin") if getattr(query, name) is not None
    }
    if query.level is not None or query.state is not None:
        given.add("outcome")
    if query.since is not None or query.until is not None:
        given.add("day")
    return given


def _rolled_up(conn: sqlite3.Connection, query: Query) -> int | None:
    """The exact count, where roll-ups have it."""
    given = _filters(query)
    if len(given) > 1 or ("day" in given and not _whole_days(query)):
        return None
    if not kinds_of(query):
        return 0
    column = kind_column(query.kind)
    match given:
        case s if "node" in s:
            dimensions = [_NODE[query.role]] if query.role in _NODE else list(_NODE.values())
            return sum(_sum(conn, column, dimension, query.node) for dimension in dimensions)
        case s if "validator" in s:
            sql = "SELECT approved + refused + abstained FROM validator_totals WHERE validator = ?"
            row = conn.execute(sql, (query.validator,)).fetchone()
            return int(row[0]) if row else 0
        case s if "origin" in s:
            return _sum(conn, "kudos", facet_sums.ORIGIN, query.origin)
        case s if "name" in s:
            return _sum(conn, column, facet_sums.NAME, name_field(query.name or ""))
        case s if "outcome" in s:
            levels = (query.level,) if query.level is not None else (1, 2, 3)
            states = (STATES[query.state],) if query.state is not None else STATE_NAMES
            pairs = [10 * level + state for level in levels for state in states]
            return sum(_sum(conn, "kudos", facet_sums.OUTCOME, pair) for pair in pairs)
        case s if "day" in s:
            low = 0 if query.since is None else query.since // DAY
            high = (1 << 53) if query.until is None else query.until // DAY - 1
            sql = (
                f"SELECT total({column}) FROM facets WHERE dimension = ? AND value BETWEEN ? AND ?"
            )
            return int(conn.execute(sql, (facet_sums.DAY, low, high)).fetchone()[0])
        case _:
            return _sum(conn, column, facet_sums.ALL, 0)


def _sum(conn: sqlite3.Connection, column: str, dimension: int, value: object) -> int:
    sql = f"SELECT {column} FROM facets WHERE dimension = ? AND value = ?"
    row = conn.execute(sql, (dimension, value)).fetchone()
    return int(row[0]) if row else 0


def _whole_days(query: Query) -> bool:
    return (query.since or 0) % DAY == 0 and (query.until or 0) % DAY == 0


_FEW: dict[str, tuple[Any, ...]] = {
    "kind": tuple(Kind),
    "level": (1, 2, 3),
    "state": tuple(State),
    "origin": tuple(Origin),
}
"""Dimensions whose values are known beforehand."""


def _rolled_values(
    conn: sqlite3.Connection, base: Query, dimension: str
) -> dict[Any, Count] | None:
    """The exact counts of a dimension's values under other filters, where roll-ups have them."""
    if dimension in _FEW:
        options = _FEW[dimension]
        counts = {value: _rolled_up(conn, replace(base, **{dimension: value})) for value in options}
        if any(many is None for many in counts.values()):
            return None
        return {value: Count(many) for value, many in counts.items() if many is not None}
    if _filters(base):
        return None
    if not kinds_of(base):
        return {}
    column = kind_column(base.kind)
    if dimension == "validator":
        if base.kind not in (None, Kind.KUDOS):
            return {}
        sql = "SELECT validator, approved + refused + abstained FROM validator_totals LIMIT ?"
        return {who: Count(many) for who, many in conn.execute(sql, (CANDIDATES,))}
    counted: Counter[Any] = Counter()
    for number in _numbers(base, dimension):
        order = "value" if dimension == "day" else "total"
        sql = (
            f"SELECT value, {column} FROM facets WHERE dimension = ?"
            f" ORDER BY {order} DESC LIMIT {CANDIDATES}"
        )
        for value, many in conn.execute(sql, (number,)):
            counted[value * DAY if dimension == "day" else value] += many
    return {value: Count(many) for value, many in counted.items()}


def _numbers(base: Query, dimension: str) -> tuple[int, ...]:
    if dimension == "node":
        return (_NODE[base.role],) if base.role in _NODE else tuple(_NODE.values())
    return (facet_sums.DAY if dimension == "day" else facet_sums.NAME,)
