"""How fast the plug-in answers while the indexer writes, beside the chain and an HTTP service.

    python -m benchmarks.plugin [--kudos N] [--nodes N] [--questions N] [--rows-per-second N]
    python -m benchmarks.plugin --ledger FILE

A process of its own fills a copy with a synthetic ledger through the real indexer, or takes a copy
of one that ``python -m ledger.synthetic_bulk`` has made (large ones, in minutes), and goes on
writing through the indexer at the stated rate while this process asks: ``kudos()``, and
``decide()`` by the thesis, by a file of rules, after checking the home's signature of the REQUEST,
and through an agent's socket (``agent_socket.py``). Then the same question, the Kudos of one node,
by ``eth_call`` to an anvil on loopback with the real contract, and by HTTP to a reference service
(FastAPI, one route, the copy opened for each request as ``ledger.desk`` does).
The last line of the output is one JSON object.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import selectors
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

from coincurve import PrivateKey

from benchmarks.agent_socket import Asker, serve_agent
from ledger import calls, schema
from ledger.assets import Request, process_name_field
from ledger.deploying import deploy
from ledger.embedded import EmbeddedChain
from ledger.indexer import Indexer
from ledger.keys import Key, signed_by
from ledger.ports import SystemClock
from ledger.reader import Reader
from ledger.store import IndexStore
from ledger.synthetic import Header, SyntheticChain
from ledger.synthetic_actors import Actors, Settings, deployment_of
from ledger.synthetic_shape import Shape
from ledger.types import (
    Address,
    BlockHash,
    BlockNumber,
    Digest,
    UnixSeconds,
    address_from_hex,
)
from node.plugin import Reputation

ETHER = 10**18
KUDOS_PER_MIGRATION = 1.1
ROWS_PER_MIGRATION = 11.5
FILL_BLOCK = 512
WRITES_PER_SECOND = 10
SLOW_QUESTIONS = 1_000
FILL_TIMEOUT = 3_600.0
SOCKET = "agent.sock"
RULES = """
[[rule]]
use = "deny"

[[rule]]
use = "balance"

[[rule]]
use = "half"
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kudos", type=int, default=200_000, help="default 200,000")
    parser.add_argument("--nodes", type=int, default=2_000, help="default 2,000")
    parser.add_argument("--questions", type=int, default=20_000, help="default 20,000 of a kind")
    parser.add_argument("--rows-per-second", type=int, default=1_000, help="default 1,000")
    parser.add_argument("--ledger", type=Path, help="made by ledger.synthetic_bulk")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--agent", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    settings = Settings(nodes=options.nodes, signatures=False)
    if options.ledger:
        shape = Shape()
        settings = replace(settings, validators=shape.validators, threshold=shape.threshold)
    if options.write:
        kudos = None if options.ledger else options.kudos
        return write(options.write, settings, kudos, options.rows_per_second)
    if options.serve:
        return serve(options.serve, options.port)
    if options.agent:
        identity = deployment_of(settings)
        key = Actors(settings, identity.domain).nodes[0]
        return serve_agent(options.agent, options.agent.with_name(SOCKET), key, identity.domain)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(run(Path(folder), settings, options)))
    return 0


