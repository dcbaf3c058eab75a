"""Verdicts: the thesis' border to the point, and what each of them rests on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import UsageError
from ledger.reasons import Reason
from ledger.types import Address
from node.admission import Evidence, Freshness, Question
from node.strategy.catalogue import find_strategy
from node.strategy.thesis import Anybody, EachThird, Thesis

HOME, HOST = Address(b"\x01" * 20), Address(b"\x02" * 20)
points = st.integers(0, 1 << 60)


def question(evidence: Evidence | None, count: int = 0) -> Question:
    return Question(HOME, HOST, "cc", evidence, count)


@given(points, points)
def test_the_border_is_half_of_the_hosts_points(home: int, host: int) -> None:
    verdict = Thesis().decide(question(Evidence(home, host, 7, 0.5)))
    assert verdict.accept == (2 * home >= host)
    assert verdict.reason is (Reason.ACCEPTED if verdict.accept else Reason.REPUTATION)


@pytest.mark.parametrize(
    ("home", "host", "accept"), [(0, 0, True), (0, 1, False), (1, 2, True), (1, 3, False)]
)
def test_the_border_itself(home: int, host: int, accept: bool) -> None:
    assert Thesis().decide(question(Evidence(home, host, 1, 0.0))).accept is accept


def test_a_verdict_quotes_what_it_rests_on() -> None:
    verdict = Thesis().decide(question(Evidence(3, 8, 42, 1.5)))
    assert verdict.strategy == "thesis/1"
    assert (verdict.block, verdict.age) == (42, 1.5)
    assert verdict.numbers == {"home_points": 3, "host_points": 8}


@pytest.mark.parametrize(("age", "accept"), [(30.0, True), (30.1, False)])
def test_old_data_is_no_ground_for_trust(age: float, accept: bool) -> None:
    verdict = Thesis(max_age=30.0).decide(question(Evidence(100, 1, 9, age)))
    assert verdict.accept is accept
    assert accept or verdict.reason is Reason.STALE_LEDGER
    assert verdict.freshness is (Freshness.FRESH if accept else Freshness.STALE)


def test_no_data_is_no_ground_for_trust() -> None:
    verdict = Thesis().decide(question(None))
    assert (verdict.accept, verdict.reason) == (False, Reason.STALE_LEDGER)
    assert (verdict.block, verdict.age, dict(verdict.numbers)) == (None, None, {})


def test_the_vermin_takes_the_first_of_three_and_refuses_properly() -> None:
    evidence = Evidence(5, 10, 1, 0.0)
    verdicts = [EachThird().decide(question(evidence, count)) for count in range(7)]
    assert [verdict.accept for verdict in verdicts] == [True, False, False] * 2 + [True]
    assert {verdict.reason for verdict in verdicts if not verdict.accept} == {Reason.POLICY}


@pytest.mark.parametrize("evidence", [None, Evidence(1, 10, 1, 0.0)])
def test_the_vermin_refuses_whom_the_thesis_refuses(evidence: Evidence | None) -> None:
    for count in range(3):
        assert EachThird().decide(question(evidence, count)) == Thesis().decide(question(evidence))


@pytest.mark.parametrize("evidence", [None, Evidence(0, 10**6, 1, 1e9)])
def test_anybody_takes_anybody(evidence: Evidence | None) -> None:
    verdict = Anybody().decide(question(evidence))
    assert (verdict.accept, verdict.strategy) == (True, "anybody/1")
    assert verdict.freshness is Freshness.STALE


@pytest.mark.parametrize(("name", "kind"), [("thesis", Thesis), ("each-third", EachThird)])
def test_strategies_are_installed_by_name(name: str, kind: type) -> None:
    assert isinstance(find_strategy(name), kind)


def test_an_unknown_strategy_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="no strategy 'kindness'") as caught:
        find_strategy("kindness")
    assert "each-third" in caught.value.hint
    assert "thesis" in caught.value.hint
