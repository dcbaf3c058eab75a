"""Puzzles from a home's command to its host's claim: made, sent, judged, kept and shown."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from canaries.commitment import PLANTED
from canaries.dlog import Dlog
from canaries.factor import Factor
from canaries.family import field_of, installed
from canaries.preimage import Preimage
from canaries.puzzle import PuzzleFamily, Solver, solver_source, standard_output
from canaries.vault import Sealed
from ledger.assets import CanaryOpened, ConfirmedMigration
from ledger.canary_claims import claim_of
from ledger.eip712 import digest
from ledger.errors import UsageError
from ledger.outbox import CANARY
from ledger.outbox_codec import OpenedCanary
from ledger.packed_claims import PlantedOpening, PuzzleOpening
from ledger.reasons import Reason
from ledger.types import Digest
from node import plant_command, wire
from node import shim_protocol as shim
from node.execution import Execution
from node.plant_command import chosen, find_family
from node.planting import MAX_WAITING, Planting
from node.puzzle_home import Puzzles
from node.puzzle_task import PYTHON, describe, solution_of, solves
from node.sandbox import UnsandboxedRunner
from node.staging import ProducedFile
from node.store import ContentStore
from node.task import TaskDescriptor
from tests.unit.node_world import DOMAIN, NOW, World

ASKED = shim.Puzzle("dlog", 12, 60)
BITS = {"dlog": 12, "factor": 20, "preimage": 6}
FAMILIES: list[PuzzleFamily] = [Dlog(), Factor(), Preimage()]
PLANTED_ANSWER = shim.Result(0, b"", b"", ())
families = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)


def printed(solution: int) -> Execution:
    return Execution(0, standard_output(solution), b"", (), 0.1, 0.1)


class Solving:
    """A host's runner that solves the puzzle of the task, and answers ``more`` than is right."""

    def __init__(self, more: int = 0) -> None:
        self.more = more

    async def run(self, task: TaskDescriptor, inputs: ContentStore, *, timeout: float) -> Execution:
        (program,) = task.inputs
        assert inputs.get(program.digest) == solver_source(Dlog())
        solution = Dlog().solve(task.argv[len(PYTHON) + 1 :])
        assert solution is not None
        return printed(solution + self.more)


class Scene:
    """A home that plants, and one host."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        self.host = self.world.make_host()
        self.host.side.families = installed()
        self.host.side.runner = Solving()
        self.world.link(self.host)
        home = self.world.home
        kept = (home.journal, home.store, installed())
        self.planting = Planting(home.me, home.side, *kept, sleep=self.nap)
        self.puzzles = Puzzles(home.me.entropy, installed(), home.store, self.planting)

    async def nap(self, seconds: float) -> None:
        assert 0 <= seconds < ASKED.within

    def plant(self) -> ConfirmedMigration:
        """Plants one and sends it; what its host has in its outbox."""

        async def both() -> shim.Result | shim.Local:
            reply = await self.puzzles.answer(ASKED)
            await asyncio.wait_for(self.planting.send_next(), 5)
            return reply

        assert asyncio.run(both()) == PLANTED_ANSWER
        (migration,) = self.host.migrations()
        assert isinstance(migration, ConfirmedMigration)
        return migration

    def sealed(self, migration: ConfirmedMigration) -> Sealed:
        sealed = self.world.home.vault.canary(digest(DOMAIN, migration.request))
        assert sealed is not None
        return sealed

    def claim(self, migration: ConfirmedMigration) -> OpenedCanary:
        """What the host queues when the home opens the mark."""
        home, sealed = self.world.home, self.sealed(migration)
        request_id = digest(DOMAIN, migration.request)
        self.host.on_ledger[request_id] = migration
        opened = CanaryOpened(
            request_id=request_id,
            result_id=digest(DOMAIN, migration.result),
            task_digest=Digest(sealed.task_digest),
            family=Digest(sealed.mark.family),
            parameters=Digest(sealed.mark.parameters),
            salt=Digest(sealed.mark.salt),
            signed_at=NOW,
        )
        message = wire.Open(opened, home.me.key.sign(DOMAIN, opened))
        assert asyncio.run(self.host.side.open(home.address, message)) == wire.Ack()
        (item,) = self.host.outbox.pending(CANARY)
        claim = self.host.outbox.canary(item.key)
        assert isinstance(claim, OpenedCanary)
        return claim


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    with made.world:
        yield made


def number_of(family: Digest) -> int | None:
    return 1 if family == field_of("dlog") else None


# -- the task --------------------------------------------------------------------------------------


@families
def test_the_task_of_a_puzzle_leaves_its_solution_and_nothing_else(
    family: PuzzleFamily, tmp_path: Path
) -> None:
    """In a process of its own, under the system's Python."""
    puzzle = family.generate(bytes(range(32)), BITS[family.name])
    store = ContentStore(tmp_path / "store")
    store.put(solver_source(family))
    runner = UnsandboxedRunner(accept_no_sandbox=True, scratch=tmp_path)
    done = asyncio.run(runner.run(describe(family, puzzle), store, timeout=60))
    solution = solution_of(done.result(), done.stdout)
    assert solution is not None, done
    assert solves(family, puzzle.parameters, solution)


