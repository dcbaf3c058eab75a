"""Tasks that a home plants beside its own work, as canaries whose results it can judge.

A planted task waits for a time that nobody can tell, and goes out like any other. What waits is in
the journal, and its inputs are pinned, from before whoever planted it is told so until its result
is there: a node that is killed goes on with it. The wait is drawn anew then, as a first task right
after a restart would tell what it is; and a task that was on its way is sent once more, under a
number and a mark of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from canaries.family import Family
from canaries.puzzle import PuzzleFamily
from ledger.errors import KudosError
from ledger.types import Address, short
from node.handshake import Credentials
from node.home import Local, Remote
from node.inputs import keep
from node.journal import Journal, PlantedTask
from node.marking import KnownCanary
from node.puzzle_task import solution_of, solves
from node.store import ContentStore
from node.task import TaskDescriptor, decode_task, encode_task, result_digest

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
    """A task that goes out within so many seconds, and what its mark will say: the parameters of a
    puzzle, or else the digest of the right result."""

    task: TaskDescriptor
    process_name: str
    canary: KnownCanary
    within: int


@dataclass(slots=True)
class Planting:
    """Sends planted tasks out, one after the other; ``families`` judge the answers to puzzles,
    ``sleep`` takes seconds."""

    me: Credentials
    home: Sends
    journal: Journal
    store: ContentStore
    families: Mapping[bytes, Family]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    wrong: list[Address] = field(default_factory=list)
    """Hosts that gave a wrong result, in their order."""
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_full(self) -> bool:
        return self.journal.planted_count() >= MAX_WAITING

    def plant(self, planted: Planted) -> None:
        """Puts it into the queue for good; its inputs are in the store already."""
        keep(self.store, self.journal, planted.task, self.me.clock.now() + planted.within)
        canary = planted.canary
        marked = (planted.process_name, canary.family, canary.parameters, planted.within)
        self.journal.put_planted(PlantedTask(encode_task(planted.task), *marked))
        self._arrived.set()

    async def run(self) -> None:
        """Sends planted tasks out until cancelled."""
        while True:
            await self.send_next()

    async def send_next(self) -> None:
        """One planted task, from its turn in the queue to its result."""
        number, row = await self._next()
        planted = Planted(
            decode_task(row.task),
            row.process_name,
            KnownCanary(row.family, row.parameters),
            row.within,
        )
        outcome = await self._send(number, planted)
        if outcome is not None:
            self._judge(planted, outcome)
        self.journal.drop_planted(number)

    async def _next(self) -> tuple[int, PlantedTask]:
        while True:
            self._arrived.clear()
            found = self.journal.next_planted()
            if found is not None:
                return found
            await self._arrived.wait()

    async def _send(self, number: int, planted: Planted) -> Remote | None:
        """What a host made of it; None when it is given up."""
        tries = 0
        while tries < MAX_ATTEMPTS:
            await self.sleep(planted.within * int.from_bytes(self.me.entropy(4), "big") / 2**32)
            # Counted on disk: a task that ends this process each time is given up as well.
            tries = self.journal.try_planted(number)
            if tries > MAX_ATTEMPTS:
                break
            try:
                outcome = await self.home.run(planted.task, planted.process_name, planted.canary)
            except KudosError as error:
                log.warning("a planted task is given up: %s", error)
                return None
            if isinstance(outcome, Remote):
                return outcome
        log.warning("a planted task is given up after %d attempts", MAX_ATTEMPTS)
        return None

    def _judge(self, planted: Planted, outcome: Remote) -> None:
        """A wrong answer earns its host no K3 whatever we do; here it is only made known."""
        self.journal.count("planted")
        if not self._is_right(planted.canary, outcome):
            self.wrong.append(outcome.host)
            log.warning(
                "%s gave another result than this node's own: %s",
                short(outcome.host),
                short(outcome.request_id),
            )

    def _is_right(self, canary: KnownCanary, outcome: Remote) -> bool:
        family = self.families.get(canary.family)
        if not isinstance(family, PuzzleFamily):
            return result_digest(outcome.result) == canary.parameters
        solution = solution_of(outcome.result, outcome.contents[outcome.result.stdout])
        return solves(family, canary.parameters, solution)
