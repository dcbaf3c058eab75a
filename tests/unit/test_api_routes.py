"""What the API answers, against the chain itself: every list, total and life, over a synthetic
ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.reader import Reader
from ledger.types import hex_of
from tests.unit.api_site import ApiSite

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiSite]:
    made = ApiSite(tmp_path_factory.mktemp("site") / "index.db")
    yield made
    made.client.close()


def ids(rows: Rows, name: str = "id") -> list[str]:
    return [row[name] for row in rows]


def test_nodes_are_what_their_claims_say(site: ApiSite) -> None:
    claims = site.pages("/kudos")
    verified = Counter((row["host"], row["level"]) for row in claims if row["state"] == "verified")
    nodes = site.pages("/nodes", limit=1)
    assert len(nodes) == 4 and "first" in {node["name"] for node in nodes}
    for node in nodes:
        levels = [verified[node["address"], level] for level in (1, 2, 3)]
        assert [node["k1"], node["k2"], node["k3"]] == levels
        assert node["points"] == levels[0] + 10 * levels[1] + 100 * levels[2]
        assert site.get(f"/nodes/{node['address']}") == node
        upper = node["address"].upper().replace("X", "x")
        assert site.get(f"/nodes/{upper}") == node
    assert ids(nodes, "points") == sorted(ids(nodes, "points"), reverse=True)


def test_totals_at_a_block_are_those_of_that_time(tmp_path: Path) -> None:
    site = ApiSite(tmp_path / "index.db", blocks=1)
    then: dict[int, tuple[Any, Any]] = {}
    for _ in range(5):
        block = site.get("/ready")["number"]
        then[block] = site.get("/stats")["counts"], site.pages("/nodes", sort="address")
        site.grow(1, 12)
    assert len({str(counts) for counts, _ in then.values()}) == 5
    for block, (counts, nodes) in then.items():
        stats = site.get("/stats", at_block=block)
        assert stats["counts"] == counts and stats["at_block"] == block
        assert site.pages("/nodes", sort="address", at_block=block, limit=3) == nodes
        for node in nodes:
            assert site.get(f"/nodes/{node['address']}", at_block=block) == node


def test_lists_are_whole_and_their_rows_are_the_details(site: ApiSite) -> None:
    migrations = site.pages("/migrations", limit=7)
    with Reader.open(site.path) as reader:
        known = [hex_of(each.request_id) for each in reader.migrations(500)]
    assert ids(migrations, "request_id") == known
    for migration in migrations[:20]:
        life = site.get(f"/migrations/{migration['request_id']}")
        assert {name: life[name] for name in migration} == migration
        assert life["checks"] and all(check["holds"] for check in life["checks"])
        for step in life["steps"]:
            assert site.get(f"/assets/{step['id']}") == step
    claims = site.pages("/kudos", limit=9)
    assert len(set(ids(claims))) == len(claims) == site.get("/stats")["counts"]["claims"]
    briefs = {brief["id"]: brief for each in migrations for brief in each["kudos"]}
    assert {row["id"]: row["state"] for row in claims} == {k: b["state"] for k, b in briefs.items()}
    for claim in claims[:20]:
        detail = site.get(f"/kudos/{claim['id']}")
        assert {name: detail[name] for name in claim} == claim


def test_votes_add_up(site: ApiSite) -> None:
    votes = site.pages("/votes", limit=11)
    assert len({(row["kudos_id"], row["validator"]) for row in votes}) == len(votes) > 100
    places = [(row["block"], row["log_index"], row["kudos_id"]) for row in votes]
    assert places == sorted(places, reverse=True)
    for validator in site.get("/validators"):
        own = [row for row in votes if row["validator"] == validator["address"]]
        assert site.pages("/votes", validator=validator["address"], limit=500) == own
        counted = Counter(row["verdict"] for row in own)
        for verdict in ("approved", "refused", "abstained"):
            assert validator[verdict] == counted[verdict]
            filtered = site.pages("/votes", validator=validator["address"], verdict=verdict)
            assert filtered == [row for row in own if row["verdict"] == verdict]
        assert site.get(f"/validators/{validator['address']}") == validator
    claim = votes[0]["kudos_id"]
    on_claim = site.pages("/votes", kudos_id=claim)
    assert on_claim == [row for row in votes if row["kudos_id"] == claim]
    detail = site.get(f"/kudos/{claim}")["votes"]
    assert sorted(ids(detail, "validator")) == sorted(ids(on_claim, "validator"))


def test_canaries_say_what_became_of_them(site: ApiSite) -> None:
    canaries = site.pages("/canaries", limit=2)
    assert len(canaries) == site.get("/stats")["counts"]["canaries_opened"] > 0
    thirds = {row["request_id"]: row for row in site.pages("/kudos", level=3)}
    for canary in canaries:
        third = thirds.get(canary["request_id"], {"id": None, "state": None})
        assert (canary["kudos_id"], canary["state"]) == (third["id"], third["state"])
        assert site.get(f"/canaries/{canary['request_id']}") == canary
        assert site.get(f"/assets/{canary['id']}")["asset"] == "CANARY_OPENED"
    unopened = next(m for m in site.pages("/migrations") if not m["canary_opened"])
    site.get(f"/canaries/{unopened['request_id']}", 404)


def test_assets_are_counted_as_they_are_listed(site: ApiSite) -> None:
    everything = site.pages("/assets", limit=500)
    assert site.get("/assets/count") == {
        "value": len(everything),
        "exact": True,
        "text": f"{len(everything):,}",
    }
    node = everything[0]["host"]
    for filters in (
        {"kind": "KUDOS"},
        {"kind": "KUDOS", "state": "refused"},
        {"node": node},
        {"node": node, "role": "host", "kind": "RESULT"},
        {"name": everything[0]["process_name"], "level": 2},
    ):
        found = site.pages("/assets", **filters)
        assert site.get("/assets/count", **filters)["value"] == len(found)
        assert 0 < len(found) < len(everything)
    kinds = next(f for f in site.get("/assets/facets") if f["dimension"] == "kind")
    counted = Counter(row["kind"] for row in everything)
    assert {each["value"]: each["count"]["value"] for each in kinds["values"]} == counted


def test_pages_do_not_shift_while_rows_arrive(tmp_path: Path) -> None:
    site = ApiSite(tmp_path / "index.db", blocks=3)
    for path in ("/migrations", "/assets", "/kudos", "/votes", "/canaries"):
        before = site.pages(path, limit=500)
        first = site.get(path, limit=5)
        rows, cursor = first["rows"], first["next"]
        while cursor is not None:
            site.grow(1, 3)
            page = site.get(path, limit=max(5, len(before) // 3), cursor=cursor)
            rows, cursor = rows + page["rows"], page["next"]
        key = "request_id" if path == "/migrations" else "id"
        names = [(row.get(key), row.get("validator"), row.get("kudos_id")) for row in rows]
        wanted = [(row.get(key), row.get("validator"), row.get("kudos_id")) for row in before]
        if path == "/canaries":  # which K3 was claimed may change meanwhile
            names, wanted = [(n[0],) for n in names], [(w[0],) for w in wanted]  # type: ignore[misc]
        assert names == wanted, path


def test_why_accounts_for_every_point(site: ApiSite) -> None:
    for node in site.pages("/nodes"):
        reasons = site.pages(f"/nodes/{node['address']}/why", limit=500)
        counts = [row["points"] for row in reasons if row["outcome"] == "verified"]
        assert sum(counts) == node["points"]
        refused = [row for row in reasons if row["outcome"] == "refused"]
        assert len(refused) == node["refused"]
        for row in refused:
            assert any(said["verdict"] == "refused" and said["reason"] for said in row["votes"])
        only = site.pages(f"/nodes/{node['address']}/why", outcome="refused")
        assert only == refused
        record = site.get(f"/nodes/{node['address']}/canaries")
        assert record["passed"] == node["canaries_passed"]


def test_the_flow_is_whole(site: ApiSite) -> None:
    flow, edges = site.get("/flow"), site.pages("/flow/edges", limit=3)
    points = site.get("/stats")["counts"]["points"]
    assert flow["points_total"] == points == sum(edge["points"] for edge in edges)
    assert site.get("/flow", edges=1)["edges"] == flow["edges"][:1]
    for node in site.pages("/nodes"):
        earned = site.pages(f"/nodes/{node['address']}/earned")
        assert sum(edge["points"] for edge in earned) == node["points"]
        assert {edge["host"] for edge in earned} <= {node["address"]}
        assert bool(earned) == bool(node["hosted"] + node["rejections"])
        gave = site.pages(f"/nodes/{node['address']}/gave")
        assert {edge["home"] for edge in gave} <= {node["address"]}
        assert bool(gave) == bool(node["requests"])


def test_days_and_minutes_add_up(site: ApiSite) -> None:
    counts = site.get("/stats")["counts"]
    days = site.get("/stats/days")
    assert sum(day["points"] for day in days) == counts["points"]
    assert sum(day["migrations"] for day in days) == counts["migrations"]
    minutes = site.get("/stats/minutes")
    assert sum(minute["migrations"] for minute in minutes) == counts["migrations"]
    for node in site.pages("/nodes"):
        assert site.get(f"/nodes/{node['address']}/days")[-1]["points"] == node["points"]


def test_the_search_finds_what_it_is_given(site: ApiSite) -> None:
    migration = site.pages("/migrations")[0]
    for text, kind in (
        (migration["home"], "node"),
        (migration["request_id"], "asset"),
        (migration["tx"], "transaction"),
        (migration["process_name"], "process"),
        (str(migration["block"]), "block"),
    ):
        hits = site.get("/search", q=text)["hits"]
        assert kind in {hit["kind"] for hit in hits}, text
    assert site.get("/search", q="no such thing")["hits"] == []
