"""Between the form of the page Explore and its query. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from ledger.desk.problems import BadRequest
from ledger.desk.queries.explore_query import Query, Role
from ledger.desk.wording import clock_text
from ledger.types import short

_DATES = {"from": "since", "to": "until"}
"""Fields of the form that hold a date and time; the query has seconds."""


def form_params(given: Mapping[str, str]) -> dict[str, str]:
    """The parameters of a query, with the dates of the form as seconds."""
    params = {name: value for name, value in given.items() if name not in _DATES}
    for field, name in _DATES.items():
        if text := given.get(field, "").strip():
            params[name] = str(_seconds(field, text))
    return params


def chips(query: Query) -> list[tuple[str, str]]:
    """Every filter in words, and the query string without it."""
    words: list[tuple[str, str]] = []
    for name in ("kind", "level", "state", "origin", "node", "validator", "name", "since", "until"):
        value = getattr(query, name)
        if value is not None:
            words.append((_text(name, value, query), query.url(**{name: None})))
    return words


def _text(name: str, value: object, query: Query) -> str:
    if isinstance(value, bytes):
        role = "" if name != "node" or query.role == Role.EITHER else f" as {query.role}"
        return f"{name}: {short(value)}{role}"
    if name in ("since", "until"):
        return f"{'from' if name == 'since' else 'before'} {clock_text(int(str(value)))}"
    return f"{name}: K{value}" if name == "level" else f"{name}: {value}"


def _seconds(field: str, text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise BadRequest(field, "a time looks like 2026-11-21T09:30") from None
