"""`kudos audit` over a real chain: at a block, and again and again with metrics."""

from __future__ import annotations

import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from ledger.audit import audit
from tests.integration.chain_world import World
from tests.integration.proof_world import live

PATIENCE = 40.0
SATELLITES = 3
"""Built in a block each, behind the ledger's own."""
Samples = dict[str, float]


def kudos(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "node.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


def options(world: World) -> list[str]:
    ledger, index = world.directory / "ledger.json", world.directory / "index.db"
    world.deployment.save(ledger)
    return ["audit", "--ledger", str(ledger), "--rpc", world.chain.url, "--index", str(index)]


def execute(world: World, sql: str) -> None:
    with closing(sqlite3.connect(world.directory / "index.db")) as conn, conn:
        assert conn.execute(sql).rowcount >= 1


def test_an_audit_as_of_an_earlier_block(world: World) -> None:
    live(world)
    world.index()
    head, first = world.rpc.block_number(), world.deployment.deployed_block
    status, out = kudos(*options(world), "--at", str(first))
    assert status == 4 and f"At block {first} there is no contract" in out
    complete, middle = first + SATELLITES, (first + head) // 2
    for block in range(complete, head + 1):
        report = audit(world.rpc, world.deployment, world.directory / "index.db", block)
        assert report.block == block and report.differences == ()
    status, out = kudos(*options(world), "--at", str(middle))
    assert status == 0 and f"block {middle}: " in out and "\n0 differences" in out, out
    execute(world, f"UPDATE kudos SET decided_block = {head} WHERE decided_block <= {middle}")
    status, out = kudos(*options(world), "--at", str(middle))
    assert status == 1 and "DIFFERENCE SQLite kudos" in out and "DIFFERENCE SQLite nodes" in out


def test_what_cannot_be_audited(world: World) -> None:
    world.index()
    status, out = kudos(*options(world), "--at", "999999")
    assert status == 4 and "no block 999999" in out
    status, out = kudos(*options(world), "--at", "0")
    assert status == 2 and "deployed in block 1" in out
    assert kudos(*options(world), "--metrics", "127.0.0.1:0")[0] == 2
    assert kudos(*options(world), "--watch", "--at", "1")[0] == 2
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        status, out = kudos(*options(world), "--watch", "--metrics", place)
        assert status == 2 and "cannot be served" in out


@contextmanager
def watching(world: World) -> Iterator[Callable[[Callable[[Samples], bool]], Samples]]:
    """The watch as a process; gives a function that waits until its metrics are so."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    more = ["--watch", "--interval", "0.2", "--metrics", f"127.0.0.1:{port}"]
    process = subprocess.Popen([sys.executable, "-m", "node.cli", *options(world), *more])

    def until(holds: Callable[[Samples], bool]) -> Samples:
        deadline, samples = time.monotonic() + PATIENCE, Samples()
        while time.monotonic() < deadline:
            assert process.poll() is None, "the watch ended by itself: see its output above"
            samples = read(port)
            if holds(samples):
                return samples
            time.sleep(0.1)
        pytest.fail(f"after {PATIENCE} s the metrics are still {samples}")

    try:
        yield until
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def read(port: int) -> Samples:
    try:
        with requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            families = list(text_string_to_metric_families(answer.text))
    except requests.ConnectionError:
        return {}
    return {
        " ".join([sample.name.removeprefix("kudos_audit_"), *sample.labels.values()]): sample.value
        for family in families
        for sample in family.samples
    }


def test_a_watch_tells_a_difference_and_outlives_the_chain(world: World) -> None:
    live(world)
    world.index()
    with watching(world) as until:
        honest = until(lambda now: now.get("runs_total agrees", 0) >= 2)
        assert honest["up"] == 1 and honest["differences SQLite nodes"] == 0
        assert honest["block"] == world.rpc.block_number() and honest["duration_seconds"] > 0
        assert honest["verified_kudos"] > 0 and honest["runs_total differs"] == 0
        assert abs(honest["last_success_timestamp_seconds"] - time.time()) < PATIENCE

        execute(world, "UPDATE nodes SET k2 = k2 + 1 WHERE k2 > 0")
        wrong = until(lambda now: now["differences SQLite nodes"] > 0)
        assert wrong["differences SQLite digests"] >= 1 and wrong["up"] == 1
        later = until(lambda now: now["runs_total differs"] >= 2)
        success = "last_success_timestamp_seconds"
        assert later[success] == wrong[success]
        assert later["last_finished_timestamp_seconds"] > later[success]
        execute(world, "UPDATE nodes SET k2 = k2 - 1 WHERE k2 > 0")
        until(lambda now: now["differences SQLite nodes"] == 0)

        world.chain.stop()
        away = until(lambda now: now["up"] == 0)
        assert away["runs_total failed"] >= 1 and away["block"] == honest["block"]
        world.chain.start()
        back = until(lambda now: now["up"] == 1)
        assert back["runs_total agrees"] > honest["runs_total agrees"]


def test_without_a_copy_the_chain_alone_is_audited(world: World, tmp_path: Path) -> None:
    live(world)
    arguments = options(world)
    status, out = kudos(*arguments[: arguments.index("--index")])
    assert status == 0 and "0 differences" in out
