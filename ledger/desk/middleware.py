"""What every request passes on its way in and out: limits, measurements, headers."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ledger.desk.problems import SECURITY_HEADERS, problem_body, problem_response

UNLIMITED = frozenset({"/api/v1/health", "/api/v1/events", "/metrics"})
"""Answered under any load: the first and the last are what one looks at then, and streams of events
have a bound of their own (``ledger.desk.events``)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a service takes on at once; what is beyond is told to come back later."""

    in_work: int = 8
    queue: int = 64
    patience: float = 2.0
    """Seconds that a request may wait for its turn."""
    rate: float | None = None
    """Requests per second of one client address; None: no limit."""
    burst: int = 40
    retry_after: int = 1


@dataclass(slots=True)
class Load:
    """What is going on right now, for whoever watches."""

    in_work: int = 0
    waiting: int = 0
    refused: dict[int, int] = field(default_factory=lambda: {429: 0, 503: 0})


class Rates:
    """A token bucket for each of the latest clients."""

    CLIENTS = 4_096

    def __init__(self, rate: float, burst: int, monotonic: Callable[[], float]) -> None:
        self._rate, self._burst, self._monotonic = rate, burst, monotonic
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, client: str) -> float:
        """0 when this client may ask now; else the seconds until it may."""
        now = self._monotonic()
        tokens, last = self._buckets.pop(client, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - last) * self._rate)
        allowed = tokens >= 1
        self._buckets[client] = (tokens - 1 if allowed else tokens, now)
        if len(self._buckets) > self.CLIENTS:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - tokens) / self._rate


class RateLimit:
    """Lets each client ask so often."""

    def __init__(
        self, app: ASGIApp, *, limits: Limits, load: Load, monotonic: Callable[[], float]
    ) -> None:
        self._app, self._load = app, load
        self._rates = Rates(limits.rate, limits.burst, monotonic) if limits.rate else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wait = 0.0
        if self._rates and scope["type"] == "http" and scope["path"] not in UNLIMITED:
            wait = self._rates.wait((scope.get("client") or ("",))[0])
        if wait:
            await _refuse(self._load, 429, wait)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class Admission:
    """Lets a bounded number of requests work and wait."""

    def __init__(self, app: ASGIApp, *, limits: Limits, load: Load) -> None:
        self._app, self._limits, self._load = app, limits, load
        self._turns = asyncio.Semaphore(limits.in_work)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UNLIMITED:
            await self._app(scope, receive, send)
        elif not await self._turn():
            await _refuse(self._load, 503, self._limits.retry_after)(scope, receive, send)
        else:
            self._load.in_work += 1
            try:
                await self._app(scope, receive, send)
            finally:
                self._load.in_work -= 1
                self._turns.release()

    async def _turn(self) -> bool:
        if self._load.waiting >= self._limits.queue:
            return False
        self._load.waiting += 1
        try:
            async with asyncio.timeout(self._limits.patience):
                await self._turns.acquire()
        except TimeoutError:
            return False
        finally:
            self._load.waiting -= 1
        return True


def _refuse(load: Load, status: int, wait: float) -> ASGIApp:
    load.refused[status] += 1
    name, detail = {
        429: ("too-many-requests", "This address asks more often than it may."),
        503: ("overloaded", "The service has as much to do as it can."),
    }[status]
    hint = "Ask again after the seconds that Retry-After says."
    headers = {"Retry-After": str(max(1, int(wait + 0.999)))}
    return problem_response(problem_body(status, name, detail, hint), headers)


class HeadAsGet:
    """Answers HEAD as GET without the body; what would be a stream is ended at its beginning."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        with anyio.CancelScope() as making:

            async def sending(message: Message) -> None:
                if message["type"] == "http.response.start":
                    await send(message)
                elif not making.cancel_called:
                    await send({"type": "http.response.body"})
                    if message.get("more_body"):
                        making.cancel()

            await self._app({**scope, "method": "GET"}, receive, sending)


class SecurityHeaders:
    """Adds the policy to every response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SECURITY_HEADERS)
            await send(message)

        await self._app(scope, receive, sending if scope["type"] == "http" else send)
