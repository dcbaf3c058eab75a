"""The pages for everybody: axe, keyboard, phone width, dark and light, no script, small."""

from __future__ import annotations

import gzip
import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Desk
from tests.e2e.test_desk_pages import PAGES

MAX_COMPRESSED = 60_000
PHONE, DESKTOP = (375, 812), (1280, 900)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
Scheme = Literal["light", "dark"]


@pytest.fixture(scope="session")
def axe(project: Path) -> str:
    path = project / "node_modules/axe-core/axe.min.js"
    assert path.is_file(), "axe-core is missing: tools/setup.sh node installs it."
    return path.read_text("utf-8")


@pytest.fixture(scope="module", params=["light", "dark"])
def scheme_page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    scheme: Scheme = request.param
    context = browser.new_context(color_scheme=scheme, reduced_motion="reduce")
    yield context.new_page()
    context.close()


def violations(page: Page) -> list[str]:
    found = page.evaluate(
        "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", RULES
    )
    return [
        f"{each['id']}: {node['target']} {node['failureSummary']}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(scheme_page: Page, desk: Desk, axe: str, name: str) -> None:
    page = scheme_page
    page.goto(desk.url + desk.pages()[name])
    page.evaluate(axe)
    for width, height in (PHONE, DESKTOP):
        page.set_viewport_size({"width": width, "height": height})
        assert violations(page) == []
        assert page.evaluate(OVERFLOW) == 0, f"{name} scrolls sideways at {width}"


OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def test_a_chart_that_is_not_redrawn_yet_widens_nothing(page: Page, desk: Desk) -> None:
    page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
    page.goto(desk.url + desk.pages()["node"])
    canvas = page.locator("figure canvas")
    canvas.wait_for()
    page.evaluate("addEventListener('resize', event => event.stopImmediatePropagation(), true)")
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    assert canvas.evaluate("canvas => canvas.clientWidth") > PHONE[0]
    assert page.evaluate(OVERFLOW) == 0


def test_axe_finds_what_is_broken(page: Page, desk: Desk, axe: str) -> None:
    page.goto(desk.url)
    page.evaluate("document.querySelector('label[for=q]').remove()")
    page.evaluate("document.querySelector('#q').removeAttribute('placeholder')")
    page.evaluate(axe)
    assert any(each.startswith("label") for each in violations(page))


def test_wide_tables_scroll_in_their_own_box(page: Page, desk: Desk) -> None:
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    page.goto(f"{desk.url}/nodes")
    box = page.locator(".scroll").first
    assert box.evaluate("box => box.scrollWidth > box.clientWidth")
    box.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(400)
    assert box.evaluate("box => box.scrollLeft") > 0


def test_the_keyboard_reaches_everything(page: Page, desk: Desk) -> None:
    page.goto(desk.url)
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to content")
    box = page.locator(":focus").bounding_box()
    assert box is not None and box["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.goto(desk.url)
    seen = []
    for _ in range(10):
        page.keyboard.press("Tab")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", "the focus cannot be seen"
        seen.append(page.evaluate("document.activeElement.textContent.trim()"))
    pages = ["Overview", "Nodes", "Validators", "Flow", "Explore"]
    assert seen[1:] == [
        "Kudos",
        *pages,
        "",
        "Switch between dark and light",
        "As a table: points per day",
    ]
    page.keyboard.press("Enter")
    expect(page.locator("#days-table")).to_be_visible()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.type("/")
    assert page.locator("#q").input_value() == "/"


def test_focus_survives_a_filter(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.url}/nodes")
    page.get_by_label("At least so many points").fill("1")
    page.keyboard.press("Enter")
    page.wait_for_url("**least=1**")
    expect(page.get_by_label("At least so many points")).to_be_focused()


def test_dark_and_light_are_remembered(page: Page, desk: Desk) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="dark")
    page.goto(desk.url)
    dark = page.evaluate(background)
    page.get_by_role("button", name="Switch between dark and light").click()
    light = page.evaluate(background)
    assert dark != light
    page.goto(f"{desk.url}/nodes")
    assert page.evaluate(background) == light
    page.get_by_role("button", name="Switch between dark and light").click()
    assert page.evaluate(background) == dark
    page.emulate_media(color_scheme="light")
    page.reload()
    assert page.evaluate(background) == dark


def test_nothing_moves_for_who_does_not_want_it(page: Page, desk: Desk) -> None:
    name = "getComputedStyle(document.querySelector('.dot')).animationName"
    page.emulate_media(reduced_motion="reduce")
    page.goto(desk.url)
    assert page.evaluate(name) == "none"
    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate(name) == "beat"


def test_everything_works_without_script(browser: Browser, desk: Desk) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(desk.url)
    expect(page.locator("#days-table")).to_be_visible()
    expect(page.locator(".chart").first).to_be_hidden()
    expect(page.locator("[data-theme-toggle]")).to_be_hidden()
    page.get_by_role("link", name="Nodes", exact=True).click()
    page.locator("select[name=sort]").select_option("k3")
    page.get_by_label("At least so many points").fill("1")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("th[aria-sort=descending]")).to_contain_text("K3")
    page.locator("tbody th a").first.click()
    expect(page.locator("#curve-table")).to_be_visible()
    page.goto(f"{desk.url}/flow")
    expect(page.locator("#graph")).to_be_hidden()
    expect(page.locator("#results tbody tr").first).to_be_visible()
    page.goto(f"{desk.url}/explore?limit=5")
    page.locator("select[name=kind]").select_option("KUDOS")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#results tbody tr").first).to_contain_text("KUDOS")
    ids = page.locator("#results tbody td:last-child code")
    first = ids.first.inner_text()
    page.get_by_role("link", name="Next page").click()
    expect(ids.first).not_to_have_text(first)
    page.locator("#q").fill(desk.canary)
    page.locator("#q").press("Enter")
    expect(page.locator(".timeline > li")).to_have_count(7)
    context.close()


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return bytes(answer.read())


