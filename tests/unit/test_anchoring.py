"""The packed totals of anchors, as the contract reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.anchoring import pack_totals, unpack_totals


def test_eight_hosts_share_a_word() -> None:
    packed = pack_totals({0: 1, 7: 2, 8: 3})
    assert packed == b"".join(
        (
            *(bytes(4), (2).to_bytes(4, "big"), bytes(24), (1).to_bytes(4, "big")),
            *((1).to_bytes(4, "big"), (3).to_bytes(32, "big")),
        )
    )


@given(st.dictionaries(st.integers(0, 2**35 - 1), st.integers(1, 2**32 - 1), max_size=40))
def test_what_was_packed_is_read_back(added: dict[int, int]) -> None:
    assert unpack_totals(pack_totals(added)) == added


@pytest.mark.parametrize("amount", [0, -1, 2**32])
def test_an_amount_that_does_not_fit_is_refused(amount: int) -> None:
    with pytest.raises(ValueError, match="cannot be added"):
        pack_totals({3: amount})


@pytest.mark.parametrize(
    "packed",
    [b"\0", bytes(36), pack_totals({0: 1}) * 2, pack_totals({8: 1}) + pack_totals({0: 1})],
)
def test_what_is_not_packed_is_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match="word"):
        unpack_totals(packed)
