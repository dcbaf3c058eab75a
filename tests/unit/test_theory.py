"""Section 6.5.1 of the thesis as assertions: what each kind of vermin gets, by the rules alone.

Every sentence there about who is rejected is read for a host with Kudos of its own: to a host with
none, nobody is below the border.
"""

from __future__ import annotations

import pytest

from ledger.assets import K1_REJECTED, K2_CONFIRMED, K3_CANARY, POINTS
from ledger.reasons import Reason
from ledger.types import Address
from node.admission import Evidence, Pair, Question, Side, Standing, Verdict
from node.strategy.rules import Balance
from node.strategy.thesis import Half, Thesis

HOME, HOST = Address(b"\x01" * 20), Address(b"\x02" * 20)
FAIR = Standing(k1=4, k2=60, k3=10)
"""What a fair node has after some 70 tasks of which ten were canaries."""


def points(standing: Standing) -> int:
    records = {K1_REJECTED: standing.k1, K2_CONFIRMED: standing.k2, K3_CANARY: standing.k3}
    return sum(POINTS[level] * count for level, count in records.items())


def asks(vermin: Standing, host: Standing = FAIR, pair: Pair | None = None) -> Question:
    """A node with this standing asks a host with that one."""
    evidence = Evidence(
        points(vermin), points(host), block=1, age=0.0, home=vermin, host=host, pair=pair
    )
    return Question(HOME, HOST, "cc", evidence, 0)


def half(question: Question) -> Verdict:
    return Half().decide(question)


def test_the_scale_is_the_thesis_own() -> None:
    assert (POINTS[K1_REJECTED], POINTS[K2_CONFIRMED], POINTS[K3_CANARY]) == (1, 10, 100)
    assert points(FAIR) == 1_604


def test_fair_nodes_help_each_other() -> None:
    assert half(asks(FAIR)).accept


def test_uc1_who_ignores_requests_stays_at_zero_and_is_refused() -> None:
    ignoring = Standing()
    assert points(ignoring) == 0
    assert half(asks(ignoring)).reason == Reason.REPUTATION
    assert Thesis().decide(asks(ignoring)).reason == Reason.REPUTATION


def test_uc1_is_refused_by_whoever_has_any_kudos_at_all() -> None:
    assert not half(asks(Standing(), host=Standing(k1=1))).accept
    assert half(asks(Standing(), host=Standing())).accept, "a network has to begin somehow"


def test_uc2_who_only_rejects_earns_little_and_is_refused() -> None:
    rejections = 100
    rejecting = Standing(k1=rejections)
    assert points(rejecting) == rejections
    assert half(asks(rejecting)).reason == Reason.REPUTATION
    # As many tasks run for others, a tenth of them canaries, are worth far more than twice that.
    working = Standing(k2=rejections, k3=rejections // 10)
    assert not half(asks(rejecting, host=working)).accept


@pytest.mark.parametrize("tasks", [13, 130, 1_300])
def test_uc3_wrong_results_earn_no_canary_kudos_and_fall_below_the_border(tasks: int) -> None:
    """Two tasks in thirteen are canaries. Wrong results leave K2 as it is: nobody sees them."""
    canaries = tasks * 2 // 13
    wrong, right = Standing(k2=tasks), Standing(k2=tasks, k3=canaries)
    assert points(right) - points(wrong) == canaries * 100
    assert not half(asks(wrong, host=right)).accept
    assert half(asks(right, host=right)).accept


def test_uc3_no_cheater_makes_up_for_canaries_by_less_than_a_quarter_more_work() -> None:
    right = Standing(k2=130, k3=20)
    assert not half(asks(Standing(k2=130 + 130 // 4), host=right)).accept


def test_uc4_who_plays_dead_after_accepting_is_worse_off_than_uc3() -> None:
    """In the thesis the same as UC3; here K2 waits for a RESULT in time, so there is none."""
    dead, wrong = Standing(k1=4), Standing(k1=4, k2=60)
    assert points(dead) < points(wrong)
    assert not half(asks(dead)).accept


def test_uc5_has_a_good_global_reputation_and_is_refused_by_its_balance() -> None:
    greedy = FAIR
    fair_pair, unfair_pair = Pair(host_ran=12, home_ran=10), Pair(host_ran=40, home_ran=10)
    assert half(asks(greedy, pair=unfair_pair)).accept, "globally nothing is wrong with it"
    assert Balance(credit=20).decide(asks(greedy, pair=fair_pair)).accept
    refused = Balance(credit=20).decide(asks(greedy, pair=unfair_pair))
    assert not refused.accept
    assert refused.numbers


def test_uc5_is_a_matter_between_two_nodes() -> None:
    """Another host, for which it has worked as much, goes on helping it."""
    elsewhere = Pair(host_ran=40, home_ran=40)
    assert Balance(credit=20).decide(asks(FAIR, pair=elsewhere)).accept


def test_uc6_a_new_identity_starts_at_zero() -> None:
    before, after = FAIR, Standing()
    assert half(asks(before)).accept
    assert points(after) == 0
    assert not half(asks(after)).accept


def test_hosts_are_judged_by_the_same_border() -> None:
    evidence = Evidence(points(FAIR), 0, block=1, age=0.0, home=FAIR, host=Standing())
    assert not half(Question(HOME, HOST, "cc", evidence, 0, judged=Side.HOST)).accept


def test_the_border_is_half_of_ones_own() -> None:
    own = Standing(k2=10)
    assert half(asks(Standing(k2=5), host=own)).accept
    assert not half(asks(Standing(k1=9, k2=4), host=own)).accept
