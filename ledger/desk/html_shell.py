"""What every page has: the frame with the freshness of the data, and addresses of other pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BeforeValidator, Field

from ledger.desk.context import Desk
from ledger.desk.problems import BadRequest, NotFound
from ledger.reader import Reader
from ledger.types import Address, address_from_hex

FORMATS = (("csv", "CSV"), ("json", "JSON"), ("ndjson", "NDJSON"), ("parquet", "Parquet"))
"""What a list can be had as: the ending of the file, and its name for people."""

EMPTY = BeforeValidator(lambda given: None if given == "" else given)
"""A form sends a field that was left empty; that means the same as not to send it."""

Cursor = Annotated[str | None, Query(max_length=400)]
Rows = Annotated[int, Query(ge=1, le=500)]
Block = Annotated[Annotated[int, Field(ge=0, lt=1 << 63)] | None, EMPTY]
"""Totals as of this block."""


def show(
    desk: Desk, request: Request, reader: Reader, template: str, **values: Any
) -> HTMLResponse:
    """A page over one state of the copy."""
    head = reader.head()
    frame: dict[str, Any] = {
        "head": head,
        "freshness": desk.freshness(head),
        "stale_after": desk.stale_after,
        "here": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        "path": request.url.path,
        "formats": FORMATS,
    }
    return desk.render(template, **frame, **values)


def query_string(params: Mapping[str, object]) -> str:
    """Parameters as an address; empty ones are left out."""
    given = {name: value for name, value in params.items() if value not in (None, "", False)}
    return urlencode({name: 1 if value is True else value for name, value in given.items()})


class Link:
    """The address of this page with some parameters changed; a change starts at the first page."""

    def __init__(self, path: str, params: Mapping[str, object]) -> None:
        self._path, self._params = path, dict(params)

    def __call__(self, **changes: object) -> str:
        query = query_string({**self._params, "cursor": None, **changes})
        return f"{self._path}?{query}" if query else self._path

    def query(self) -> str:
        """The parameters alone, from the first page on."""
        return query_string({**self._params, "cursor": None})


def node_address(text: str) -> Address:
    """An address out of a path; a page that says so when it is none."""
    try:
        return address_from_hex(text)
    except ValueError:
        raise NotFound(f"{text[:80]} is no address: those have 40 hex digits after 0x.") from None


def optional_address(name: str, text: str) -> Address | None:
    """An address out of a form's field; None when it was left empty."""
    if not text.strip():
        return None
    try:
        return address_from_hex(text.strip())
    except ValueError:
        raise BadRequest(name, "an address has 40 hex digits after 0x") from None
