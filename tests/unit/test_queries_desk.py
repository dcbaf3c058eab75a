"""Overview, nodes, one node, validators, flow and search against every row read one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import schema
from ledger.desk.queries import flow, node, nodes, overview, search, validators, why
from ledger.desk.queries.common import DAY, BadQuery, Page
from ledger.desk.queries.explore_query import Kind, Origin
from ledger.desk.queries.nodes import NodeLine, NodesQuery
from ledger.reasons import Reason
from ledger.synthetic_actors import SyntheticDeployment
from ledger.types import Address, BlockNumber, hex_of
from tests.unit.desk_ledger import Told, make

T = TypeVar("T")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Told, SyntheticDeployment]]:
    path = tmp_path_factory.mktemp("desk") / "index.db"
    deployment = make(path)
    found = Told(path)
    yield found, deployment
    found.reader.close()


@pytest.fixture(scope="module")
def told(world: tuple[Told, SyntheticDeployment]) -> Told:
    return world[0]


@pytest.fixture(scope="module")
def deployment(world: tuple[Told, SyntheticDeployment]) -> SyntheticDeployment:
    return world[1]


def pages(fetch: Callable[[str | None], Page[T]]) -> list[T]:
    rows: list[T] = []
    cursor: str | None = None
    for _ in range(10_000):
        page = fetch(cursor)
        rows += page.rows
        if (cursor := page.next) is None:
            return rows
    raise AssertionError("the pages never end")


def count_claims(told: Told, at: int, counts: Counter[tuple[bytes, str]]) -> None:
    """Claims and what became of them."""
    claims = {row["kudos_id"]: row for row in told.rows["kudos"]}
    for row in claims.values():
        counts[row["host"], "claims"] += row["block"] <= at
    for row in told.rows["decisions"]:
        claim = claims[row["kudos_id"]]
        if row["block"] > at:
            continue
        level, host = claim["level"], claim["host"]
        ended = {schema.VERIFIED: f"k{level}", schema.REFUSED: "refused", schema.VOID: "void"}
        counts[host, ended[row["state"]]] += 1
        if level == 3 and row["state"] != schema.VOID:
            verified = row["state"] == schema.VERIFIED
            counts[host, f"canaries_{'passed' if verified else 'failed'}"] += 1


def lines_at(told: Told, at: int) -> dict[bytes, NodeLine]:
    """Every node's totals as of a block, counted from the rows."""
    counts: Counter[tuple[bytes, str]] = Counter()
    for row in told.rows["migrations"]:
        if row["block"] <= at:
            accepted = row["rejection"] is None
            counts[row["home"], "requests"] += 1
            counts[row["home"], "accepted" if accepted else "rejected"] += 1
            counts[row["host"], "hosted" if accepted else "rejections"] += 1
    count_claims(told, at, counts)
    for row in told.rows["carried"]:
        for level in (1, 2, 3) if row["block"] <= at else ():
            counts[row["host"], f"k{level}"] += row[f"k{level}"]
            counts[row["host"], "carried"] += row[f"k{level}"]
    for row in told.rows["openings"]:
        counts[row["home"], "canaries_opened"] += row["block"] <= at
    found = {}
    for address in {who for who, _ in counts}:
        values = {name: many for (who, name), many in counts.items() if who == address}
        values["points"] = sum(w * values.get(f"k{n}", 0) for n, w in ((1, 1), (2, 10), (3, 100)))
        blank = dict.fromkeys(NodeLine.__dataclass_fields__, 0) | values
        found[address] = NodeLine(**(blank | {"address": address}))  # type: ignore[arg-type]
    return {who: line for who, line in found.items() if line.asked or line.claims or line.points}


BLOCKS = st.integers(1, 37)


