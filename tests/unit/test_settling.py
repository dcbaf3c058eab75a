"""What a home checks its hosts with."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import cast

import pytest

from canaries.schedule import Independent, Schedule, ThesisSchedule, Unplanted
from ledger.deployment import Deployment
from ledger.errors import UsageError
from node.settling import schedule_of
from tests.unit.node_world import ManualClock, credentials


@dataclass
class Ledger:
    draw_rate: int


def schedule(canaries: str, draw_rate: int = 0, seed: int | None = None) -> Schedule:
    options = argparse.Namespace(canaries=canaries, canary_seed=seed)
    me = credentials(1, ManualClock())
    return schedule_of(options, me, cast(Deployment, Ledger(draw_rate)))


@pytest.mark.parametrize(
    ("canaries", "kind"), [("independent", Independent), ("thesis", ThesisSchedule)]
)
@pytest.mark.parametrize("draw_rate", [0, 4_096])
def test_planted_canaries_by_the_schedule_that_was_asked_for(
    canaries: str, kind: type, draw_rate: int
) -> None:
    assert type(schedule(canaries, draw_rate)) is kind


def test_a_known_seed_gives_known_draws() -> None:
    first, again, other = (schedule("independent", seed=seed) for seed in (1, 1, 2))
    draws = [[each.is_canary(b"h" * 20, seq) for seq in range(300)] for each in (first, again)]
    assert draws[0] == draws[1] != [other.is_canary(b"h" * 20, seq) for seq in range(300)]


def test_a_home_may_plant_none_only_where_canaries_are_drawn() -> None:
    assert type(schedule("none", draw_rate=4_096)) is Unplanted
    with pytest.raises(UsageError, match="draws no canaries") as refused:
        schedule("none")
    assert "--canaries none" in (refused.value.hint or "")


def test_unplanted_plants_nothing() -> None:
    assert not any(Unplanted().is_canary(b"h" * 20, seq) for seq in range(300))
