"""What the demo says of its canaries: rate, cost, and how soon a cheater is found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from eth_hash.auto import keccak

from canaries.draw import RATES, is_drawn
from ledger.deployment import Deployment
from ledger.docket import BeaconState
from ledger.reader import Reader
from ledger.rows import Place
from ledger.schema import CLAIMED, REFUSED, VERIFIED, VOID
from ledger.types import BlockNumber, Digest, TxHash, UnixSeconds
from node.demo.canaries import DRAWN, PLANTED, Canaries, canaries_of, is_drawing, undrawn

PERIOD = 20
NONE = dict.fromkeys(("canaries", "passed", "refused", "void", "waiting", "unclaimed"), 0)
BEACON = Digest(b"\x07" * 32)
NOBODY = BeaconState(False, False, 0, 0, None, None)
COMMITTED = BeaconState(False, False, 3, 0, None, None)
FAILED = BeaconState(False, False, 3, 1, "none", None)


@dataclass
class Result:
    request_id: Digest
    result_id: Digest | None
    place: Place


@dataclass
class Head:
    timestamp: int


@dataclass
class Claim:
    level: int
    origin: str | None
    state: int


@dataclass
class Ledger:
    """A ledger that draws ``draw_rate``, and a copy of it."""

    draw_rate: int = RATES
    period_seconds: int = PERIOD
    validators: tuple[bytes, ...] = (b"v" * 20,)
    beacons: dict[int, Digest] = field(default_factory=dict)
    states: dict[int, BeaconState] = field(default_factory=dict)
    settled: list[Result] = field(default_factory=list)
    threshold: int = 2
    now: int | None = None
    claims: dict[Digest, list[Claim]] = field(default_factory=dict)

    def add(self, period: int, *claims: Claim, answered: bool = True) -> Digest:
        request_id = Digest(keccak(len(self.settled).to_bytes(4, "big")))
        when = UnixSeconds(period * PERIOD)
        place = Place(BlockNumber(1), 0, TxHash(Digest(bytes(32))), when, True)
        self.settled.append(Result(request_id, request_id if answered else None, place))
        self.claims[request_id] = list(claims)
        return request_id

    def known_beacons(self, since: int) -> list[tuple[int, Digest]]:
        return sorted(self.beacons.items())

    def head(self) -> Head | None:
        return None if self.now is None else Head(self.now)

    def beacon(self, validator: bytes, period: int) -> BeaconState:
        return self.states[period]

    def migrations(self, limit: int) -> list[Result]:
        return self.settled

    def claims_of(self, request_id: Digest) -> list[Claim]:
        return self.claims[request_id]

    def count(self, mode: str = "both", worked: int = 0, again: int = 0) -> Canaries:
        return canaries_of(cast(Reader, self), cast(Deployment, self), mode, worked, again)

    def is_drawing(self) -> bool:
        return is_drawing(cast(Reader, self), cast(Deployment, self))

    def undrawn(self) -> int:
        return undrawn(cast(Reader, self), cast(Deployment, self))


def test_every_canary_is_counted_with_its_origin_and_fate() -> None:
    ledger = Ledger(draw_rate=0)
    for origin, state in [
        *((PLANTED, VERIFIED), (PLANTED, VERIFIED), (PLANTED, REFUSED)),
        *((DRAWN, VERIFIED), (DRAWN, VOID), (DRAWN, CLAIMED)),
    ]:
        ledger.add(1, Claim(2, None, VERIFIED), Claim(3, origin, state))
    ledger.add(1, Claim(2, None, VERIFIED))
    ledger.add(1, answered=False)
    found = ledger.count().as_json()
    planted: Any = found["planted"]
    drawn: Any = found["drawn"]
    assert (found["results"], found["rate"]) == (7, round(6 / 7, 4))
    assert planted == {**NONE, "canaries": 3, "passed": 2, "refused": 1}
    assert drawn == {**NONE, "canaries": 3, "passed": 1, "void": 1, "waiting": 1}


def test_a_drawn_result_that_its_host_did_not_stand_by_counts_too() -> None:
    ledger = Ledger(draw_rate=RATES // 2, beacons={1: BEACON})
    ids = [ledger.add(1, Claim(2, None, VERIFIED)) for _ in range(40)]
    ledger.add(2, Claim(2, None, VERIFIED))
    expected = sum(is_drawn(BEACON, each, RATES // 2) for each in ids)
    assert 0 < expected < 40
    assert ledger.count().fates[DRAWN].unclaimed == expected


def test_cost_is_cpu_time_again_per_cpu_time_of_work() -> None:
    found = Ledger().count(worked=20_000, again=5_000)
    assert (found.cost, found.cpu_seconds_worked, found.cpu_seconds_again) == (0.25, 20.0, 5.0)
    assert Ledger().count().cost == 0.0


@pytest.mark.parametrize(("rate", "tasks"), [(2 / 13, 194), (1.0, 29), (0.02, 1_497)])
def test_how_soon_a_cheater_is_found(rate: float, tasks: int) -> None:
    """One false result in ten; the last task that is needed, and one fewer is not enough."""
    found = Canaries("both", rate=rate)
    assert found.found_within == tasks
    assert (1 - rate * 0.1) ** tasks <= 0.05 < (1 - rate * 0.1) ** (tasks - 1)


def test_without_canaries_nobody_is_found() -> None:
    assert Canaries("both").found_within is None


def test_what_may_yet_be_drawn_is_waited_for() -> None:
    ledger = Ledger(states={1: COMMITTED, 2: NOBODY, 3: FAILED})
    for period in (1, 2, 3):
        ledger.add(period)
    assert ledger.undrawn() == 1
    ledger.beacons[1] = BEACON
    assert ledger.undrawn() == 1  # drawn, and not claimed yet
    ledger.claims[ledger.settled[0].request_id].append(Claim(3, DRAWN, CLAIMED))
    assert ledger.undrawn() == 0


def test_a_ledger_that_draws_nothing_is_not_waited_for() -> None:
    ledger = Ledger(draw_rate=0)
    ledger.add(1)
    assert ledger.undrawn() == 0


def test_the_build_waits_for_a_period_that_enough_had_committed_to() -> None:
    one = BeaconState(True, False, 1, 0, None, None)
    two = BeaconState(False, False, 2, 0, None, None)
    ledger = Ledger(states={1: NOBODY, 2: one, 3: two})
    assert not ledger.is_drawing()  # no block yet
    seen = []
    for ledger.now in (PERIOD, 2 * PERIOD, 3 * PERIOD - 1, 3 * PERIOD):
        seen.append(ledger.is_drawing())
    assert seen == [False, False, False, True]
