"""Every page of the desk in a real browser, over a synthetic ledger."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Dialog, Page, expect

from ledger.reader import Reader
from ledger.types import address_from_hex
from tests.e2e.conftest import EVIL, NAME, Desk

PAGES = (
    *("overview", "nodes", "node", "canary", "rejected", "validators", "validator", "flow"),
    *("search", "explore", "block", "approve", "missing"),
)


def test_the_overview_answers_three_questions(page: Page, desk: Desk) -> None:
    page.goto(desk.url)
    with Reader.open(desk.world.index) as reader:
        head, nodes = reader.head(), reader.nodes()
    assert head is not None
    answers = page.locator("#answers > li")
    expect(answers).to_have_count(3)
    expect(answers.nth(0)).to_contain_text(f"at block {head.number:,}")
    expect(answers.nth(1)).to_contain_text("Do the validators decide?")
    expect(answers.nth(2)).to_contain_text(f"{sum(node.points for node in nodes):,} points")
    for title in ("Points verified per day", "Migrations per minute"):
        chart = page.locator("section", has=page.get_by_role("heading", name=title))
        expect(chart.locator("canvas")).to_be_visible()
        expect(chart.locator("table[id]")).to_be_hidden()
        chart.get_by_role("button", name="As a table").click()
        expect(chart.locator("table[id]")).to_be_visible()


def test_the_figures_of_a_day_add_up_to_the_points(page: Page, desk: Desk) -> None:
    page.goto(desk.url)
    values = page.locator("#days-table td").evaluate_all(
        "cells => cells.map(cell => Number(cell.dataset.value))"
    )
    with Reader.open(desk.world.index) as reader:
        assert sum(values) == sum(node.points for node in reader.nodes())


def test_nodes_are_sorted_and_filtered_without_a_new_page(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.url}/nodes")
    page.evaluate("window.same = true")
    head = page.get_by_role("link", name="Sent")
    head.click()
    expect(page.locator("th[aria-sort=descending]")).to_contain_text("Sent")
    assert "sort=requests" in page.url and page.evaluate("window.same") is True
    shown = page.locator("tbody tr td:nth-child(8)").all_inner_texts()
    numbers = [int(text.replace(",", "")) for text in shown]
    assert numbers == sorted(numbers, reverse=True) and len(numbers) == desk.nodes
    page.get_by_label("Address begins with").fill(desk.node[:8])
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#results tbody tr")).to_have_count(1)
    page.go_back()
    expect(page.locator("#results tbody tr")).to_have_count(desk.nodes)


def test_pages_of_a_list_join_without_gap(page: Page, desk: Desk) -> None:
    seen: list[str] = []
    page.goto(f"{desk.url}/nodes?limit=5")
    for rows in (5, 5, 2):
        expect(page.locator("#results tbody tr")).to_have_count(rows)
        seen += page.locator("#results tbody th a").evaluate_all("links => links.map(a => a.href)")
        if rows == 5:
            first = page.locator("#results tbody th a").first.get_attribute("href")
            page.get_by_role("link", name="Next page").click()
            expect(page.locator("#results tbody th a").first).not_to_have_attribute(
                "href", first or ""
            )
    assert len(seen) == len(set(seen)) == 12


def test_one_node_says_why(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.url}/nodes/{desk.node}")
    with Reader.open(desk.world.index) as reader:
        points = reader.kudos(address_from_hex(desk.node)).points
    expect(page.locator(".figures").first).to_contain_text(f"{points:,}")
    expect(page.locator("figure canvas")).to_be_visible()
    expect(page.get_by_role("heading", name="Who gave it Kudos")).to_be_visible()
    expect(page.get_by_role("heading", name="Canary record")).to_be_visible()
    page.get_by_role("link", name="refused", exact=True).click()
    expect(page.locator("#results [aria-current]")).to_have_text("refused")
    rows = page.locator("#results tbody tr")
    for text in rows.all_inner_texts():
        assert "REFUSE_" in text and "0 of" in text
    assert rows.count() > 0


def test_a_migration_is_recomputed(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.url}/migrations/{desk.canary}")
    steps = page.locator(".timeline h3").all_inner_texts()
    order = ["REQUEST", "ACCEPTED", "CONFIRMED", "RESULT", "CANARY_OPENED", "KUDOS", "KUDOS"]
    assert [step.split()[0] for step in steps] == order
    first = page.locator(".timeline > li").first
    for part in ("by ", "signed", "whose signature holds", "block", "log", "transaction"):
        expect(first).to_contain_text(part)
    checks = page.locator(".checks li")
    assert checks.count() >= 10
    expect(page.locator(".checks .bad")).to_have_count(0)
    expect(page.locator(".checks")).to_contain_text("commitment, opened")
    expect(page.get_by_text("= commitment")).to_be_visible()
    proof = page.get_by_role("link", name="Proof as JSON")
    assert proof.get_attribute("href") == f"/api/v1/proofs/{desk.canary}"


def test_validators_and_their_votes(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.url}/validators")
    lines = page.get_by_role("region", name="Validators", exact=True).locator("tbody tr")
    expect(lines).to_have_count(3)
    sets = page.get_by_role("region", name="The sets so far").locator("tbody tr")
    expect(sets).to_have_count(1)
    expect(sets.locator("td").nth(2).locator("a.who")).to_have_count(3)
    rounds = page.get_by_role("region", name="Rounds of votes on K3").locator("tbody tr")
    assert rounds.count() > 3
    # In the newest round nobody can reveal yet; of the others everybody has.
    expect(rounds.nth(0).locator("td").nth(1)).to_have_text("not due yet")
    assert rounds.nth(1).locator("td").nth(1).locator("a").count() == 0
    expect(page.get_by_text("Nothing was ever proposed.")).to_be_visible()
    page.locator("tbody th a").first.click()
    page.wait_for_url("**/validators/0x*")
    page.locator("select[name=verdict]").select_option("refused")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**verdict=refused**")
    votes = page.locator("#results tbody tr td:nth-child(6)").all_inner_texts()
    assert votes and all("refused" in vote for vote in votes)


def test_the_graph_and_its_table_agree(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.url}/flow?edges=20")
    expect(page.locator("#graph canvas").first).to_be_visible()
    arrows = page.locator("#edges tbody tr")
    expect(arrows).to_have_count(min(20, desk.pairs))
    listed = page.locator("#results tbody tr").first
    points = arrows.first.get_attribute("data-points") or ""
    expect(listed).to_contain_text(f"{int(points):,}")


def test_search_finds_each_kind_of_thing(page: Page, desk: Desk) -> None:
    with Reader.open(desk.world.index) as reader:
        settled = reader.migration(bytes.fromhex(desk.canary[2:]))  # type: ignore[arg-type]
    assert settled is not None and settled.result_id
    for text, address in (
        (desk.node, rf"/nodes/{desk.node}$"),
        (desk.validator, rf"/validators/{desk.validator}$"),
        (desk.canary, rf"/migrations/{desk.canary}$"),
        (f"0x{settled.result_id.hex()}", rf"/migrations/{desk.canary}$"),
        (str(desk.block), rf"/blocks/{desk.block}$"),
        (f"0x{settled.place.tx.hex()}", rf"/blocks/{desk.block}\?tx=|/migrations/"),
        (desk.process, r"/explore\?name="),
    ):
        page.goto(desk.url)
        page.keyboard.press("/")
        page.keyboard.type(text)
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(address))
        expect(page.locator("h1")).to_be_visible()
    page.goto(f"{desk.url}/search?q=nothing+like+this")
    expect(page.get_by_text("Nothing on this ledger is called that.")).to_be_visible()


@pytest.mark.parametrize("name", PAGES)
def test_hostile_names_are_shown_and_do_nothing(page: Page, hostile: Desk, name: str) -> None:
    dialogs: list[str] = []

    def refuse(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", refuse)
    page.goto(hostile.url + hostile.pages()[name])
    assert page.locator("main img, main b b, main script").count() == 0
    assert "49" not in page.locator("h1").inner_text()
    if name == "overview":
        text = page.locator("main").inner_text()
        assert EVIL[0] in text and EVIL[1] in text and EVIL[2] in text and NAME in text
    page.wait_for_timeout(50)
    assert dialogs == []


@pytest.mark.parametrize("name", EVIL)
def test_a_hostile_name_can_be_searched_and_filtered(page: Page, hostile: Desk, name: str) -> None:
    page.goto(hostile.url)
    page.locator("#q").fill(name)
    page.keyboard.press("Enter")
    page.wait_for_url("**/explore?name=**")
    assert page.get_by_label("Process name", exact=True).input_value() == name
    assert set(page.locator("#results td.process").all_inner_texts()) == {name}


def test_errors_say_what_to_do(page: Page, desk: Desk) -> None:
    for path, status, advice in (
        ("/nowhere", 404, "search"),
        ("/nodes/0x12", 404, "40 hex digits"),
        (f"/nodes/0x{'00' * 20}", 404, "No asset on this ledger names"),
        ("/migrations/0x12", 404, "search"),
        ("/blocks/999999", 404, "No event of this ledger"),
        ("/nodes?limit=0", 422, "Start again"),
        ("/nodes?sort=beauty", 422, "Start again"),
        ("/explore?colour=red", 422, "There is no filter"),
        ("/explore?from=yesterday", 422, "a time looks like"),
        ("/explore?cursor=abc", 422, "cursor"),
    ):
        answer = page.goto(desk.url + path)
        assert answer is not None and answer.status == status, path
        expect(page.locator("main")).to_contain_text(advice)
        expect(page.get_by_role("link", name="Go to the overview")).to_be_visible()
