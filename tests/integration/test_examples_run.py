"""Every example with the real program, asking a real agent: node 2 has earned Kudos, and node 3
more; node 1 has none and is below node 2's border."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from node.agent_client import AgentClient
from node.demo.cluster import free_endpoints
from tests.integration.agent_world import AgentWorld

pytestmark = pytest.mark.timeout(240)

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
WAIT = 60.0


@pytest.fixture(scope="module")
def world() -> Iterator[AgentWorld]:
    with AgentWorld(agents=3, strategy="thesis") as running:
        with running.client(1) as home, running.client(2) as two, running.client(3) as three:
            running.migrate(home, two, 1)
            for number in (2, 4, 6):
                running.migrate(home, three, number)
            for node, points in ((2, 10), (3, 30)):
                running.until(
                    partial(has_points, two, running.address(node), points),
                    f"node {node} has its Kudos",
                )
            assert two.decide(running.address(3)).accept
            assert not two.decide(running.address(1)).accept
        yield running


def has_points(agent: AgentClient, node: str, points: int) -> bool:
    return agent.kudos(node).points >= points


def program(name: str) -> str:
    found = shutil.which(name, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert found, f"{name} is not installed: make setup installs what the examples need"
    return found


@contextmanager
def running(words: list[str], log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            words, stdout=output, stderr=output, env={**os.environ, **environment}
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(holds: Callable[[], object], log: Path) -> None:
    deadline = time.monotonic() + WAIT
    while not holds():
        assert time.monotonic() < deadline, log.read_text("utf-8", "replace")
        time.sleep(0.1)


def says(log: Path, words: bytes) -> bool:
    return words in log.read_bytes()


# -- Clondike ----------------------------------------------------------------------------------

RUBY = """
require_relative ARGV[0]
$stdout.sync = true
Peer = Struct.new(:nodeId)
kudos = KudosHandler.new(ARGV[1], { 'key-1' => ARGV[2], 'key-3' => ARGV[3] })
while (line = $stdin.gets)
  words = line.split
  said = case words.shift
         when 'request' then kudos.onImmigrationRequest(Peer.new(words[0]), words[1])
         when 'confirmed' then kudos.onImmigrationConfirmed(Peer.new(words[0]), words[1], 7, 8)
         when 'exit' then kudos.onExit(7, 0)
         end
  puts said ? true : false
end
"""


def test_clondike_handlers_in_ruby(world: AgentWorld, tmp_path: Path) -> None:
    script = tmp_path / "director.rb"
    script.write_text(RUBY)
    handler = EXAMPLES / "clondike" / "kudos_handler.rb"
    words = [program("ruby"), str(script), str(handler), str(world.path(2))]
    pipe = subprocess.PIPE
    director = subprocess.Popen(
        [*words, world.address(1), world.address(3)], stdin=pipe, stdout=pipe, text=True
    )

    def ask(question: str) -> str:
        assert director.stdin and director.stdout
        director.stdin.write(question + "\n")
        director.stdin.flush()
        return director.stdout.readline().strip()

    try:
        assert ask("request key-3 frob") == "true"
        assert ask("request key-1 frob") == "false"
        assert ask("request key-of-nobody frob") == "false"
        with world.client(3) as home, world.client(2) as host:
            asked = home.request(world.address(2), "gcc", task_digest="0x" + "a1" * 32)
            world.eventually(lambda: host.state(asked.request_id))
            assert ask("request key-3 gcc") == "true"
            assert home.state(asked.request_id, "asked", 10).state == "accepted"
            home.confirm(asked.request_id)
            assert host.state(asked.request_id, "accepted", 10).state == "confirmed"
            ask("confirmed key-3 gcc")
            assert ask("exit") == "true"
            assert home.state(asked.request_id, "confirmed", 10).state == "done"
        with world.client(1) as home, world.client(2) as host:
            asked = home.request(world.address(2), "gcc", task_digest="0x" + "a2" * 32)
            world.eventually(lambda: host.state(asked.request_id))
            assert ask("request key-1 gcc") == "false"
            assert str(home.state(asked.request_id, "asked", 10).reason).startswith("REPUTATION")
    finally:
        director.communicate(timeout=10)


# -- distcc ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("node", "said"), [(3, "accepted"), (1, "refused")])
def test_distcc_through_the_gate(world: AgentWorld, tmp_path: Path, node: int, said: str) -> None:
    program("distccd")
    (tmp_path / "distcc").mkdir()
    (endpoint,) = free_endpoints(1)
    config, log, source = tmp_path / "gate.toml", tmp_path / "log", tmp_path / "a.c"
    config.write_text(
        f'agent = "{world.path(2)}"\nlisten = "{endpoint}"\n'
        f'[clients]\n"127.0.0.1" = "{world.address(node)}"\n'
    )
    source.write_text("int answer(void) { return 42; }\n")
    gate = [sys.executable, str(EXAMPLES / "distcc" / "gate.py"), str(config)]
    with running(gate, log):
        wait_for(partial(says, log, b"listens on"), log)
        ended = subprocess.run(
            [program("distcc"), "cc", "-c", "a.c", "-o", "a.o"],
            cwd=tmp_path,
            env={
                **os.environ,
                "DISTCC_HOSTS": endpoint,
                "DISTCC_FALLBACK": "0",
                "DISTCC_DIR": str(tmp_path / "distcc"),
            },
            capture_output=True,
            timeout=WAIT,
            check=False,
        )
        wait_for(partial(says, log, said.encode()), log)
    assert (ended.returncode == 0) == (said == "accepted"), ended.stderr.decode() + log.read_text()
    assert (tmp_path / "a.o").exists() == (said == "accepted")


# -- Celery ------------------------------------------------------------------------------------

SEND = """
import sys
from tasks import double
print(double.apply_async((21,), headers={"kudos_home": sys.argv[1]} if sys.argv[1:] else None).id)
"""
FETCH = """
import sys
from tasks import double
print(double.AsyncResult(sys.argv[1]).get(timeout=40))
"""


def test_a_celery_worker_rejects(world: AgentWorld, tmp_path: Path) -> None:
    environment = {
        "KUDOS_AGENT": str(world.path(2)),
        "KUDOS_CELERY_FOLDER": str(tmp_path / "celery"),
        "PYTHONPATH": str(EXAMPLES / "celery"),
    }
    log = tmp_path / "log"

    def python(code: str, *words: str) -> str:
        ended = subprocess.run(
            [sys.executable, "-c", code, *words],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=WAIT,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr + log.read_text("utf-8", "replace")
        return ended.stdout.strip()

    worker = [program("celery"), "-A", "tasks", "worker", "--pool", "solo", "-l", "INFO"]
    worker += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    with running(worker, log, **environment):
        refused = [python(SEND, world.address(1)), python(SEND)]
        accepted = python(SEND, world.address(3))
        assert python(FETCH, accepted) == "42"
        wait_for(lambda: log.read_bytes().count(b"reject requeue=False") >= 2, log)
    stored = {
        result["task_id"]: (result["status"], result["result"])
        for result in map(json.loads, map(Path.read_text, (tmp_path / "celery/results").iterdir()))
    }
    assert stored[accepted] == ("SUCCESS", 42)
    assert [stored[one][1]["exc_type"] for one in refused] == ["Reject", "Reject"]


# -- Dask --------------------------------------------------------------------------------------

COMPUTE = """
import sys
from distributed import Client, get_worker
with Client(sys.argv[1]) as client:
    where = lambda number: str(get_worker().name)
    names = client.gather(client.map(where, range(20), pure=False), errors="raise")
    print(*sorted(set(names)))
