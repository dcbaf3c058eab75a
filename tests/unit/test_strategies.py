"""The rules of strategy files: their borders, what they need, and how they are combined."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.reasons import Reason
from ledger.types import Address
from node.admission import (
    Evidence,
    Freshness,
    Need,
    Pair,
    Question,
    Side,
    Standing,
    Strangers,
    Strategy,
    Verdict,
    needs_of,
)
from node.strategy.combine import AllOf, AnyOf, Staleness
from node.strategy.pairs import Pairs
from node.strategy.rules import (
    SCALE_BITS,
    Allow,
    Balance,
    Capacity,
    Decay,
    Deny,
    Drawn,
    Minimum,
    Names,
    Newcomers,
    decayed,
)
from node.strategy.thesis import Anybody, Half, Thesis
from tests.unit.node_world import TASK, TRUSTED, World, make_ask

HOME, HOST = Address(b"\x01" * 20), Address(b"\x02" * 20)
KNOWN = Evidence(10, 10, 7, 1.0)
NEEDY = (Half(), Balance(), Minimum(), Drawn(), Decay(), Newcomers(), Pairs())
counts = st.integers(0, 1 << 40)
small = st.integers(0, 500)


def question(evidence: Evidence | None = KNOWN, **fields: Any) -> Question:
    return replace(Question(HOME, HOST, "cc -O2 a.c", evidence, 0, now=1000), **fields)


def ask(rule: Strategy, evidence: Evidence | None = KNOWN, **fields: Any) -> Reason:
    verdict = rule.decide(question(evidence, **fields))
    assert verdict.accept == (verdict.reason is Reason.ACCEPTED)
    return verdict.reason


def paired(*numbers: int) -> Evidence:
    return replace(KNOWN, pair=Pair(*numbers))


@pytest.mark.parametrize("rule", NEEDY, ids=lambda rule: rule.name)
def test_rules_about_reputation_refuse_without_a_ledger(rule: Strategy) -> None:
    assert ask(rule, None) is Reason.STALE_LEDGER


@pytest.mark.parametrize(
    "rule", [Balance(), Decay(), Newcomers(), Pairs()], ids=lambda rule: rule.name
)
def test_evidence_that_was_not_gathered_is_no_evidence(rule: Strategy) -> None:
    assert needs_of(rule)
    assert ask(rule, KNOWN) is Reason.STALE_LEDGER


def test_decay_needs_the_epochs_of_both() -> None:
    one_sided = replace(KNOWN, home=Standing(epochs=((0, 1),)))
    assert ask(Decay(), one_sided) is Reason.STALE_LEDGER


@given(counts, counts)
def test_a_host_is_judged_by_the_same_border_as_a_home(home: int, host: int) -> None:
    asked = question(Evidence(home, host, 1, 0.0))
    swapped = question(Evidence(host, home, 1, 0.0), judged=Side.HOST)
    assert Half().decide(asked).accept == Half().decide(swapped).accept == (2 * home >= host)


@pytest.mark.parametrize(
    ("gave", "got", "reason"),
    [
        (20, 0, Reason.ACCEPTED),
        (21, 0, Reason.REPUTATION),
        (121, 101, Reason.ACCEPTED),
        (122, 101, Reason.REPUTATION),
    ],
)
def test_balance_lends_to_its_credit_and_no_further(gave: int, got: int, reason: Reason) -> None:
    assert ask(Balance(credit=20), paired(gave, got)) is reason


def test_balance_asks_of_a_host_only_that_it_delivers() -> None:
    assert ask(Balance(credit=0), paired(99, 0), judged=Side.HOST) is Reason.ACCEPTED
    silent = paired(0, 0, 100, 51)
    assert ask(Balance(), silent, judged=Side.HOST) is Reason.REPUTATION


@pytest.mark.parametrize(
    ("asked", "missing", "reason"),
    [
        (10, 10, Reason.ACCEPTED),
        (11, 11, Reason.REPUTATION),
        (40, 20, Reason.ACCEPTED),
        (40, 21, Reason.REPUTATION),
    ],
)
def test_balance_remembers_what_left_nothing(asked: int, missing: int, reason: Reason) -> None:
    rule = Balance(missing_percent=50, patience=10)
    assert ask(rule, paired(0, 0, asked, missing)) is reason


@given(small, small, small, small)
def test_balance_never_punishes_giving(gave: int, got: int, credit: int, more: int) -> None:
    rule = Balance(credit=credit)
    if ask(rule, paired(gave, got)) is Reason.ACCEPTED:
        assert ask(rule, paired(gave, got + more)) is Reason.ACCEPTED


@pytest.mark.parametrize(
    ("rule", "fields", "reason"),
    [
        (Capacity(), {"load": 99, "cpu_seconds": 10**6}, Reason.ACCEPTED),
        (Capacity(tasks=2), {"load": 1}, Reason.ACCEPTED),
        (Capacity(tasks=2), {"load": 2}, Reason.CAPACITY),
        (Capacity(cpu_seconds=60), {"cpu_seconds": 60}, Reason.ACCEPTED),
        (Capacity(cpu_seconds=60), {"cpu_seconds": 61}, Reason.LIMITS),
        (Capacity(memory_mib=512), {"memory_mib": 513}, Reason.LIMITS),
    ],
)
def test_capacity(rule: Capacity, fields: dict[str, Any], reason: Reason) -> None:
    assert ask(rule, **fields) is reason


@pytest.mark.parametrize(
    ("rule", "name", "reason"),
    [
        (Names(), "anything", Reason.ACCEPTED),
        (Names(accept=("cc *",)), "cc a.c", Reason.ACCEPTED),
        (Names(accept=("cc *",)), "CC a.c", Reason.POLICY),
        (Names(refuse=("*secret*",)), "cc secret.c", Reason.POLICY),
        (Names(accept=("cc *",), refuse=("*a.c",)), "cc a.c", Reason.POLICY),
    ],
)
def test_names(rule: Names, name: str, reason: Reason) -> None:
    assert ask(rule, process_name=name) is reason


@pytest.mark.parametrize(("until", "listed"), [(None, True), (1001, True), (1000, False)])
def test_lists_end_at_their_second(until: int | None, listed: bool) -> None:
    nodes = {HOME: until}
    assert ask(Allow(nodes)) is (Reason.ACCEPTED if listed else Reason.POLICY)
    assert ask(Deny(nodes)) is (Reason.POLICY if listed else Reason.ACCEPTED)


def test_lists_are_about_the_other_side() -> None:
    assert ask(Allow({HOST: None})) is Reason.POLICY
    assert ask(Allow({HOST: None}), judged=Side.HOST) is Reason.ACCEPTED


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (Minimum(points=10, work=3, canaries=1), Reason.ACCEPTED),
        (Minimum(points=11), Reason.REPUTATION),
        (Minimum(work=4), Reason.REPUTATION),
        (Minimum(canaries=2), Reason.REPUTATION),
    ],
)
def test_minimum(rule: Minimum, reason: Reason) -> None:
    assert ask(rule, replace(KNOWN, home=Standing(k1=9, k2=2, k3=1))) is reason
    swapped = replace(KNOWN, host=Standing(k1=9, k2=2, k3=1))
    assert ask(rule, swapped, judged=Side.HOST) is reason


@pytest.mark.parametrize(("wanted", "reason"), [(2, Reason.ACCEPTED), (3, Reason.REPUTATION)])
@pytest.mark.parametrize("side", Side)
def test_drawn_canaries_count_apart(wanted: int, reason: Reason, side: Side) -> None:
    """Whatever was planted besides."""
    known = Standing(k3=90, drawn=2)
    home = side is Side.HOME
    evidence = replace(KNOWN, home=known) if home else replace(KNOWN, host=known)
    assert ask(Drawn(wanted), evidence, judged=side) is reason


def test_without_a_count_nothing_is_said_of_drawn_canaries() -> None:
    assert ask(Drawn(), replace(KNOWN, home=Standing(k3=5))) is Reason.STALE_LEDGER


def epochs(*pairs: tuple[int, int]) -> Standing:
    return Standing(epochs=pairs)


def test_points_lose_half_in_each_half_life() -> None:
    worth = [decayed(epochs((5, 1000)), epoch, 10) >> SCALE_BITS for epoch in (5, 10, 15, 25, 999)]
    assert worth == [1000, 750, 500, 250, 0]


def test_points_from_a_later_epoch_count_in_full_and_none_are_none() -> None:
    assert decayed(epochs((9, 7)), 5, 10) == 7 << SCALE_BITS
    assert decayed(Standing(), 5, 10) == 0


@given(counts, small, st.integers(1, 100))
def test_decay_is_monotone_and_keeps_at_least_what_it_must(
    points: int, age: int, half_life: int
) -> None:
    now, later = (decayed(epochs((0, points)), e, half_life) for e in (age, age + 1))
    assert 0 <= later <= now <= points << SCALE_BITS
    assert now >= (points << SCALE_BITS) >> (age // half_life + 1)


def test_old_merits_do_not_carry_a_sleeper() -> None:
    worker, sleeper = epochs((100, 1000)), epochs((0, 5000))
    evidence = replace(KNOWN, home=sleeper, host=worker, epoch=100)
    assert ask(Decay(half_life=10), evidence) is Reason.REPUTATION
    assert ask(Decay(half_life=1000), evidence) is Reason.ACCEPTED
    mirrored = replace(KNOWN, home=worker, host=sleeper, epoch=100)
    assert ask(Decay(half_life=10), mirrored, judged=Side.HOST) is Reason.REPUTATION


def stranger(tried: int = 0, good: int = 0, work: int = 0) -> Evidence:
    return replace(KNOWN, home=Standing(k2=work), strangers=Strangers(tried, good))


def test_newcomers_get_one_in_so_many() -> None:
    rule = Newcomers(one_in_at_first=4)
    answers = [ask(rule, stranger(), count=count) is Reason.ACCEPTED for count in range(9)]
    assert answers == [True, False, False, False] * 2 + [True]


def test_newcomers_need_spare_capacity_and_are_new() -> None:
    rule = Newcomers()
    assert ask(rule, stranger(), load=1) is Reason.CAPACITY
    assert ask(rule, stranger(work=1)) is Reason.REPUTATION
    other_way = replace(stranger(), host=Standing(k2=1))
    assert ask(rule, other_way, judged=Side.HOST) is Reason.REPUTATION


def test_the_rate_follows_how_strangers_turned_out() -> None:
    rule = Newcomers(one_in_at_first=20, one_in_at_best=5, one_in_at_worst=200)
    rates = [rule.one_in(Strangers(*seen)) for seen in ((0, 0), (8, 8), (800, 800), (8, 0))]
    assert rates == [20, 12, 5, 110]
    assert rule.one_in(Strangers(10_000, 0)) == 199


@given(small, small, small)
def test_a_good_stranger_never_makes_the_rate_worse(good: int, bad: int, first: int) -> None:
    rule = Newcomers(one_in_at_first=max(5, min(200, first)))
    before = rule.one_in(Strangers(good + bad, good))
    assert 1 <= rule.one_in(Strangers(good + bad + 1, good + 1)) <= before
    assert before <= rule.one_in(Strangers(good + bad + 1, good)) + 1


def both(*rules: Strategy, staleness: Staleness | None = None) -> AllOf:
    return AllOf("mine/3", rules, staleness or Staleness(30, 60))


def aged(age: float) -> Evidence:
    return replace(KNOWN, age=age)


@pytest.mark.parametrize(
    ("age", "freshness"),
    [(30.0, Freshness.FRESH), (30.1, Freshness.GRACE), (90.0, Freshness.GRACE)],
)
def test_data_is_fresh_then_tolerated(age: float, freshness: Freshness) -> None:
    verdict = both(Half()).decide(question(aged(age)))
    assert (verdict.accept, verdict.freshness, verdict.age) == (True, freshness, age)


@pytest.mark.parametrize("evidence", [aged(90.1), None])
def test_behind_a_stale_ledger_the_answer_is_the_configured_one(evidence: Evidence | None) -> None:
    closed = both(Anybody()).decide(question(evidence))
    assert (closed.accept, closed.reason) == (False, Reason.STALE_LEDGER)
    rules = both(Half(), Deny({HOST: None}), staleness=Staleness(30, 60, accept_when_stale=True))
    opened = rules.decide(question(evidence))
    assert (opened.accept, opened.freshness) == (True, Freshness.STALE)
    assert (opened.strategy, opened.rule) == ("mine/3", "ledger")


def test_lists_hold_whatever_the_age_of_the_data() -> None:
    open_ = Staleness(30, 60, accept_when_stale=True)
    verdict = both(Half(), Deny({HOME: None}), staleness=open_).decide(question(aged(1e9)))
    assert (verdict.accept, verdict.reason, verdict.rule) == (False, Reason.POLICY, "deny/1")


def test_the_first_refusal_gives_the_reason() -> None:
    rules = both(Half(), Names(refuse=("*",)), Capacity(tasks=1))
    verdict = rules.decide(question(load=9))
    assert (verdict.reason, verdict.strategy, verdict.rule) == (
        Reason.POLICY,
        "mine/3",
        "names/1",
    )


def test_an_acceptance_quotes_the_numbers_of_all() -> None:
    verdict = both(Half(), Capacity()).decide(question(load=3))
    assert verdict.numbers == {"home_points": 10, "host_points": 10, "load": 3}
    assert (verdict.accept, verdict.rule, verdict.block) == (True, "all", 7)


@given(st.lists(st.booleans(), min_size=1, max_size=6))
def test_all_and_any_are_what_they_say(answers: list[bool]) -> None:
    rules = tuple(Anybody() if yes else Names(refuse=("*",)) for yes in answers)
    assert AllOf("all/1", rules).decide(question()).accept == all(answers)
    assert AnyOf(rules).decide(question()).accept == any(answers)


def test_a_group_that_cannot_tell_says_so() -> None:
    group = AnyOf((Allow(), Half()))
    assert group.decide(question(None)).reason is Reason.STALE_LEDGER
    assert group.decide(question(Evidence(0, 9, 1, 0.0))).reason is Reason.POLICY


def test_needs_add_up() -> None:
    rules = AllOf("x/1", (Balance(), Drawn(), AnyOf((Decay(), Pairs(), Newcomers()))))
    assert rules.needs == frozenset(Need)
    assert AllOf("x/1", (Half(),)).needs == frozenset() == needs_of(Thesis())


def test_a_verdict_says_by_default_that_its_data_is_fresh() -> None:
    assert Verdict(True, Reason.ACCEPTED, "x/1", None, None).freshness is Freshness.FRESH


class Curious:
    """Keeps what a host asked it."""

    name = "curious/1"

    def __init__(self) -> None:
        self.asked: list[Question] = []

    def decide(self, question: Question) -> Verdict:
        self.asked.append(question)
        return Anybody().decide(question)


def test_a_host_tells_its_strategy_what_the_rules_look_at(tmp_path: Path) -> None:
    curious = Curious()
    with World(tmp_path) as world:
        host = world.make_host(strategy=curious)
        for seq in range(2):
            message = make_ask(world.home.me, host.address, seq)
            asyncio.run(host.side.ask(world.home.address, message))
        first, second = curious.asked
        limits = TASK.limits.cpu_seconds, TASK.limits.memory_mib
        assert (second.cpu_seconds, second.memory_mib, second.now) == (*limits, world.clock.time)
        assert [(one.load, one.count) for one in (first, second)] == [(0, 0), (1, 1)]
        assert (first.judged, first.other) == (Side.HOME, world.home.address)
        assert first.evidence == TRUSTED
