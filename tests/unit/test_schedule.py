"""When canaries are planted: at the thesis' rate, without its tell, and never switched off."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canaries.schedule import FLOOR, THESIS_RATE, Independent, Schedule, ThesisSchedule

SECRET = bytes(range(32))
HOST = bytes(range(20))
DRAWS = 100_000


def draw(schedule: Schedule, count: int) -> list[bool]:
    return [schedule.is_canary(HOST, seq) for seq in range(count)]


@pytest.fixture(scope="module")
def drawn() -> list[bool]:
    return draw(Independent(SECRET), DRAWS)


def test_the_rate_is_the_thesis(drawn: list[bool]) -> None:
    """Within four standard deviations of 2/13."""
    assert Fraction(2, 13) == THESIS_RATE
    expected = DRAWS * 2 / 13
    deviation = (DRAWS * (2 / 13) * (11 / 13)) ** 0.5
    assert abs(sum(drawn) - expected) < 4 * deviation


def test_what_was_seen_tells_nothing_about_the_next(drawn: list[bool]) -> None:
    """After each of the eight pasts of length three the rate is the same; so it is after ten
    ordinary tasks, where the thesis' own schedule is sure to plant."""
    after: dict[tuple[bool, ...], list[bool]] = {}
    for place in range(3, DRAWS):
        after.setdefault(tuple(drawn[place - 3 : place]), []).append(drawn[place])
    after[(False,) * 10] = [
        drawn[place] for place in range(10, DRAWS) if not any(drawn[place - 10 : place])
    ]
    assert len(after) == 9
    for past, following in after.items():
        tolerance = 4.5 * (2 / 13 * 11 / 13 / len(following)) ** 0.5
        assert abs(sum(following) / len(following) - 2 / 13) < tolerance, past


def test_another_secret_gives_other_draws_and_the_same_one_the_same() -> None:
    one = draw(Independent(SECRET), 500)
    assert draw(Independent(SECRET), 500) == one
    assert draw(Independent(SECRET[::-1]), 500) != one


def test_a_draw_depends_on_host_and_number_alone() -> None:
    """A restart, another order or a second host change nothing for the requests to the first."""
    schedule, again = Independent(SECRET), Independent(SECRET)
    forwards = [schedule.is_canary(HOST, seq) for seq in range(500)]
    backwards = []
    for seq in reversed(range(500)):
        again.is_canary(HOST[::-1], seq)
        backwards.append(again.is_canary(HOST, seq))
    assert backwards[::-1] == forwards
    assert draw(schedule, 500) == forwards
    assert [schedule.is_canary(HOST[::-1], seq) for seq in range(500)] != forwards


def test_the_thesis_gaps_are_one_to_ten_uniformly() -> None:
    gaps: list[int] = []
    length = 0
    for canary in draw(ThesisSchedule(SECRET), 65_000):
        if canary:
            gaps.append(length)
            length = 0
        else:
            length += 1
    counts = Counter(gaps)
    assert set(counts) == set(range(1, 11))
    expected = len(gaps) / 10
    chi_squared = sum((count - expected) ** 2 / expected for count in counts.values())
    assert chi_squared < 27.9, "1 in 1,000 for nine degrees of freedom"


def test_the_thesis_schedule_has_the_same_mean() -> None:
    canaries = sum(draw(ThesisSchedule(SECRET), DRAWS))
    assert abs(canaries / DRAWS - 2 / 13) < 0.005


@pytest.mark.parametrize("rate", [Fraction(0), FLOOR - Fraction(1, 10**9), Fraction(101, 100)])
def test_trust_does_not_switch_checks_off(rate: Fraction) -> None:
    with pytest.raises(ValueError, match="canary rate"):
        Independent(SECRET, rate)


def test_the_bounds_themselves_are_allowed() -> None:
    assert all(draw(Independent(SECRET, Fraction(1)), 200))
    rate = sum(draw(Independent(SECRET, FLOOR), 20_000)) / 20_000
    assert abs(rate - 1 / 50) < 0.004


@pytest.mark.parametrize("kind", [Independent, ThesisSchedule])
def test_a_short_secret_is_refused(kind: type[Independent] | type[ThesisSchedule]) -> None:
    with pytest.raises(ValueError, match="at least 32 bytes"):
        kind(bytes(31))


@given(st.binary(min_size=32, max_size=64))
def test_no_secret_leaves_a_long_job_unchecked(secret: bytes) -> None:
    """200 tasks without a canary happen once in 10^14 jobs."""
    assert any(draw(Independent(secret), 200))
