"""Puzzles: tasks whose answer takes seconds to find and microseconds to check (protocol section 4).

A puzzle is an ordinary process: its program is one of ``canaries.solvers``, its arguments are the
question, its standard output is the solution as 64 hexadecimal digits and a newline. What the mark
carries (``parameters``, 32 bytes) is what the contract of the same family checks a solution
against. Whoever makes a puzzle of ``dlog`` or ``factor`` knows its answer; nobody knows that of a
``preimage`` beforehand. Everything is deterministic in the seed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.resources import files
from typing import Protocol, cast, runtime_checkable

from canaries.family import Family

WORD_BYTES = 32

Solver = Callable[[tuple[str, ...]], int | None]
"""From a question to its solution, or None where there is none."""


@dataclass(frozen=True, slots=True)
class Puzzle:
    """``parameters`` stand in the mark; ``question`` are the solver's arguments."""

    parameters: bytes
    question: tuple[str, ...]


@runtime_checkable
class PuzzleFamily(Family, Protocol):
    """One kind of puzzle. Difficulties are in bits; the range is the family's own. A puzzle is a
    task like any other, so where no contract checks it, validators can still run it again."""

    @property
    def lowest(self) -> int: ...

    @property
    def highest(self) -> int: ...

    def generate(self, seed: bytes, difficulty: int) -> Puzzle:
        """The puzzle of this seed (at least 32 bytes, secret); ValueError out of the range."""
        ...

    def solve(self, question: tuple[str, ...]) -> int | None:
        """The solution, or None where there is none; takes as long as it takes."""
        ...

    def verify(self, parameters: bytes, solution: int) -> bool:
        """What the family's contract says."""
        ...

    def steps(self, difficulty: int) -> float:
        """How many steps solving takes on average."""
        ...


def solver_source(family: PuzzleFamily) -> bytes:
    """The program that a task carries to solve a puzzle of this family."""
    return (files("canaries.solvers") / f"{family.name}.py").read_bytes()


def travelling_solver(family: PuzzleFamily) -> Solver:
    """What that program does, in this process; the family's own way may be faster."""
    return cast("Solver", import_module(f"canaries.solvers.{family.name}").answer)


def standard_output(solution: int) -> bytes:
    """What a solver prints; ValueError beyond 32 bytes."""
    if not 0 <= solution < 1 << 8 * WORD_BYTES:
        raise ValueError("a solution has 32 bytes")
    return b"%064x\n" % solution


def solution_in(output: bytes) -> int | None:
    """The solution that a solver printed, or None for anything that none of ours prints."""
    try:
        solution = int(output, 16)
    except ValueError:
        return None
    return solution if 0 <= solution < 1 << 256 and standard_output(solution) == output else None


def number(seed: bytes, label: bytes, bits: int) -> int:
    """A number of at most ``bits`` bits that only the holder of the seed can tell."""
    if len(seed) < WORD_BYTES:
        raise ValueError("a puzzle's seed has at least 32 bytes")
    size = (bits + 7) // 8
    drawn = hashlib.shake_256(b"kudos puzzle " + label + b"\0" + seed).digest(size)
    return int.from_bytes(drawn, "big") >> 8 * size - bits


def within(family: PuzzleFamily, difficulty: int) -> None:
    """ValueError for a difficulty that the family does not know."""
    if not family.lowest <= difficulty <= family.highest:
        raise ValueError(
            f"the difficulty of {family.name} is {family.lowest} to {family.highest} bits,"
            f" not {difficulty}"
        )


def difficulty_for(family: PuzzleFamily, seconds: float, steps_per_second: float) -> int:
    """The largest difficulty that takes at most ``seconds`` on average; at least the lowest."""
    wanted = family.lowest
    while wanted < family.highest and family.steps(wanted + 1) <= seconds * steps_per_second:
        wanted += 1
    return wanted


def calibrate(
    family: PuzzleFamily,
    clock: Callable[[], float],
    seconds: float = 0.5,
    solve: Solver | None = None,
) -> float:
    """Steps per second on this machine: solves ever harder puzzles, in the family's own way where
    no other is named, until ``seconds`` have passed by ``clock`` (which counts in seconds)."""
    solve = solve or family.solve
    steps, started, difficulty = 0.0, clock(), family.lowest
    for attempt in range(10_000):
        puzzle = family.generate(attempt.to_bytes(WORD_BYTES, "big"), difficulty)
        solve(puzzle.question)
        steps += family.steps(difficulty)
        spent = clock() - started
        if spent >= seconds:
            return steps / spent
        if spent < seconds / 8 and difficulty < family.highest:
            difficulty += 1
    raise ValueError("the clock stands still")