def run(folder: Path, settings: Settings, options: argparse.Namespace) -> dict[str, object]:
    """Fills, measures, and says what was measured on what."""
    index, count = folder / "index.db", options.questions
    actors = Actors(settings, deployment_of(settings).domain)
    nodes = [key.address for key in actors.nodes]
    arguments = [f"--{name}={getattr(options, name)}" for name in ("kudos", "nodes")]
    if options.ledger:
        shutil.copy(options.ledger, index)
        with Reader.open(index) as reader:
            nodes = [row.address for row in reader.nodes()]
        arguments.append(f"--ledger={options.ledger}")
    arguments += [f"--rows-per-second={options.rows_per_second}", f"--write={index}"]
    started = time.monotonic()
    with child(arguments, b"writing\n"):
        report: dict[str, object] = {"fill_seconds": round(time.monotonic() - started, 1)}
        before, since = rows(index), time.monotonic()
        report |= ask_plugin(folder, index, nodes, actors, count)
        with child([f"--agent={index}", f"--nodes={options.nodes}"], b"serving\n") as agent:
            used = cpu_seconds(agent)
            answered = ask_agent(folder / SOCKET, nodes, count)
            own = count / (cpu_seconds(agent) - used)
            report["agent_decide"] = answered | {"agent_per_cpu_second": round(own)}
        written, seconds = rows(index) - before, time.monotonic() - since
        port = free_port()
        with child([f"--serve={index}", f"--port={port}"], b"serving\n"):
            report["http_kudos"] = ask_service(port, nodes)
    report["eth_call_kudos"] = ask_chain(folder, nodes)
    with Reader.open(index) as reader:
        totals = reader.nodes()
    return report | {
        "kudos": sum(row.k1 + row.k2 + row.k3 for row in totals),
        "nodes": len(totals),
        "rows_written_per_second": round(written / seconds),
        "file_mib": index.stat().st_size >> 20,
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 1),
    }


