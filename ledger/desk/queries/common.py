"""What all queries share: pages with cursors, counts that may be capped, errors of the asker."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from ledger.errors import UsageError

MAX_LIMIT = 500
DAY = 86_400

T = TypeVar("T")
Key = tuple[int | bytes, ...]


class BadQuery(UsageError):
    """The asker's fault: a limit, a cursor, a filter that cannot be."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows, and the cursor of the next page; None at the end.

    A page may hold fewer rows than its limit, even none, and still have a next one: a query whose
    matches are rare looks at a bounded number of rows for each page.
    """

    rows: tuple[T, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Count:
    """A number of rows; not exact means: at least so many, the counting was cut short."""

    value: int
    exact: bool = True

    @property
    def text(self) -> str:
        """ "1,234", or "10,000+"."""
        return f"{self.value:,}" + ("" if self.exact else "+")


def check_limit(limit: int) -> int:
    """The limit, if it is one."""
    if not 1 <= limit <= MAX_LIMIT:
        raise BadQuery(
            f"A page has 1 to {MAX_LIMIT} rows, not {limit}.", hint="Ask for fewer, then go on."
        )
    return limit


def check_span(units: int, most: int) -> int:
    """How far back a series reaches, if it may."""
    if not 1 <= units <= most:
        raise BadQuery(f"A series has 1 to {most} points, not {units}.", hint="Ask for fewer.")
    return units


def write_cursor(key: Sequence[int | bytes]) -> str:
    """A key as text for a URL."""
    packed = msgspec.msgpack.encode(list(key))
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def read_cursor(text: str, kinds: Sequence[type]) -> Key:
    """The key that ``write_cursor`` wrote, if its parts are of these kinds."""
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
        key = msgspec.msgpack.decode(packed)
    except (ValueError, binascii.Error, msgspec.DecodeError):
        key = None
    if not isinstance(key, list) or [type(part) for part in key] != list(kinds):
        raise BadQuery(
            "This cursor is none of ours.", hint="Take it from the page before, unchanged."
        )
    if any(isinstance(part, int) and not -(1 << 63) <= part < 1 << 63 for part in key):
        raise BadQuery("This cursor is out of range.", hint="Take it from the page before.")
    return tuple(key)
