"""A small cluster of real processes for the tests: what ``kudos demo`` builds on, with handles to
hurt it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from ledger.audit import AuditReport, audit
from ledger.embedded import EmbeddedChain
from ledger.reader import Reader
from ledger.rpc import Rpc
from node.demo import ground
from node.demo.checks import outstanding
from node.demo.cluster import Daemon, Member, wait_for_sockets

FIXTURE = Path(__file__).parents[1] / "fixtures" / "small_project"
SEED = 3


class Cluster:
    """Chain, ledger, nodes and validators; everything ends with the context."""

    def __init__(self, roles: tuple[str, ...] = ("open", "open"), validators: int = 3) -> None:
        self._roles, self._validators = roles, validators
        self._stack = ExitStack()

    def __enter__(self) -> Cluster:
        # Not pytest's tmp_path: a Unix socket's path has to be short.
        self.data = Path(tempfile.mkdtemp(prefix="kudos-"))
        self._stack.callback(shutil.rmtree, self.data, True)
        try:
            self.ground = ground.prepare(
                self.data, self._roles, self._validators, SEED, None, None, self._stack
            )
            self.daemons = ground.daemons(self.ground, SEED)
            for daemon in self.daemons:
                daemon.start()
                self._stack.callback(daemon.stop)
            wait_for_sockets(self.daemons)
            self.until(self._all_connected, "the nodes are connected")
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def chain(self) -> EmbeddedChain:
        assert self.ground.chain is not None
        return self.ground.chain

    def node(self, number: int) -> Daemon:
        """Node ``number``, counted from 1."""
        return self.daemons[number - 1]

    def restart(self, daemon: Daemon) -> None:
        """Starts a killed node again, and waits until the others have found it."""
        others = [n for n in self.ground.nodes if n is not daemon.member]
        met = {n: _connections(n) for n in others}
        daemon.start()
        wait_for_sockets([daemon])
        self.until(
            lambda: all(_connections(n) > met[n] for n in others), "the others have found it"
        )

    def reader(self, number: int = 1) -> Reader:
        """Node ``number``'s copy of the ledger."""
        return Reader.open(self.ground.nodes[number - 1].index, self.ground.deployment)

    def points(self, number: int) -> int:
        """Verified points of node ``number`` as node 1 knows them."""
        with self.reader() as reader:
            return reader.kudos(self.ground.nodes[number - 1].address).points

    def requests(self) -> set[bytes]:
        """The ids of all settled requests."""
        with self.reader() as reader:
            return {settled.request_id for settled in reader.migrations(limit=10_000)}

    def build(self, number: int, tree: Path, jobs: int = 2) -> subprocess.Popen[bytes]:
        """Starts ``make`` in ``tree`` through node ``number``'s shim."""
        environment = {
            **os.environ,
            "KUDOS_SOCKET": str(self.ground.nodes[number - 1].socket),
            "KUDOS_MIN_BYTES": "0",
        }
        compiler = f"CC={Path(sys.executable).with_name('kudos')} cc"
        return subprocess.Popen(["make", "-s", f"-j{jobs}", compiler], cwd=tree, env=environment)

    def settle(self) -> None:
        """Waits until nothing is under way any more."""

        def quiet() -> bool:
            with self.reader() as reader:
                return not outstanding(self.ground, reader)

        self.until(quiet, "everything is settled and decided", seconds=90)

    def audit(self, number: int = 1) -> AuditReport:
        """The independent audit, against the contract and node ``number``'s copy, at its block."""
        with self.reader(number) as reader:
            head = reader.head()
        assert head is not None
        index = self.ground.nodes[number - 1].index
        return audit(Rpc(self.ground.rpc_url), self.ground.deployment, index, head.number)

    def until(self, holds: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
        """Waits for a condition; fails the test, with the logs' ends, when it does not come."""
        deadline = time.monotonic() + seconds
        while not holds():
            for daemon in self.daemons:
                if daemon.running:
                    daemon.check()
            if time.monotonic() > deadline:
                raise AssertionError(f"after {seconds:.0f} s still not: {what}\n{self._logs()}")
            time.sleep(0.2)

    def log_of(self, number: int) -> str:
        return self.ground.nodes[number - 1].log.read_text("utf-8", "replace")

    def _all_connected(self) -> bool:
        others = len(self.ground.nodes) - 1
        return all(_connections(node) >= others for node in self.ground.nodes)

    def _logs(self) -> str:
        ends = [
            f"--- {member.name}\n" + "\n".join(member.log.read_text().splitlines()[-15:])
            for member in self.ground.members
        ]
        return "\n".join(ends)


def _connections(node: Member) -> int:
    """How often a node has connected to a peer so far."""
    return node.log.read_text("utf-8", "replace").count("connected to")


def fresh_tree(target: Path) -> Path:
    """A copy of the small project."""
    shutil.copytree(FIXTURE, target)
    return target


def objects(tree: Path) -> dict[str, bytes]:
    return {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("*.o")}


def plain_build(tree: Path) -> dict[str, bytes]:
    """Builds ``tree`` with the compiler alone, takes the objects, and cleans up."""
    subprocess.run(["make", "-s", "CC=cc"], cwd=tree, check=True)
    built = objects(tree)
    subprocess.run(["make", "-s", "clean"], cwd=tree, check=True)
    return built
