"""Shall I take this task? A strategy answers with a verdict, and a verdict is data.

Pure vocabulary: what a strategy may look at comes in as a ``Question``, and two methods make a
``Strategy``. The strategies themselves are in ``node.strategy``. Scores are integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from ledger.reasons import Reason
from ledger.types import Address


class Side(Enum):
    """Whom a question is about: the home that asks for help, or a host that a home might ask."""

    HOME = "home"
    HOST = "host"


class Freshness(Enum):
    """How old the data behind a verdict was: young enough, tolerated for a while, or too old."""

    FRESH = "fresh"
    GRACE = "grace"
    STALE = "stale"


class Need(Enum):
    """Evidence that costs more than a look-up; it is gathered only for strategies that ask."""

    EPOCHS = auto()
    PAIR = auto()
    STRANGERS = auto()
    DRAWN = auto()
    COUNTERPARTIES = auto()


LARGEST = 50
"""So many amounts from single counterparties are told of a node."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One node's verified Kudos records by level; its points by the epoch of their claim, how many
    of its canaries the beacon drew, and the ``LARGEST`` amounts of points that it has from one
    counterparty each, the greatest first (None when nobody asked for them)."""

    k1: int = 0
    k2: int = 0
    k3: int = 0
    epochs: tuple[tuple[int, int], ...] | None = None
    drawn: int | None = None
    largest: tuple[int, ...] | None = None

    @property
    def work(self) -> int:
        """Records for tasks that it ran; a rejection is no work."""
        return self.k2 + self.k3


@dataclass(frozen=True, slots=True)
class Pair:
    """What two nodes did for each other: tasks run, as verified K2, and of the home's last
    ``asked`` requests to the host how many left nothing on the ledger."""

    host_ran: int = 0
    home_ran: int = 0
    asked: int = 0
    missing: int = 0


@dataclass(frozen=True, slots=True)
class Strangers:
    """Homes that this host helped when they had done no verified work, and how many of them have
    since."""

    tried: int = 0
    good: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the local copy of the ledger says: verified points, the block they rest on, its age in
    seconds and its epoch. What a strategy did not ask for (``Need``) is None."""

    home_points: int
    host_points: int
    block: int
    age: float
    home: Standing = Standing()
    host: Standing = Standing()
    pair: Pair | None = None
    epoch: int = 0
    strangers: Strangers | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A home asks a host. ``count`` is how many requests this host has been asked before, ``load``
    how many tasks it has taken on; limits that are not known are 0."""

    home: Address
    host: Address
    process_name: str
    evidence: Evidence | None
    count: int
    now: int = 0
    load: int = 0
    cpu_seconds: int = 0
    memory_mib: int = 0
    judged: Side = Side.HOME

    @property
    def other(self) -> Address:
        """The node that is judged."""
        return self.home if self.judged is Side.HOME else self.host


@dataclass(frozen=True, slots=True)
class Verdict:
    """Accept or reject, why, by which strategy and which of its rules, on which data, with which
    numbers."""

    accept: bool
    reason: Reason
    strategy: str
    block: int | None
    age: float | None
    numbers: Mapping[str, int] = field(default_factory=dict)
    rule: str = ""
    freshness: Freshness = Freshness.FRESH


class Strategy(Protocol):
    """A plug-in under the entry point ``kudos.strategies``.

    A class may also say ``needs = frozenset({Need.EPOCHS})`` for evidence that is not always
    gathered, and ``handles_age = True`` when it looks at the age of the data itself.
    """

    @property
    def name(self) -> str:
        """Name and version, as verdicts quote them: ``thesis/1``."""
        ...

    def decide(self, question: Question) -> Verdict:
        """The verdict on one request; never blocks, never raises."""
        ...


def needs_of(strategy: Strategy) -> frozenset[Need]:
    """What has to be gathered before this strategy is asked."""
    needs: frozenset[Need] = getattr(strategy, "needs", frozenset())
    return needs


def verdict(name: str, reason: Reason, question: Question, **numbers: int) -> Verdict:
    """A verdict that quotes the block and age of its question's evidence."""
    accept, evidence = reason == Reason.ACCEPTED, question.evidence
    freshness = Freshness.STALE if reason == Reason.STALE_LEDGER else Freshness.FRESH
    block, age = (evidence.block, evidence.age) if evidence else (None, None)
    return Verdict(accept, reason, name, block, age, numbers, freshness=freshness)
