"""How fast the auditor's desk answers over a large ledger, and Datasette beside it.

    python -m benchmarks.service [--assets N] [--seconds S] [--rate R] [--ledger FILE]

Makes a synthetic copy of that many assets (kept in .cache/bench for the next run), starts the real
service on loopback, pinned to one core, and asks every page and API route that it finds, in turn,
at a fixed rate: a late answer does not delay the next question. First each of them alone, never the
same twice, for the processor time that an answer takes when none is kept. Then, after the load, one
node by API, one question at a time; an export to NDJSON; and the same facet counts from the service
and from Datasette on the same file, its time limits raised. Times are the service's own, from a
request's arrival to the start of its answer; where other programs want the core too, they contain
the waiting for it, and processor time does not. The last line of the output is one JSON object.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

from fastapi.routing import APIRoute

from ledger import facet_sums, schema
from ledger.desk.app import create_app
from ledger.errors import SetupError
from ledger.synthetic_bulk import BulkLedger
from ledger.synthetic_bulk import main as make_ledger
from ledger.synthetic_shape import Shape

SEED = "bench"
WORKERS = 32
LOOKUPS = 1_000
START_TIMEOUT = 60.0
ANSWER_TIMEOUT = 120.0
ENDLESS = ("/api/v1/events", "/export/", "/static", "/docs")
SERVED, CPU = "x-served-in", "x-processor-time"
ALONE = 12
"""Questions of each route for its processor time."""
NEVER_STALE = 1e9
"""Nobody follows a chain into the copy, which is as old as when it was made."""
GOOD = (200, 303)
"""A search with one exact hit leads to it."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=int, default=1_000_000, help="default 1,000,000")
    parser.add_argument("--seconds", type=float, default=30.0, help="of load; default 30")
    parser.add_argument("--export-seconds", type=float, default=20.0, help="default 20")
    parser.add_argument("--rate", type=int, default=100, help="requests a second; default 100")
    parser.add_argument("--all-new", action="store_true", help="no question of the load twice")
    parser.add_argument("--ledger", type=Path, help="a copy made by ledger.synthetic_bulk")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve(options.serve, options.port)
    path = options.ledger or ledger_of(options.assets)
    samples = Samples(path)
    command = [sys.executable, __file__, "--serve", str(path), "--port"]
    with running(command, "/healthz", core=0) as port:
        found = routes(port, samples)
        alone = {route: cpu_alone(port, samples, route) for route in found}
        pages, used = load(port, samples, found, options)
        report = {
            "assets": samples.assets,
            "megabytes": path.stat().st_size // 1_000_000,
            "load_average": os.getloadavg(),
            "load": used,
            "pages": {route: times | alone[route] for route, times in pages.items()},
            "node_api": node_lookup(port, samples),
            "export": export(port, options.export_seconds),
        }
        ours = facets(
            port, {name: f"/api/v1/assets/facets?{q}" for name, q in FACETS.items()}, ours=True
        )
    report["facets"] = compare(ours, datasette(path))
    slowest = max(pages.items(), key=lambda page: page[1]["p95_ms"])
    print(f"slowest page: {slowest[0]} p95 {slowest[1]['p95_ms']} ms", file=sys.stderr)
    print(json.dumps(report))
    return 0


def ledger_of(assets: int) -> Path:
    """The copy of this size, made once for each set of tables."""
    tables = sha256(repr((schema.ROWS, facet_sums.TABLES, Shape())).encode()).hexdigest()[:8]
    path = Path(__file__).resolve().parents[1] / f".cache/bench/ledger-{assets}-{tables}.db"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        for left in (partial, *path.parent.glob(f"{partial.name}-*")):
            left.unlink(missing_ok=True)
        print(f"making {path.name}, once", file=sys.stderr)
        made = make_ledger(
            ["--assets", str(assets), "--out", str(partial), "--seed", SEED], say=complain
        )
        if made:
            raise SetupError(f"{path.name} could not be made.", hint="See above.")
        partial.rename(path)
    return path


def complain(text: str) -> None:
    print(text, file=sys.stderr)


