"""A puzzle as a task: a program with its question as arguments, for the system's own Python;
and what its result says.

No compiler has a part in the result, so every host and every validator may take it.
"""

from __future__ import annotations

from canaries.family import Family
from canaries.puzzle import Puzzle, PuzzleFamily, solution_in, solver_source
from ledger.puzzle_result import result_digest_of
from ledger.types import Digest
from node.store import sha256
from node.task import InputFile, ResultDescriptor, TaskDescriptor, result_digest
from node.wasm_task import ANY_TOOLCHAIN

FOLDER = "/task"
PROGRAM = "solve.py"
PYTHON = ("python3", "-I", "-S", "-B")
"""Isolated: nothing of the host's own Python has a say, and nothing is written."""


def describe(family: PuzzleFamily, puzzle: Puzzle) -> TaskDescriptor:
    """The task of this puzzle; its one input is ``solver_source(family)``."""
    return TaskDescriptor(
        argv=(*PYTHON, PROGRAM, *puzzle.question),
        cwd=FOLDER,
        env=(),
        toolchain=ANY_TOOLCHAIN,
        inputs=(InputFile(f"{FOLDER}/{PROGRAM}", sha256(solver_source(family)), 0o644),),
        directories=(),
        outputs=(),
    )


def solution_of(result: ResultDescriptor, stdout: bytes) -> Digest | None:
    """The solution that a task printed, if it printed one and left nothing else behind."""
    found = solution_in(stdout)
    if found is None:
        return None
    solution = Digest(found.to_bytes(32, "big"))
    return solution if result_digest_of(solution) == result_digest(result) else None


def solves(family: Family | None, parameters: bytes, solution: Digest | None) -> bool:
    """Whether it is a family of puzzles, and says that this solution is right."""
    if solution is None or not isinstance(family, PuzzleFamily):
        return False
    return family.verify(parameters, int.from_bytes(solution, "big"))
