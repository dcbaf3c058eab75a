"""What the validators decide about the ledger itself, on the pages: proposals, the beacon, draws;
over a real ledger."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page, expect

from ledger.reader import Reader
from ledger.types import hex_of
from tests.e2e.desk_world import Service
from tests.e2e.rule_world import DAY, RuleLedger, decide
from tests.e2e.test_desk_access import DESKTOP, OVERFLOW, PHONE, axe, scheme_page, violations

__all__ = ["axe", "scheme_page"]

NONE = "\N{EN DASH}"
Site = tuple[RuleLedger, str]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = decide(tmp_path_factory.mktemp("rule"))
    with Service(made.ledger, {made.newcomer: "newcomer"}) as service:
        yield made, service.url


def api(url: str, path: str) -> list[dict[str, object]]:
    with urllib.request.urlopen(f"{url}/api/v1/{path}", timeout=30) as answer:
        return list(json.load(answer)["rows"])


def cells(page: Page, region: str) -> list[list[str]]:
    rows = page.get_by_role("region", name=region).locator("tbody tr")
    return [row.locator("th, td").all_inner_texts() for row in rows.all()]


def test_proposals_say_how_they_stand(page: Page, site: Site) -> None:
    ledger, url = site
    page.goto(f"{url}/validators")
    shown = cells(page, "What is coming: the queue")
    assert [(row[0], row[4].partition(",")[0]) for row in shown] == [
        *(("5", "open"), ("4", "approved"), ("3", "withdrawn"), ("2", "stale"), ("1", "executed"))
    ]
    assert "ready 20" in shown[1][4], "the time from which anybody may execute it"
    assert [row["status"] for row in api(url, "proposals")] == [
        *("open", "approved", "withdrawn", "stale", "executed")
    ]
    queue = page.get_by_role("region", name="What is coming: the queue").locator("tbody tr")
    who = "/validators/" + hex_of(ledger.validators[1])
    expect(queue.nth(2).locator("td").nth(5).locator(f'a[href="{who}"]')).to_have_count(1)
    expect(queue.nth(3).locator("td").nth(5)).to_have_text(NONE)


def test_a_set_says_who_came(page: Page, site: Site) -> None:
    ledger, url = site
    page.goto(f"{url}/validators")
    sets = page.get_by_role("region", name="The sets so far").locator("tbody tr")
    expect(sets).to_have_count(2)
    expect(sets.nth(0)).to_contain_text("newcomer")
    expect(sets.nth(1)).not_to_contain_text("newcomer")
    expect(sets.nth(0).locator("a.who")).to_have_count(len(ledger.validators) + 1)


def test_the_beacon_s_periods_stand_in_words(page: Page, site: Site) -> None:
    ledger, url = site
    page.goto(f"{url}/validators")
    shown = {int(row[0].replace(",", "")): row[1:] for row in cells(page, "Periods of the beacon")}
    now, gap = ledger.now, range(ledger.drawn + 1, ledger.now - 2)
    said = {number: row[1] for number, row in shown.items()}
    assert said == {
        now + 1: "collecting commitments",
        now: "running, commitments are closed",
        now - 1: "revealing",
        now - 2: "none, too few revealed",
        **dict.fromkeys(gap, "nobody committed"),
        ledger.drawn: "known without 1 secret",
    }
    assert len(gap) > 0
    late = {number: row[4] for number, row in shown.items()}
    for number in (now + 1, now, now - 1):
        assert late[number] == "not due yet"
    assert all(late[number] == NONE for number in gap)
    rows = page.get_by_role("region", name="Periods of the beacon").locator("tbody tr")
    expect(rows.nth(3).locator("td").nth(4).locator("a")).to_have_count(3)
    silent = rows.last.locator("td").nth(4).locator("a")
    expect(silent).to_have_count(1)
    assert (silent.get_attribute("href") or "").endswith(hex_of(ledger.validators[2]))
    assert shown[ledger.drawn][0][:10] == _day(ledger.drawn)


def _day(period: int) -> str:
    return datetime.fromtimestamp(period * DAY, UTC).date().isoformat()


def test_a_beacon_is_shown_in_full(page: Page, site: Site) -> None:
    ledger, url = site
    page.goto(f"{url}/validators")
    (known,) = [row for row in api(url, "beacon") if row["status"] == "known"]
    value = page.get_by_role("region", name="Periods of the beacon").locator("td.digest code")
    expect(value).to_have_count(1)
    copied = value.evaluate(
        "code => { getSelection().selectAllChildren(code); return getSelection().toString() }"
    )
    assert copied == known["value"] and len(copied) == 66
    assert known["silent"] == [hex_of(ledger.validators[2])]
    states = {row["number"]: (row["status"], row["silent"]) for row in api(url, "beacon")}
    assert states[ledger.now] == ("running", []) and states[ledger.now - 1] == ("revealing", [])
    assert states[ledger.now + 1] == ("committing", [])


def test_a_drawn_canary_is_found_and_recomputed(page: Page, site: Site) -> None:
    ledger, url = site
    page.goto(f"{url}/validators")
    page.get_by_role("link", name="those that were drawn").click()
    rows = page.locator("#results tbody tr")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("drawn")
    expect(rows.first).to_contain_text("verified")
    rows.first.locator("td.process a").click()
    page.wait_for_url("**/migrations/0x*")
    section = page.locator("section", has=page.locator("#draw"))
    (draw,) = api(url, "draws")
    for name in ("beacon", "number", "threshold", "mark_hash", "task_digest"):
        expect(section).to_contain_text(str(draw[name]))
    expect(section).to_contain_text("✓ below it")
    expect(section).to_contain_text(f"period {ledger.drawn:,}")
    with Reader.open(ledger.ledger.index) as reader:
        sql = "SELECT request_id FROM draws"
        (request_id,) = reader.connection.execute(sql).fetchone()
    assert page.url.endswith(hex_of(request_id)) and draw["period"] == ledger.drawn
    expect(page.locator(".checks .bad")).to_have_count(0)


def test_axe_finds_nothing_on_them(scheme_page: Page, site: Site, axe: str) -> None:
    _, url = site
    (draw,) = api(url, "draws")
    for path in ("/validators", f"/migrations/{draw['request_id']}", "/explore?origin=drawn"):
        scheme_page.goto(url + path)
        scheme_page.evaluate(axe)
        for width, height in (PHONE, DESKTOP):
            scheme_page.set_viewport_size({"width": width, "height": height})
            assert violations(scheme_page) == []
            assert scheme_page.evaluate(OVERFLOW) == 0, f"{path} scrolls sideways at {width}"


def test_they_need_no_script(browser: Browser, site: Site) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site[1]}/validators")
    assert len(cells(page, "What is coming: the queue")) == 5
    expect(page.locator("td.digest code")).to_have_count(1)
    page.get_by_role("link", name="those that were drawn").click()
    expect(page.locator("#results tbody tr")).to_have_count(1)
    context.close()
