"""Points by counterparty: what of them counts, and what a ring of friends gets out of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.assets import POINTS
from ledger.indexer import Indexer
from ledger.reader import Reader
from ledger.reasons import Reason
from ledger.store import IndexStore
from ledger.synthetic import SyntheticChain
from ledger.synthetic_actors import Settings
from ledger.types import Address
from node.admission import LARGEST, Evidence, Question, Side, Standing
from node.strategy.evidence import View, live_evidence
from node.strategy.pairs import Pairs, share_of_counted

ME, HONEST, FRIEND, OTHER, LONER = (Address(bytes([n]) * 20) for n in range(1, 6))
amounts = st.lists(st.integers(1, 10**9), max_size=60).map(lambda x: sorted(x, reverse=True))
percents = st.integers(2, 100)


def question(home: Sequence[int], host: Sequence[int], judged: Side = Side.HOME) -> Question:
    """Two nodes with so many points from single counterparties."""
    told = [tuple(sorted(each, reverse=True)[:LARGEST]) for each in (home, host)]
    standings = [Standing(largest=largest) for largest in told]
    evidence = Evidence(sum(home), sum(host), 7, 1.0, standings[0], standings[1])
    return Question(ME, OTHER, "", evidence, 0, judged=judged)


@pytest.mark.parametrize(
    ("given_", "percent", "counts"),
    [
        ((), 20, 0),
        ((1000,), 20, 0),
        ((1000,), 100, 1000),
        ((100, 100, 100, 100, 100), 20, 500),
        ((100, 100, 100, 100), 20, 0),
        # Of the last three and two more as large as they are, each is a fifth.
        ((100_000, 40, 30, 30, 30), 20, 150),
        ((100_000, 100_000, 40, 40, 40), 20, 120 + 2 * 40),
        ((50, 50), 50, 100),
        ((60, 40), 50, 80),
    ],
)
def test_what_counts_by_hand(given_: tuple[int, ...], percent: int, counts: int) -> None:
    assert Pairs(percent=percent, free=0).counted(sum(given_), given_) == counts


@given(amounts, percents)
def test_the_bound_is_the_greatest_that_is_no_more_than_the_share(
    given_: list[int], percent: int
) -> None:
    bound = share_of_counted(sum(given_), given_[:LARGEST], percent)

    def holds(c: Fraction) -> bool:
        return c * 100 <= percent * sum(min(c, Fraction(each)) for each in given_)

    assert bound >= 0
    # One below, and one above, as the bound is rounded down.
    most = max(given_, default=0)
    assert holds(Fraction(min(bound, most)) - 1) or bound < 1
    assert bound >= most or not holds(Fraction(bound + 1))


@given(amounts, percents, st.integers(0, 10**6))
def test_nobody_loses_more_than_there_is_and_free_points_stay(
    given_: list[int], percent: int, free: int
) -> None:
    rule = Pairs(percent=percent, free=free)
    counted = rule.counted(sum(given_), given_[:LARGEST])
    assert sum(min(each, free) for each in given_) <= counted <= sum(given_)


@given(amounts, percents, st.integers(1, 10**9))
def test_more_from_a_new_counterparty_never_makes_less(
    given_: list[int], percent: int, more: int
) -> None:
    rule, grown = Pairs(percent=percent), sorted([*given_, more], reverse=True)
    before = rule.counted(sum(given_), given_[:LARGEST])
    # Rounding the bound down may take one from each that is cut.
    assert rule.counted(sum(grown), grown[:LARGEST]) + LARGEST >= before


def test_a_ring_of_two_sinks_below_the_border_and_an_honest_node_does_not() -> None:
    work = POINTS[2]
    mine = [50 * work] * 30
    honest, ring = [30 * work] * 30, [10_000 * POINTS[3]]
    rule = Pairs()
    taken, refused = rule.decide(question(honest, mine)), rule.decide(question(ring, mine))
    assert taken.accept
    assert refused.reason is Reason.REPUTATION
    assert dict(refused.numbers) == {
        "home_points": 1_000_000,
        "host_points": 15_000,
        "home_counted": 100,
        "host_counted": 15_000,
        "home_largest": 1_000_000,
        "host_largest": 500,
    }
    assert not rule.decide(question(mine, ring, Side.HOST)).accept
    # The judge's own friends weigh no more: it does not raise the border for others by them.
    assert rule.decide(question([100], [*ring, 20])).accept


def test_a_larger_ring_counts_in_full_only_when_it_has_as_many_as_the_share_asks_for() -> None:
    rule = Pairs(percent=20, free=0)
    counted = [rule.counted(1000 * size, [1000] * size) for size in range(1, 7)]
    assert counted == [0, 0, 0, 0, 5000, 6000]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A copy with a ring of two, an honest node, one with one customer, and me, by the roll-ups."""
    path = tmp_path_factory.mktemp("pairs") / "index.db"
    chain = SyntheticChain(Settings(nodes=3, signatures=False))
    chain.mine(1)
    with IndexStore.open(path, chain.deployment) as store:
        Indexer(chain, store, chain.deployment, Clock()).step()
    flows = [(FRIEND, OTHER, 10_000), (OTHER, FRIEND, 10_000), (HONEST, LONER, 3)]
    crowd = [Address(bytes([9, n]) * 10) for n in range(60)]
    flows += [(home, host, k2) for home in crowd for host, k2 in ((HONEST, 20), (ME, 30))]
    connection = sqlite3.connect(path)
    connection.executemany(
        "INSERT INTO flows (home, host, points, k2) VALUES (?, ?, ?, ?)",
        [(home, host, POINTS[2] * k2, k2) for home, host, k2 in flows],
    )
    for host in {host for _, host, _ in flows}:
        k2 = sum(count for _, each, count in flows if each == host)
        connection.execute("INSERT INTO nodes (address, k2) VALUES (?, ?)", (host, k2))
    connection.commit()
    connection.close()
    with Reader.open(path) as opened:
        yield opened


class Clock:
    def now(self) -> float:
        return 1000.0

    def monotonic(self) -> float:
        return 1000.0


@pytest.mark.parametrize(
    ("home", "counted", "accepted"),
    [(FRIEND, 100, False), (OTHER, 100, False), (HONEST, 12_000, True), (LONER, 30, False)],
    ids=["ring", "its other half", "honest", "one customer"],
)
def test_the_same_by_a_copy_of_the_ledger(
    reader: Reader, home: Address, counted: int, accepted: bool
) -> None:
    evidence = live_evidence(reader, home, ME, 1000.0, View(), Pairs.needs)
    assert evidence is not None and evidence.host.largest == (300,) * LARGEST
    verdict = Pairs().decide(Question(home, ME, "", evidence, 0))
    assert (verdict.numbers["home_counted"], verdict.numbers["host_counted"]) == (counted, 18_000)
    assert verdict.accept is accepted


def test_the_amounts_are_found_by_an_index(reader: Reader) -> None:
    plan = reader.connection.execute(
        "EXPLAIN QUERY PLAN SELECT home, points FROM flows WHERE host = ? AND points > 0"
        " ORDER BY points DESC LIMIT 50",
        (ME,),
    ).fetchall()
    assert [step[3] for step in plan] == [
        "SEARCH flows USING COVERING INDEX flows_to (host=? AND points>?)"
    ]
