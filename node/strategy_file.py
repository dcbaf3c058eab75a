"""Strategies in a TOML file: parsed and checked in full, and read again when the file changes.

name = "careful"

[[rule]]
use = "half"

[[rule]]
any = [{ use = "allow", nodes = { "0xA…" = true } }, { use = "newcomers" }]
"""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

from ledger.errors import UsageError
from ledger.ports import Clock
from ledger.types import Address, address_from_hex
from node.admission import Need, Question, Strategy, Verdict, needs_of
from node.strategy.catalogue import find_class, find_strategy
from node.strategy.combine import AllOf, AnyOf, Staleness

log = logging.getLogger(__name__)

CHECK_SECONDS = 1.0
MAX_BYTES = 1 << 20

Table: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in which file something stands, for errors."""

    file: Path
    table: str

    def wrong(self, what: str, hint: str) -> UsageError:
        return UsageError(f"{self.file}: {self.table}: {what}.", hint=hint)

    def check_keys(self, table: Table, known: set[str]) -> None:
        for key in table:
            if key not in known:
                names = ", ".join(sorted(known)) or "none"
                raise self.wrong(f"there is no key {key!r}", f"Known here are: {names}.")

    def of_type(self, key: str, value: object, kind: type, example: str) -> Any:
        # A TOML boolean is a Python int; nobody means it as a number.
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            what = f"the value of {key!r} has the wrong type ({type(value).__name__})"
            raise self.wrong(what, f"Write for example: {key} = {example}")
        return value


def load_strategy(spec: str, clock: Clock) -> Strategy:
    """What ``--strategy`` means: a file if it ends in .toml, the name of an installed strategy
    otherwise."""
    return FileStrategy(Path(spec), clock) if spec.endswith(".toml") else find_strategy(spec)


class FileStrategy:
    """The rules of a file as they stand. A file that breaks later keeps the old rules in force and
    is complained about once."""

    handles_age = True

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path, self._clock = path, clock
        self._seen = _signature(path)
        self._rules = parse_file(path)
        self._checked = clock.monotonic()

    @property
    def name(self) -> str:
        return self._rules.name

    @property
    def needs(self) -> frozenset[Need]:
        self._refresh()
        return needs_of(self._rules)

    def decide(self, question: Question) -> Verdict:
        self._refresh()
        return self._rules.decide(question)

    def _refresh(self) -> None:
        now = self._clock.monotonic()
        if now - self._checked < CHECK_SECONDS:
            return
        self._checked = now
        signature = _signature(self._path)
        if signature == self._seen:
            return
        self._seen = signature
        try:
            self._rules = parse_file(self._path)
        except UsageError as error:
            log.error("the strategy %s stays in force: %s", self.name, error)
            return
        log.info("%s is in force as %s", self._path, self.name)


def parse_file(path: Path) -> AllOf:
    """The strategy of one file; UsageError that names file, table and key."""
    try:
        raw = path.read_bytes()
        if len(raw) > MAX_BYTES:
            raise UsageError(f"{path} is too large.", hint="A strategy file has at most 1 MiB.")
        return parse(raw.decode("utf-8"), path)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}.", hint="Give a strategy file in TOML."
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no UTF-8.", hint="TOML files are UTF-8.") from error


def parse(text: str, path: Path) -> AllOf:
    """As ``parse_file``, of a text that stands in ``path``."""
    top = _Place(path, "the file itself")
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is no TOML: {error}.", hint="Correct it at that place.") from None
    top.check_keys(table, {"name", "version", "ledger", "rule"})
    name = top.of_type("name", table.get("name", path.stem), str, '"careful"')
    version = top.of_type("version", table.get("version", 1), int, "2")
    rules = top.of_type("rule", table.get("rule", []), list, '[{ use = "half" }]')
    if not rules:
        raise top.wrong("there are no rules", 'Write [[rule]] and use = "half" below it.')
    return AllOf(
        f"{name}/{version}",
        tuple(
            _rule(_Place(path, f"[[rule]] {number}"), rule)
            for number, rule in enumerate(rules, start=1)
        ),
        _staleness(top, table.get("ledger", {})),
    )


def _staleness(top: _Place, table: object) -> Staleness:
    place = _Place(top.file, "[ledger]")
    settings = top.of_type("ledger", table, dict, "{ fresh_seconds = 30 }")
    place.check_keys(settings, {"fresh_seconds", "grace_seconds", "stale"})
    stale = settings.get("stale", "reject")
    if stale not in ("accept", "reject"):
        raise place.wrong("'stale' says neither", 'Write stale = "reject" or stale = "accept".')
    seconds = {
        key: _natural(place, key, settings[key])
        for key in ("fresh_seconds", "grace_seconds")
        if key in settings
    }
    return Staleness(**seconds, accept_when_stale=stale == "accept")


def _rule(place: _Place, table: object, in_group: bool = False) -> Strategy:
    settings = dict(place.of_type("rule", table, dict, '{ use = "half" }'))
    if "any" in settings and not in_group:
        place.check_keys(settings, {"any"})
        group = place.of_type("any", settings["any"], list, '[{ use = "half" }]')
        if not group:
            raise place.wrong("the group is empty", 'Write any = [{ use = "half" }].')
        rules = enumerate(group, start=1)
        parts = [_rule(_Place(place.file, f"{place.table}.any {n}"), r, True) for n, r in rules]
        return AnyOf(tuple(parts))
    if "use" not in settings:
        raise place.wrong("it does not say which rule", 'Write use = "half", for example.')
    name = place.of_type("use", settings.pop("use"), str, '"half"')
    try:
        found = find_class(name)
    except UsageError as error:
        raise place.wrong(error.message.removesuffix("."), error.hint) from None
    if name == "newcomers" and not in_group:
        raise place.wrong(
            "'newcomers' alone would refuse everybody else",
            'Write any = [{ use = "half" }, { use = "newcomers" }].',
        )
    return _make(place, found, settings)


def _make(place: _Place, found: type[Strategy], settings: Table) -> Strategy:
    """The fields of a rule's dataclass are the keys of its table; other classes have none."""
    rule: Any = found
    kinds = {key.name: str(key.type) for key in fields(rule)} if is_dataclass(rule) else {}
    place.check_keys(settings, set(kinds))
    values: dict[str, Any] = {}
    for key, value in settings.items():
        read = _READ.get(kinds[key])
        if read is None:
            raise place.wrong(f"{key!r} cannot be set in a file", "Leave it out.")
        values[key] = read(place, key, value)
    for key in ("half_life", "one_in_at_first", "one_in_at_best", "one_in_at_worst"):
        if values.get(key) == 0:
            raise place.wrong(f"{key!r} is 0", "Write a number from 1 on.")
    for key, low, high in getattr(rule, "bounds", ()):
        if not low <= values.get(key, high) <= high:
            what = f"{key!r} is not between {low} and {high}"
            raise place.wrong(what, f"Write for example: {key} = {high // 5}")
    made: Strategy = rule(**values)
    return made