@settings(deadline=None, max_examples=60)
@given(
    sort=st.sampled_from(nodes.SORTS),
    descending=st.booleans(),
    limit=st.integers(1, 7),
    at=st.none() | BLOCKS,
    min_points=st.sampled_from((0, 0, 3000, 8000)),
    digits=st.sampled_from((0, 0, 1, 3, 40)),
    named=st.booleans(),
)
def test_nodes_are_listed_in_order(
    told: Told,
    sort: str,
    descending: bool,
    limit: int,
    at: int | None,
    min_points: int,
    digits: int,
    named: bool,
) -> None:
    last = told.rows["blocks"][-1]["number"]
    expected = lines_at(told, last if at is None else at)
    some = sorted(expected)[0]
    among = frozenset(map(Address, sorted(expected)[:4])) if named else None
    query = NodesQuery(sort, descending, hex_of(some)[: 2 + digits], min_points, among, limit=limit)
    query = replace(query, at_block=None if at is None else BlockNumber(at))
    found = pages(lambda cursor: nodes.list_nodes(told.reader, replace(query, cursor=cursor)))
    assert {line.address: line for line in found} == {
        who: line
        for who, line in expected.items()
        if line.points >= min_points
        and who.hex().startswith(some.hex()[:digits])
        and (among is None or who in among)
    }
    values = [line.address if sort == "address" else getattr(line, sort) for line in found]
    values = [-1 if value is None else value for value in values]
    assert values == sorted(values, reverse=descending)


@settings(deadline=None, max_examples=40)
@given(at=BLOCKS)
def test_one_node_at_any_block(told: Told, at: int) -> None:
    for address, line in lines_at(told, at).items():
        assert nodes.node_line(told.reader, Address(address), BlockNumber(at)) == line
    assert nodes.node_line(told.reader, Address(bytes(20))) is None


@settings(deadline=None, max_examples=40)
@given(at=st.none() | BLOCKS)
def test_the_counts_of_the_overview(told: Told, at: int | None) -> None:
    lines = lines_at(told, 10**9 if at is None else at).values()
    block = None if at is None else BlockNumber(at)
    found = overview.counts(told.reader, block)
    assert found.nodes == len(lines)
    assert found.migrations == sum(line.requests for line in lines)
    assert (found.accepted, found.rejected) == (
        sum(line.accepted for line in lines),
        sum(line.rejected for line in lines),
    )
    names = ("k1", "k2", "k3", "refused", "void", "carried", "points", "waiting")
    for name in ("canaries_opened", "claims", *names):
        assert getattr(found, name) == sum(getattr(line, name) for line in lines)


def test_a_prefix_or_column_that_cannot_be(told: Told) -> None:
    for query in (NodesQuery(prefix="0xzz"), NodesQuery(prefix="a" * 41), NodesQuery("rowid")):
        with pytest.raises(BadQuery):
            nodes.list_nodes(told.reader, query)


def test_series_end_at_the_totals_and_have_no_gaps(told: Told) -> None:
    lines = lines_at(told, 10**9)
    sparks = nodes.sparklines(told.reader, [Address(who) for who in lines], days=60)
    for who, line in lines.items():
        series = node.series(told.reader, Address(who), days=200)
        assert [day.start for day in series] == [series[0].start + DAY * n for n in range(200)]
        assert series[-1].points == line.points
        assert sum(day.hosted for day in series) == line.hosted
        assert [point for _, point in sparks[Address(who)]] == [day.points for day in series[-60:]]
    days = overview.kudos_per_day(told.reader, days=200)
    assert sum(day.points for day in days) == sum(line.points for line in lines.values())
    assert sum(day.migrations for day in days) == len(told.rows["migrations"])


