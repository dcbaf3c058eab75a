"""What holds for the whole API: problems, ETags, read-only, limits, time budget, metrics."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from ledger.desk.app import create_app
from ledger.desk.budget import STEPS, Busy, TimedOut, time_budget
from ledger.desk.metrics import MEDIA_TYPE
from ledger.desk.middleware import Admission, Limits, Load, Rates
from ledger.errors import CorruptData
from ledger.synthetic import SyntheticChain
from ledger.synthetic_actors import Settings
from tests.unit.api_site import API, ApiSite, Clock

NOBODY = "0x" + "00" * 20
NOTHING = "0x" + "00" * 32


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiSite]:
    made = ApiSite(tmp_path_factory.mktemp("site") / "index.db")
    yield made
    made.client.close()


# -- read-only -------------------------------------------------------------------------------------


def test_every_route_only_answers(site: ApiSite) -> None:
    methods = {
        (path, method)
        for path, operations in site.client.get("/openapi.json").json()["paths"].items()
        for method in operations
    }
    assert len(methods) > 20 and {method for _, method in methods} == {"get"}
    routes = list(flattened(site.app.routes))
    assert len(routes) > len(methods)
    for route in routes:
        assert (route.methods or set()) <= {"GET", "HEAD"}, route.path


def flattened(routes: Any) -> Iterator[APIRoute]:
    """Every route below these, however routers are nested."""
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        original = getattr(route, "original_router", None)
        yield from flattened(getattr(original or route, "routes", None) or ())


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/stats", "/nodes", "/votes", "/events", "/migrations"])
def test_no_other_method_is_taken(site: ApiSite, method: str, path: str) -> None:
    answer = site.client.request(method, API + path)
    assert answer.status_code == 405 and answer.headers["allow"] == "GET, HEAD"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:kudos:problem:method-not-allowed"


# -- problems --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status", "name"),
    [
        ("/nowhere", 404, "no-such-route"),
        (f"/nodes/{NOBODY}", 404, "not-found"),
        ("/nodes/0x12", 422, "invalid-parameter"),
        ("/nodes?limit=0", 422, "invalid-parameter"),
        ("/nodes?sort=beauty", 422, "invalid-parameter"),
        ("/nodes?cursor=AAAA", 422, "invalid-parameter"),
        ("/nodes?at_block=99999", 404, "block-not-indexed"),
        ("/stats?at_block=99999", 404, "block-not-indexed"),
        ("/stats?at_block=-1", 422, "invalid-parameter"),
        (f"/nodes/{NOBODY}?at_block=99999", 404, "block-not-indexed"),
        (f"/nodes/{NOBODY}/why", 404, "not-found"),
        (f"/validators/{NOBODY}", 404, "not-found"),
        (f"/migrations/{NOTHING}", 404, "not-found"),
        (f"/assets/{NOTHING}", 404, "not-found"),
        ("/assets?kind=GOLD", 422, "invalid-parameter"),
        (f"/kudos/{NOTHING}", 404, "not-found"),
        (f"/canaries/{NOTHING}", 404, "not-found"),
        ("/votes?cursor=%00", 422, "invalid-parameter"),
        ("/events?after=yesterday", 422, "invalid-parameter"),
    ],
)
def test_errors_are_problem_details(site: ApiSite, path: str, status: int, name: str) -> None:
    answer = site.client.get(API + path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == f"urn:kudos:problem:{name}" and problem["status"] == status
    assert problem["detail"] and problem["title"]
    assert "content-security-policy" in answer.headers and "etag" not in answer.headers


def test_a_wrong_parameter_is_named(site: ApiSite) -> None:
    problem = site.get("/assets", 422, level=9, state="odd")
    assert {each["parameter"] for each in problem["errors"]} == {"level", "state"}


def test_a_fault_of_ours_tells_a_stranger_nothing(
    site: ApiSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the secret path /etc/secret")

    monkeypatch.setattr("ledger.desk.api.overview.overview", broken)
    answer = site.client.get(f"{API}/stats")
    assert answer.status_code == 500 and "secret" not in answer.text
    assert answer.json()["type"] == "urn:kudos:problem:internal"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_without_a_copy_only_the_process_is_alive(tmp_path: Path) -> None:
    app = create_app(tmp_path / "missing.db", SyntheticChain(Settings()).deployment)
    with TestClient(app) as client:
        assert client.get(f"{API}/health").json() == {"status": "ok"}
        for path in ("/ready", "/stats", "/nodes", "/votes"):
            answer = client.get(API + path)
            assert answer.status_code == 503 and answer.headers["retry-after"]
            assert answer.json()["type"] == "urn:kudos:problem:copy-unavailable"
        assert "kudos_copy_up 0.0" in client.get("/metrics").text


def test_stale_data_is_not_ready(tmp_path: Path) -> None:
    site = ApiSite(tmp_path / "index.db", blocks=2)
    assert site.get("/ready")["status"] == "ok"
    site.clock.time += 60
    for path in (f"{API}/ready", "/healthz"):
        answer = site.client.get(path)
        assert answer.status_code == 503 and answer.headers["retry-after"]
        assert answer.json()["status"] == "stale" and answer.json()["age_seconds"] == 60
    assert site.get("/health") == {"status": "ok"}


# -- ETags -----------------------------------------------------------------------------------------


def test_an_answer_is_sent_once_per_block(tmp_path: Path) -> None:
    site = ApiSite(tmp_path / "index.db", blocks=3)
    paths = ["/stats", "/nodes", "/nodes?limit=1", "/votes", "/assets/count"]
    tags = {path: site.client.get(API + path).headers["etag"] for path in paths}
    assert len(set(tags.values())) == len(paths)
    for path, tag in tags.items():
        for known in (tag, f'"other", {tag}', "*"):
            again = site.client.get(API + path, headers={"If-None-Match": known})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == tag
        other = site.client.get(API + path, headers={"If-None-Match": 'W/"other"'})
        assert other.status_code == 200
    site.grow(1, 1)
    for path, tag in tags.items():
        fresh = site.client.get(API + path, headers={"If-None-Match": tag})
        assert fresh.status_code == 200 and fresh.headers["etag"] != tag


# -- OpenAPI ---------------------------------------------------------------------------------------


def test_the_document_is_complete(site: ApiSite) -> None:
    document = site.client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    assert "ProblemDetails" in schemas and "HTTPValidationError" not in schemas
    named = {path.removeprefix(API) for path in document["paths"]}
    wanted = {"nodes", "migrations", "assets", "kudos", "votes", "validators", "canaries"}
    assert {f"/{name}" for name in (*wanted, "stats", "events", "health", "ready")} <= named
    for path, operations in document["paths"].items():
        operation = operations["get"]
        assert operation.get("description") or operation.get("summary"), path
        answers = operation["responses"]["200"]["content"]
        assert all(kind.get("schema") for kind in answers.values()), path
        if path.startswith(API) and path != f"{API}/ready":
            for status in ("422", "503"):
                problem = operation["responses"][status]["content"]["application/problem+json"]
                assert problem["schema"]["$ref"].endswith("/ProblemDetails")
    for name in ("Node", "Migration", "Vote", "Validator", "Asset", "Canary"):
        assert schemas[name]["description"] and schemas[name]["properties"], name


# -- time budget -----------------------------------------------------------------------------------

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


def test_a_question_that_takes_too_long_is_ended() -> None:
    ticks = iter(range(1_000_000))
    conn = sqlite3.connect(":memory:")
    late = pytest.raises(TimedOut, match="longer than 3 s")
    with late, time_budget(conn, 3.0, lambda: float(next(ticks))):
        conn.execute(ENDLESS).fetchone()
    limited = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {STEPS})"
    assert conn.execute(f"{limited} SELECT count(*) FROM n").fetchone() == (STEPS,)
    conn.close()


def test_what_sqlite_says_becomes_advice(tmp_path: Path) -> None:
    with (
        closing(sqlite3.connect(tmp_path / "x.db")) as conn,
        closing(sqlite3.connect(tmp_path / "x.db", timeout=0)) as other,
    ):
        conn.execute("CREATE TABLE t (a)")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Busy), time_budget(conn, None, lambda: 0.0):
            conn.execute("PRAGMA busy_timeout = 0")
            conn.execute("SELECT * FROM t").fetchall()
        other.execute("COMMIT")
        with pytest.raises(sqlite3.OperationalError), time_budget(conn, 1.0, lambda: 0.0):
            conn.execute("SELECT * FROM u")
    (tmp_path / "y.db").write_bytes(b"no database at all" * 100)
    conn = sqlite3.connect(tmp_path / "y.db")
    with pytest.raises(CorruptData), time_budget(conn, 1.0, lambda: 0.0):
        conn.execute("SELECT * FROM t")
    conn.close()


def test_an_answer_out_of_time_is_a_503(site: ApiSite, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(reader: Any, *_: object) -> None:
        site.clock.time += 10
        reader.connection.execute(ENDLESS).fetchone()

    monkeypatch.setattr("ledger.desk.api.overview.overview", slow)
    answer = site.client.get(f"{API}/stats")
    assert answer.status_code == 503 and answer.headers["retry-after"]
    assert answer.json()["type"] == "urn:kudos:problem:time-budget"


# -- overload --------------------------------------------------------------------------------------


def drive(limits: Limits, requests: int, *, patience_over: bool) -> tuple[list[int], Load]:
    """So many requests at once into an app that answers when it is told to; their statuses."""
    load = Load()

    async def scenario() -> list[int]:
        release = asyncio.Event()
        statuses: list[int] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await release.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
                if message["status"] == 503:
                    assert dict(message["headers"])[b"retry-after"] == b"1"

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        gate = Admission(app, limits=limits, load=load)
        scope = {"type": "http", "path": "/", "client": ("1", 1), "headers": [], "method": "GET"}
        tasks = [asyncio.create_task(gate(scope, receive, send)) for _ in range(requests)]
        await asyncio.sleep(0.1 if patience_over else 0)
        release.set()
        await asyncio.gather(*tasks)
        return statuses

    return asyncio.run(scenario()), load


def test_beyond_work_and_queue_there_is_a_503() -> None:
    statuses, load = drive(Limits(in_work=2, queue=3), 9, patience_over=False)
    assert sorted(statuses) == [200] * 5 + [503] * 4
    assert (load.in_work, load.waiting, load.refused[503]) == (0, 0, 4)


def test_nobody_waits_longer_than_its_patience() -> None:
    statuses, load = drive(Limits(in_work=2, queue=3, patience=0.02), 5, patience_over=True)
    assert sorted(statuses) == [200] * 2 + [503] * 3
    assert (load.in_work, load.waiting, load.refused[503]) == (0, 0, 3)


def test_one_client_cannot_take_everything() -> None:
    clock = Clock()
    rates = Rates(2.0, 3, clock.monotonic)
    assert [rates.wait("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert rates.wait("b") == 0
    clock.time += 0.5
    assert rates.wait("a") == 0 and rates.wait("a") == 0.5
    for number in range(Rates.CLIENTS + 1):
        rates.wait(str(number))
    assert rates.wait("a") == 0  # forgotten, in bounded memory


def test_a_hasty_client_gets_a_429(tmp_path: Path) -> None:
    site = ApiSite(tmp_path / "index.db", blocks=2, limits=Limits(rate=1.0, burst=2))
    answers = [site.client.get(f"{API}/stats") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["retry-after"] == "1"
    assert answers[2].json()["type"] == "urn:kudos:problem:too-many-requests"
    assert site.get("/health") == {"status": "ok"}
    assert 'kudos_http_refused_total{status="429"} 1.0' in site.client.get("/metrics").text


# -- metrics ---------------------------------------------------------------------------------------


def samples(text: str) -> dict[str, float]:
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def test_the_metrics_say_what_the_api_says(tmp_path: Path) -> None:
    site = ApiSite(tmp_path / "index.db")
    stats, ready = site.get("/stats"), site.get("/ready")
    site.clock.time += 7
    answer = site.client.get("/metrics")
    assert answer.headers["content-type"] == MEDIA_TYPE
    found = samples(answer.text)
    assert found["kudos_copy_up"] == 1 and found["kudos_age_seconds"] == 7
    assert found["kudos_indexed_height"] == ready["number"]
    assert found["kudos_final_height"] == ready["final_number"]
    assert found["kudos_lag_blocks"] == ready["chain_head"] - ready["number"]
    assert found['kudos_rows{kind="migrations"}'] == stats["counts"]["migrations"]
    for level in (1, 2, 3):
        assert found[f'kudos_verified{{level="{level}"}}'] == stats["counts"][f"k{level}"]
    assert found['kudos_claims{state="waiting"}'] == stats["counts"]["waiting"] > 0
    for waiting in stats["quorum"]["on"]:
        name = f'kudos_waiting_claims{{validator="{waiting["validator"]}"}}'
        assert found[name] == waiting["claims"]


def test_durations_are_counted_by_route_and_strangers_add_no_series(tmp_path: Path) -> None:
    site = ApiSite(tmp_path / "index.db", blocks=2)
    for number in range(5):
        site.client.get(f"{API}/nodes/0x{number:040x}")
        site.client.get(f"/{number}")
    found = samples(site.client.get("/metrics").text)
    count = "kudos_http_request_seconds_count"
    assert found[f'{count}{{route="{API}/nodes/{{address}}",status="404"}}'] == 5
    assert found[f'{count}{{route="none",status="404"}}'] == 5
