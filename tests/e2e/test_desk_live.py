"""Live updates, and what the page says when they stop."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from ledger.reader import Reader
from ledger.synthetic_actors import Settings
from tests.e2e.desk_world import DeskWorld, Service

STALE_AFTER = 4
SECOND = 1_000


@pytest.fixture
def world(tmp_path: Path) -> DeskWorld:
    settings = Settings(seed="live", nodes=4, finality_depth=2, signatures=False)
    return DeskWorld(tmp_path / "index.db", settings, blocks=4, migrations=6)


@pytest.fixture
def reader_page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def points(world: DeskWorld) -> int:
    with Reader.open(world.index) as reader:
        return sum(node.points for node in reader.nodes())


def test_new_blocks_appear_by_themselves(world: DeskWorld, reader_page: Page) -> None:
    page = reader_page
    with Service(world, {}) as service:
        page.goto(service.url)
        page.evaluate("window.same = true")
        page.get_by_role("button", name="As a table").first.click()
        number = world.mine(9)
        world.mine()
        expect(page.locator("#answers")).to_contain_text(f"block {number + 1}", timeout=8 * SECOND)
        expect(page.locator("#status [data-head=number]")).to_have_text(str(number + 1))
        expect(page.locator("#answers")).to_contain_text(f"{points(world):,} points")
        assert page.evaluate("window.same") is True, "the page was loaded anew"
        # What the reader opened stays open, and the picture follows the table.
        expect(page.locator("#days-table")).to_be_visible()
        expect(page.locator("figure canvas")).to_have_count(2)


def test_the_age_counts_and_a_stall_is_said(world: DeskWorld, reader_page: Page) -> None:
    page = reader_page
    status = page.locator("#status")
    with Service(world, {}, stale_after=STALE_AFTER) as service:
        world.catch_up()
        page.goto(service.url)
        age = page.locator("[data-age-text]")
        expect(age).to_have_text(re.compile(r"updated [01] s ago"))
        expect(age).to_have_text(re.compile(r"updated [23] s ago"), timeout=5 * SECOND)
        expect(page.locator("[data-stall]")).to_have_text("")
        expect(page.locator("[data-stall]")).to_contain_text(
            "Live updates have stalled: the indexer hears nothing new", timeout=8 * SECOND
        )
        expect(status).to_have_class(re.compile("stale"))
        world.catch_up()
        expect(page.locator("[data-stall]")).to_have_text("", timeout=8 * SECOND)
        expect(status).not_to_have_class(re.compile("stale"))


def test_a_lost_service_is_said_and_found_again(world: DeskWorld, reader_page: Page) -> None:
    page = reader_page
    with Service(world, {}) as service:
        page.goto(f"{service.url}/validators")
        expect(page.locator("#status")).not_to_have_class(re.compile("stale"))
        page.wait_for_timeout(SECOND)
        port = service.port
        service.stop()
        expect(page.locator("[data-stall]")).to_contain_text(
            "the connection to the service is lost", timeout=10 * SECOND
        )
    with Service(world, {}, port=port):
        expect(page.locator("[data-stall]")).to_have_text("", timeout=15 * SECOND)


def test_stale_data_is_said_by_the_server_too(world: DeskWorld, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    with Service(world, {}, stale_after=-1) as service:
        page.goto(service.url)
        expect(page.locator("#status")).to_contain_text("this data is stale")
        expect(page.locator("#answers li").first).to_contain_text("No, updated")
    context.close()
