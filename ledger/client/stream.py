"""Server-sent events: lines in, events out. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ledger.client.errors import Unreachable


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the service; ``id`` is where to resume after it, the last one that was seen."""

    name: str
    id: str
    data: Mapping[str, Any]


def read_events(lines: Iterable[str], last_id: str = "") -> Iterator[Event]:
    """The events of a stream. One that the stream ends in the middle of is dropped: it comes again
    after resuming."""
    name, data = "", list[str]()
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "":
            if data:
                yield Event(name or "message", last_id, _decode("\n".join(data)))
            name, data = "", []
        elif field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif field == "id" and "\0" not in value:
            last_id = value


def _decode(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Unreachable(
            "The stream holds something that is no event of this service.",
            hint="Check the address: it must be that of `kudos serve`.",
        )
    return value
