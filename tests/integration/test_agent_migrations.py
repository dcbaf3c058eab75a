"""A migration that another program carries out, between two agents that are processes: signed,
exchanged, settled, verified, and opened."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ledger.types import Digest, address_from_hex
from node.agent_client import AgentClient
from node.agent_protocol import AgentError
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
def host(world: AgentWorld) -> Iterator[AgentClient]:
    with world.client(2) as client:
        yield client


def settled(world: AgentWorld, request_id: str) -> bool:
    with world.reader() as reader:
        return reader.migration(Digest(bytes.fromhex(request_id[2:]))) is not None


def test_a_migration_from_request_to_verified_kudos(
    world: AgentWorld, home: AgentClient, host: AgentClient
) -> None:
    before = home.kudos(world.address(2)).k2
    request_id = world.migrate(home, host, 1)
    assert home.state(request_id).result_digest == f"0x{2:064x}"
    world.until(lambda: home.kudos(world.address(2)).k2 > before, "the host has its K2")
    opened = world.eventually(lambda: home.open(request_id))
    assert (opened.kind, opened.delivered) == ("ordinary", False)
    assert home.migrations() == []


def test_a_rejection_is_settled_with_its_reason(
    world: AgentWorld, home: AgentClient, host: AgentClient
) -> None:
    before = home.kudos(world.address(2)).k1
    asked = home.request(world.address(2), "frob", task_digest="0x" + "ab" * 32)
    world.eventually(lambda: host.reject(asked.request_id, "CAPACITY"))
    rejected = home.state(asked.request_id, "asked", 10)
    assert rejected.state == "rejected"
    assert str(rejected.reason).startswith("CAPACITY")
    world.until(lambda: home.kudos(world.address(2)).k1 > before, "the host has its K1")


def test_a_replayable_task_can_be_a_canary(
    world: AgentWorld, home: AgentClient, host: AgentClient, tmp_path: Path
) -> None:
    """Until one is: with this seed one of the next forty requests surely is a canary."""
    before = home.kudos(world.address(2)).k3
    descriptor = trivial_compile(tmp_path)
    result = run_by_validators_rules(descriptor, tmp_path)
    for _ in range(40):
        asked = home.request(world.address(2), "cc a.c", descriptor=descriptor)
        seen = world.eventually(partial(host.state, asked.request_id))
        assert seen.descriptor == descriptor
        host.accept(asked.request_id)
        assert home.state(asked.request_id, "asked", 10).state == "accepted"
        home.confirm(asked.request_id)
        assert host.state(asked.request_id, "accepted", 10).state == "confirmed"
        host.result(asked.request_id, descriptor=result)
        assert home.state(asked.request_id, "confirmed", 10).state == "done"
        if world_has_canary(world, asked.request_id):
            break
    else:
        pytest.fail("none of forty requests was a canary")
    world.until(lambda: home.kudos(world.address(2)).k3 > before, "the host has its K3", 90)
    assert home.open(asked.request_id).kind == "canary"


def test_a_crash_of_either_agent_costs_nothing(
    world: AgentWorld, home: AgentClient, host: AgentClient
) -> None:
    asked = home.request(world.address(2), "frob", task_digest="0x" + "cd" * 32)
    world.eventually(lambda: host.accept(asked.request_id))
    assert home.state(asked.request_id, "asked", 10).state == "accepted"
    home.confirm(asked.request_id)
    assert host.state(asked.request_id, "accepted", 10).state == "confirmed"
    world.restart(2)
    world.restart(1)
    with world.client(1) as home_again, world.client(2) as host_again:
        done = host_again.result(asked.request_id, "0x" + "ef" * 32)
        assert done.state == "done"
        assert home_again.state(asked.request_id, "confirmed", 30).state == "done"
    world.until(lambda: settled(world, asked.request_id), "the migration is settled")


def test_steps_out_of_order_and_unknown_ids_are_refused(
    world: AgentWorld, home: AgentClient, host: AgentClient
) -> None:
    asked = home.request(world.address(2), "frob", task_digest="0x" + "11" * 32)
    world.eventually(lambda: host.state(asked.request_id))
    wrong: list[tuple[str, Any]] = [
        ("wrong_state", lambda: home.confirm(asked.request_id)),
        ("wrong_state", lambda: host.result(asked.request_id, "0x" + "22" * 32)),
        ("unknown_migration", lambda: home.accept(asked.request_id)),
        ("unknown_migration", lambda: host.confirm(asked.request_id)),
        ("unknown_migration", lambda: host.accept("0x" + "33" * 32)),
        ("not_final", lambda: home.open(asked.request_id)),
        ("not_connected", lambda: home.request("0x" + "44" * 20, "x", task_digest="0x" + "0" * 64)),
        ("usage", lambda: home.request(world.address(1), "x", task_digest="0x" + "0" * 64)),
        ("usage", lambda: home.request(world.address(2), "x")),
    ]
    for code, ask in wrong:
        with pytest.raises(AgentError) as raised:
            ask()
        assert raised.value.code == code, raised.value
        assert raised.value.message and raised.value.hint
    host.reject(asked.request_id)
    with pytest.raises(AgentError, match="cannot accept"):
        host.accept(asked.request_id)


def test_an_answer_that_comes_too_late_is_refused(
    world: AgentWorld, home: AgentClient, host: AgentClient
) -> None:
    asked = home.request(world.address(2), "frob", task_digest="0x" + "55" * 32)
    assert home.state(asked.request_id, "asked", 30).state == "lost"
    with pytest.raises(AgentError) as raised:
        host.accept(asked.request_id)
    assert raised.value.code == "unknown_migration", "the host's agent has forgotten it"


def run_by_validators_rules(descriptor: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What an honest host's scheduler does: runs the task and describes what it left behind."""
    ended = subprocess.run(descriptor["argv"], cwd=folder, capture_output=True, check=True)
    output = folder / "a.o"
    data = output.read_bytes()
    output.unlink()
    return {
        "exit_status": 0,
        "outputs": [
            {"digest": hashlib.sha256(data).hexdigest(), "mode": 0o644, "path": str(output)}
        ],
        "stderr": hashlib.sha256(ended.stderr).hexdigest(),
        "stdout": hashlib.sha256(ended.stdout).hexdigest(),
        "version": 1,
    }


def test_hello_names_node_and_ledger(world: AgentWorld, home: AgentClient) -> None:
    said = home.hello()
    assert said.address == world.address(1)
    assert address_from_hex(said.contract) == world.ground.deployment.contract
