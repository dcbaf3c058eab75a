"""The desk over a ledger that the real demo made: every page, search, filters, files, live updates,
axe, no script. What only a synthetic ledger has (forks, refusals, hostile names, long lists) is
tested over that."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from ledger import calls, record
from ledger.deployment import Deployment
from ledger.embedded import EmbeddedChain
from ledger.event_types import BatchSettled
from ledger.events import decode
from ledger.indexer import Indexer
from ledger.keys import Key
from ledger.ports import SystemClock
from ledger.proof_check import Anchors, check, headers_of
from ledger.proof_format import decode as read_bundle
from ledger.reader import Reader
from ledger.rpc import Rpc
from ledger.sender import Sender
from ledger.store import IndexStore
from ledger.synthetic_actors import Actors, Settings
from ledger.types import hex_of
from node.identity import password_from, unlock
from tests.e2e import test_desk_access as access
from tests.e2e import test_desk_explore as explore
from tests.e2e import test_desk_pages as pages
from tests.e2e.conftest import Desk
from tests.e2e.demo_ledger import UNITS, DemoLedger
from tests.e2e.desk_world import RealLedger, Service
from tests.integration.chain_world import ETHER, key_of

pytestmark = pytest.mark.timeout(900)  # the first of them waits for the demo
SECOND = 1_000
KINDS = ("REQUEST", "ACCEPTED", "REJECTED", "CONFIRMED", "RESULT", "CANARY_OPENED", "KUDOS")

axe, scheme_page = access.axe, access.scheme_page
# The same tests, over the ledger of this module's own `desk`.
test_axe_finds_nothing = access.test_axe_finds_nothing
test_dark_and_light_are_remembered = access.test_dark_and_light_are_remembered
test_everything_works_without_script = access.test_everything_works_without_script
test_the_keyboard_reaches_everything = access.test_the_keyboard_reaches_everything
test_the_policy_is_strict = access.test_the_policy_is_strict
test_wide_tables_scroll_in_their_own_box = access.test_wide_tables_scroll_in_their_own_box
test_a_file_holds_what_the_list_shows = explore.test_a_file_holds_what_the_list_shows
test_a_browser_saves_it = explore.test_a_browser_saves_it
test_facets_lead_to_what_they_count = explore.test_facets_lead_to_what_they_count
test_a_migration_is_recomputed = pages.test_a_migration_is_recomputed
test_nodes_are_sorted_and_filtered = pages.test_nodes_are_sorted_and_filtered_without_a_new_page
test_search_finds_each_kind_of_thing = pages.test_search_finds_each_kind_of_thing
test_the_figures_of_a_day_add_up = pages.test_the_figures_of_a_day_add_up_to_the_points
test_the_graph_and_its_table_agree = pages.test_the_graph_and_its_table_agree
test_the_overview_answers_three_questions = pages.test_the_overview_answers_three_questions


@pytest.fixture(scope="module")
def desk(demo_desk: Desk) -> Desk:
    return demo_desk


def test_the_demo_itself(demo: DemoLedger) -> None:
    report = demo.report
    assert report["problems"] == [] and report["audit"]["differences"] == 0
    assert report["build"]["identical"] == report["build"]["units"] == 3 * UNITS
    assert report["audit"]["kudos"] > 0
    assert min(report["canaries"][origin]["passed"] for origin in ("planted", "drawn")) > 0


def test_the_ledger_has_every_kind(page: Page, desk: Desk) -> None:
    for kind in KINDS:
        page.goto(f"{desk.url}/explore?kind={kind}")
        assert explore.count(page) > 0, kind
        assert set(page.locator("#results .kind").all_inner_texts()) == {kind}


def test_filters_narrow_and_the_address_keeps_them(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.url}/explore")
    page.locator("select[name=kind]").select_option("KUDOS")
    page.locator("select[name=level]").select_option("3")
    page.get_by_label("Node", exact=True).fill(desk.node)
    page.locator("select[name=role]").select_option("host")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**level=3**")
    expect(page.locator("#results .chips li")).to_have_count(4)
    rows = page.locator("#results tbody tr").all_inner_texts()
    with Reader.open(desk.world.index) as reader:
        sql = "SELECT count(*) FROM kudos WHERE level = 3 AND host = ?"
        (due,) = reader.connection.execute(sql, (bytes.fromhex(desk.node[2:]),)).fetchone()
    assert explore.count(page) == len(rows) == due > 0
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    assert page.locator("#results tbody tr").all_inner_texts() == rows


def test_a_node_s_points_are_those_of_its_reasons(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.url}/nodes/{desk.node}?outcome=verified")
    with Reader.open(desk.world.index) as reader:
        sql = "SELECT level FROM kudos WHERE state = 2 AND host = ?"
        node = bytes.fromhex(desk.node[2:])
        levels = [level for (level,) in reader.connection.execute(sql, (node,))]
    link = page.locator(".exports a[href*='why.ndjson']").get_attribute("href")
    rows = explore.parse(explore.fetch(desk.url + str(link))[0], "ndjson")
    assert sorted(levels) == sorted(int(str(row["level"])) for row in rows)
    points = sum(10 ** (level - 1) for level in levels)
    expect(page.locator(".figures").first).to_contain_text(f"{points:,}")
    expect(page.locator("figure canvas")).to_be_visible()


def test_validators_rounds_and_periods_are_those_of_the_demo(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.url}/validators")
    lines = page.get_by_role("region", name="Validators", exact=True).locator("tbody tr")
    expect(lines).to_have_count(3)
    assert all(int(line.locator("td").nth(1).inner_text()) > 0 for line in lines.all())
    for name in ("Rounds of votes on K3", "Periods of the beacon"):
        assert page.get_by_role("region", name=name).locator("tbody tr").count() > 0
    stands = page.get_by_role("region", name="Periods of the beacon").locator("td:nth-child(3)")
    assert any(text.startswith("known") for text in stands.all_inner_texts())
    page.locator("tbody th a").first.click()
    page.wait_for_url("**/validators/0x*")
    assert page.locator("#results tbody tr").count() > 0


@contextmanager
def running_again(demo: DemoLedger, directory: Path) -> Iterator[tuple[EmbeddedChain, RealLedger]]:
    """The demo's chain, and a copy of its node's copy: both go on, and the demo's own stay."""
    shutil.copytree(demo.data / "chain", directory / "chain")
    with (
        closing(sqlite3.connect(demo.ledger.index)) as old,
        closing(sqlite3.connect(directory / "index.db")) as new,
    ):
        old.backup(new)
    with EmbeddedChain(directory / "chain" / "state.json", block_time=0) as chain:
        yield chain, RealLedger(directory / "index.db", demo.ledger.file, chain.url)


