"""What the demo's canaries cost and find: how many there were of either origin, what became of
them, and what running them again took."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from canaries.draw import is_drawn
from ledger.assets import K3_CANARY
from ledger.deployment import Deployment
from ledger.reader import Reader
from ledger.rows import SettledMigration
from ledger.schema import CLAIMED, REFUSED, VERIFIED, VOID
from ledger.types import Digest

PLANTED, DRAWN, BOTH = "planted", "drawn", "both"
ORIGINS = (PLANTED, DRAWN, BOTH)
"""What ``--canaries`` may say."""
FALSE_SHARE = 0.1
"""Of a cheater's results, to say how soon it is found."""
CERTAINTY = 0.95
_STATES = {CLAIMED: "waiting", VERIFIED: "passed", REFUSED: "refused", VOID: "void"}


@dataclass(slots=True)
class Fate:
    """What became of the canaries of one origin; "unclaimed" are results that were drawn, and that
    their host did not stand by."""

    canaries: int = 0
    passed: int = 0
    refused: int = 0
    void: int = 0
    waiting: int = 0
    unclaimed: int = 0

    def count(self, state: str) -> None:
        self.canaries += 1
        setattr(self, state, getattr(self, state) + 1)


@dataclass(slots=True)
class Canaries:
    """All canaries of a run. CPU seconds are those of hosts for tasks, and of all validators
    together for running canaries again."""

    mode: str
    results: int = 0
    fates: dict[str, Fate] = field(default_factory=dict)
    rate: float = 0.0
    cpu_seconds_worked: float = 0.0
    cpu_seconds_again: float = 0.0

    @property
    def cost(self) -> float:
        """CPU seconds of running again per CPU second of work."""
        return self.cpu_seconds_again / self.cpu_seconds_worked if self.cpu_seconds_worked else 0.0

    @property
    def found_within(self) -> int | None:
        """After how many tasks a host that falsifies one result in ten has met a canary with a
        false one, in 95 of 100 cases; None where there are no canaries."""
        caught = self.rate * FALSE_SHARE
        return math.ceil(math.log(1 - CERTAINTY) / math.log(1 - caught)) if 0 < caught < 1 else None

    def as_json(self) -> dict[str, object]:
        origins = {
            name: {column: getattr(fate, column) for column in Fate.__slots__}
            for name, fate in self.fates.items()
        }
        return {
            "mode": self.mode,
            "results": self.results,
            **origins,
            "rate": round(self.rate, 4),
            "cpu_seconds_worked": round(self.cpu_seconds_worked, 1),
            "cpu_seconds_again": round(self.cpu_seconds_again, 1),
            "cost": round(self.cost, 3),
            "found_within": self.found_within,
        }


def canaries_of(
    reader: Reader, deployment: Deployment, mode: str, worked_ms: int, again_ms: int
) -> Canaries:
    """Counts over the whole ledger, and the counters of hosts and validators."""
    found = Canaries(mode, cpu_seconds_worked=worked_ms / 1000, cpu_seconds_again=again_ms / 1000)
    found.fates = {origin: Fate() for origin in (PLANTED, DRAWN)}
    beacons = dict(reader.known_beacons(0))
    for settled in results(reader):
        found.results += 1
        for claim in reader.claims_of(settled.request_id):
            if claim.level == K3_CANARY and claim.origin in found.fates:
                found.fates[claim.origin].count(_STATES[claim.state])
                break
        else:
            if _is_drawn(settled, deployment, beacons):
                found.fates[DRAWN].count("unclaimed")
    canaries = sum(fate.canaries for fate in found.fates.values())
    found.rate = canaries / found.results if found.results else 0.0
    return found


def is_drawing(reader: Reader, deployment: Deployment) -> bool:
    """Whether a result that the next block settles can be drawn: enough validators had committed to
    secrets for the period that runs, and only before a period begins can they."""
    head = reader.head()
    if head is None:
        return False
    running = head.timestamp // deployment.period_seconds
    state = reader.beacon(deployment.validators[0], running)
    return state.commitments >= deployment.threshold


def undrawn(reader: Reader, deployment: Deployment) -> int:
    """Results that may yet become canaries: their period has no beacon so far, or they were drawn
    and are not claimed."""
    if not deployment.draw_rate:
        return 0
    beacons = dict(reader.known_beacons(0))
    waiting = 0
    for settled in results(reader):
        period = settled.place.timestamp // deployment.period_seconds
        if period in beacons:
            drawn = _is_drawn(settled, deployment, beacons)
            waiting += drawn and not _is_claimed(reader, settled.request_id)
        else:
            waiting += not _has_none(reader, deployment, period)
    return waiting


def results(reader: Reader) -> Iterator[SettledMigration]:
    """Everything on the ledger that came with a RESULT."""
    return (each for each in reader.migrations(limit=1_000_000) if each.result_id is not None)


def _is_drawn(
    settled: SettledMigration, deployment: Deployment, beacons: dict[int, Digest]
) -> bool:
    beacon = beacons.get(settled.place.timestamp // deployment.period_seconds)
    return beacon is not None and is_drawn(beacon, settled.request_id, deployment.draw_rate)


def _is_claimed(reader: Reader, request_id: Digest) -> bool:
    return any(claim.level == K3_CANARY for claim in reader.claims_of(request_id))


def _has_none(reader: Reader, deployment: Deployment, period: int) -> bool:
    """Whether it is certain that the period gets no beacon: nobody had committed to a secret when
    it began, or too few revealed theirs."""
    state = reader.beacon(deployment.validators[0], period)
    return state.kind == "none" or state.commitments == 0


def total(counters: Sequence[dict[str, int]], name: str) -> int:
    """One counter over several nodes."""
    return sum(each.get(name, 0) for each in counters)
