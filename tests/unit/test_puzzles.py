"""Puzzles: deterministic in the seed, solved by a program of its own, cheap to check."""

from __future__ import annotations

import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import pytest
from coincurve import PublicKey
from eth_hash.auto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from canaries.dlog import ORDER, Dlog
from canaries.factor import Factor
from canaries.preimage import Preimage
from canaries.puzzle import (
    PuzzleFamily,
    calibrate,
    difficulty_for,
    solution_in,
    solver_source,
    standard_output,
    travelling_solver,
)
from canaries.solvers import dlog, preimage

FAMILIES: list[PuzzleFamily] = [Dlog(), Factor(), Preimage()]
EASY = {"dlog": 12, "factor": 20, "preimage": 6}
SEED = bytes(range(32))
families = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)


@families
@settings(max_examples=15, deadline=None)
@given(seed=st.binary(min_size=32, max_size=40))
def test_what_is_solved_verifies_and_nothing_beside_it(family: PuzzleFamily, seed: bytes) -> None:
    puzzle = family.generate(seed, EASY[family.name])
    assert family.generate(seed, EASY[family.name]) == puzzle
    solution = family.solve(puzzle.question)
    assert solution is not None
    assert family.verify(puzzle.parameters, solution)
    if family.name != "preimage":
        assert not family.verify(puzzle.parameters, solution + 1)
    for bit in (0, 77, 150):
        other = bytearray(puzzle.parameters)
        other[bit // 8] ^= 1 << bit % 8
        if family.name == "dlog":
            assert not family.verify(bytes(other), solution)


@families
def test_another_seed_is_another_puzzle(family: PuzzleFamily) -> None:
    one, other = (family.generate(seed, EASY[family.name]) for seed in (SEED, SEED[::-1]))
    assert one.parameters != other.parameters


@families
def test_the_program_that_travels_gives_the_same_answer(
    family: PuzzleFamily, tmp_path: Path
) -> None:
    puzzle = family.generate(SEED, EASY[family.name])
    program = tmp_path / "solve.py"
    program.write_bytes(solver_source(family))
    command = [sys.executable, "-I", str(program), *puzzle.question]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    solution = solution_in(done.stdout)
    assert done.stderr == b""
    assert solution == family.solve(puzzle.question)
    assert solution is not None
    assert standard_output(solution) == done.stdout


@families
def test_solving_costs_a_thousand_times_what_checking_costs(family: PuzzleFamily) -> None:
    """At the difficulty that a calibrated second asks for; checking is timed over many, solving by
    what travels for preimages, whose own check has a faster hash than the solver."""
    difficulty = difficulty_for(family, 1.0, calibrate(family, time.process_time, 0.2))
    puzzle = family.generate(SEED, difficulty)
    started = time.process_time()
    solution = family.solve(puzzle.question)
    solving = time.process_time() - started
    assert solution is not None
    started = time.process_time()
    for _ in range(20):
        assert family.verify(puzzle.parameters, solution)
    checking = (time.process_time() - started) / 20
    assert solving > 1_000 * checking, f"{difficulty} bits: {solving:.3f} s, {checking:.6f} s"


@families
def test_difficulty_grows_with_the_seconds_and_keeps_its_bounds(family: PuzzleFamily) -> None:
    chosen = [difficulty_for(family, seconds, 1e5) for seconds in (0.0, 0.1, 1.0, 10.0, 1e30)]
    assert chosen == sorted(chosen)
    assert chosen[0] == family.lowest
    assert chosen[-1] == family.highest
    assert family.steps(chosen[2]) <= 1e5 < family.steps(chosen[2] + 1)


@families
def test_the_solver_can_be_had_without_its_process(family: PuzzleFamily) -> None:
    puzzle = family.generate(SEED, EASY[family.name])
    assert travelling_solver(family)(puzzle.question) == family.solve(puzzle.question)


def test_calibration_takes_the_solver_that_it_is_given() -> None:
    asked: list[tuple[str, ...]] = []

    def solve(question: tuple[str, ...]) -> int:
        asked.append(question)
        return 0

    ticks = count()
    calibrate(Preimage(), lambda: next(ticks) / 4, 0.5, solve)
    assert len(asked) == 2


def test_a_standing_clock_ends_the_calibration() -> None:
    class Instant(Preimage):
        def solve(self, question: tuple[str, ...]) -> int | None:
            return 0

    with pytest.raises(ValueError, match="clock"):
        calibrate(Instant(), lambda: 0.0)


def test_calibration_counts_steps_by_the_clock() -> None:
    ticks = count()
    rate = calibrate(Preimage(), lambda: next(ticks) / 16, 0.5)
    assert rate == pytest.approx(Preimage().steps(4) * 16, rel=2)


@families
@pytest.mark.parametrize("beyond", [-1, 1])
def test_a_difficulty_out_of_range_is_refused(family: PuzzleFamily, beyond: int) -> None:
    bits = family.lowest - 1 if beyond < 0 else family.highest + 1
    with pytest.raises(ValueError, match=f"{family.lowest} to {family.highest} bits, not {bits}"):
        family.generate(SEED, bits)


@families
def test_a_short_seed_is_refused(family: PuzzleFamily) -> None:
    with pytest.raises(ValueError, match="at least 32 bytes"):
        family.generate(bytes(31), EASY[family.name])


# -- dlog -----------------------------------------------------------------------------------------


@given(st.integers(1, ORDER - 1))
@settings(max_examples=20, deadline=None)
def test_the_curve_is_the_librarys(k: int) -> None:
    assert dlog.multiply(k, dlog.G) == PublicKey.from_secret(k.to_bytes(32, "big")).point()


def test_zero_and_the_outside_of_the_interval_are_refused() -> None:
    family = Dlog()
    puzzle = family.generate(SEED, 12)
    k = family.solve(puzzle.question)
    assert k is not None
    start = int.from_bytes(puzzle.parameters[20:31], "big")
    assert not family.verify(bytes(20) + puzzle.parameters[20:], 0)
    assert not family.verify(puzzle.parameters, k + ORDER)
    beyond = puzzle.parameters[:20] + (k + 1).to_bytes(11, "big") + bytes([12])
    assert start <= k
    assert not family.verify(beyond, k)
    short = puzzle.parameters[:20] + (k - 256).to_bytes(11, "big") + bytes([8])
    assert not family.verify(short, k)
    assert family.verify(puzzle.parameters[:20] + (k - 255).to_bytes(11, "big") + bytes([8]), k)


def test_an_interval_without_the_answer_has_no_solution() -> None:
    x, y = dlog.multiply(5_000, dlog.G) or (0, 0)
    assert dlog.solve(x, y, 5_001, 10) is None
    assert dlog.solve(x, y, 5_000, 10) == 5_000
    assert dlog.solve(x, y, 5_000 - 1_023, 10) == 5_000
    assert dlog.solve(x, y, 5_000 - 1_024, 10) is None


# -- factor ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("solution", [-3, 0, 1, 35, 70, 6])
def test_trivial_and_wrong_factors_are_refused(solution: int) -> None:
    assert not Factor().verify((35).to_bytes(32, "big"), solution)
    assert Factor().verify((35).to_bytes(32, "big"), 5)


@pytest.mark.parametrize("n", [1, 7, 1_000_003])
def test_what_has_no_factor_has_no_solution(n: int) -> None:
    assert Factor().solve((str(n),)) is None


@given(st.binary(min_size=32, max_size=32), st.integers(16, 24))
@settings(max_examples=30, deadline=None)
def test_both_factors_are_primes_of_the_length(seed: bytes, bits: int) -> None:
    family = Factor()
    n = int(family.generate(seed, bits).question[0])
    p = family.solve((str(n),))
    assert p is not None
    for factor in (p, n // p):
        assert factor.bit_length() == bits
        assert all(factor % small for small in range(2, int(factor**0.5) + 1))
    assert p != n // p


# -- preimage -------------------------------------------------------------------------------------


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
@settings(max_examples=30, deadline=None)
def test_the_solvers_hash_is_keccak(first: bytes, second: bytes) -> None:
    assert preimage.keccak_of_two_words(first, second) == keccak(first + second)


@pytest.mark.parametrize(
    "output",
    [b"", b"zz", b"0" * 63 + b"\n", b"0" * 64, b"A" * 64 + b"\n", b"-" + b"1" * 63 + b"\n"],
)
def test_other_output_is_no_solution(output: bytes) -> None:
    assert solution_in(output) is None


@pytest.mark.parametrize("solution", [-1, 1 << 256])
def test_a_solution_has_32_bytes(solution: int) -> None:
    assert not Preimage().verify(bytes(32), solution)
    with pytest.raises(ValueError, match="32 bytes"):
        standard_output(solution)
