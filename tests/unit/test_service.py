"""The pages, over a synthetic ledger."""

from __future__ import annotations

import html
import re
import sqlite3
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from ledger.desk.app import create_app
from ledger.desk.draw import sparkline
from ledger.desk.wording import clock_text
from ledger.indexer import Indexer
from ledger.reader import Reader
from ledger.store import IndexStore
from ledger.synthetic import SyntheticChain
from ledger.synthetic_actors import Settings
from ledger.types import hex_of

EVIL = "<script>alert(1)</script>"


class Clock:
    """A clock that only moves when told to."""

    time = 5000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


class Site:
    """A service over a file, and the clock that both go by."""

    def __init__(self, path: Path) -> None:
        self.path, self.clock = path, Clock()
        self.chain = SyntheticChain(
            Settings(nodes=4, finality_depth=3, process_names=(EVIL, "cc x.c"))
        )
        for _ in range(6):
            self.chain.mine(15)
        with IndexStore.open(path, self.chain.deployment) as store:
            Indexer(self.chain, store, self.chain.deployment, self.clock).step()
        names = {self.chain.actors.nodes[0].address: "the <first> node"}
        app = create_app(path, self.chain.deployment, names=names, clock=self.clock)
        self.client = TestClient(app, raise_server_exceptions=False)

    def migrations(self) -> list[dict[str, object]]:
        found: list[dict[str, object]] = self.client.get("/api/v1/migrations?limit=500").json()[
            "rows"
        ]
        return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site") / "index.db")
    yield made
    made.client.close()


class Outline(HTMLParser):
    """Checks that tags are balanced, and collects them."""

    VOID = frozenset({"meta", "link", "br", "path", "circle", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.stack.pop() == tag


def test_the_overview_shows_nodes_migrations_and_votes(site: Site) -> None:
    page = site.client.get("/").text
    with Reader.open(site.path) as reader:
        for node in reader.nodes():
            assert hex_of(node.address) in page and f"<strong>{node.points:,}</strong>" in page
        for validator in reader.validators():
            assert hex_of(validator.address) in page
        assert hex_of(reader.migrations(1)[0].request_id) in page
    assert "updated 0 s ago" in page and "this data is stale" not in page
    assert "the &lt;first&gt; node" in page


def test_no_inline_script_or_style_and_a_strict_policy(site: Site) -> None:
    opened = next(m for m in site.migrations() if m["canary_opened"])
    for path in ("/", f"/migrations/{opened['request_id']}", "/nothing"):
        answer = site.client.get(path)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'") and "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        outline = Outline(answer.text)
        names = {tag for tag, _ in outline.tags}
        assert "style" not in names
        sources = [values.get("src") or "" for tag, values in outline.tags if tag == "script"]
        assert sources and all(source.startswith("/static/") for source in sources)
        assert not any(name.startswith("on") for _, values in outline.tags for name in values)
        assert not any("style" in attributes for _, attributes in outline.tags)
        assert EVIL not in answer.text
    assert html.escape(EVIL) in site.client.get("/").text
    assert site.client.get("/static/kudos.css").status_code == 200


def test_a_life_cycle_is_shown_and_recomputed(site: Site) -> None:
    for found in site.migrations():
        life = site.client.get(f"/api/v1/migrations/{found['request_id']}").json()
        assert life["checks"] and all(check["holds"] for check in life["checks"])
        names = {check["name"] for check in life["checks"]}
        assert ("commitment, opened" in names) is found["canary_opened"]
        page = site.client.get(f"/migrations/{found['request_id']}").text
        assert "does not hold" not in page
        for step in life["steps"]:
            assert step["asset"] in page and step["id"] in page and step["tx"] in page
            assert f"log {step['log_index']}" in page
    assert {len(m["kudos"]) for m in site.migrations()} == {0, 1, 2}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("table", "column", "check"),
    [
        ("migrations", "home_signature", "signer of CONFIRMED"),
        ("migrations", "commitment", "REQUEST id"),
        ("openings", "salt", "commitment, opened"),
        ("openings", "signature", "signer of CANARY_OPENED"),
        ("kudos", "seal_salt", "result seal, opened"),
    ],
)
def test_a_changed_row_shows_on_the_page(
    tmp_path: Path, table: str, column: str, check: str
) -> None:
    site = Site(tmp_path / "index.db")
    opened = next(m for m in site.migrations() if m["canary_opened"])
    with sqlite3.connect(site.path) as conn:
        conn.execute(
            f"UPDATE {table} SET {column} = ? WHERE request_id = ?",
            (
                b"\1" * (64 if "signature" in column else 32),
                bytes.fromhex(str(opened["request_id"])[2:]),
            ),
        )
    conn.close()
    life = site.client.get(f"/api/v1/migrations/{opened['request_id']}").json()
    assert check in {entry["name"] for entry in life["checks"] if not entry["holds"]}
    assert "does not hold" in site.client.get(f"/migrations/{opened['request_id']}").text


@pytest.mark.parametrize("request_id", ["0x12", "xyz", "0x" + "00" * 32, "0x" + "é" * 64])
def test_an_unknown_migration_is_a_404(site: Site, request_id: str) -> None:
    page = site.client.get(f"/migrations/{request_id}")
    assert page.status_code == 404 and "<h1>Not Found</h1>" in page.text


def test_nothing_can_be_changed(site: Site) -> None:
    for path in ("/", "/api/v1/nodes", "/api/v1/migrations"):
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            assert site.client.request(method, path).status_code == 405


def test_stale_data_is_said_to_be_stale(tmp_path: Path) -> None:
    site = Site(tmp_path / "index.db")
    assert site.client.get("/healthz").json()["status"] == "ok"
    site.clock.time += 3 * 60
    page = site.client.get("/").text
    assert "updated 3 min ago" in page and "this data is stale" in page
    health = site.client.get("/healthz")
    assert health.status_code == 503 and health.headers["retry-after"]


def test_without_a_copy_it_says_what_to_do(tmp_path: Path) -> None:
    deployment = SyntheticChain(Settings()).deployment
    client = TestClient(create_app(tmp_path / "missing.db", deployment))
    for path in ("/", "/healthz", "/api/v1/nodes"):
        answer = client.get(path)
        assert answer.status_code == 503 and "no indexed copy" in answer.text
    with IndexStore.open(tmp_path / "missing.db", deployment):
        page = client.get("/")
    assert page.status_code == 200 and "No migration has been settled yet" in page.text
    assert "no data yet" in page.text


def test_a_sparkline_stays_in_its_box() -> None:
    assert sparkline([]) == sparkline([(5, 1)]) == ""
    path = sparkline([(time, time * time) for time in range(10_000)])
    numbers = [float(number) for number in re.findall(r"[\d.]+", path)]
    xs, ys = numbers[::2], numbers[1::2]
    assert len(xs) <= 121 and (min(xs), max(xs)) == (0, 120) and 0 <= min(ys) < max(ys) <= 28
    assert sparkline([(7, 0), (7, 0)]).startswith("M")


def test_times_no_calendar_knows_are_numbers() -> None:
    assert clock_text(0) == "1970-01-01 00:00:00"
    assert clock_text((1 << 64) - 1) == str((1 << 64) - 1)
