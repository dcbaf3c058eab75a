"""The explorer's pages, counts and facets against every row read one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.desk.queries import explore, facet_scan, facets
from ledger.desk.queries.common import DAY, BadQuery, Count, Page
from ledger.desk.queries.explore import AssetRow
from ledger.desk.queries.explore_query import Kind, Origin, Query, Role, State
from ledger.indexer import Indexer
from ledger.ports import SystemClock
from ledger.reader import Reader
from ledger.store import IndexStore
from ledger.synthetic import FIRST_TIMESTAMP, SyntheticChain
from ledger.synthetic_actors import Settings
from ledger.types import Address
from tests.unit.desk_ledger import Told, make

DAYS = st.integers(FIRST_TIMESTAMP // DAY - 1, FIRST_TIMESTAMP // DAY + 121)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    path = tmp_path_factory.mktemp("desk") / "index.db"
    make(path)
    found = Told(path)
    yield found
    found.reader.close()


def whole(reader: Reader, query: Query, scan: int) -> list[AssetRow]:
    """All pages, one after the other."""
    rows: list[AssetRow] = []
    for _ in range(20_000):
        page = explore.page(reader, query, scan)
        rows += page.rows
        assert len(page.rows) <= query.limit
        if page.next is None:
            return rows
        query = replace(query, cursor=page.next)
    raise AssertionError("the pages never end")


@st.composite
def queries(draw: st.DrawFn) -> Query:
    """Filters of all sorts; nodes and validators by number, see ``filled``."""
    day = draw(st.none() | DAYS)
    since = draw(st.none() | DAYS.map(lambda d: d * DAY) | DAYS.map(lambda d: d * DAY + 777))
    return Query(
        kind=draw(st.none() | st.sampled_from(Kind)),
        level=draw(st.none() | st.none() | st.integers(1, 3)),
        state=draw(st.none() | st.none() | st.sampled_from(State)),
        origin=draw(st.none() | st.none() | st.sampled_from(Origin)),
        node=draw(st.none() | st.integers(0, 6).map(lambda n: Address(bytes([n])))),
        role=draw(st.sampled_from(Role)),
        validator=draw(
            st.none() | st.none() | st.integers(0, 5).map(lambda n: Address(bytes([n])))
        ),
        name=draw(st.none() | st.sampled_from(("cc -O2 unit0.c", "cc -O2 unit2.c", "nothing"))),
        since=day * DAY if day is not None else since,
        until=draw(st.none() | DAYS.map(lambda d: d * DAY)) if day is None else (day + 1) * DAY,
        limit=draw(st.integers(1, 90)),
    )


def filled(told: Told, query: Query) -> Query:
    nodes = [*sorted({asset.host for asset in told.assets}), bytes(20)]
    voters = [*sorted({voter for asset in told.assets for voter in asset.voters}), bytes(20)]
    return replace(
        query,
        node=Address(nodes[query.node[0]]) if query.node is not None else None,
        validator=Address(voters[query.validator[0]]) if query.validator is not None else None,
    )


@settings(deadline=None, max_examples=120)
@given(query=queries(), scan=st.sampled_from((2, 40, 100_000)))
def test_the_pages_together_are_what_the_rows_say(told: Told, query: Query, scan: int) -> None:
    query = filled(told, replace(query, limit=max(query.limit, 12)))
    rows = whole(told.reader, query, scan)
    expected = told.matching(query)
    assert [(row.kind, row.id) for row in rows] == [(asset.kind, asset.id) for asset in expected]
    for row, asset in zip(rows, expected, strict=True):
        assert (row.request_id, row.home, row.host) == (asset.request_id, asset.home, asset.host)
        assert (row.level, row.state, row.process_name) == (asset.level, asset.state, asset.name)
        assert row.origin == asset.origin
        assert (row.block, row.log_index, row.timestamp) == (*asset.key[:2], asset.timestamp)


def test_small_pages_of_everything(told: Told) -> None:
    rows = whole(told.reader, Query(limit=7), explore.SCAN)
    assert [row.id for row in rows] == [asset.id for asset in told.assets]


@settings(deadline=None, max_examples=150)
@given(query=queries())
def test_counts_are_what_the_rows_say(told: Told, query: Query) -> None:
    query = filled(told, query)
    count, many = facets.count(told.reader, query), len(told.matching(query))
    assert count.value == many if count.exact else count.value <= many


def usual(told: Told) -> list[Query]:
    node, day = Address(told.assets[0].host), told.assets[90].timestamp // DAY * DAY
    bases = [
        Query(),
        Query(level=2),
        Query(state=State.REFUSED),
        Query(state=State.VOID),
        Query(origin=Origin.DRAWN),
        Query(node=node),
        Query(node=node, role=Role.HOME),
        Query(name="cc -O2 unit1.c"),
        Query(since=day, until=day + DAY),
    ]
    return [replace(base, kind=kind) for base in bases for kind in (None, *Kind)]


def test_the_usual_combinations_are_exact_whatever_the_cap(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facet_scan, "SCAN", 6)
    for query in usual(told):
        assert facets.count(told.reader, query) == Count(len(told.matching(query)))
    unusual = Query(name="cc -O2 unit1.c", since=1)
    assert not facets.count(told.reader, unusual).exact
    assert facets.count(told.reader, unusual).text.endswith("+")


@settings(deadline=None, max_examples=60)
@given(query=queries())
def test_each_facet_says_what_its_link_selects(told: Told, query: Query) -> None:
    query = filled(told, replace(query, limit=50))
    for facet in facets.survey(told.reader, query)[1]:
        for value in facet.values:
            if value.selected:
                continue
            params = dict(pair.split("=") for pair in value.params.split("&") if pair)
            linked = Query.from_params({k: v.replace("+", " ") for k, v in params.items()})
            many = len(told.matching(linked))
            assert value.count.value == many if value.count.exact else value.count.value <= many


def test_facets_without_a_filter_cover_everything(told: Told) -> None:
    found = {facet.dimension: facet for facet in facets.survey(told.reader, Query())[1]}
    kinds = Counter(asset.kind.value for asset in told.assets)
    assert {v.value: v.count.value for v in found["kind"].values} == kinds
    names = Counter(asset.name for asset in told.assets)
    assert {v.value: v.count.value for v in found["name"].values} == names
    assert all(value.count.exact for facet in found.values() for value in facet.values)
    assert len(found["day"].values) == facets.VALUES and found["day"].more


@settings(max_examples=150)
@given(query=queries())
def test_a_query_survives_its_own_address(query: Query) -> None:
    query = replace(
        query,
        node=Address(bytes(20)) if query.node else None,
        validator=Address(b"\7" * 20) if query.validator else None,
    )
    assert Query.from_params(query.to_params()) == query


@pytest.mark.parametrize(
    "params",
    [
        {"kind": "NOTHING"},
        {"level": "4"},
        {"node": "0x12"},
        {"since": "-1"},
        {"day": "2026-13-01"},
        {"limit": "501"},
        {"limit": "0"},
        {"colour": "red"},
    ],
)
def test_what_cannot_be_is_refused(params: dict[str, str]) -> None:
    with pytest.raises(BadQuery) as caught:
        Query.from_params(params)
    assert caught.value.hint


@pytest.mark.parametrize("cursor", ["", "!", "AAAA", "k6FhoWGhYQ", "lM________________"])
def test_a_cursor_of_somebody_else_is_refused(told: Told, cursor: str) -> None:
    with pytest.raises(BadQuery):
        explore.page(told.reader, Query(cursor=cursor))


def test_pages_stay_where_they_are_while_rows_arrive(tmp_path: Path) -> None:
    chain = SyntheticChain(Settings(nodes=4, finality_depth=3, signatures=False))
    path = tmp_path / "index.db"
    for _ in range(6):
        chain.mine(20)
    with IndexStore.open(path, chain.deployment) as store:
        indexer = Indexer(chain, store, chain.deployment, SystemClock())
        indexer.step()
        with Reader.open(path) as reader:
            before = [row.id for row in whole(reader, Query(limit=500), explore.SCAN)]
            page: Page[AssetRow] = explore.page(reader, Query(limit=13))
            seen = [row.id for row in page.rows]
            while page.next is not None:
                chain.mine(3)
                indexer.step()
                page = explore.page(reader, Query(limit=13, cursor=page.next))
                seen += [row.id for row in page.rows]
            assert seen == before
            assert len(whole(reader, Query(limit=500), explore.SCAN)) > len(before)
