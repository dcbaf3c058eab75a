"""UC1-UC6 of the protocol's section 7 with real processes: two agents, a validator and a chain.

What each kind of vermin does is said to node 2's agent; what it gets is read from the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from ledger.types import Address
from node.agent_client import AgentClient
from node.plugin import Reputation
from tests.integration.agent_world import AgentWorld, trivial_compile, world_has_canary

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def world() -> Iterator[AgentWorld]:
    with AgentWorld() as running:
        yield running


@pytest.fixture
def home(world: AgentWorld) -> Iterator[AgentClient]:
    with world.client(1) as client:
        yield client


@pytest.fixture
def vermin(world: AgentWorld) -> Iterator[AgentClient]:
    with world.client(2) as client:
        yield client


def points(world: AgentWorld, node: AgentClient) -> int:
    return node.kudos(world.address(2)).points


def test_uc1_and_uc4_who_does_not_answer_or_deliver_earns_nothing(
    world: AgentWorld, home: AgentClient, vermin: AgentClient
) -> None:
    before = points(world, home)
    ignored = home.request(world.address(2), "uc1", task_digest="0x" + "01" * 32)
    dead = home.request(world.address(2), "uc4", task_digest="0x" + "04" * 32, deadline_seconds=3)
    world.eventually(lambda: vermin.accept(dead.request_id))
    assert home.state(dead.request_id, "asked", 10).state == "accepted"
    home.confirm(dead.request_id)
    assert home.state(ignored.request_id, "asked", 30).state == "lost"
    assert home.state(dead.request_id, "confirmed", 30).state == "lost"
    assert points(world, home) == before


def test_uc2_who_rejects_actively_earns_one_k1_an_epoch(
    world: AgentWorld, home: AgentClient, vermin: AgentClient
) -> None:
    before = home.kudos(world.address(2))
    for number in range(3):
        asked = home.request(world.address(2), "uc2", task_digest=f"0x{number + 1:064x}")
        world.eventually(partial(vermin.reject, asked.request_id))
    world.until(lambda: home.kudos(world.address(2)).k1 > before.k1, "the first is K1")
    after = home.kudos(world.address(2))
    assert (after.k1, after.k2, after.k3) == (before.k1 + 1, before.k2, before.k3)


def test_uc3_a_wrong_result_of_a_canary_is_refused(
    world: AgentWorld, home: AgentClient, vermin: AgentClient, tmp_path: Path
) -> None:
    descriptor = trivial_compile(tmp_path)
    for _ in range(40):
        asked = home.request(world.address(2), "cc a.c", descriptor=descriptor)
        world.eventually(partial(vermin.accept, asked.request_id))
        assert home.state(asked.request_id, "asked", 10).state == "accepted"
        home.confirm(asked.request_id)
        assert vermin.state(asked.request_id, "accepted", 10).state == "confirmed"
        vermin.result(asked.request_id, "0x" + "99" * 32)
        assert home.state(asked.request_id, "confirmed", 10).state == "done"
        if world_has_canary(world, asked.request_id):
            break
    else:
        pytest.fail("none of forty requests was a canary")
    world.until(lambda: home.explain(world.address(2)).levels["3"].refused > 0, "it is refused")
    said = home.explain(world.address(2))
    assert "REFUSE_RESULT" in said.refused[0].reasons
    assert (said.refused[0].request_id, said.totals.k3) == (asked.request_id, 0)


def test_uc5_who_asks_more_than_it_gives_is_refused_by_its_balance(
    world: AgentWorld, home: AgentClient, vermin: AgentClient, tmp_path: Path
) -> None:
    """Here node 1 is the greedy one: node 2 has run two tasks for it and got none back."""
    before = home.kudos(world.address(2)).k2
    for number in (1, 3):
        world.migrate(home, vermin, number)
    world.until(lambda: vermin.kudos(world.address(2)).k2 >= before + 2, "both are verified")
    rules = tmp_path / "balance.toml"
    rules.write_text('[[rule]]\nuse = "balance"\ncredit = 1\n')
    index = world.ground.nodes[1].index
    with Reputation.open(index, me=world.address(2), strategy=rules) as reputation:
        assert not reputation.decide(world.address(1)).accept
        assert reputation.decide("0x" + "77" * 20).accept, "of others nothing is known"


def test_uc6_a_new_identity_starts_at_zero(world: AgentWorld, home: AgentClient) -> None:
    fresh = Address(b"\x66" * 20)
    with Reputation.open(world.ground.nodes[1].index, me=world.address(2)) as reputation:
        assert reputation.kudos(fresh).points == 0
        verdict = reputation.decide(fresh)
    assert home.kudos(world.address(2)).points > 0
    assert (verdict.accept, verdict.reason.name) == (False, "REPUTATION")
