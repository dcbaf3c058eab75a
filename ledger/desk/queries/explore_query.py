"""What ``explore`` and its exports are asked: filters, and the query string that stands for them.

?kind=KUDOS&level=3&state=refused&origin=drawn&node=0x..&role=host&validator=0x..&name=cc&since=..&until=..
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import urlencode

from ledger.assets import process_name_field
from ledger.desk.queries.common import DAY, BadQuery, check_limit
from ledger.types import Address, Digest, address_from_hex, hex_of

FAR = 1 << 53
"""Beyond all times: what a number in JSON can still say exactly."""


class Kind(StrEnum):
    """The assets, in the order in which a migration leaves them."""

    REQUEST = "REQUEST"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    CONFIRMED = "CONFIRMED"
    RESULT = "RESULT"
    CANARY_OPENED = "CANARY_OPENED"
    KUDOS = "KUDOS"


class Origin(StrEnum):
    """Where the canary of a K3 comes from: marked by its home beforehand, drawn by the beacon
    afterwards, or a puzzle that a newcomer asked the contract for."""

    PLANTED = "planted"
    DRAWN = "drawn"
    OPEN = "open"


class Role(StrEnum):
    """As what the node of a query takes part."""

    EITHER = "either"
    HOME = "home"
    HOST = "host"


class State(StrEnum):
    """Of a Kudos claim; as ``ledger.desk.views.STATES``."""

    WAITING = "waiting"
    VERIFIED = "verified"
    REFUSED = "refused"
    VOID = "void"


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Query:
    """Filters, all of which must hold. ``since`` and ``until`` are block times, until excluded.

    Level, state, origin and validator leave only KUDOS over. A name is compared whole.
    """

    kind: Kind | None = None
    level: int | None = None
    state: State | None = None
    origin: Origin | None = None
    node: Address | None = None
    role: Role = Role.EITHER
    validator: Address | None = None
    name: str | None = None
    since: int | None = None
    until: int | None = None
    limit: int = 50
    cursor: str | None = None

    @classmethod
    def from_params(cls, params: Mapping[str, str]) -> Query:
        """From a query string's parameters; empty ones are absent, unknown ones raise BadQuery.

        ``day=2026-11-21`` stands for ``since`` and ``until`` of that day (UTC).
        """
        given = {key: value for key, value in params.items() if value}
        for key in given.keys() - _READERS.keys():
            raise _bad(key, given[key], f"one of {', '.join(_READERS)}", "There is no filter")
        values: dict[str, Any] = {key: _read(key, text) for key, text in given.items()}
        if (day := values.pop("day", None)) is not None:
            values |= {"since": day, "until": day + DAY}
        query = cls(**values)
        check_limit(query.limit)
        return query

    def to_params(self) -> dict[str, str]:
        """The reverse; what has its default is left out."""
        values: dict[str, str | None] = {
            "kind": self.kind,
            "level": None if self.level is None else str(self.level),
            "state": self.state,
            "origin": self.origin,
            "node": hex_of(self.node) if self.node else None,
            "role": None if self.role is Role.EITHER else self.role,
            "validator": hex_of(self.validator) if self.validator else None,
            "name": self.name,
            **self._times(),
            "limit": None if self.limit == 50 else str(self.limit),
            "cursor": self.cursor,
        }
        return {key: str(value) for key, value in values.items() if value}

    def url(self, **changes: Any) -> str:
        """The query string with these fields changed, and from the first page unless a cursor is
        among the changes: ``query.url(kind=Kind.KUDOS)`` gives "kind=KUDOS&..."."""
        return urlencode(replace(self, **{"cursor": None, **changes}).to_params())

    def without(self, dimension: str) -> Query:
        """The same without one filter (``day`` is since and until), from the first page."""
        gone: dict[str, Any] = {"since": None, "until": None} if dimension == "day" else {}
        return replace(self, **(gone or {dimension: None}), cursor=None)

    @property
    def only_kudos(self) -> bool:
        """Whether a filter is set that only Kudos can pass."""
        asked = (self.level, self.state, self.origin, self.validator)
        return any(value is not None for value in asked)

    def _times(self) -> dict[str, str | None]:
        since, until = self.since, self.until
        is_day = since is not None and until == since + DAY and since % DAY == 0
        if is_day and since is not None and (text := day_text(since)):
            return {"day": text}
        return {
            "since": None if since is None else str(since),
            "until": None if until is None else str(until),
        }


def kind_column(kind: Kind | None) -> str:
    """The column of ``facets`` that counts a kind, or all."""
    return "total" if kind is None else kind.value.lower()


def name_field(name: str) -> Digest:
    """A name as it stands on the ledger; 0x and 64 digits are a hash in its place."""
    if len(name) == 66 and name.startswith("0x"):
        try:
            return Digest(bytes.fromhex(name[2:]))
        except ValueError:
            pass
    return process_name_field(name)


def day_text(second: int) -> str:
    """The UTC date of a second; empty when no calendar has it."""
    try:
        return datetime.fromtimestamp(second, UTC).date().isoformat()
    except (OverflowError, OSError, ValueError):
        return ""


def _read(key: str, text: str) -> Any:
    reader, meant = _READERS[key]
    try:
        return reader(text)
    except ValueError:
        raise _bad(key, text, meant, "This cannot be") from None


def _bad(key: str, text: str, meant: str, what: str) -> BadQuery:
    return BadQuery(f"{what} {key}: {text[:80]!r}.", hint=f"Give {meant}.")


def _level(text: str) -> int:
    if text not in ("1", "2", "3"):
        raise ValueError
    return int(text)


def _time(text: str) -> int:
    if "-" in text:
        return _day(text)
    if not (text.isascii() and text.isdigit()) or int(text) > FAR:
        raise ValueError
    return int(text)


def _day(text: str) -> int:
    at = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
    if at.year < 1970:
        raise ValueError
    return int(at.timestamp())


_READERS: Mapping[str, tuple[Callable[[str], Any], str]] = {
    "kind": (Kind, f"one of {', '.join(Kind)}"),
    "level": (_level, "1, 2 or 3"),
    "state": (State, f"one of {', '.join(State)}"),
    "origin": (Origin, f"one of {', '.join(Origin)}"),
    "node": (address_from_hex, "an address: 0x and 40 digits"),
    "role": (Role, f"one of {', '.join(Role)}"),
    "validator": (address_from_hex, "an address: 0x and 40 digits"),
    "name": (str, "a process name"),
    "since": (_time, "seconds since 1970, or a date such as 2026-11-21"),
    "until": (_time, "seconds since 1970, or a date such as 2026-11-21"),
    "day": (_day, "a date such as 2026-11-21"),
    "limit": (int, "a number of rows"),
    "cursor": (str, "a cursor of the page before"),
}
