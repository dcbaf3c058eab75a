"""Judging K3 claims: what is run again, from whose inputs, and what that says of the host."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from canaries.commitment import PLANTED, Mark
from canaries.dlog import Dlog
from canaries.family import field_of, installed
from canaries.puzzle import solver_source, standard_output
from ledger.errors import KudosError, PeerError
from ledger.reasons import Reason
from ledger.rows import UnvotedCanary
from ledger.types import Digest
from node import wire
from node.execution import Execution
from node.inputs import keep
from node.journal import Journal
from node.lending import Lending
from node.peers import PeerBook
from node.puzzle_task import describe
from node.rerun import Rerun
from node.store import ContentStore
from node.task import encode_task, result_digest
from tests.unit.canary_claims import ZERO, as_drawn, make_claim, planted
from tests.unit.node_world import (
    EXECUTION,
    NOW,
    SOURCES,
    TASK,
    TOOLCHAIN,
    FakeRunner,
    HostNode,
    World,
    credentials,
)
from tests.unit.validator_fakes import FakePeers, Party, serve


@dataclass
class Scene:
    world: World
    host: HostNode
    peers: FakePeers
    runner: FakeRunner
    rerun: Rerun

    def claim(self, **how: Any) -> UnvotedCanary:
        """A K3 claim on a canary whose task both parties have kept."""
        home = self.world.home
        for party in (home, self.host):
            for source in SOURCES:
                party.store.put(source)
            keep(party.store, party.journal, TASK, NOW + 900)
        return make_claim(home.me, self.host.address, **how)

    def judge(self, claim: UnvotedCanary) -> Reason:
        return asyncio.run(self.rerun.judge(claim))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with World(tmp_path) as world:
        host = world.make_host()
        peers, runner = FakePeers(), FakeRunner()
        rerun = Rerun(
            me=credentials(11, world.clock),
            families=installed(),
            toolchain=TOOLCHAIN,
            runner=runner,
            store=ContentStore(tmp_path / "validator", clock=world.clock),
            peers=cast(PeerBook, peers),
            journal=Journal(tmp_path / "journal.db"),
        )
        yield Scene(world, host, peers, runner, rerun)


@pytest.mark.parametrize("who", ["host", "home"])
def test_a_right_answer_is_approved_with_the_inputs_of_either_party(scene: Scene, who: str) -> None:
    claim = scene.claim()
    serve(scene.peers, scene.host if who == "host" else scene.world.home)
    assert scene.judge(claim) is Reason.APPROVE
    assert len(scene.runner.timeouts) == 1


def test_what_a_run_costs_is_counted(scene: Scene) -> None:
    serve(scene.peers, scene.host)
    scene.runner.execution = replace(EXECUTION, cpu_seconds=1.25)
    for seq in (1, 2):
        scene.judge(scene.claim(seq=seq))
    assert scene.rerun.journal.counters() == {"cpu_ms": 2_500}


def test_a_drawn_task_is_run_again_like_a_planted_one(scene: Scene) -> None:
    claim = as_drawn(scene.claim())
    serve(scene.peers, scene.host)
    assert scene.judge(claim) is Reason.APPROVE
    scene.runner.execution = replace(EXECUTION, stderr=b"other")
    assert scene.judge(claim) is Reason.REFUSE_RESULT


def test_a_drawn_task_of_another_toolchain_is_nobodys_fault(scene: Scene) -> None:
    scene.rerun.toolchain = "gcc-13"
    claim = as_drawn(scene.claim())
    serve(scene.peers, scene.host)
    assert scene.judge(claim) is Reason.ABSTAIN_TOOLCHAIN
    assert scene.runner.timeouts == []


def test_a_puzzle_that_is_voted_on_is_run_again_whatever_compiler_is_there(scene: Scene) -> None:
    family = Dlog()
    puzzle = family.generate(bytes(range(32)), 12)
    task = describe(family, puzzle)
    scene.host.store.put(solver_source(family))
    keep(scene.host.store, scene.host.journal, task, NOW + 900)
    serve(scene.peers, scene.host)
    solution = family.solve(puzzle.question)
    assert solution is not None
    scene.runner.execution = Execution(0, standard_output(solution), b"", (), 0.1, 0.1)
    scene.rerun.toolchain = "gcc-13"
    right = Digest(result_digest(scene.runner.execution.result()))
    mark = Mark(PLANTED, field_of("dlog"), puzzle.parameters, b"\x02" * 32)
    for answer, reason in ((right, Reason.APPROVE), (ZERO, Reason.REFUSE_RESULT)):
        claim = make_claim(
            scene.world.home.me, scene.host.address, task=task, mark=mark, answer=answer
        )
        assert scene.judge(claim) is reason


def test_a_wrong_answer_is_refused(scene: Scene) -> None:
    claim = scene.claim(answer=Digest(b"\x01" * 32))
    serve(scene.peers, scene.host)
    assert scene.judge(claim) is Reason.REFUSE_RESULT
    assert len(scene.runner.timeouts) == 1, "it was refused without a run"


@pytest.mark.parametrize(
    ("row", "opening", "reason"),
    [
        ({"result_digest": ZERO}, {}, Reason.REFUSE_RESULT),
        ({"seal_salt": ZERO}, {}, Reason.REFUSE_RESULT),
        ({"result_digest": None}, {}, Reason.REFUSE_RESULT),
        ({}, {"signature": bytes(64)}, Reason.REFUSE_SIGNATURE),
    ],
)
def test_a_claim_that_does_not_hold_on_paper_is_refused_unrun(
    scene: Scene, row: dict[str, Any], opening: dict[str, Any], reason: Reason
) -> None:
    claim = scene.claim()
    party = serve(scene.peers, scene.host)
    assert claim.opening is not None
    forged = replace(
        claim, kudos=replace(claim.kudos, **row), opening=replace(claim.opening, **opening)
    )
    assert scene.judge(forged) is reason
    assert (party.asked, scene.runner.timeouts) == (0, [])


@pytest.mark.parametrize("limit", ["cpu_seconds", "memory_mib", "output_kib"])
def test_limits_that_the_request_did_not_state_are_refused(scene: Scene, limit: str) -> None:
    """Otherwise the run would be another one than the host was asked for."""
    stated = getattr(TASK.limits, limit)
    claim = scene.claim(changes={limit: stated - 1})
    serve(scene.peers, scene.host)
    assert scene.judge(claim) is Reason.REFUSE_OPENING
    assert scene.runner.timeouts == []


@pytest.mark.parametrize("lends", [(59, 512, 1024), (60, 511, 1024), (60, 512, 1023)])
def test_a_validator_runs_no_more_than_it_lends(scene: Scene, lends: tuple[int, int, int]) -> None:
    cpu_seconds, memory_mib, output_kib = lends
    scene.rerun.lends = Lending(
        cpu_seconds=cpu_seconds, memory_mib=memory_mib, output_kib=output_kib
    )
    claim = scene.claim()
    serve(scene.peers, scene.host)
    assert scene.judge(claim) is Reason.ABSTAIN_SANDBOX
    assert scene.runner.timeouts == []


def test_a_run_is_bounded_by_what_the_validator_lends(scene: Scene) -> None:
    scene.rerun.lends = Lending(wall_seconds=77.0)
    claim = scene.claim()
    serve(scene.peers, scene.host)
    assert scene.judge(claim) is Reason.APPROVE
    assert scene.runner.timeouts == [77.0]


def test_another_run_that_differs_refuses(scene: Scene) -> None:
    claim = scene.claim()
    serve(scene.peers, scene.host)
    scene.runner.execution = replace(EXECUTION, stderr=b"other")
    assert scene.judge(claim) is Reason.REFUSE_RESULT


def test_a_canary_of_another_toolchain_is_left_to_others(scene: Scene) -> None:
    scene.rerun.toolchain = "gcc-13"
    claim = scene.claim()
    party = serve(scene.peers, scene.host)
    assert scene.judge(claim) is Reason.ABSTAIN_TOOLCHAIN
    assert party.asked == 0


def test_a_mark_that_names_another_toolchain_than_its_task_is_refused(scene: Scene) -> None:
    claim = scene.claim(mark=planted("gcc-13"))
    serve(scene.peers, scene.host)
    scene.rerun.toolchain = "gcc-13"
    assert scene.judge(claim) is Reason.REFUSE_OPENING
    assert scene.runner.timeouts == []


def test_an_unknown_family_is_left_to_others(scene: Scene) -> None:
    claim = scene.claim(mark=planted(family="unheard"))
    party = serve(scene.peers, scene.host)
    assert field_of("unheard") not in scene.rerun.families
    assert scene.judge(claim) is Reason.ABSTAIN_SANDBOX
    assert party.asked == 0


def test_inputs_that_nobody_has_are_an_abstention(scene: Scene) -> None:
    assert scene.judge(scene.claim()) is Reason.ABSTAIN_INPUTS
    assert scene.runner.timeouts == []


def raise_(error: Exception) -> wire.Message:
    raise error


BAD_PARTIES: dict[str, Callable[[wire.Fetch], wire.Message]] = {
    "vanishes": lambda fetch: raise_(PeerError("gone")),
    "faults": lambda fetch: wire.Fault("not here"),
    "says something else": lambda fetch: wire.Ack(),
    "sends another task": lambda fetch: wire.Inputs(
        encode_task(replace(TASK, argv=("cc", "-v"))), SOURCES
    ),
    "sends no task": lambda fetch: wire.Inputs(b"{}", SOURCES),
    "keeps an input": lambda fetch: wire.Inputs(encode_task(TASK), SOURCES[:1]),
    "sends another input": lambda fetch: wire.Inputs(encode_task(TASK), (SOURCES[0], b"evil")),
}


@pytest.mark.parametrize("what", BAD_PARTIES)
def test_a_party_that_gives_nothing_usable_is_passed_over(scene: Scene, what: str) -> None:
    bad = scene.peers.parties[scene.host.address] = Party(BAD_PARTIES[what])
    claim = scene.claim()
    assert scene.judge(claim) is Reason.ABSTAIN_INPUTS
    assert bad.asked == 1
    assert scene.runner.timeouts == []
    serve(scene.peers, scene.world.home)
    assert scene.judge(claim) is Reason.APPROVE


def test_a_sandbox_that_fails_is_no_verdict_on_the_host(scene: Scene) -> None:
    claim = scene.claim()
    serve(scene.peers, scene.host)
    scene.runner.error = KudosError("no sandbox")
    assert scene.judge(claim) is Reason.ABSTAIN_SANDBOX


def test_a_run_that_was_stopped_is_no_verdict_on_the_host(scene: Scene) -> None:
    claim = scene.claim()
    serve(scene.peers, scene.host)
    scene.runner.execution = replace(EXECUTION, killed="timeout")
    assert scene.judge(claim) is Reason.ABSTAIN_SANDBOX
