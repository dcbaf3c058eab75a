"""m-of-n over bitmaps against counting by hand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ledger.tally import at_least, decide, indices

bitmaps = st.lists(st.integers(0, (1 << 128) - 1), max_size=7)
small = st.lists(st.integers(0, 0xFF), max_size=7)


def counted(maps: list[int], m: int) -> int:
    return sum(1 << i for i in range(128) if sum(bitmap >> i & 1 for bitmap in maps) >= m)


@given(bitmaps, st.integers(0, 8))
def test_bits_set_often_enough(maps: list[int], m: int) -> None:
    assert at_least(maps, m) == counted(maps, m)


@given(st.integers(0, 0xFF), st.data(), st.integers(1, 7))
def test_a_decision_is_what_counting_gives(claims: int, data: st.DataObject, n: int) -> None:
    """Each validator approves, refuses or is silent on each claim, never two of them."""
    threshold = data.draw(st.integers(n // 2 + 1, n))
    approvals = data.draw(st.lists(st.integers(0, 0xFF), min_size=n, max_size=n))
    words = data.draw(st.lists(st.integers(0, 0xFF), min_size=n, max_size=n))
    refusals = [word & ~approval for word, approval in zip(words, approvals, strict=True)]
    decision = decide(claims, approvals, refusals, validators=n, threshold=threshold)
    for index in range(8):
        claimed = claims >> index & 1
        yes = sum(approval >> index & 1 for approval in approvals)
        no = sum(refusal >> index & 1 for refusal in refusals)
        assert decision.verified >> index & 1 == int(claimed and yes >= threshold)
        assert decision.refused >> index & 1 == int(claimed and n - no < threshold)
    assert decision.verified & decision.refused == 0
    assert (decision.verified | decision.refused) & ~claims == 0


@given(small, st.integers(1, 5))
def test_the_order_of_votes_does_not_matter(maps: list[int], m: int) -> None:
    assert at_least(maps, m) == at_least(maps[::-1], m)


def test_what_is_verified_is_not_refused_as_well() -> None:
    decision = decide(1, [1, 1, 0], [1, 1, 0], validators=3, threshold=2)
    assert (decision.verified, decision.refused) == (1, 0)


@given(st.integers(0, (1 << 128) - 1))
def test_indices_are_the_set_bits(bitmap: int) -> None:
    found = indices(bitmap)
    assert sum(1 << index for index in found) == bitmap
    assert found == sorted(found)
