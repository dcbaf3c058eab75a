"""The API over real HTTP: the client, streams that break, saturation."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from ledger.client import (
    BlockNotIndexed,
    Client,
    Event,
    InvalidParameter,
    NotFound,
    Unavailable,
    Unreachable,
)
from ledger.desk.middleware import Limits
from ledger.types import hex_of
from tests.integration.live_service import serving
from tests.unit.api_site import API, ApiSite

LOAD_SECONDS = 60.0
"""At most."""
WORKERS = 32


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiSite]:
    made = ApiSite(tmp_path_factory.mktemp("site") / "index.db")
    yield made
    made.client.close()


@pytest.fixture(scope="module")
def url(site: ApiSite) -> Iterator[str]:
    with serving(site.app) as address:
        yield address


def test_the_client_has_a_method_for_every_route(site: ApiSite, url: str) -> None:
    with Client(url, page=7) as ledger:
        node = next(ledger.nodes())
        migration = next(m for m in ledger.migrations() if m.canary_opened and len(m.kudos) == 2)
        claim, vote = migration.kudos[0].id, next(ledger.votes())
        calls: dict[str, Any] = {
            "/health": ledger.health,
            "/ready": ledger.ready,
            "/stats": ledger.stats,
            "/stats/days": ledger.stats_days,
            "/stats/minutes": ledger.stats_minutes,
            "/nodes": ledger.nodes,
            "/nodes/{address}": lambda: ledger.node(node.address),
            "/nodes/{address}/days": lambda: ledger.node_days(node.address),
            "/nodes/{address}/earned": lambda: ledger.node_earned(node.address),
            "/nodes/{address}/gave": lambda: ledger.node_gave(node.address),
            "/nodes/{address}/canaries": lambda: ledger.node_canaries(node.address),
            "/nodes/{address}/why": lambda: ledger.node_why(node.address),
            "/nodes/{address}/puzzles": lambda: ledger.node_puzzles(node.address),
            "/validators": ledger.validators,
            "/validators/sets": ledger.validator_sets,
            "/proposals": ledger.proposals,
            "/rounds": ledger.rounds,
            "/beacon": ledger.beacon,
            "/draws": ledger.draws,
            "/validators/{address}": lambda: ledger.validator(vote.validator),
            "/validators/{address}/tests": lambda: ledger.validator_tests(vote.validator),
            "/flow": ledger.flow,
            "/flow/edges": ledger.flow_edges,
            "/migrations": ledger.migrations,
            "/migrations/{request_id}": lambda: ledger.migration(migration.request_id),
            "/assets": ledger.assets,
            "/assets/count": ledger.assets_count,
            "/assets/facets": ledger.assets_facets,
            "/assets/{asset_id}": lambda: ledger.asset(claim),
            "/kudos": ledger.kudos,
            "/kudos/{kudos_id}": lambda: ledger.kudos_claim(claim),
            "/votes": ledger.votes,
            "/canaries": ledger.canaries,
            "/canaries/{request_id}": lambda: ledger.canary(migration.request_id),
            "/search": lambda: ledger.search(node.address),
        }
        document = site.client.get("/openapi.json").json()
        routes = {path.removeprefix(API) for path in document["paths"] if path.startswith(API)}
        # Two that have no model: a stream, and a bundle for the checker.
        assert {path for path in routes if not path.startswith(("/proofs", "/events"))} == set(
            calls
        )
        for path, call in calls.items():
            filled = path.format(
                address=vote.validator if "validators" in path else node.address,
                request_id=migration.request_id,
                asset_id=claim,
                kudos_id=claim,
            )
            query: dict[str, Any] = {"q": node.address} if path == "/search" else {}
            found = call()
            if isinstance(found, Iterator):
                raw: Any = site.pages(filled, limit=7)
                shown: Any = [json.loads(row.model_dump_json()) for row in found]
            else:
                raw = site.get(filled, **query)
                shown = (
                    [json.loads(row.model_dump_json()) for row in found]
                    if isinstance(found, list)
                    else json.loads(found.model_dump_json(exclude_none=path == "/ready"))
                )
            assert shown == raw, path


def test_problems_become_errors_of_ours(url: str) -> None:
    with Client(url) as ledger:
        with pytest.raises(BlockNotIndexed) as early:
            ledger.stats(at_block=10**6)
        assert early.value.hint and early.value.status == 404
        with pytest.raises(NotFound):
            ledger.node("0x" + "00" * 20)
        with pytest.raises(InvalidParameter, match="limit"):
            next(ledger.nodes(limit=0))
    with (
        Client("http://127.0.0.1:9") as nobody,
        pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"),
    ):
        nobody.health()


def test_the_client_waits_when_it_is_told_to(tmp_path: Path) -> None:
    naps: list[float] = []
    missing = ApiSite(tmp_path / "index.db", blocks=2)
    missing.path.rename(tmp_path / "gone.db")

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 2:
            (tmp_path / "gone.db").rename(missing.path)

    with serving(missing.app) as url:
        with Client(url, retries=1, sleep=lambda _: None) as hasty, pytest.raises(Unavailable):
            hasty.stats()
        with Client(url, retries=3, sleep=nap) as patient:
            assert patient.stats().counts.migrations > 0
    assert naps == [5.0, 5.0]


def test_an_answer_that_did_not_change_is_not_sent_again(tmp_path: Path) -> None:
    site = ApiSite(tmp_path / "index.db", blocks=2)
    with serving(site.app) as url, Client(url) as ledger:
        first = ledger.stats()
        assert ledger.stats() == first and ledger.stats() == first
        count = "kudos_http_request_seconds_count"
        metrics = requests.get(f"{url}/metrics", timeout=5).text
        assert f'{count}{{route="{API}/stats",status="304"}} 2.0' in metrics
        site.grow(1, 5)
        assert ledger.stats() != first


def places_of(site: ApiSite) -> list[tuple[int, int]]:
    return [
        (block.header.number, log.log_index) for block in site.chain.blocks for log in block.logs
    ]


def test_a_stream_goes_on_where_it_broke(tmp_path: Path) -> None:
    site = ApiSite(tmp_path / "index.db", blocks=2)
    received: list[Event] = []
    listening = threading.Event()

    with serving(site.app) as url:
        port = urlsplit(url).port
        client = Client(url, retries=60, sleep=lambda _: time.sleep(0.05))

        def listen() -> None:
            for event in client.events(after="start"):
                received.append(event)
                if event.name == "head":
                    listening.set()
                    if event.data["number"] == 4:
                        return

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        assert listening.wait(10), "no head arrives"
        site.grow(1, 10)
        deadline = time.monotonic() + 10
        while not any(e.data.get("block") == 3 for e in received) and time.monotonic() < deadline:
            time.sleep(0.05)
    before = len(received)
    site.grow(1, 10)
    assert port is not None
    with serving(site.app, port):
        thread.join(20)
    assert not thread.is_alive() and len(received) > before
    logs = [e for e in received if e.name != "head"]
    assert [(e.data["block"], e.data["log_index"]) for e in logs] == places_of(site)
    client.close()


# -- saturation ------------------------------------------------------------------------------------


class Hammer:
    """Asks as fast as it can, from many threads, and keeps what was answered; until there was so
    much of each status, however slow the machine is."""

    def __init__(self, url: str, expected: dict[str, str], enough: dict[int, int]) -> None:
        self.url, self.expected, self.enough = url, expected, enough
        self.tags: dict[str, str] = {}
        self.statuses: Counter[int] = Counter()
        self.faults: list[str] = []
        self._lock = threading.Lock()

    def run(self) -> None:
        end = time.monotonic() + LOAD_SECONDS
        threads = [threading.Thread(target=self._ask, args=(n, end)) for n in range(WORKERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LOAD_SECONDS + 30)
            assert not thread.is_alive(), "a request is never answered"

    def _ask(self, number: int, end: float) -> None:
        paths, tags, draw = list(self.expected), self.tags, Random(number)
        with requests.Session() as session:
            while time.monotonic() < end and not self._has_enough():
                path = draw.choice(paths)
                if draw.random() < 0.5:  # in words that nobody has used: no kept answer has them
                    new = f"{'&' if '?' in path else '?'}new{draw.random()}="
                    self._judge(path, session.get(self.url + path + new, timeout=30))
                    continue
                known = path in tags and draw.random() < 0.5
                headers = {"If-None-Match": tags[path]} if known else {}
                answer = session.get(self.url + path, headers=headers, timeout=30)
                tags[path] = answer.headers.get("etag", tags.get(path, ""))
                self._judge(path, answer)

    def _has_enough(self) -> bool:
        with self._lock:
            return all(self.statuses[status] >= many for status, many in self.enough.items())

    def _judge(self, path: str, answer: requests.Response) -> None:
        fault = ""
        if answer.status_code == 200 and answer.text != self.expected[path]:
            fault = f"{path}: another answer than without load"
        if answer.status_code in (429, 503) and not answer.headers.get("Retry-After"):
            fault = f"{path}: {answer.status_code} without Retry-After"
        with self._lock:
            self.statuses[answer.status_code] += 1
            if fault:
                self.faults.append(fault)


CROWDED = Limits(in_work=2, queue=3, patience=0.05)
HASTY = Limits(rate=10.0, burst=500)


@pytest.mark.parametrize(("limits", "refusal"), [(CROWDED, 503), (HASTY, 429)])
def test_saturated_it_says_so_and_never_answers_wrongly(
    tmp_path: Path, limits: Limits, refusal: int
) -> None:
    site = ApiSite(tmp_path / "index.db", limits=limits)
    quiet = ApiSite(tmp_path / "same.db")
    node = hex_of(site.chain.actors.nodes[1].address)
    paths = ["/stats", "/nodes", f"/nodes/{node}", "/votes?limit=50", "/assets/facets", "/kudos"]
    expected = {API + path: quiet.client.get(API + path).text for path in paths}
    with serving(site.app) as url:
        enough = {200: 200, 304: 10, refusal: 50}
        hammer = Hammer(url, expected, enough)
        hammer.run()
        alive = requests.get(f"{url}{API}/health", timeout=5)
    assert hammer.faults == []
    assert set(hammer.statuses) <= {200, 304, 429, 503}, hammer.statuses
    assert all(hammer.statuses[status] >= many for status, many in enough.items()), hammer.statuses
    assert alive.status_code == 200
