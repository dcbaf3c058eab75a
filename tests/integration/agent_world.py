"""Agents as real processes: a chain, a ledger, a validator and agents that know each other."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from canaries.vault import Vault
from ledger.errors import KudosError
from ledger.reader import Reader
from ledger.types import hex_of
from node.agent_client import AgentClient
from node.agent_protocol import AgentError
from node.demo import ground
from node.demo.cluster import Daemon, Member, free_endpoints, peer_of, validator_arguments
from node.toolchain import detect

T = TypeVar("T")


class AgentWorld:
    """Everything ends with the context."""

    def __init__(self, agents: int = 2, strategy: str = "anybody", canary_seed: int = 1) -> None:
        self._count, self._strategy, self._seed = agents, strategy, canary_seed
        self._stack = ExitStack()

    def __enter__(self) -> AgentWorld:
        # Not pytest's tmp_path: a Unix socket's path has to be short.
        self.data = Path(tempfile.mkdtemp(prefix="kudos-"))
        self._stack.callback(shutil.rmtree, self.data, True)
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def _start(self) -> None:
        roles = ("open",) * self._count
        self.ground = ground.prepare(self.data, roles, 1, self._seed, None, None, self._stack)
        places = dict(zip(self.ground.nodes, free_endpoints(self._count), strict=True))
        peers = {node: peer_of(node, place) for node, place in places.items()}
        self.agents = [
            Daemon(node, self._arguments(node, place, [p for n, p in peers.items() if n != node]))
            for node, place in places.items()
        ]
        judges = [
            Daemon(
                judge,
                validator_arguments(
                    judge, self.ground.ledger_file, self.ground.rpc_url, list(peers.values())
                ),
            )
            for judge in self.ground.validators
        ]
        for daemon in (*self.agents, *judges):
            daemon.start()
            self._stack.callback(daemon.stop)
        for number in range(1, self._count + 1):
            self.until(partial(self._is_connected, number), f"agent {number} is connected")

    def _arguments(self, node: Member, place: str, peers: list[str]) -> list[str]:
        words = ["agent", "--ledger", str(self.ground.ledger_file), "--rpc", self.ground.rpc_url]
        words += ["--key", str(node.keystore), "--password-file", str(node.password_file)]
        words += ["--data", str(node.data), "--listen", place, "--strategy", self._strategy]
        words += ["--canary-seed", str(self._seed)]
        for peer in peers:
            words += ["--peer", peer]
        return words

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def path(self, number: int) -> Path:
        return self.ground.nodes[number - 1].data / "agent.sock"

    def address(self, number: int) -> str:
        return hex_of(self.ground.nodes[number - 1].address)

    def client(self, number: int) -> AgentClient:
        return AgentClient(self.path(number))

    def restart(self, number: int) -> None:
        """Kills an agent as a crash would, and starts it again."""
        self.agents[number - 1].kill()
        self.agents[number - 1].start()
        self.until(lambda: self._is_connected(number), "it is connected again")

    def reader(self, number: int = 1) -> Reader:
        return Reader.open(self.ground.nodes[number - 1].index, self.ground.deployment)

    def migrate(self, home: AgentClient, host: AgentClient, number: int) -> str:
        """One migration by digests alone, up to the home's knowing the result; its id."""
        name = host.hello().address
        asked = home.request(name, "frob", task_digest=f"0x{number:064x}")
        host_side = self.eventually(lambda: host.state(asked.request_id))
        host.accept(host_side.request_id)
        assert home.state(asked.request_id, "asked", 10).state == "accepted"
        home.confirm(asked.request_id)
        assert host.state(asked.request_id, "accepted", 10).state == "confirmed"
        host.result(asked.request_id, f"0x{number + 1:064x}")
        assert home.state(asked.request_id, "confirmed", 10).state == "done"
        return asked.request_id

    def eventually(self, ask: Callable[[], T], seconds: float = 30.0) -> T:
        """The first answer that is no error."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return ask()
            except AgentError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def until(self, holds: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            for daemon in self.agents:
                if daemon.running:
                    daemon.check()
            if time.monotonic() > deadline:
                logs = "\n".join(
                    f"--- {m.name}\n" + "\n".join(m.log.read_text().splitlines()[-20:])
                    for m in self.ground.members
                )
                raise AssertionError(f"after {seconds:.0f} s still not: {what}\n{logs}")
            time.sleep(0.1)

    def _is_connected(self, number: int) -> bool:
        try:
            with self.client(number) as agent:
                return len(agent.rank()) == self._count - 1
        except KudosError:
            return False


def world_has_canary(world: AgentWorld, request_id: str) -> bool:
    """Looks into the home's vault from beside it, as only its owner can."""
    vault = Vault(world.ground.nodes[0].data / "vault.db")
    try:
        key = bytes.fromhex(request_id[2:])
        return vault.canary(key) is not None or vault.opening(key) is not None
    finally:
        vault.close()


def trivial_compile(folder: Path) -> dict[str, Any]:
    """The descriptor of one compile, as docs/agent.md says that it is made."""
    source = folder / "a.c"
    source.write_text("int answer(void) { return 42; }\n")
    return {
        "argv": ["cc", "-c", "a.c", "-o", "a.o"],
        "cwd": str(folder),
        "directories": [],
        "env": [],
        "inputs": [
            {
                "digest": hashlib.sha256(source.read_bytes()).hexdigest(),
                "mode": 0o644,
                "path": str(source),
            }
        ],
        "limits": {"cpu_seconds": 10, "memory_mib": 512, "output_kib": 1024},
        "outputs": [str(folder / "a.o")],
        "root": "host",
        "toolchain": detect().class_id,
        "version": 1,
    }