def help_a_newcomer(demo: DemoLedger, chain: EmbeddedChain, deployment: Deployment) -> None:
    """A task of somebody new, run by somebody new, and verified by the demo's own validators."""
    home, host, clock = key_of("new home"), key_of("new host"), SystemClock()
    chain.fund(host.address, ETHER)
    rpc = Rpc(chain.url)
    actors = Actors(Settings(rejected=0.0), deployment.domain)
    header = rpc.header("latest")
    assert header is not None
    migration, _ = actors.migration(home, host, header.timestamp)

    def send(key: Key, data: bytes) -> BatchSettled | None:
        receipt = Sender(rpc, key, deployment.chain_id, clock).send(deployment.contract, data)
        found = [decode(log) for log in receipt.logs]
        return next((event for event in found if isinstance(event, BatchSettled)), None)

    event = send(host, calls.settle(host.address, record.encode_batch([migration])))
    assert event is not None and event.claims == 1
    for name in ("validator-1", "validator-2"):
        place = demo.data / name
        key = unlock(place / "key.json", password_from(place / "password"))
        send(key, calls.vote([calls.BatchVote(host.address, event.root, 1, 0)], []))


def test_what_happens_next_appears_by_itself(
    demo: DemoLedger, browser: Browser, tmp_path: Path
) -> None:
    deployment = Deployment.load(demo.ledger.file)
    context = browser.new_context()
    page = context.new_page()
    with running_again(demo, tmp_path) as (chain, ledger), Service(ledger, {}) as service:
        page.goto(service.url)
        page.evaluate("window.same = true")
        with Reader.open(ledger.index) as reader:
            before = sum(node.points for node in reader.nodes())
        expect(page.locator("#answers")).to_contain_text(f"{before:,} points")
        help_a_newcomer(demo, chain, deployment)
        with IndexStore.open(ledger.index, deployment) as store:
            indexer = Indexer(Rpc(chain.url), store, deployment, SystemClock())
            while not indexer.step().is_caught_up:
                pass
        head = Rpc(chain.url).block_number()
        expect(page.locator("#answers")).to_contain_text(
            f"{before + 10:,} points", timeout=10 * SECOND
        )
        expect(page.locator("#status [data-head=number]")).to_have_text(f"{head:,}")
        assert page.evaluate("window.same") is True, "the page was loaded anew"
    context.close()


def test_a_proof_from_the_page_holds(
    demo: DemoLedger, browser: Browser, desk: Desk, tmp_path: Path
) -> None:
    context = browser.new_context()
    page = context.new_page()
    with Reader.open(demo.ledger.index) as reader:
        (drawn,) = reader.connection.execute(
            "SELECT request_id FROM kudos WHERE origin = 'drawn' AND state = 2 LIMIT 1"
        ).fetchone()
    with running_again(demo, tmp_path) as (_, ledger), Service(ledger, {}) as service:
        for request_id, says in ((desk.canary, "planted canary"), (hex_of(drawn), "are drawn")):
            page.goto(f"{service.url}/migrations/{request_id}")
            with page.expect_download() as offered:
                page.get_by_role("link", name="Proof of this Kudos").last.click()
            bundle = read_bundle(offered.value.path().read_bytes())
            verdict = check(bundle, Anchors([headers_of(bundle)[-1].hash]))
            assert (verdict.kind, verdict.state) == ("K3", "VERIFIED")
            assert says in " ".join(verdict.proved)
            assert re.search("so is that of all that logged it", " ".join(verdict.proved))
    context.close()