def ask_plugin(
    folder: Path, index: Path, nodes: list[Address], actors: Actors, count: int
) -> dict[str, object]:
    """The questions in this process."""
    rules = folder / "rules.toml"
    rules.write_text(RULES, "utf-8")
    random = Random(1)
    homes = [random.choice(nodes) for _ in range(count)]
    domain, home = deployment_of(Settings()).domain, actors.nodes[1]
    request = signed_request(home.address, nodes[0])
    signature = home.sign(domain, request)
    report: dict[str, object] = {}
    with Reputation.open(index, me=nodes[0]) as thesis:
        report["plugin_kudos"] = measure(lambda i: thesis.kudos(homes[i]), count)
        report["plugin_decide"] = measure(lambda i: thesis.decide(homes[i], "cc a.c"), count)

        def checked(_: int) -> None:
            if not signed_by(domain, request, signature, home.address):
                raise SystemExit("The signature does not hold.")
            thesis.decide(home.address, "cc a.c")

        report["plugin_decide_and_signature"] = measure(checked, count // 4)
    with Reputation.open(index, me=nodes[0], strategy=str(rules)) as file:
        report["plugin_decide_by_file"] = measure(lambda i: file.decide(homes[i], "cc a.c"), count)
    return report


def ask_agent(path: Path, nodes: list[Address], count: int) -> dict[str, float]:
    """One caller of an agent in a process of its own."""
    with closing(Asker(path, nodes)) as asker:
        return measure(asker.decide, count)


def ask_chain(folder: Path, nodes: list[Address]) -> dict[str, float]:
    """The same by ``eth_call``; the contract reads one slot, whatever it holds."""
    with EmbeddedChain(folder / "state.json") as chain:
        key = Key(PrivateKey(b"\x01" * 32))
        chain.fund(key.address, ETHER)
        validators = [Key(PrivateKey(bytes([n]) * 32)).address for n in (2, 3, 4)]
        ledger = deploy(chain.rpc, key, SystemClock(), validators=validators, threshold=2)
        head = chain.rpc.header("latest")
        block = head.number if head else BlockNumber(0)

        def ask(number: int) -> None:
            view = calls.kudos(nodes[number % len(nodes)])
            view.decode(chain.rpc.call(ledger.contract, view.data, block))

        return measure(ask, SLOW_QUESTIONS)


def ask_service(port: int, nodes: list[Address]) -> dict[str, float]:
    """The same over one kept HTTP connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def ask(number: int) -> None:
        connection.request("GET", f"/kudos/0x{nodes[number % len(nodes)].hex()}")
        answer = connection.getresponse()
        if answer.status != 200 or "k2" not in json.loads(answer.read()):
            raise SystemExit("The reference service does not answer.")

    try:
        return measure(ask, SLOW_QUESTIONS)
    finally:
        connection.close()


def measure(ask: Callable[[int], object], count: int) -> dict[str, float]:
    """Asks ``count`` times, one after the other, after a few that do not count. ``p50`` and ``p99``
    are by the wall clock, ``cpu`` is the asking thread's own time: on a shared machine the
    difference is other people's work, or waiting for the other side."""
    for number in range(min(100, count)):
        ask(number)
    walls, works = [], []
    for number in range(count):
        wall, work = time.perf_counter_ns(), time.thread_time_ns()
        ask(number)
        works.append(time.thread_time_ns() - work)
        walls.append(time.perf_counter_ns() - wall)
    walls.sort()
    works.sort()
    return {
        "p50_us": round(walls[count // 2] / 1000, 1),
        "p99_us": round(walls[count * 99 // 100] / 1000, 1),
        "cpu_p99_us": round(works[count * 99 // 100] / 1000, 1),
        "per_cpu_second": round(count / (sum(works) / 1e9)),
    }


def write(index: Path, settings: Settings, kudos: int | None, rows_per_second: int) -> int:
    """The child that fills the copy, or goes on from what is there (``kudos`` None), then writes on
    at a rate until its standard input ends."""
    with IndexStore.open(index, deployment_of(settings)) as store:
        chain = SyntheticChain(settings, head_of(store) if kudos is None else None)
        indexer = Indexer(chain, store, chain.deployment, SystemClock())
        for _ in range(0, int((kudos or 0) / KUDOS_PER_MIGRATION), FILL_BLOCK):
            chain.mine(FILL_BLOCK)
            indexer.step()
            chain.prune(keep=64)
        # The votes on the last large block are part of the filling.
        chain.mine(0)
        indexer.step()
        print("writing", flush=True)
        per_block = max(1, int(rows_per_second / ROWS_PER_MIGRATION / WRITES_PER_SECOND))
        due = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(sys.stdin, selectors.EVENT_READ)
            while not selector.select(max(0.0, due - time.monotonic())):
                due = max(due, time.monotonic() - 1.0) + 1.0 / WRITES_PER_SECOND
                chain.mine(per_block)
                indexer.step()
                chain.prune(keep=64)
    return 0


def head_of(store: IndexStore) -> Header:
    """The newest block of a copy."""
    sql = "SELECT number, hash, parent, timestamp FROM blocks ORDER BY number DESC LIMIT 1"
    number, block_hash, parent, timestamp = store.connection.execute(sql).fetchone()
    return Header(
        *(BlockNumber(number), BlockHash(block_hash)), BlockHash(parent), UnixSeconds(timestamp)
    )


def cpu_seconds(process: int) -> float:
    """What a process has used of the processors since it began (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def serve(index: Path, port: int) -> int:
    """The child that is the reference service, until its standard input ends."""
    import threading

    import uvicorn
    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/kudos/{node}")
    def kudos(node: str) -> dict[str, int]:
        with Reader.open(index) as reader:
            totals = reader.kudos(address_from_hex(node))
        return {"k1": totals.k1, "k2": totals.k2, "k3": totals.k3}

    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    print("serving", flush=True)
    sys.stdin.read()
    server.should_exit = True
    thread.join()
    return 0


@contextmanager
def child(arguments: list[str], ready: bytes) -> Iterator[int]:
    """Another process of this program, its id, from when it is ready until the block ends."""
    command = [sys.executable, __file__, *arguments]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment) as process:
        if process.stdin is None or process.stdout is None:
            raise SystemExit("A child has no pipes.")
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(process.stdout, selectors.EVENT_READ)
                if not selector.select(FILL_TIMEOUT) or process.stdout.readline() != ready:
                    raise SystemExit("A child did not start; its error is above.")
            yield process.pid
        finally:
            process.stdin.close()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()


def rows(index: Path) -> int:
    """All written-once rows of the copy."""
    with closing(sqlite3.connect(f"file:{index}?mode=ro", uri=True)) as conn:
        tables = (conn.execute(f"SELECT count(*) FROM {table}") for table in schema.ROWS)
        return sum(count.fetchone()[0] for count in tables)


def signed_request(home: Address, host: Address) -> Request:
    """A REQUEST as a home would send it."""
    name, now = process_name_field("cc a.c"), int(time.time())
    words = (Digest(b"\x05" * 32), name, Digest(b"\x06" * 32))
    return Request(home, host, *words, 60, 512, 4096, 0, now + 600, now)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(main())
