"""Homes that give their canaries away, each in another way; what is said of an honest home counts
only if these are found out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import fields, replace
from typing import Literal, get_args

from canaries.vault import Sealed
from ledger.assets import process_name_field
from ledger.eip712 import digest
from node import wire
from node.connection import Reaches
from node.home import HomeSide, Remote, _Draft
from node.marking import KnownCanary
from node.task import TaskDescriptor, task_digest

Tell = Literal["late", "longer", "rhythm"]
TELLS: tuple[Tell, ...] = get_args(Tell)
LATE_SECONDS = 0.020
PERIOD = 7


class LateHome(HomeSide):
    """Confirms its canaries 20 ms later."""

    sleep: Callable[[float], Awaitable[None]] = staticmethod(asyncio.sleep)

    async def _confirm(self, draft: _Draft, task: TaskDescriptor, answer: wire.Answer) -> Remote:
        if draft.mark.is_canary:
            await self.sleep(LATE_SECONDS)
        return await super()._confirm(draft, task, answer)


class LongNameHome(HomeSide):
    """Gives its canaries a process name that is one character longer."""

    def _draft(
        self,
        connection: Reaches,
        task: TaskDescriptor,
        name: str,
        known: KnownCanary | None,
    ) -> _Draft:
        draft = super()._draft(connection, task, name, known)
        if not draft.mark.is_canary:
            return draft
        self.vault.forget(draft.request_id)
        request = replace(draft.request, process_name=process_name_field(name + "1"))
        request_id = digest(self.me.domain, request)
        self.vault.put(Sealed(request_id, connection.peer, task_digest(task), draft.mark))
        signature = self.me.key.sign(self.me.domain, request)
        return replace(draft, request=request, request_id=request_id, signature=signature)


class Rhythm:
    """A schedule with a beat: every seventh task, from a start of the home's own."""

    def __init__(self, start: int) -> None:
        self._start = start

    def is_canary(self, host: bytes, seq: int) -> bool:
        return (seq + self._start) % PERIOD == 0


def telling(honest: HomeSide, tell: Tell, number: int) -> HomeSide:
    """The same home with this tell; ``number`` tells homes apart."""
    parts = {part.name: getattr(honest, part.name) for part in fields(honest) if part.init}
    match tell:
        case "late":
            return LateHome(**parts)
        case "longer":
            return LongNameHome(**parts)
        case "rhythm":
            return HomeSide(**parts | {"schedule": Rhythm(3 * number)})