class Samples:
    """Things to ask for, spread over the ledger."""

    def __init__(self, path: Path) -> None:
        conn = sqlite3.connect(f"file:{path}?mode=ro", uri=True)

        def some(sql: str) -> list[str]:
            return ["0x" + row[0].hex() for row in conn.execute(sql)]

        every = "rowid % (1 + (SELECT max(rowid) FROM {0}) / 50) = 0"
        nodes = some("SELECT address FROM nodes ORDER BY hosted DESC LIMIT 100")
        requests = some(f"SELECT request_id FROM migrations WHERE {every.format('migrations')}")
        kudos = some(f"SELECT kudos_id FROM kudos WHERE {every.format('kudos')}")
        opened = some(f"SELECT request_id FROM openings WHERE {every.format('openings')}")
        validators = some("SELECT validator FROM validator_totals")
        (last,) = conn.execute("SELECT number FROM cursor").fetchone()
        total = "SELECT total FROM facets WHERE dimension = 0"
        (self.assets,) = conn.execute(total).fetchone()
        (self.head,) = conn.execute("SELECT timestamp FROM cursor").fetchone()
        conn.close()
        self.nodes = nodes
        numbers = [str(last * part // 20) for part in range(1, 20)]
        self._params = {"request_id": requests, "asset_id": kudos, "kudos_id": kudos}
        self._params |= {"number": numbers, "canary": opened}
        self._addresses = {"nodes": nodes, "validators": validators}
        self._search = [nodes[0], nodes[1][:8], requests[0], kudos[0], "cc -O2 unit7.c", "cc", "99"]
        self._blocks = [last // 40, last // 3, last // 2, last * 9 // 10]
        self._queries = [
            *("", "kind=KUDOS", "kind=REJECTED", f"node={nodes[0]}", "name=cc+-O2+unit7.c"),
            *(f"node={nodes[5]}&kind=KUDOS&role=host", "level=3&state=refused"),
            *(f"validator={validators[0]}", f"node={nodes[9]}&name=cc+-O2+unit3.c"),
            f"since={self.head // 86_400 * 86_400 - 864_000}",
        ]

    def url(self, route: str, turn: int) -> str:
        """An address for a route, another one each turn."""

        def fill(found: re.Match[str]) -> str:
            name = found[1]
            if name == "address":
                values = self._addresses["validators" if "validators" in route else "nodes"]
            elif name == "request_id" and "canaries" in route:
                values = self._params["canary"]
            else:
                values = self._params[name]
            return values[turn % len(values)]

        path = re.sub(r"{(\w+)}", fill, route)
        if route.endswith("/search"):
            return f"{path}?{urlencode({'q': self._search[turn % len(self._search)]})}"
        if route in ("/explore", "/api/v1/assets", "/api/v1/assets/count", "/api/v1/assets/facets"):
            return f"{path}?{self._queries[turn % len(self._queries)]}"
        if route in ("/nodes", "/api/v1/nodes", "/api/v1/stats") and turn % 2:
            block = self._blocks[turn // 2 % len(self._blocks)]
            return f"{path}?{'at' if route == '/nodes' else 'at_block'}={block}"
        return path

    def can_ask(self, route: str) -> bool:
        """Whether every parameter of a route has a sample."""
        return set(re.findall(r"{(\w+)}", route)) <= {*self._params, "address"}


# The service, in a process of its own.


class Timed:
    """Tells with each answer how long the service took for it, and what it has used so far."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        started, used = time.perf_counter(), time.process_time()

        async def timed(message: Any) -> None:
            if message["type"] == "http.response.start":
                took = f"{time.perf_counter() - started:.6f}".encode()
                now = time.process_time()
                cpu = f"{now:.6f} {now - used:.6f}".encode()
                more = [(SERVED.encode(), took), (CPU.encode(), cpu)]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        await self._app(scope, receive, timed)


def serve(path: Path, port: int) -> int:
    import uvicorn

    deployment = BulkLedger(1_000, Shape(), seed_of(path)).deployment
    app = Timed(create_app(path, deployment, stale_after=NEVER_STALE))
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)
    return 0


def seed_of(path: Path) -> str:
    """Which of the two seeds a copy was made with."""
    conn = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    meta = dict(conn.execute("SELECT key, value FROM meta"))
    conn.close()
    for seed in (SEED, "kudos"):
        contract = BulkLedger(1_000, Shape(), seed).deployment.contract
        if meta["contract"] == "0x" + contract.hex():
            return seed
    raise SetupError(f"{path} was not made by ledger.synthetic_bulk.", hint="Leave --ledger out.")


@contextmanager
def running(command: list[str], ready: str, core: int | None) -> Iterator[int]:
    """A server on a free port of loopback; ended at the end."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen([*command, str(port)], stdout=sys.stderr)
    try:
        if core is not None:
            os.sched_setaffinity(process.pid, {sorted(os.sched_getaffinity(0))[core]})
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                ask(port, ready)
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SetupError("The server did not start.", hint="See above.") from None
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(frozen=True, slots=True)
class Asked:
    """One answer; its seconds are the service's own, where it tells them."""

    status: int
    seconds: float
    body: bytes
    cpu_so_far: float
    cpu: float


def ask(port: int, url: str) -> Asked:
    started = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_TIMEOUT)
    try:
        connection.request("GET", url)
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    served = float(answer.headers.get(SERVED) or time.perf_counter() - started)
    so_far, cpu = map(float, answer.headers.get(CPU, "0 0").split())
    return Asked(answer.status, served, body, so_far, cpu)


def cpu_so_far(port: int) -> float:
    """Seconds of processor time that the service has used."""
    return ask(port, "/api/v1/health").cpu_so_far


def new(url: str, turn: int) -> str:
    """The same question in words that nobody has used yet."""
    return f"{url}{'&' if '?' in url else '?'}turn{turn}="


# What is measured.


def routes(port: int, samples: Samples) -> list[str]:
    """All pages and API routes that can be asked for here, and answer."""
    schema = json.loads(ask(port, "/openapi.json").body)
    paths = {path for path, methods in schema["paths"].items() if "get" in methods}
    asked = []
    for route in sorted(paths | {*page_routes()}):
        if route.startswith(ENDLESS) or not samples.can_ask(route):
            continue
        status = ask(port, samples.url(route, 0)).status
        if status in GOOD:
            asked.append(route)
        else:
            print(f"left out: {route} answers {status}", file=sys.stderr)
    return asked


def cpu_alone(port: int, samples: Samples, route: str) -> dict[str, float]:
    """Processor time of an answer of this route that nobody has asked for before."""
    urls = [new(samples.url(route, turn), turn) for turn in range(ALONE)]
    times = sorted(ask(port, url).cpu for url in urls)
    return {"cpu_p50_ms": milliseconds(median(times)), "cpu_max_ms": milliseconds(times[-1])}


def page_routes() -> list[str]:
    """The pages: they are in no schema."""
    app = create_app(Path("unused"), BulkLedger(1_000, Shape(), SEED).deployment)
    return [
        route.path
        for route in app.routes
        if isinstance(route, APIRoute) and "GET" in (route.methods or ())
    ]


def load(
    port: int, samples: Samples, asked: list[str], options: argparse.Namespace
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Each route in its turn, at the rate, whether or not the last answers are there; and what all
    of it took."""
    rate, before = options.rate, cpu_so_far(port)
    times: defaultdict[str, list[float]] = defaultdict(list)
    failed: defaultdict[str, int] = defaultdict(int)
    lock = threading.Lock()

    def one(route: str, turn: int) -> None:
        url = samples.url(route, turn)
        answer = ask(port, new(url, turn + ALONE) if options.all_new else url)
        with lock:
            times[route].append(answer.seconds)
            failed[route] += answer.status not in GOOD

    with ThreadPoolExecutor(WORKERS) as pool:
        begun = time.monotonic()
        pending = []
        for turn in range(int(options.seconds * rate)):
            time.sleep(max(0.0, begun + turn / rate - time.monotonic()))
            pending.append(pool.submit(one, asked[turn % len(asked)], turn // len(asked)))
        for future in pending:
            future.result()
    spent = time.monotonic() - begun
    print(f"{len(pending)} requests in {spent:.1f} s over {len(asked)} routes", file=sys.stderr)
    used = cpu_so_far(port) - before
    every = sorted(took for each in times.values() for took in each)
    whole = {
        "requests_per_second": round(len(pending) / spent, 1),
        "all_new": options.all_new,
        "cpu_per_request_ms": milliseconds(used / len(pending)),
        "core_used": round(used / spent, 3),
        "p95_ms": milliseconds(p95(every)),
    }
    return {
        route: {
            "requests": len(times[route]),
            "p50_ms": milliseconds(median(times[route])),
            "p95_ms": milliseconds(p95(times[route])),
            "failed": failed[route],
        }
        for route in asked
        if times[route]
    }, whole


def p95(seconds: list[float]) -> float:
    return sorted(seconds)[-(-len(seconds) * 95 // 100) - 1]


def milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)


def node_lookup(port: int, samples: Samples) -> dict[str, float]:
    """The median of one question after the other: as they come, and without any kept answer."""
    urls = [f"/api/v1/nodes/{samples.nodes[i % len(samples.nodes)]}" for i in range(LOOKUPS)]
    fresh = [ask(port, new(url, turn)) for turn, url in enumerate(urls)]
    return {
        "p50_ms": milliseconds(median(ask(port, url).seconds for url in urls)),
        "new_p50_ms": milliseconds(median(each.seconds for each in fresh)),
        "new_cpu_p50_ms": milliseconds(median(each.cpu for each in fresh)),
    }


def export(port: int, seconds: float) -> dict[str, float]:
    """Everything as NDJSON, for so long: time to the first byte, then rows a second, by the clock
    and by the service's processor time."""
    before = cpu_so_far(port)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_TIMEOUT)
    try:
        started = time.perf_counter()
        connection.request("GET", "/export/assets.ndjson")
        answer = connection.getresponse()
        rows = answer.read(1).count(b"\n")
        first = time.perf_counter() - started
        while time.perf_counter() - started < seconds:
            piece = answer.read1(1 << 20)
            if not piece:
                break
            rows += piece.count(b"\n")
        spent = time.perf_counter() - started
        used = cpu_so_far(port) - before
    finally:
        connection.close()
    return {
        "first_byte_ms": milliseconds(first),
        "rows_per_second": round(rows / spent),
        "rows_per_cpu_second": round(rows / used),
    }


FACETS = {"process_name": "kind=REQUEST", "level": "kind=KUDOS", "state": "kind=KUDOS"}
DATASETTE = {
    "process_name": "migrations.json?_size=0&_facet=process_name",
    "level": "kudos.json?_size=0&_facet=level",
    "state": "kudos.json?_size=0&_facet=state",
}


def facets(port: int, urls: dict[str, str], *, ours: bool) -> dict[str, float]:
    """The best of two, in milliseconds of the client: both servers by the same clock, and without
    answers that we have kept."""
    best = {}
    for name, url in urls.items():
        taken = []
        for turn in range(2):
            started = time.perf_counter()
            found = ask(port, new(url, turn) if ours else url)
            taken.append(time.perf_counter() - started)
            if found.status != 200 or b'"count"' not in found.body:
                hint = found.body[:200].decode()
                raise SetupError(f"{url} was answered with {found.status}.", hint=hint)
        best[name] = milliseconds(min(taken))
    return best


def datasette(path: Path) -> dict[str, float]:
    """The same counts by Datasette, on the same core."""
    patient = ["sql_time_limit_ms", "facet_time_limit_ms"]
    command = [sys.executable, "-m", "datasette", "serve", "--immutable", str(path)]
    for setting in patient:
        command += ["--setting", setting, "100000"]
    with running([*command, "--port"], "/-/versions.json", core=0) as port:
        return facets(
            port, {name: f"/{path.stem}/{url}" for name, url in DATASETTE.items()}, ours=False
        )


def compare(ours: dict[str, float], theirs: dict[str, float]) -> dict[str, Any]:
    return {
        name: {
            "ours_ms": ours[name],
            "datasette_ms": theirs[name],
            "times_faster": round(theirs[name] / ours[name], 1),
        }
        for name in ours
    }


if __name__ == "__main__":
    sys.exit(main())