"""


def test_dask_chooses_workers_above_the_border(world: AgentWorld, tmp_path: Path) -> None:
    (endpoint,) = free_endpoints(1)
    host, _, port = endpoint.partition(":")
    scheduler = [program("dask"), "scheduler", "--host", host, "--port", port, "--no-dashboard"]
    scheduler += ["--preload", str(EXAMPLES / "dask" / "kudos_scheduler.py")]
    logs = [tmp_path / name for name in ("scheduler", "one", "three")]

    def worker(node: int) -> list[str]:
        words = [program("dask"), "worker", f"tcp://{endpoint}", "--name", world.address(node)]
        words += ["--no-nanny", "--nthreads", "1", "--host", host, "--no-dashboard"]
        return [*words, "--local-directory", str(tmp_path / f"worker-{node}")]

    with (
        running(scheduler, logs[0], KUDOS_AGENT=str(world.path(2))),
        running(worker(1), logs[1]),
        running(worker(3), logs[2]),
    ):
        for log in logs[1:]:
            wait_for(partial(says, log, b"Registered to"), log)
        ended = subprocess.run(
            [sys.executable, "-c", COMPUTE, f"tcp://{endpoint}"],
            capture_output=True,
            text=True,
            timeout=WAIT,
            check=False,
        )
    assert ended.returncode == 0, ended.stderr + logs[0].read_text()
    assert ended.stdout.split() == [world.address(3)]


# -- HTCondor ----------------------------------------------------------------------------------


def test_an_htcondor_start_expression(world: AgentWorld, tmp_path: Path) -> None:
    import classad2

    homes = tmp_path / "homes.txt"
    homes.write_text(f"{world.address(1)}\n{world.address(3)}\n")
    script = [sys.executable, str(EXAMPLES / "htcondor" / "kudos_ads.py")]

    def starts(agent: Path, job: dict[str, str]) -> object:
        published = subprocess.run(
            [*script, str(agent), str(homes)], capture_output=True, text=True, check=True
        ).stdout
        config = (EXAMPLES / "htcondor" / "99-kudos.config").read_text()
        (start,) = [line for line in config.splitlines() if line.startswith("START =")]
        lines = published.splitlines()
        assert len(lines) == 2
        machine = classad2.parseOne("\n".join([*lines, start]))
        wanted = classad2.ClassAd(job)
        return classad2.ExprTree("MY.START").eval(machine, wanted)

    assert starts(world.path(2), {"KudosHome": world.address(3)}) is True
    assert starts(world.path(2), {"KudosHome": world.address(1)}) is False
    assert starts(world.path(2), {}) is False
    assert starts(tmp_path / "nobody", {"KudosHome": world.address(3)}) is False
