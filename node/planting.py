"""Tasks that a home plants beside its own work, as canaries whose results it can judge.

A planted task waits for a time that nobody can tell, and goes out like any other. What waits is in
memory alone: nobody was promised it, and a restart loses no more than a check that the home may
make again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from ledger.errors import KudosError
from ledger.types import Address, short
from node.handshake import Credentials
from node.home import Local, Remote
from node.journal import Journal
from node.marking import KnownCanary
from node.task import TaskDescriptor

log = logging.getLogger(__name__)

MAX_WAITING = 64
"""Planted tasks at once; each keeps its inputs in the store."""
MAX_ATTEMPTS = 8


class Sends(Protocol):
    """``node.home.HomeSide``, of which this needs one method."""

    async def run(
        self, task: TaskDescriptor, process_name: str, known: KnownCanary | None = None
    ) -> Remote | Local: ...


@dataclass(frozen=True, slots=True)
class Planted:
    """A task that goes out within so many seconds; ``is_right`` judges what comes back."""

    task: TaskDescriptor
    process_name: str
    canary: KnownCanary
    is_right: Callable[[Remote], bool]
    within: int


@dataclass(slots=True)
class Planting:
    """Sends planted tasks out, one after the other; ``sleep`` takes seconds."""

    me: Credentials
    home: Sends
    journal: Journal
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    wrong: list[Address] = field(default_factory=list)
    """Hosts that gave a wrong result, in their order."""
    _waiting: asyncio.Queue[Planted] = field(default_factory=lambda: asyncio.Queue(MAX_WAITING))

    @property
    def is_full(self) -> bool:
        return self._waiting.full()

    async def plant(self, planted: Planted) -> None:
        """Puts it into the queue; its inputs are in the store already."""
        await self._waiting.put(planted)

    async def run(self) -> None:
        """Sends planted tasks out until cancelled."""
        while True:
            await self.send_next()

    async def send_next(self) -> None:
        """One planted task, from its turn in the queue to its result."""
        planted = await self._waiting.get()
        for _ in range(MAX_ATTEMPTS):
            await self.sleep(planted.within * int.from_bytes(self.me.entropy(4), "big") / 2**32)
            try:
                outcome = await self.home.run(planted.task, planted.process_name, planted.canary)
            except KudosError as error:
                log.warning("a planted task is given up: %s", error)
                return
            if isinstance(outcome, Remote):
                self._judge(planted, outcome)
                return
        log.warning("nobody took a planted task in %d attempts: it is given up", MAX_ATTEMPTS)

    def _judge(self, planted: Planted, outcome: Remote) -> None:
        """A wrong answer earns its host no K3 whatever we do; here it is only made known."""
        self.journal.count("planted")
        if not planted.is_right(outcome):
            self.wrong.append(outcome.host)
            log.warning(
                "%s gave another result than this node's own: %s",
                short(outcome.host),
                short(outcome.request_id),
            )
