"""Shall I take this task? A strategy answers with a verdict, and a verdict is data.

Pure: what a strategy may look at comes in as a ``Question``. Strategies are plug-ins under the
entry point ``kudos.strategies``; two methods make one (``Strategy``). Scores are integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Protocol

from ledger.errors import UsageError
from ledger.reasons import Reason
from ledger.types import Address


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the local copy of the ledger says: verified points, the block they rest on, and its age
    in seconds."""

    home_points: int
    host_points: int
    block: int
    age: float


@dataclass(frozen=True, slots=True)
class Question:
    """A home asks a host. ``count`` is how many requests this host has been asked before."""

    home: Address
    host: Address
    process_name: str
    evidence: Evidence | None
    count: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Accept or reject, why, by which strategy, on which data, with which numbers."""

    accept: bool
    reason: Reason
    strategy: str
    block: int | None
    age: float | None
    numbers: Mapping[str, int] = field(default_factory=dict)


class Strategy(Protocol):
    @property
    def name(self) -> str:
        """Name and version, as verdicts quote them: ``thesis/1``."""
        ...

    def decide(self, question: Question) -> Verdict:
        """The verdict on one request; never blocks, never raises."""
        ...


class Thesis:
    """Accept a home that has at least half of the host's verified Kudos (thesis, section 6.4.3).

    Data older than ``max_age`` seconds, or none at all, is no ground for trust: the answer is no.
    """

    name = "thesis/1"

    def __init__(self, max_age: float = 30.0) -> None:
        self._max_age = max_age

    def decide(self, question: Question) -> Verdict:
        evidence = question.evidence
        if evidence is None or evidence.age > self._max_age:
            return _verdict(self.name, Reason.STALE_LEDGER, evidence)
        enough = evidence.home_points * 2 >= evidence.host_points
        return _verdict(self.name, Reason.ACCEPTED if enough else Reason.REPUTATION, evidence)


class EachThird:
    """The thesis' vermin: takes the first of every three tasks that it would accept anyway, refuses
    the others properly. Exists to be caught (thesis, section 6.5.2.2)."""

    name = "each-third/1"

    def __init__(self) -> None:
        self._inner = Thesis()

    def decide(self, question: Question) -> Verdict:
        verdict = self._inner.decide(question)
        if not verdict.accept or question.count % 3 == 0:
            return verdict
        return _verdict(self.name, Reason.POLICY, question.evidence)


class Anybody:
    """Accept every home: for nodes of one owner, who keep the ledger for its record alone."""

    name = "anybody/1"

    def decide(self, question: Question) -> Verdict:
        return _verdict(self.name, Reason.ACCEPTED, question.evidence)


def find_strategy(name: str) -> Strategy:
    """The installed strategy of this name; UsageError that lists the others."""
    points = {point.name: point for point in entry_points(group="kudos.strategies")}
    if name not in points:
        known = ", ".join(sorted(points)) or "none"
        raise UsageError(f"There is no strategy {name!r}.", hint=f"Installed are: {known}.")
    strategy: Strategy = points[name].load()()
    return strategy


def _verdict(name: str, reason: Reason, evidence: Evidence | None) -> Verdict:
    accept = reason == Reason.ACCEPTED
    if evidence is None:
        return Verdict(accept, reason, name, None, None)
    numbers = {"home_points": evidence.home_points, "host_points": evidence.host_points}
    return Verdict(accept, reason, name, evidence.block, evidence.age, numbers)
