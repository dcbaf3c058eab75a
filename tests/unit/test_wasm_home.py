"""A home's modules: sent out, planted, marked, compared; and validators that run them again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from canaries.commitment import PLANTED
from canaries.family import field_of, installed
from canaries.vault import Sealed
from canaries.wasm import UNKNOWN, mark_for
from ledger.eip712 import digest
from ledger.errors import KudosError
from ledger.reasons import Reason
from ledger.types import Digest
from node import shim_protocol as shim
from node.execution import Execution
from node.home import Local, Remote
from node.inputs import keep
from node.journal import Journal
from node.marking import KnownCanary
from node.peers import PeerBook
from node.planting import MAX_ATTEMPTS, MAX_WAITING, Planting
from node.rerun import Rerun
from node.store import ContentStore
from node.task import TaskDescriptor, result_digest, task_digest
from node.wasm_home import Modules
from node.wasm_runtime import Undecided
from tests.unit.canary_claims import make_claim
from tests.unit.node_world import NOW, FakeRunner, World, credentials
from tests.unit.validator_fakes import FakePeers, serve
from tests.unit.wasm_modules import (
    DATA,
    ECHO,
    ECHOED,
    FOR_EVER,
    LIMITS,
    RIGHT,
    counting,
    execution_of,
    module,
    task_of,
)

ASKED = shim.Module(
    ECHO,
    DATA,
    fuel=1_000_000,
    cpu_seconds=LIMITS.cpu_seconds,
    memory_mib=LIMITS.memory_mib,
    output_kib=LIMITS.output_kib,
    process_name="echo.wasm",
)
RESULT = shim.Result(0, DATA, ECHOED.stderr, ())
OTHER_FUEL = replace(ECHOED, stderr=b"done, fuel 11\n")
OTHER_OUTPUT = replace(ECHOED, stdout=b"some Input")


class Scene:
    """A home with one host, both of which make of the module what it is."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        self.host = self.world.make_host()
        self.host.runner.execution = ECHOED
        self.world.link(self.host)
        self.own = FakeRunner()
        self.own.execution = ECHOED
        self.naps: list[float] = []
        home = self.world.home
        kept = (home.journal, home.store, installed())
        self.planting = Planting(home.me, home.side, *kept, sleep=self.nap)
        self.modules = Modules(home.side, self.own, home.store, self.planting)

    async def nap(self, seconds: float) -> None:
        self.naps.append(seconds)

    def ask(self, asked: shim.Module = ASKED) -> shim.Result | shim.Local:
        return asyncio.run(self.modules.answer(asked))

    def plant(self, *, send: bool = True) -> shim.Result | shim.Local:
        async def both() -> shim.Result | shim.Local:
            reply = await self.modules.answer(ASKED._replace(plant_within=60))
            if send:
                await asyncio.wait_for(self.planting.send_next(), 5)
            return reply

        return asyncio.run(both())

    def sealed(self) -> Sealed | None:
        """The secret of the one request that was settled, if it is a canary."""
        (migration,) = self.host.migrations()
        return self.world.home.vault.canary(digest(self.world.home.me.domain, migration.request))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    with made.world:
        yield made


def test_a_module_runs_at_a_host_and_its_output_comes_back(scene: Scene) -> None:
    assert scene.ask() == RESULT
    assert scene.own.timeouts == []
    assert len(scene.host.runner.timeouts) == 1


def test_a_trap_is_an_answer_like_any_other(scene: Scene) -> None:
    scene.host.runner.execution = execution_of(FOR_EVER, 1000)
    reply = scene.ask(ASKED._replace(module=FOR_EVER, fuel=1000))
    assert reply == shim.Result(1, b"", b"trap out of fuel, fuel 1000\n", ())


@pytest.mark.parametrize("change", [{"fuel": 0}, {"cpu_seconds": 0}, {"memory_mib": 5000}])
def test_bounds_that_cannot_be_are_not_sent(scene: Scene, change: dict[str, Any]) -> None:
    assert scene.ask(ASKED._replace(**change)) == shim.Local(Reason.NOT_SENDABLE.name)
    assert scene.host.runner.timeouts == []


def test_without_hosts_it_is_for_whoever_asked(scene: Scene) -> None:
    scene.world.links.clear()
    assert scene.ask() == shim.Local(Reason.NO_HOST.name)


def test_a_host_of_another_wasmtime_rejects_it(scene: Scene) -> None:
    task = replace(task_of(), toolchain="wasm-1-wasmtime-1")
    for blob in (ECHO, DATA):
        scene.world.home.store.put(blob)
    outcome = asyncio.run(scene.world.home.side.run(task, "echo.wasm"))
    assert isinstance(outcome, Local)
    (rejected,) = scene.host.migrations()
    assert cast("Any", rejected).rejected.reason == Reason.TOOLCHAIN


def test_a_host_that_cannot_decide_loses_no_task(scene: Scene) -> None:
    """Its stack was too small, say: the next host is asked."""
    second = scene.world.make_host(3)
    second.runner.execution = ECHOED
    scene.world.link(second)
    scene.host.runner.error = Undecided("no verdict")
    assert scene.ask() == RESULT
    assert scene.ask() == RESULT
    assert len(second.runner.timeouts) == 2


