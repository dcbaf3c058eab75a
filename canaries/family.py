"""What a canary family is. Families are plug-ins under the entry point ``kudos.canaries``.

A family says how somebody who was not there checks a result. ``replay`` needs the task run again;
a puzzle family (``canaries.puzzle``) brings ``generate``, ``solve`` and ``verify`` beside that.
Everything is deterministic in its arguments.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from importlib.metadata import entry_points
from typing import Protocol


class Finding(Enum):
    """What a check of a K3 claim found."""

    HOLDS = "holds"
    WRONG_RESULT = "wrong result"
    WRONG_OPENING = "wrong opening"
    OTHER_TOOLCHAIN = "other toolchain"
    NO_INPUTS = "no inputs"
    CANNOT_RUN = "cannot run"


class CannotRun(Exception):
    """Raised by ``RunAgain`` when this machine cannot give a result; ``finding`` says which
    abstention it is."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.value)
        self.finding = finding


RunAgain = Callable[[bytes], Awaitable[bytes]]
"""From a task digest to the result digest of a fresh run; raises CannotRun."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An opened canary with its host's answer: digests of 32 bytes each."""

    task_digest: bytes
    parameters: bytes
    result_digest: bytes


class Family(Protocol):
    """One way of checking a result."""

    @property
    def name(self) -> str:
        """At most 32 ASCII characters; ``field_of(name)`` stands in the mark."""
        ...

    async def check(self, opened: Opened, run_again: RunAgain) -> Finding:
        """Whether the host's answer is right."""
        ...


def field_of(name: str) -> bytes:
    """A family's name as the 32 bytes that the mark and the ledger carry."""
    raw = name.encode("ascii")
    if not 1 <= len(raw) <= 32:
        raise ValueError(f"a family's name has 1 to 32 characters, {name!r} does not")
    return raw.ljust(32, b"\0")


def installed() -> dict[bytes, Family]:
    """Every installed family, by the field that marks carry."""
    families = (point.load()() for point in entry_points(group="kudos.canaries"))
    return {field_of(family.name): family for family in families}
