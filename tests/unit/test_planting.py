"""Planted tasks over a crash: what was promised goes out, once it is its turn, and is judged."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from canaries.dlog import Dlog
from canaries.family import field_of, installed
from canaries.puzzle import solver_source
from ledger.eip712 import digest
from ledger.ports import system_entropy
from ledger.types import Digest
from node.inputs import read_inputs
from node.journal import Journal
from node.marking import KnownCanary
from node.planting import MAX_ATTEMPTS, Planted, Planting
from node.puzzle_home import Puzzles
from node.shim_protocol import Puzzle, Result
from node.task import task_digest
from tests.unit.node_world import DOMAIN, World
from tests.unit.test_puzzle_home import Solving
from tests.unit.wasm_modules import DATA, ECHO, ECHOED, RIGHT, task_of

WASM = KnownCanary(field_of("wasm"), RIGHT)
TASK = task_of()


class Killed(BaseException):
    """The process ends here."""


class Node:
    """A home over one directory, whose process may be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        self.host = self.world.make_host()
        self.host.runner.execution = ECHOED
        self.world.link(self.host)
        self.naps: list[float] = []
        self.left: list[Journal] = []
        self.planting = self.start()

    def start(self) -> Planting:
        """As after kill -9: the old journal is left open, not closed."""
        home = self.world.home
        self.left.append(Journal(self.world.folder / "planting.db"))
        kept = (self.left[-1], home.store, installed())
        self.planting = Planting(home.me, home.side, *kept, sleep=self.nap)
        return self.planting

    async def nap(self, seconds: float) -> None:
        self.naps.append(seconds)

    def plant(self, name: str = "echo.wasm", within: int = 60) -> None:
        store = self.world.home.store
        for blob in (ECHO, DATA):
            store.put(blob)
        self.planting.plant(Planted(TASK, name, WASM, within))

    def send(self) -> None:
        asyncio.run(asyncio.wait_for(self.planting.send_next(), 5))

    @property
    def waiting(self) -> int:
        return self.planting.journal.planted_count()

    def sent(self) -> list[str]:
        return [
            migration.request.process_name.rstrip(b"\0").decode()
            for migration in self.host.migrations()
        ]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path)
    with node.world:
        yield node
    for journal in node.left:
        journal.close()


def dying(call: Callable[..., Awaitable[Any]], after: bool = False) -> Callable[..., Any]:
    async def die(*args: Any, **kwargs: Any) -> Any:
        if after:
            await call(*args, **kwargs)
        raise Killed

    return die


class Dying:
    """A home side that is killed before or after it has the result."""

    def __init__(self, side: Any, after: bool) -> None:
        self.run = dying(side.run, after)


def test_what_waits_goes_out_after_a_restart_in_its_order(node: Node) -> None:
    for name in ("first", "second"):
        node.plant(name)
    node.start()
    assert node.waiting == 2
    node.send()
    node.start()
    node.send()
    assert node.sent() == ["first", "second"]
    assert (node.waiting, node.planting.wrong) == (0, [])
    assert node.planting.journal.counters()["planted"] == 2


@pytest.mark.parametrize("point", ["wait", "before", "after"])
def test_a_node_killed_anywhere_goes_on_with_it(node: Node, point: str) -> None:
    node.plant()
    if point == "wait":
        node.planting.sleep = dying(node.nap)
    else:
        node.planting.home = Dying(node.world.home.side, point == "after")
    with pytest.raises(Killed):
        node.send()
    node.start()
    assert node.waiting == 1
    node.send()
    assert node.waiting == 0
    # What had its result but no judgement is asked for once more, under another number.
    assert len(node.sent()) == (2 if point == "after" else 1)
    numbers = {migration.request.seq for migration in node.host.migrations()}
    assert len(numbers) == len(node.sent())
    for migration in node.host.migrations():
        sealed = node.world.home.vault.canary(digest(DOMAIN, migration.request))
        assert sealed is not None and sealed.task_digest == task_digest(TASK)


def test_the_wait_is_drawn_anew_after_a_restart(node: Node) -> None:
    node.planting.sleep = dying(node.nap)
    node.plant()
    for _ in range(3):
        with pytest.raises(Killed):
            node.send()
        node.start().sleep = dying(node.nap)
    node.start()
    node.send()
    assert len(node.naps) == 1 and 0 < node.naps[0] < 60


def test_a_task_that_ends_the_node_each_time_is_given_up(node: Node) -> None:
    node.plant()
    for _ in range(MAX_ATTEMPTS):
        node.planting.home = Dying(node.world.home.side, after=False)
        with pytest.raises(Killed):
            node.send()
        node.start()
    node.plant("the next")
    node.send()
    assert node.sent() == []
    node.send()
    assert node.sent() == ["the next"]


def test_its_inputs_outlive_a_full_store(node: Node) -> None:
    store = node.world.home.store
    node.plant(within=600)
    node.world.clock.time += 300
    store._max_bytes = 0
    store.prune()
    descriptor = node.planting.journal.task(Digest(task_digest(TASK)))
    assert descriptor is not None
    assert len(read_inputs(store, descriptor).blobs) == 2


@pytest.mark.parametrize("more", [0, 1], ids=["right", "wrong"])
def test_the_answer_to_a_puzzle_is_judged_after_a_restart(node: Node, more: int) -> None:
    node.host.side.runner = Solving(more)
    home = node.world.home
    puzzles = Puzzles(system_entropy, installed(), home.store, node.planting)
    assert asyncio.run(puzzles.answer(Puzzle("dlog", 12, 60))) == Result(0, b"", b"", ())
    node.start()
    assert home.store.put(solver_source(Dlog()))
    node.send()
    assert node.planting.wrong == ([node.host.address] if more else [])


def test_one_that_comes_while_the_queue_is_empty_is_seen(node: Node) -> None:
    async def later() -> None:
        sending = asyncio.create_task(node.planting.send_next())
        await asyncio.sleep(0)
        assert not sending.done()
        node.plant()
        await asyncio.wait_for(sending, 5)

    asyncio.run(later())
    assert node.sent() == ["echo.wasm"]