@pytest.mark.parametrize("canary", [False, True])
def test_the_schedule_marks_modules_with_their_own_family(scene: Scene, canary: bool) -> None:
    scene.world.home.schedule.canary = canary
    scene.ask()
    sealed = scene.sealed()
    if not canary:
        assert sealed is None
        return
    assert sealed is not None
    assert (sealed.mark.kind, sealed.mark.family) == (PLANTED, field_of("wasm"))
    assert sealed.mark.parameters == UNKNOWN


def test_a_planted_module_is_run_at_home_and_goes_out_later(scene: Scene) -> None:
    assert scene.plant() == RESULT
    assert len(scene.own.timeouts) == len(scene.host.runner.timeouts) == 1
    (nap,) = scene.naps
    assert 0 <= nap < 60
    sealed = scene.sealed()
    assert sealed is not None
    assert sealed.task_digest == task_digest(task_of())
    assert (sealed.mark.family, sealed.mark.parameters) == (field_of("wasm"), RIGHT)
    assert scene.planting.wrong == []
    assert scene.world.home.journal.counters()["planted"] == 1


@pytest.mark.parametrize("lie", [OTHER_FUEL, OTHER_OUTPUT])
def test_the_home_sees_a_wrong_answer_at_once(scene: Scene, lie: Execution) -> None:
    scene.host.runner.execution = lie
    scene.plant()
    assert scene.planting.wrong == [scene.host.address]


def test_a_planted_module_waits_for_hosts_but_not_for_ever(scene: Scene) -> None:
    scene.world.links.clear()
    scene.plant()
    assert len(scene.naps) == MAX_ATTEMPTS
    assert scene.host.migrations() == []


def test_a_module_that_is_stopped_at_home_is_not_planted(scene: Scene) -> None:
    scene.own.execution = replace(ECHOED, killed="cpu")
    assert scene.plant(send=False) == shim.Local(Reason.LIMITS.name)
    scene.own.error = KudosError("no sandbox")
    assert scene.plant(send=False) == shim.Local(Reason.NOT_SENDABLE.name)


def test_so_many_wait_and_no_more(scene: Scene) -> None:
    async def fill() -> list[shim.Result | shim.Local]:
        planted = ASKED._replace(plant_within=60)
        return [await scene.modules.answer(planted) for _ in range(MAX_WAITING + 1)]

    replies = asyncio.run(fill())
    assert replies[:-1] == [RESULT] * MAX_WAITING
    assert replies[-1] == shim.Local(Reason.CAPACITY.name)


def test_trouble_while_a_planted_module_is_sent_ends_only_that_one(scene: Scene) -> None:
    class Troubled:
        async def run(
            self, task: TaskDescriptor, name: str, known: KnownCanary | None = None
        ) -> Remote:
            raise KudosError("the disk is full")

    scene.planting.home = Troubled()
    scene.plant()
    assert len(scene.naps) == 1


# -- validators -----------------------------------------------------------------------------------


def judge(
    scene: Scene, fresh: Execution | Exception, answer: Execution, task: Any = None
) -> Reason:
    """The vote on a claim of this answer, by a validator whose own run gives ``fresh``."""
    task = task or task_of()
    home, runner, peers = scene.world.home, FakeRunner(), FakePeers()
    if isinstance(fresh, Exception):
        runner.error = fresh
    else:
        runner.execution = fresh
    for party in (home, scene.host):
        for blob in (ECHO, DATA):
            party.store.put(blob)
        keep(party.store, party.journal, task, NOW + 900)
    serve(peers, scene.host)
    journal = Journal(scene.world.folder / "validator.db")
    rerun = Rerun(
        me=credentials(11, scene.world.clock),
        families=installed(),
        toolchain="gcc-of-another-class",
        runner=runner,
        store=ContentStore(scene.world.folder / "validator", clock=scene.world.clock),
        peers=cast(PeerBook, peers),
        journal=journal,
    )
    claim = make_claim(
        home.me,
        scene.host.address,
        task=task,
        mark=mark_for(True, RIGHT, b"\x02" * 32),
        answer=Digest(result_digest(answer.result())),
    )
    try:
        return asyncio.run(rerun.judge(claim))
    finally:
        journal.close()


def test_the_right_output_for_the_right_fuel_is_approved_whatever_compiler_is_there(
    scene: Scene,
) -> None:
    assert judge(scene, ECHOED, ECHOED) is Reason.APPROVE


@pytest.mark.parametrize("lie", [OTHER_FUEL, OTHER_OUTPUT, replace(ECHOED, exit_status=1)])
def test_a_wrong_output_fuel_or_status_is_refused(scene: Scene, lie: Execution) -> None:
    assert judge(scene, ECHOED, lie) is Reason.REFUSE_RESULT


def test_a_longer_way_to_the_same_output_is_refused(scene: Scene) -> None:
    """What the fuel is for: the output alone would not show it."""
    slow = execution_of(module(counting(10)))
    assert slow.stdout == ECHOED.stdout
    assert judge(scene, ECHOED, slow) is Reason.REFUSE_RESULT


def test_another_wasmtime_is_nobodys_fault(scene: Scene) -> None:
    task = replace(task_of(), toolchain="wasm-1-wasmtime-1")
    assert judge(scene, ECHOED, ECHOED, task) is Reason.ABSTAIN_TOOLCHAIN


def test_a_validator_that_cannot_decide_abstains(scene: Scene) -> None:
    assert judge(scene, Undecided("no verdict"), ECHOED) is Reason.ABSTAIN_SANDBOX