def test_migrations_per_minute(told: Told) -> None:
    expected: Counter[int] = Counter()
    for row in told.rows["migrations"]:
        expected[told.time[row["block"]] // 60 * 60] += 1
    found = overview.migrations_per_minute(told.reader, minutes=1440)
    assert len(found) == 1440 and found[-1][0] == max(told.time.values()) // 60 * 60
    skipped = {row["block"] for row in told.rows["skipped"]}
    batched = {told.time[row["block"]] // 60 * 60 for row in told.rows["batches"]}
    for minute, many in found:
        assert (many > 0) == (minute in batched and expected[minute] > 0)
        clean = not any(told.time[block] // 60 * 60 == minute for block in skipped)
        assert many >= expected[minute] or not clean


def test_who_the_open_claims_wait_for(told: Told, deployment: SyntheticDeployment) -> None:
    health = overview.quorum_health(told.reader, deployment.validators)
    waiting = [row for row in told.rows["kudos"] if row["kudos_id"] not in told.state]
    assert health.waiting == len(waiting) > 20 and health.exact
    assert health.oldest_block == min(row["block"] for row in waiting)
    assert health.oldest_since == told.time[health.oldest_block]
    for on in health.on:
        silent = [row for row in waiting if on.validator not in told.voters[row["kudos_id"]]]
        assert on.claims == len(silent)
        assert on.block == min((row["block"] for row in silent), default=None)


def test_validators(told: Told, deployment: SyntheticDeployment) -> None:
    claims = {row["kudos_id"]: row for row in told.rows["kudos"]}
    against = {(schema.APPROVE, schema.REFUSED), (schema.REFUSE, schema.VERIFIED)}
    stranger = Address(b"\1" * 20)
    found = validators.list_validators(told.reader, (stranger, *deployment.validators[:4]))
    assert [line.address for line in found] == [
        stranger,
        *deployment.validators[:4],
        deployment.validators[4],
    ]
    assert found[0].votes == 0 and found[0].latency_blocks.median is None
    assert found[0].missed == 0, "who never was in office missed nothing"
    assert not found[-1].active
    for line in found[1:]:
        votes = [row for row in told.rows["votes"] if row["validator"] == line.address]
        verdicts = Counter(row["verdict"] for row in votes)
        assert (line.approved, line.refused, line.abstained) == tuple(
            verdicts[verdict] for verdict in (schema.APPROVE, schema.REFUSE, schema.ABSTAIN)
        )
        decided = [row for row in votes if row["kudos_id"] in told.state]
        assert line.decided == len(decided)
        disagreed = sum((v["verdict"], told.state[v["kudos_id"]]) in against for v in decided)
        assert line.disagreed == disagreed > 0
        took = sorted(row["block"] - claims[row["kudos_id"]]["block"] for row in votes)
        assert line.latency_blocks.median == took[(len(took) + 1) // 2 - 1]
        assert line.latency_blocks.p95 == took[-(-len(took) * 95 // 100) - 1]
        unvoted = [c for c in claims if line.address not in told.voters[c]]
        assert line.silent == sum(claim not in told.state for claim in unvoted)
        missed = [c for c in unvoted if c in told.state and claims[c]["origin"] != "open"]
        assert line.missed == len(missed) > 0


@pytest.mark.parametrize("verdict", [None, schema.APPROVE, schema.REFUSE, schema.ABSTAIN])
@pytest.mark.parametrize("disagreeing", [False, True])
@pytest.mark.parametrize("scan", [3, 5_000])
def test_ballots(
    told: Told,
    deployment: SyntheticDeployment,
    monkeypatch: pytest.MonkeyPatch,
    verdict: int | None,
    disagreeing: bool,
    scan: int,
) -> None:
    monkeypatch.setattr(validators, "SCAN", scan)
    who = deployment.validators[2]
    against = {(schema.APPROVE, schema.REFUSED), (schema.REFUSE, schema.VERIFIED)}
    expected = [
        row["kudos_id"]
        for row in sorted(
            told.rows["votes"], key=lambda v: (-v["block"], -v["log_index"], v["kudos_id"])
        )
        if row["validator"] == who
        and verdict in (None, row["verdict"])
        and (not disagreeing or (row["verdict"], told.state.get(row["kudos_id"])) in against)
    ]
    found = pages(
        lambda cursor: validators.ballots(told.reader, who, verdict, disagreeing, 11, cursor)
    )
    assert [ballot.kudos_id for ballot in found] == expected
    assert all(ballot.disagrees for ballot in found) or not disagreeing


def test_flow_and_counterparties(told: Told) -> None:
    points: Counter[tuple[bytes, bytes]] = Counter()
    requests: Counter[tuple[bytes, bytes]] = Counter()
    for row in told.rows["migrations"]:
        requests[row["home"], row["host"]] += 1
    for row in told.rows["kudos"]:
        if told.state.get(row["kudos_id"]) == schema.VERIFIED:
            points[row["home"], row["host"]] += 10 ** (row["level"] - 1)
    order = sorted(points, key=lambda pair: (-points[pair], pair))
    table = pages(lambda cursor: flow.table(told.reader, 4, cursor))
    assert [(edge.home, edge.host) for edge in table] == order
    assert [edge.points for edge in table] == [points[pair] for pair in order]
    assert [edge.requests for edge in table] == [requests[pair] for pair in order]
    top = flow.top(told.reader, 5)
    assert top.edges == tuple(table[:5]) and top.is_capped and top.edges_total == len(order)
    assert (top.points_shown, top.points_total) == (
        sum(edge.points for edge in table[:5]),
        sum(points.values()),
    )
    assert not flow.top(told.reader, 200).is_capped
    with pytest.raises(BadQuery):
        flow.top(told.reader, 201)
    for who in {home for home, _ in requests}:
        earned = pages(lambda c, w=who: node.earned_from(told.reader, Address(w), 2, c))  # type: ignore[misc]
        gave = pages(lambda c, w=who: node.gave_to(told.reader, Address(w), 2, c))  # type: ignore[misc]
        assert {edge.home for edge in earned} == {a for a, b in requests | points if b == who}
        assert {edge.host for edge in gave} == {b for a, b in requests if a == who}
        assert [e.points for e in earned] == sorted((e.points for e in earned), reverse=True)


def reasons(told: Told, host: bytes) -> list[tuple[why.Outcome, bytes | None]]:
    """(outcome, request or Kudos) of all that a host could have Kudos for, in no order."""
    found: list[tuple[why.Outcome, bytes | None]] = []
    again = {row["repeats"] for row in told.rows["kudos"]}
    claimed = {(row["request_id"], row["level"] == 3) for row in told.rows["kudos"]}
    abstained = {r["kudos_id"] for r in told.rows["votes"] if r["verdict"] == schema.ABSTAIN}
    for row in told.rows["kudos"]:
        if row["host"] == host:
            key = row["kudos_id"]
            open_ = why.Outcome.UNREACHABLE if key in abstained else why.Outcome.WAITING
            state = told.state.get(key)
            refused = why.Outcome.TIMED_OUT if key in again else why.Outcome.REFUSED
            named = {schema.VERIFIED: why.Outcome.VERIFIED, schema.REFUSED: refused}
            named[schema.VOID] = why.Outcome.VOID
            found.append((named.get(state, open_) if state else open_, key))
    for row in told.rows["migrations"]:
        if row["host"] == host and (row["request_id"], False) not in claimed:
            accepted = row["rejection"] is None
            late = accepted and told.time[row["block"]] > row["result_deadline"]
            found.append((why.Outcome.LATE if late else why.Outcome.NEVER_ASKED, row["request_id"]))
    for row in told.rows["skipped"]:
        if row["host"] == host:
            late = row["reason"] in (Reason.EXPIRED, Reason.BAD_DEADLINE)
            found.append((why.Outcome.LATE if late else why.Outcome.SKIPPED, row["request_id"]))
    return found


@pytest.mark.parametrize("outcome", [None, *why.Outcome])
@pytest.mark.parametrize("scan", [4, 10_000])
def test_why_a_node_has_what_it_has(
    told: Told,
    deployment: SyntheticDeployment,
    monkeypatch: pytest.MonkeyPatch,
    outcome: why.Outcome | None,
    scan: int,
) -> None:
    monkeypatch.setattr(why, "SCAN", scan)
    seen: Counter[why.Outcome] = Counter()
    for host in sorted({row["host"] for row in told.rows["migrations"]}):
        expected = [entry for entry in reasons(told, host) if outcome in (None, entry[0])]
        found = pages(
            lambda c, h=host: why.why(  # type: ignore[misc]
                told.reader, Address(h), deployment.validators, outcome, 7, c
            )
        )
        key = Counter((entry.outcome, entry.kudos_id or entry.request_id) for entry in found)
        assert key == Counter(expected)
        assert [e.block for e in found] == sorted((e.block for e in found), reverse=True)
        for entry in found:
            seen[entry.outcome] += 1
            if entry.kudos_id is not None:
                voters = {vote.validator for vote in entry.votes}
                assert voters == told.voters[entry.kudos_id]
                is_open = entry.outcome in (why.Outcome.WAITING, why.Outcome.UNREACHABLE)
                missing = set(deployment.validators) - voters if is_open else set()
                assert set(entry.waiting_on) == missing
    assert seen.keys() == (set(why.Outcome) if outcome is None else {outcome})


def test_the_canary_record(told: Told) -> None:
    seen: Counter[str] = Counter()
    for who, line in lines_at(told, 10**9).items():
        found = node.canary_record(told.reader, Address(who))
        assert found.opened_as_home == line.canaries_opened
        claimed = [k for k in told.rows["kudos"] if k["level"] == 3 and k["host"] == who]
        assert found.claimed == len(claimed)
        assert (found.passed, found.failed) == (line.canaries_passed, line.canaries_failed)
        assert found.waiting == sum(k["kudos_id"] not in told.state for k in claimed)
        for each in found.origins:
            states = Counter(
                told.state.get(k["kudos_id"]) for k in claimed if k["origin"] == each.origin
            )
            ended = (states[schema.VERIFIED], states[schema.REFUSED], states[schema.VOID])
            assert (each.claimed, (each.passed, each.failed, each.void)) == (states.total(), ended)
            seen[each.origin] += each.claimed
    assert min(seen.values()) > 0 and seen.keys() == set(Origin)


def test_every_asset_is_found_by_its_id(told: Told) -> None:
    for asset in told.assets[::7]:
        (hit,) = search.search(told.reader, hex_of(asset.id)).hits
        assert (hit.kind, hit.asset) == (search.HitKind.ASSET, asset.kind)
        assert (hit.request_id, hit.block) == (asset.request_id, asset.key[0])
    assert {asset.kind for asset in told.assets[::7]} == set(Kind)


def test_search_for_the_rest(told: Told, deployment: SyntheticDeployment) -> None:
    reader = told.reader
    host = told.assets[0].host
    for text in (hex_of(host), host.hex().upper(), hex_of(host)[:14], f"  {hex_of(host)} "):
        (hit,) = search.search(reader, text).hits
        assert (hit.kind, hit.value) == (search.HitKind.NODE, hex_of(host))
    (hit,) = search.search(reader, hex_of(deployment.validators[0])).hits
    assert hit.kind is search.HitKind.VALIDATOR
    row = told.rows["batches"][0]
    tx = next(
        log["tx"]
        for log in told.rows["logs"]
        if (log["block"], log["log_index"]) == (row["block"], row["log_index"])
    )
    (hit,) = search.search(reader, hex_of(tx)).hits
    assert (hit.kind, hit.block) == (search.HitKind.TRANSACTION, row["block"])
    names = [hit.value for hit in search.search(reader, "cc -O2").hits]
    assert names == ["cc -O2 unit0.c", "cc -O2 unit1.c", "cc -O2 unit2.c"]
    (exact,) = search.search(reader, "cc -O2 unit1.c").hits
    assert exact.count == sum(asset.name == "cc -O2 unit1.c" for asset in told.assets)
    assert any(hit.kind is search.HitKind.BLOCK for hit in search.search(reader, "3").hits)
    assert len(search.search(reader, "cc", limit=2).hits) == 2
    assert search.search(reader, "cc", limit=2).more


@given(text=st.text(max_size=80))
@settings(deadline=None, max_examples=300)
def test_any_text_can_be_searched_for(told: Told, text: str) -> None:
    assert len(search.search(told.reader, text).hits) <= search.MAX_HITS
