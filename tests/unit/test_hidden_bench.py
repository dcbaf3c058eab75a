"""`make bench-hidden` in small: an honest home's canaries stay hidden, and every planted tell is
found. Real homes, hosts and wire messages; a runner that runs nothing, and a clock that is put on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import cast

import numpy as np
import pytest

from benchmarks.hidden import FOUND_AUC, HONEST, WORDS, draw, report_on
from benchmarks.hidden_features import Sample, sample_of
from benchmarks.hidden_judge import Judgement, judge
from benchmarks.hidden_record import Recorder
from benchmarks.hidden_tells import TELLS, LateHome, Tell, telling
from canaries.schedule import Independent
from node import wire
from node.connection import Connection, Handler
from node.home import Remote
from node.strategy.thesis import Anybody
from tests.unit.node_world import (
    DOMAIN,
    TASK,
    HomeNode,
    HostNode,
    Link,
    ManualClock,
    World,
    seeded_entropy,
)

HOMES, EACH = 4, 70
STEP_SECONDS = 0.004


class Travel:
    """Time passes on the way, more or less."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock, self._random = clock, Random(5)

    def on(self) -> None:
        self._clock.time += STEP_SECONDS * self._random.uniform(0.5, 1.5)

    async def sleep(self, seconds: float) -> None:
        self._clock.time += seconds


class WatchedLink(Link):
    """A link to a host that takes notes."""

    def __init__(
        self, home: HomeNode, host: HostNode, serve: Callable[..., Awaitable[wire.Message]]
    ) -> None:
        super().__init__(home.address, host)
        self._serve_watched = serve

    async def _serve(self, message: wire.Message) -> wire.Message:
        return await self._serve_watched(self._home, message)


def handler(host: HostNode, travel: Travel) -> Handler:
    async def serve(peer: bytes, message: wire.Message) -> wire.Message:
        travel.on()
        if isinstance(message, wire.Ask):
            return await host.side.ask(peer, message)  # type: ignore[arg-type]
        assert isinstance(message, wire.Confirm)
        return await host.side.confirm(peer, message)  # type: ignore[arg-type]

    return serve


def migrate(folder: Path, tell: Tell | None) -> Sample:
    """Some homes that send the same task again and again to one host."""
    with World(folder) as world:
        travel = Travel(world.clock)
        host = world.make_host(90, Anybody())
        now = world.clock.now
        recorder = Recorder(handler(host, travel), DOMAIN, now, now)
        homes = [world.make_home(10 + number) for number in range(HOMES)]
        for number, home in enumerate(homes):
            asyncio.run(send_all(home, host, recorder, tell, number, travel))
        planted: dict[bytes, bool] = {
            seen.request_id: any(home.vault.canary(seen.request_id) for home in homes)
            for guest in recorder.guests.values()
            for seen in guest.seen
        }
        return sample_of({home: guest.seen for home, guest in recorder.guests.items()}, planted)


async def send_all(
    home: HomeNode, host: HostNode, recorder: Recorder, tell: Tell | None, number: int, way: Travel
) -> None:
    link = WatchedLink(home, host, recorder.serve)
    side = home.side
    side.hosts = lambda: cast("Sequence[Connection]", [link])
    side.schedule = Independent(seeded_entropy(1000 + number)(32))
    side = telling(side, tell, number) if tell else side
    if isinstance(side, LateHome):
        side.sleep = way.sleep
    for _ in range(EACH):
        way.on()
        assert isinstance(await side.run(TASK, "cc"), Remote)


Judged = Callable[[str], Judgement]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    """By the name of the tell, worked out when it is first asked for."""

    @cache
    def of(name: str) -> Judgement:
        tell = next((tell for tell in TELLS if tell == name), None)
        return judge(migrate(tmp_path_factory.mktemp(name), tell), resamples=200)

    return of


def test_an_honest_homes_canaries_stay_hidden(judged: Judged) -> None:
    honest = judged(HONEST)
    assert honest.migrations == HOMES * EACH
    assert 0.05 < honest.planted / honest.migrations < 0.3
    assert abs(honest.auc - 0.5) < 3 * honest.by_luck
    assert honest.most_telling_p > 0.05


@pytest.mark.parametrize("tell", TELLS)
def test_a_home_that_gives_its_canaries_away_is_found_out(judged: Judged, tell: Tell) -> None:
    found = judged(tell)
    assert found.auc >= FOUND_AUC
    assert found.low > 0.5 + 3 * found.by_luck
    assert found.most_telling_p < 1e-6


def test_the_verdict_fails_for_what_can_be_told_and_for_a_tell_that_is_not(
    judged: Judged,
) -> None:
    tells: dict[str, Judgement] = {tell: judged(tell) for tell in TELLS}
    hidden = replace(judged(HONEST), auc=0.52)
    assert report_on({HONEST: hidden, **tells})["passed"] is True
    assert report_on({HONEST: tells["late"], **tells})["passed"] is False
    assert report_on({HONEST: hidden, **tells, "late": hidden})["passed"] is False


def test_the_picture_shows_every_curve(judged: Judged, tmp_path: Path) -> None:
    assert set(WORDS) == {HONEST, *TELLS}
    judgements = {name: judged(name) for name in WORDS}
    for judgement in judgements.values():
        false, true = judgement.curve()
        assert (false[-1], true[-1]) == (1.0, 1.0)
        # The area under the drawn curve is about the figure that stands beside it.
        assert np.trapezoid(true, false) == pytest.approx(judgement.auc, abs=0.05)
    draw(judgements, tmp_path / "roc.png")
    assert (tmp_path / "roc.png").read_bytes().startswith(b"\x89PNG")


def made(tell: float) -> Sample:
    """Random features of which one is shifted for canaries."""
    random = np.random.default_rng(3)
    planted = random.random(900) < 2 / 13
    rows = random.normal(size=(900, 20))
    rows[:, 7] += tell * planted
    names = tuple(f"feature {number}" for number in range(20))
    return Sample(names, rows, planted, np.arange(900) % 6)


def test_the_auc_of_a_known_shift_is_as_in_the_books() -> None:
    """Two normal distributions d apart: AUC = Phi(d / sqrt 2), for d = 2 about 0.921."""
    judgement = judge(made(2.0), folds=3, resamples=200)
    assert judgement.most_telling == "feature 7"
    assert judgement.most_telling_auc == pytest.approx(0.921, abs=0.03)
    assert judgement.low <= judgement.auc <= judgement.high
    assert 0.85 < judgement.auc <= 0.95
    guessing = judge(made(0.0), folds=3, resamples=200)
    assert abs(guessing.auc - 0.5) < 4 * guessing.by_luck


def test_what_cannot_be_judged_is_refused() -> None:
    sample = made(1.0)
    nothing = Sample(sample.names, sample.rows, np.zeros(900, dtype=np.bool_), sample.homes)
    with pytest.raises(ValueError, match="too few"):
        judge(nothing)
    alone = Sample(sample.names, sample.rows, sample.planted, np.zeros(900, dtype=np.int64))
    with pytest.raises(ValueError, match="number of splits"):
        judge(alone)