@pytest.mark.parametrize("name", [name for name in PAGES if name not in ("flow", "missing")])
def test_a_page_is_small(desk: Desk, name: str) -> None:
    path = re.sub(r"limit=\d+", "limit=50", desk.pages()[name])
    page = fetch(desk.url + path)
    text = page.decode()
    files = re.findall(r'(?:src|href)="(/static/[^"]+)"', text)
    modules = {"/static/colours.js"} if "/static/chart.js" in files else set()
    whole = [page, *(fetch(desk.url + file) for file in {*files, *modules})]
    size = sum(len(gzip.compress(part, 6)) for part in whole)
    assert size < MAX_COMPRESSED, f"{name}: {size}"


def test_answers_travel_compressed(desk: Desk) -> None:
    request = urllib.request.Request(f"{desk.url}/explore", headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        assert b"<h1>" in gzip.decompress(answer.read())


def test_times_are_for_programs_too(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.url}/explore?limit=5")
    times = page.locator("#results time").evaluate_all("all => all.map(t => t.dateTime)")
    assert len(times) == 5
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", time) for time in times)


def test_the_policy_is_strict(scheme_page: Page, desk: Desk) -> None:
    page = scheme_page
    for path in desk.pages().values():
        answer = page.goto(desk.url + path)
        assert answer is not None
        policy = dict(
            part.strip().split(" ", 1)
            for part in answer.headers["content-security-policy"].split(";")
        )
        for kind in ("script-src", "style-src", "connect-src"):
            assert policy[kind] == "'self'"
        assert policy["default-src"] == "'none'" and "unsafe" not in json.dumps(policy)
        page.evaluate(
            "document.body.append(Object.assign(document.createElement('script'),"
            " {textContent: 'window.broken = true'}))"
        )
        assert page.evaluate("window.broken") is None