def _natural(place: _Place, key: str, value: object) -> int:
    number: int = place.of_type(key, value, int, "30")
    if number < 0:
        raise place.wrong(f"{key!r} is negative", "Write a number from 0 on.")
    return number


def _patterns(place: _Place, key: str, value: object) -> tuple[str, ...]:
    example = '["cc *", "make*"]'
    items = place.of_type(key, value, list, example)
    return tuple(place.of_type(key, item, str, example) for item in items)


def _nodes(place: _Place, key: str, value: object) -> dict[Address, int | None]:
    listed: dict[Address, int | None] = {}
    table = place.of_type(key, value, dict, '{ "0x12…" = true }')
    for text, until in table.items():
        try:
            node = address_from_hex(text)
        except ValueError as error:
            hint = "Write 0x and 40 hexadecimal digits, in quotes."
            raise place.wrong(f"{text!r} in {key!r} is no address: {error}", hint) from None
        listed[node] = _until(place, text, until)
    return listed


def _until(place: _Place, node: str, value: object) -> int | None:
    if value is True:
        return None
    if isinstance(value, datetime) and value.tzinfo is not None:
        return int(value.timestamp())
    hint = "Write true, or when the entry ends with its time zone: 2030-01-31T12:00:00Z."
    raise place.wrong(f"the entry of {node} says neither true nor a time", hint)


_READ: Mapping[str, Callable[[_Place, str, object], object]] = {
    "int": _natural,
    "tuple[str, ...]": _patterns,
    "Nodes": _nodes,
}


def _signature(path: Path) -> tuple[int, ...]:
    """What changes when the file does; empty while there is none."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_mtime_ns, status.st_size, status.st_ino