RIGHT = printed(77)


@pytest.mark.parametrize(
    "execution",
    [
        replace(RIGHT, exit_status=1),
        replace(RIGHT, stderr=b"a warning\n"),
        replace(RIGHT, outputs=(ProducedFile("/task/x", b"", 0o644),)),
        replace(RIGHT, stdout=RIGHT.stdout + b"\n"),
        replace(RIGHT, stdout=b"77\n"),
    ],
)
def test_what_leaves_more_than_a_solution_leaves_none(execution: Execution) -> None:
    assert solution_of(RIGHT.result(), RIGHT.stdout) == Digest((77).to_bytes(32, "big"))
    assert solution_of(execution.result(), execution.stdout) is None


def test_only_puzzles_have_solutions() -> None:
    puzzle = Dlog().generate(bytes(range(32)), 12)
    right = Digest((Dlog().solve(puzzle.question) or 0).to_bytes(32, "big"))
    assert solves(Dlog(), puzzle.parameters, right)
    assert not solves(Dlog(), puzzle.parameters, None)
    assert not solves(Dlog(), puzzle.parameters, Digest(bytes(32)))
    assert not solves(installed()[field_of("replay")], puzzle.parameters, right)
    assert not solves(None, puzzle.parameters, right)


# -- from home to claim ----------------------------------------------------------------------------


def test_a_puzzle_goes_out_under_its_own_mark_and_its_solution_is_claimed(scene: Scene) -> None:
    migration = scene.plant()
    mark = scene.sealed(migration).mark
    assert (mark.kind, mark.family) == (PLANTED, field_of("dlog"))
    assert scene.planting.wrong == []
    claim = scene.claim(migration)
    assert claim.solution is not None
    assert solves(Dlog(), mark.parameters, claim.solution)
    item = claim_of(claim, number_of)
    assert isinstance(item.opening, PuzzleOpening)
    assert item.opening.solution == claim.solution


def test_a_wrong_solution_is_seen_by_the_home_and_left_to_validators(scene: Scene) -> None:
    scene.host.side.runner = Solving(more=1)
    claim = scene.claim(scene.plant())
    assert scene.planting.wrong == [scene.host.address]
    assert claim.solution is None
    assert isinstance(claim_of(claim, number_of).opening, PlantedOpening)


def test_a_host_that_does_not_know_the_family_leaves_it_to_validators(scene: Scene) -> None:
    scene.host.side.families = {}
    assert scene.claim(scene.plant()).solution is None


def test_a_family_that_the_contract_does_not_know_is_voted_on(scene: Scene) -> None:
    claim = scene.claim(scene.plant())
    assert isinstance(claim_of(claim, lambda family: None).opening, PlantedOpening)


def test_no_two_puzzles_are_the_same(scene: Scene) -> None:
    async def plant_two() -> None:
        for _ in range(2):
            await scene.puzzles.answer(ASKED)
            await scene.planting.send_next()

    asyncio.run(plant_two())
    tasks = {
        scene.sealed(migration).task_digest
        for migration in scene.host.migrations()
        if isinstance(migration, ConfirmedMigration)
    }
    assert len(tasks) == 2


@pytest.mark.parametrize("asked", [("dlog", 7), ("dlog", 65), ("replay", 12), ("x" * 33, 12)])
def test_what_cannot_be_made_is_not_planted(scene: Scene, asked: tuple[str, int]) -> None:
    refused = shim.Local(Reason.NOT_SENDABLE.name)
    assert asyncio.run(scene.puzzles.answer(shim.Puzzle(*asked, 60))) == refused


def test_so_many_wait_and_no_more(scene: Scene) -> None:
    async def fill() -> list[shim.Result | shim.Local]:
        return [await scene.puzzles.answer(ASKED) for _ in range(MAX_WAITING + 1)]

    replies = asyncio.run(fill())
    assert replies == [PLANTED_ANSWER] * MAX_WAITING + [shim.Local(Reason.CAPACITY.name)]


# -- the command -----------------------------------------------------------------------------------


def test_the_difficulty_goes_by_the_program_that_travels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each solving takes a second here: the steps of one difficulty are the rate."""
    ticks = iter(range(1_000_000))
    asked: list[tuple[str, ...]] = []

    def travelling(family: PuzzleFamily) -> Solver:
        def solve(question: tuple[str, ...]) -> int:
            asked.append(question)
            return 0

        return solve

    monkeypatch.setattr(plant_command, "travelling_solver", travelling)
    rate = Preimage().steps(Preimage().lowest)
    bits, lasts = chosen(Preimage(), 8.0, lambda: float(next(ticks)))
    assert (bits, lasts) == (Preimage().lowest + 3, Preimage().steps(bits) / rate)
    assert len(asked) == 1


def test_an_unknown_family_is_told_which_there_are() -> None:
    assert find_family("factor").name == "factor"
    for name in ("replay", "sudoku"):
        with pytest.raises(UsageError, match=name) as caught:
            find_family(name)
        assert "dlog, factor, preimage" in str(caught.value.hint)
