"""Settles with a process that is killed -9 at its first, second, third ... input or output.

    python -m tests.integration.crash_settler DIRECTORY URL

Each round queues migrations until one is a canary, and starts a settler that kills itself before or
after its n-th exchange with the chain or write to the queue; then one that does not, until
nothing waits. It ends with the first n that a settler survives, and prints what to check as JSON.
A process of its own, so that it can fork without threads.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from ledger.deployment import Deployment
from ledger.eip712 import digest
from ledger.indexer import Indexer
from ledger.outbox import Outbox
from ledger.outbox_codec import OpenedCanary
from ledger.ports import SystemClock
from ledger.reader import Reader
from ledger.rpc import Rpc
from ledger.sender import Sender
from ledger.settler import Settler
from ledger.store import IndexStore
from ledger.synthetic_actors import Actors, Settings
from ledger.types import Digest
from tests.integration.chain_world import key_of

MOST_POINTS = 200
RESEND_AFTER = 0.05
T = TypeVar("T")


class Fuse:
    """Kills this process at its n-th point; 0 never."""

    def __init__(self, points: int) -> None:
        self.left = points
        self.armed = False

    def point(self) -> None:
        self.left -= self.armed
        if self.armed and self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class FusedRpc(Rpc):
    def __init__(self, url: str, fuse: Fuse) -> None:
        super().__init__(url)
        self._fuse = fuse

    def _ask(self, method: str, params: list[Any], parse: Callable[[Any], T]) -> T:
        self._fuse.point()
        answer = super()._ask(method, params, parse)
        self._fuse.point()
        return answer


class FusedOutbox(Outbox):
    fuse: Fuse

    def _update(
        self, assignments: str, kind: str, keys: Iterable[Digest], values: Sequence[Any]
    ) -> None:
        self.fuse.point()
        super()._update(assignments, kind, keys, values)
        self.fuse.point()


def settle(directory: Path, url: str, points: int) -> None:
    """Indexes and settles until nothing waits, or until the fuse burns through."""
    deployment, clock, fuse = (
        Deployment.load(directory / "ledger.json"),
        SystemClock(),
        Fuse(points),
    )
    with (
        closing(FusedRpc(url, fuse)) as rpc,
        closing(IndexStore.open(directory / "index.db", deployment)) as store,
        closing(FusedOutbox.open(directory / "outbox.db", deployment.domain, clock)) as outbox,
    ):
        if not isinstance(outbox, FusedOutbox):
            raise TypeError("open() made another class")
        outbox.fuse = fuse
        indexer = Indexer(rpc, store, deployment, clock)
        settler = Settler(
            outbox,
            lambda: Reader.open(directory / "index.db", deployment),
            Sender(rpc, key_of("host"), deployment.chain_id, clock, mined_within=5.0),
            deployment,
            clock,
            min_batch=1,
            max_age=0.0,
            resend_after=RESEND_AFTER,
        )
        for _ in range(100):
            while not indexer.step().is_caught_up:
                pass
            fuse.armed = True
            result = settler.step()
            fuse.armed = False
            if result.error is not None:
                raise result.error
            if result.waiting == 0:
                return
            time.sleep(RESEND_AFTER)
    raise TimeoutError("something still waits after 100 steps")


def in_child(work: Callable[[], None]) -> int:
    """Runs it in a fork; the number of the signal that ended it, or 0."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status)
    if os.WEXITSTATUS(status):
        raise RuntimeError("a settler failed")
    return 0


def main(directory: Path, url: str) -> None:
    deployment, clock = Deployment.load(directory / "ledger.json"), SystemClock()
    actors = Actors(Settings(rejected=0.0), deployment.domain)
    home, host = key_of("home"), key_of("host")
    requests: list[str] = []
    rounds = 0
    for points in range(1, MOST_POINTS):
        with closing(Outbox.open(directory / "outbox.db", deployment.domain, clock)) as outbox:
            planted = None
            while planted is None:
                migration, planted = actors.migration(home, host, int(clock.now()))
                outbox.append_migration(migration)
                requests.append(digest(deployment.domain, migration.request).hex())
            signature = home.sign(deployment.domain, planted.opened)
            outbox.append_canary(
                OpenedCanary(
                    *(planted.migration, planted.opened, signature),
                    *(planted.result_digest, planted.seal_salt),
                )
            )
        ended_by = in_child(lambda points=points: settle(directory, url, points))  # type: ignore[misc]
        in_child(lambda: settle(directory, url, 0))
        rounds += 1
        if ended_by == 0:
            break
    print(json.dumps({"rounds": rounds, "survived": ended_by == 0, "requests": requests}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
