"""The ledger as it grows: server-sent events, one per log, and what the copy's head is.

    id: 1042.3.9f86d081…      block, log index, first half of the block's hash
    event: BatchVoted
    data: {"block": 1042, "log_index": 3, …}

An id names a place on one chain and nothing that the service has to keep: whoever comes back with
``Last-Event-ID``, even after a restart, gets everything since. If a reorganisation has taken that
block back, the stream says so (``reorganisation``) and goes on from the last final block.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import anyio
from anyio import to_thread
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.types import Receive, Scope, Send

from ledger.desk import api_logs
from ledger.desk.context import Desk
from ledger.desk.problems import Problem
from ledger.errors import KudosError
from ledger.reader import Reader
from ledger.types import hex_of

HEAD, REORGANISATION, UNAVAILABLE = "head", "reorganisation", "unavailable"
WHOLE_BLOCK = 1 << 40
"""A log index behind every log of a block."""

POLL_SECONDS = 1.0
HEARTBEAT_SECONDS = 10.0
LIFETIME_SECONDS = 3_600.0
RETRY_MILLISECONDS = 3_000
PAGE = 200
MAX_LISTENERS = 64

_ID = re.compile(r"([0-9]{1,15})\.([0-9]{1,9}|\*)\.([0-9a-f]{16})")


@dataclass(frozen=True, slots=True)
class Position:
    """The last thing that a listener has seen."""

    block: int
    log_index: int
    hash_prefix: str

    @classmethod
    def parse(cls, text: str) -> Position | None:
        """From an event's id; None for anything else."""
        match = _ID.fullmatch(text)
        if match is None:
            return None
        block, log, prefix = match.groups()
        return cls(int(block), WHOLE_BLOCK if log == "*" else int(log), prefix)

    def __str__(self) -> str:
        log = "*" if self.log_index == WHOLE_BLOCK else str(self.log_index)
        return f"{self.block}.{log}.{self.hash_prefix}"


BEGINNING = Position(-1, WHOLE_BLOCK, "0" * 16)


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the stream."""

    name: str
    data: Mapping[str, Any]
    position: Position | None = None

    def encode(self) -> bytes:
        """As it goes over the wire; JSON has no line breaks of its own."""
        where = None if self.position is None else str(self.position)
        return format_sse_event(event=self.name, id=where, data_str=json.dumps(self.data))


class Listeners:
    """How many streams are open; there is a bound."""

    def __init__(self, most: int = MAX_LISTENERS) -> None:
        self.open = 0
        self.most = most
        self.threads = anyio.CapacityLimiter(2)
        """Streams read in threads of their own: they must not take those of the answers."""

    def enter(self) -> None:
        """Problem 503 when there are too many."""
        if self.open >= self.most:
            raise Problem(
                503,
                "too-many-listeners",
                f"{self.open} streams of events are open, and no more are served.",
                hint="Ask again later, or ask /api/v1/assets from time to time.",
            )
        self.open += 1

    def leave(self) -> None:
        self.open -= 1


class EventStream(StreamingResponse):
    """A response that gives its place back however it ends."""

    def __init__(self, listeners: Listeners, content: AsyncIterator[bytes]) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(content, media_type="text/event-stream", headers=headers)
        self._listeners = listeners

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._listeners.leave()


def read_events(
    reader: Reader, seen: Position | None, now: float, limit: int = PAGE
) -> tuple[list[Event], Position | None]:
    """What came after a place, at most so much, and the new place. None stands for "from now on"
    while the copy is empty."""
    head = reader.head()
    if head is None:
        return [], seen
    at_head = Position(head.number, WHOLE_BLOCK, _prefix(head.hash))
    events: list[Event] = []
    if seen is None:
        seen = at_head
    elif not _is_on_chain(reader, seen, head.number, head.final_number):
        since = {"last_event_id": str(seen), "resumed_after_block": head.final_number}
        events.append(Event(REORGANISATION, since))
        seen = Position(head.final_number, WHOLE_BLOCK, BEGINNING.hash_prefix)
    for log in api_logs.after(reader, seen.block, seen.log_index, limit):
        seen = Position(log.block, log.log_index, _prefix(log.block_hash))
        events.append(Event(log.name, log.data, seen))
    if sum(event.position is not None for event in events) < limit and seen.block <= head.number:
        seen = at_head
        state = asdict(head) | {"hash": hex_of(head.hash), "age_seconds": round(head.age(now), 1)}
        events.append(Event(HEAD, state, seen))
    return events, seen


def _is_on_chain(reader: Reader, seen: Position, head: int, final: int) -> bool:
    if seen.block > head or (seen.block <= final and seen.hash_prefix == BEGINNING.hash_prefix):
        return True  # a copy that is being rebuilt has not got there yet
    known = api_logs.block_hash(reader, seen.block)
    if known is None:
        return seen.block <= final  # old blocks without logs are not kept
    return _prefix(known) == seen.hash_prefix


async def stream(
    desk: Desk,
    listeners: Listeners,
    seen: Position | None,
    names: frozenset[str],
    *,
    follow: bool,
) -> AsyncIterator[bytes]:
    """The bytes of one listener's stream; without ``follow`` it ends when it has caught up."""

    def read() -> tuple[list[Event], Position | None]:
        with desk.reader() as reader, reader.snapshot():
            return read_events(reader, seen, desk.clock.now())

    yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
    started = spoken = desk.clock.monotonic()
    shown: object = None
    while desk.clock.monotonic() - started < LIFETIME_SECONDS:
        try:
            events, seen = await to_thread.run_sync(read, limiter=listeners.threads)
        except KudosError as error:
            events = [Event(UNAVAILABLE, {"detail": error.message, "hint": error.hint})]
        caught_up = not events or events[-1].position is None or events[-1].name == HEAD
        state = _essence(events)
        due = desk.clock.monotonic() - spoken >= HEARTBEAT_SECONDS
        chosen = _chosen(events, names, with_head=state != shown or due)
        if chosen:
            yield b"".join(event.encode() for event in chosen)
        elif due:
            yield KEEPALIVE_COMMENT
        if chosen or due:
            spoken, shown = desk.clock.monotonic(), state
        if caught_up and not follow:
            return
        await asyncio.sleep(POLL_SECONDS if caught_up else 0)


def _chosen(events: Sequence[Event], names: frozenset[str], *, with_head: bool) -> list[Event]:
    """Those that were asked for, the state of the copy only when there is news of it; what tells of
    trouble is for everybody."""
    return [
        event
        for event in events
        if (event.name in (REORGANISATION, UNAVAILABLE) or not names or event.name in names)
        and (event.name not in (HEAD, UNAVAILABLE) or with_head)
    ]


def _essence(events: Sequence[Event]) -> object:
    """What makes a head worth another event: everything but its age."""
    if not events or events[-1].name not in (HEAD, UNAVAILABLE):
        return None
    return {name: value for name, value in events[-1].data.items() if name != "age_seconds"}


def _prefix(block_hash: bytes) -> str:
    return block_hash[:8].hex()
