"""Explore and the files: filters, facets, the address bar, and what is exported."""

from __future__ import annotations

import csv
import io
import json
import urllib.error
import urllib.request

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import EVIL, Desk


def count(page: Page) -> int:
    return int(page.locator("#results .lead strong").inner_text().replace(",", ""))


def test_facets_lead_to_what_they_count(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.url}/explore")
    everything = count(page)
    page.evaluate("window.same = true")
    for text in ("KUDOS", "K2", "verified"):
        facet = page.locator(".facets a", has_text=text).first
        leaves = int(facet.locator(".count").inner_text().replace(",", ""))
        facet.click()
        expect(page.locator(".facets a[aria-current]", has_text=text)).to_have_count(1)
        assert count(page) == leaves < everything
    assert page.evaluate("window.same") is True
    assert "kind=KUDOS" in page.url and "level=2" in page.url and "state=verified" in page.url


def test_the_address_is_the_query(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.url}/explore")
    page.locator("select[name=kind]").select_option("REJECTED")
    page.get_by_label("Node", exact=True).fill(desk.node)
    page.locator("select[name=role]").select_option("host")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**kind=REJECTED**")
    expect(page.locator("#results .chips li")).to_have_count(3)
    first, rows = count(page), page.locator("#results tbody tr").all_inner_texts()
    assert rows
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    assert count(page) == first
    assert page.locator("#results tbody tr").all_inner_texts() == rows
    page.get_by_role("link", name="Take all away").click()
    page.wait_for_url("**/explore")
    expect(page.locator("#results .chips")).to_have_count(0)


def test_times_narrow_the_list(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.url}/explore")
    everything = count(page)
    newest = page.locator("#results tbody time").first.get_attribute("datetime") or ""
    page.goto(f"{desk.url}/explore?from={newest[:10]}T00:00:00")
    shown = page.locator("#results tbody time").evaluate_all("all => all.map(t => t.dateTime)")
    assert 0 < count(page) < everything
    assert shown and all(time[:10] == newest[:10] for time in shown)


def test_a_refused_filter_says_why(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.url}/explore")
    page.get_by_label("Node", exact=True).fill("nonsense")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**node=nonsense**")
    expect(page.locator("h1")).to_contain_text("Unprocessable")


def fetch(url: str) -> tuple[bytes, str]:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read(), answer.headers["content-type"]


def parse(body: bytes, ending: str) -> list[dict[str, object]]:
    if ending == "csv":
        return [dict(row) for row in csv.DictReader(io.StringIO(body.decode()))]
    if ending == "ndjson":
        return [json.loads(line) for line in body.decode().splitlines()]
    if ending == "parquet":
        return list(pq.read_table(io.BytesIO(body)).to_pylist())
    return list(json.loads(body))


LISTS = {
    "/explore?kind=KUDOS&level=3": 30,
    "/nodes?sort=k2&order=asc": 12,
    "/flow": 100,
    "/validators": 3,
    "/nodes/{node}?outcome=verified": 10,
    "/validators/{validator}?verdict=approved": 100,
}


@pytest.mark.parametrize("path", LISTS)
def test_a_file_holds_what_the_list_shows(page: Page, desk: Desk, path: str) -> None:
    page.goto(desk.url + path.format(node=desk.node, validator=desk.validator))
    links = page.locator(".exports a").evaluate_all("all => all.map(a => a.href)")
    assert len(links) == 4
    rows = page.locator(".pager .exports").locator("xpath=preceding::tbody[1]/tr").count()
    files = {}
    for link in links:
        body, kind = fetch(link)
        ending = link.partition("?")[0].rpartition(".")[2]
        files[ending] = parse(body, ending)
        assert kind.startswith(("text/csv", "application/")), kind
    assert len(files["json"]) >= max(rows, 1 if desk.small else LISTS[path])
    assert files["json"] == files["ndjson"] == files["parquet"]
    assert [
        {key: "" if value is None else str(value) for key, value in row.items()}
        for row in files["json"]
    ] == files["csv"]
    for row in files["json"]:
        assert any(isinstance(value, int) for value in row.values())
        assert any(str(value).startswith("0x") for value in row.values())


def test_a_browser_saves_it(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.url}/explore?kind=KUDOS&level=3")
    expected = count(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="NDJSON").click()
    assert download.value.suggested_filename == "kudos-assets.ndjson"
    assert len(download.value.path().read_text().splitlines()) == expected


def test_hostile_names_survive_a_file(hostile: Desk) -> None:
    for ending in ("csv", "json", "ndjson", "parquet"):
        body, _ = fetch(f"{hostile.url}/export/assets.{ending}?kind=REQUEST")
        assert {row["process_name"] for row in parse(body, ending)} == set(EVIL)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("assets.xlsx", 404),
        ("secrets.csv", 404),
        ("assets.csv?colour=red", 422),
        ("nodes.csv?sort=beauty", 422),
        ("nodes.csv?least=x", 422),
        ("why.csv?node=0x12", 404),
        ("votes.csv?validator=0x12&verdict=maybe", 404),
        ("why.csv?node=0x" + "11" * 20 + "&outcome=luck", 422),
    ],
)
def test_what_cannot_be_exported_is_said(desk: Desk, path: str, status: int) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        fetch(f"{desk.url}/export/{path}")
    refused.value.close()
    assert refused.value.code == status
