"""The wasm family: marks, checks, and the tasks that it makes up."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canaries.commitment import ORDINARY, PLANTED
from canaries.family import CannotRun, Finding, Opened, field_of, installed
from canaries.wasm import (
    FUEL_PER_STEP,
    HIGHEST_FUEL,
    LOWEST_FUEL,
    UNKNOWN,
    MadeTask,
    Wasm,
    calibrate,
    fuel_for,
    generate,
    mark_for,
    module_of,
)
from node.wasm_run import DONE, Bounds, Ending, run

KNOWN, OTHER, SALT = b"\x01" * 32, b"\x02" * 32, b"\x03" * 32
SEEDS = [number.to_bytes(32, "big") for number in range(40)]
OF_EACH = {module_of(seed): seed for seed in SEEDS}


def run_made(made: MadeTask) -> Ending:
    return run(made.module, made.data, Bounds(made.bound, 64, 1024))


def test_it_is_installed_under_its_name() -> None:
    assert isinstance(installed()[field_of("wasm")], Wasm)


def test_a_mark_carries_what_the_home_knows() -> None:
    mark = mark_for(True, KNOWN, SALT)
    assert (mark.kind, mark.family, mark.parameters) == (PLANTED, field_of("wasm"), KNOWN)
    ordinary = mark_for(False, KNOWN, SALT)
    assert (ordinary.kind, ordinary.family, ordinary.parameters) == (ORDINARY, bytes(32), bytes(32))


@pytest.mark.parametrize("parameters", [KNOWN, OTHER, UNKNOWN])
@pytest.mark.parametrize(
    ("fresh", "finding"), [(KNOWN, Finding.HOLDS), (OTHER, Finding.WRONG_RESULT)]
)
def test_a_fresh_run_decides_whatever_the_home_has_said(
    parameters: bytes, fresh: bytes, finding: Finding
) -> None:
    async def run_again(_: bytes) -> bytes:
        return fresh

    opened = Opened(SALT, parameters, KNOWN)
    assert asyncio.run(Wasm().check(opened, run_again)) is finding


def test_who_cannot_run_it_abstains() -> None:
    async def run_again(_: bytes) -> bytes:
        raise CannotRun(Finding.OTHER_TOOLCHAIN)

    assert asyncio.run(Wasm().check(Opened(SALT, KNOWN, KNOWN), run_again)) is (
        Finding.OTHER_TOOLCHAIN
    )


@settings(max_examples=10, deadline=None)
@given(st.binary(min_size=32, max_size=40), st.integers(LOWEST_FUEL, 2 * LOWEST_FUEL))
def test_a_made_task_is_deterministic_in_its_seed(seed: bytes, fuel: int) -> None:
    made = generate(seed, fuel)
    assert made == generate(seed, fuel)
    ended = run_made(made)
    assert ended == run_made(made)
    assert (ended.status, len(ended.output)) == (DONE, 32)
    assert fuel * 0.75 <= ended.fuel <= 1.5 * fuel


@pytest.mark.parametrize("name", FUEL_PER_STEP)
def test_no_two_seeds_make_the_same_task(name: str) -> None:
    made = [generate(seed, LOWEST_FUEL) for seed in SEEDS if module_of(seed) == name]
    assert len(made) > 3, "too few of these seeds lead to this module"
    assert len({task.module for task in made}) == len(made)
    ended = [run_made(task) for task in made[:3]]
    assert len({each.output for each in ended}) == 3


@pytest.mark.parametrize("name", FUEL_PER_STEP)
def test_the_estimate_is_near_the_truth(name: str) -> None:
    made = generate(OF_EACH[name], 3 * LOWEST_FUEL)
    assert run_made(made).fuel == pytest.approx(made.fuel, rel=0.2)
    assert made.fuel <= made.bound


@pytest.mark.parametrize("fuel", [LOWEST_FUEL - 1, HIGHEST_FUEL + 1])
def test_fuel_out_of_range_is_refused(fuel: int) -> None:
    with pytest.raises(ValueError, match=f"not {fuel}"):
        generate(SEEDS[0], fuel)


def test_a_short_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 32 bytes"):
        generate(bytes(31), LOWEST_FUEL)


def test_fuel_follows_the_seconds_and_keeps_its_bounds() -> None:
    assert fuel_for(2.0, 1e9) == 2_000_000_000
    assert fuel_for(1e-9, 1.0) == LOWEST_FUEL
    assert fuel_for(1e30, 1e9) == HIGHEST_FUEL


def test_calibration_counts_fuel_by_the_clock() -> None:
    now = 0.0
    ran: list[MadeTask] = []

    def run_at(made: MadeTask) -> int:
        nonlocal now
        now += made.fuel / 1e8 + 0.01
        ran.append(made)
        return made.fuel

    rate = calibrate("chain", run_at, lambda: now, 1.0)
    assert rate == pytest.approx(1e8, rel=0.01)
    assert {made.name for made in ran} == {"chain"}
    assert ran[-1].fuel > 1e8 > ran[-2].fuel


def test_a_standing_clock_ends_the_calibration() -> None:
    runs = count()
    with pytest.raises(ValueError, match="clock"):
        calibrate("sieve", lambda made: next(runs), lambda: 0.0)
    assert next(runs) < 20
