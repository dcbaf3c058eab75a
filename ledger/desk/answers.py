"""Answers that were given a moment ago, kept for whoever asks the same next.

What the desk says depends on the block that it read and on the question, so an answer to a program
holds until the copy moves: exactly as long as its ETag. A page also says how old the copy is, which
the clock changes, and is kept for one second. Streams, files, errors and the state of the service
are never kept. Who asks for what is being made waits for that instead of making it again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ledger.desk.conditional import entity_tag, is_known, not_modified
from ledger.rows import IndexHead
from ledger.types import BlockHash, BlockNumber

ROOM = 64 << 20
LARGEST = 1 << 20
"""Bytes of all answers that are kept, and of one."""

PAGE_SECONDS = 1.0

NEVER = ("/static/", "/export/", "/api/v1/events", "/metrics")

State = tuple[BlockHash, BlockNumber]
Key = tuple[str, bytes, bool]
"""Path, query, and whether the answer may be compressed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole answer as it went out, and the route that made it."""

    start: Message
    body: bytes
    route: object
    until: float
    """By the monotonic clock; of an answer to a program, never."""


@dataclass(slots=True)
class Flight:
    """An answer that is being made; None once it has landed: it is none to keep."""

    landed: asyncio.Event = field(default_factory=asyncio.Event)
    answer: Answer | None = None


class Answers:
    """Gives an answer again while it holds; ``head`` says where the copy stands."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        head: Callable[[], IndexHead | None],
        monotonic: Callable[[], float],
        room: int = ROOM,
    ) -> None:
        self._app, self._head, self._monotonic, self._room = app, head, monotonic, room
        self._state: State | None = None
        self._kept: OrderedDict[Key, Answer] = OrderedDict()
        self._size = 0
        self._flights: dict[tuple[State, Key], Flight] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = self._head() if _may_be_kept(scope) else None
        if head is None:
            await self._app(scope, receive, send)
            return
        state, headers = (head.hash, head.final_number), Headers(scope=scope)
        key = (scope["path"], scope["query_string"], "gzip" in headers.get("accept-encoding", ""))
        known = headers.get("if-none-match", "")
        answer, flight = self._find(state, key), self._flights.get((state, key))
        if answer is None and is_known(known, entity_tag(head, scope)):
            await self._app(scope, receive, send)  # which costs nothing: nothing has changed
            return
        if answer is None and flight is not None:
            await flight.landed.wait()
            answer = flight.answer
        if answer is not None:
            await _give(answer, known, scope, send)
        elif flight is not None:
            await self._app(scope, receive, send)
        else:
            await self._make(state, key, scope, receive, send)

    async def _make(
        self, state: State, key: Key, scope: Scope, receive: Receive, send: Send
    ) -> None:
        flight = self._flights[state, key] = Flight()
        try:
            await self._app(scope, receive, _Recording(flight, scope, send, self._monotonic))
        finally:
            flight.landed.set()
            del self._flights[state, key]
        head = self._head()
        # The copy may have moved before the answer was read from it: then it answers for neither.
        if flight.answer and head and (head.hash, head.final_number) == state:
            self._keep(state, key, flight.answer)

    def _find(self, state: State, key: Key) -> Answer | None:
        answer = self._kept.get(key) if state == self._state else None
        if answer is None or self._monotonic() >= answer.until:
            return None
        self._kept.move_to_end(key)
        return answer

    def _keep(self, state: State, key: Key, answer: Answer) -> None:
        if state != self._state:
            self._kept.clear()
            self._state, self._size = state, 0
        old = self._kept.pop(key, None)
        self._size += len(answer.body) - (len(old.body) if old else 0)
        self._kept[key] = answer
        while self._size > self._room:
            self._size -= len(self._kept.popitem(last=False)[1].body)


class _Recording:
    """Passes an answer on, and lands it in its flight before its last piece goes out: a client that
    reads slowly keeps nobody waiting."""

    def __init__(
        self, flight: Flight, scope: Scope, send: Send, monotonic: Callable[[], float]
    ) -> None:
        self._flight, self._scope, self._send = flight, scope, send
        self._monotonic = monotonic
        self._start: Message | None = None
        self._seconds = 0.0
        self._body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._seconds = _holds_for(message)
            # What wraps this one adds headers to the message itself.
            self._start = {**message, "headers": list(message["headers"])}
        elif self._seconds:
            self._body += message.get("body", b"")
            if len(self._body) > LARGEST:
                self._seconds = 0.0
        if not self._seconds:
            self._flight.landed.set()
        elif message["type"] == "http.response.body" and not message.get("more_body"):
            self._land()
        await self._send(message)

    def _land(self) -> None:
        until, route = self._monotonic() + self._seconds, self._scope.get("route")
        self._flight.answer = Answer(self._start or {}, bytes(self._body), route, until)
        self._flight.landed.set()


def _may_be_kept(scope: Scope) -> bool:
    asked = scope["type"] == "http" and scope["method"] == "GET"
    return asked and not scope["path"].startswith(NEVER)


def _holds_for(start: Message) -> float:
    """For how many seconds an answer holds, if the copy does not move."""
    headers = Headers(raw=start["headers"])
    if start["status"] != 200:
        return 0.0
    if "etag" in headers:
        return float("inf")
    return PAGE_SECONDS if headers.get("content-type", "").startswith("text/html") else 0.0


async def _give(answer: Answer, known: str, scope: Scope, send: Send) -> None:
    scope["route"] = answer.route  # by which the answer is measured
    tag = Headers(raw=answer.start["headers"]).get("etag")
    if tag is not None and is_known(known, tag):
        await not_modified(tag)(scope, _nothing, send)
        return
    await send({**answer.start, "headers": list(answer.start["headers"])})
    await send({"type": "http.response.body", "body": answer.body})


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
