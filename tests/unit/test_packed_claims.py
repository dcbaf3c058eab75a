"""The packed claims: what is shared is left out, what is written can be read, nothing else can."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.assets import Request
from ledger.errors import PeerError
from ledger.packed_claims import (
    DRAWN,
    PLANTED,
    PUZZLE,
    SAME_HOME,
    SIGNED,
    ClaimedCanary,
    ClaimItem,
    DrawnOpening,
    HomesWords,
    PlantedOpening,
    PuzzleOpening,
    decode_claimed,
    encode_claimed,
    encode_claims,
)
from ledger.types import Address, Digest

HOME, HOST = Address(b"\x11" * 20), Address(b"\x22" * 20)
WORDS = tuple(Digest(bytes([n]) * 32) for n in range(1, 9))
ONE, TWO, THREE, *_ = WORDS
REQUEST = Request(HOME, HOST, ONE, TWO, THREE, 60, 512, 1024, 7, 900, 100)
PUZZLE_OPENING = PuzzleOpening(4, *WORDS[:5])
PLANTED_OPENING = PlantedOpening(*WORDS[:6])
DRAWN_OPENING = DrawnOpening(*WORDS[:4])
STRICT = ClaimItem(REQUEST, 110, DRAWN_OPENING)
TREE = Digest(b"\x99" * 32)
IN_BATCH = replace(STRICT, tree=TREE, index=5, path=WORDS[:3])
RESULT = (
    REQUEST.process_id
    + REQUEST.process_name
    + bytes.fromhex("00000007 00000064 000320 00003c 000200 00000400 00000a")
)
"""Number 7, signed at 100, due 800 later, 60 s, 512 MiB, 1024 KiB, RESULT 10 later."""

digests = st.binary(min_size=32, max_size=32).map(Digest)
openings = st.one_of(
    st.builds(PuzzleOpening, st.integers(0, 255), *[digests] * 5),
    st.builds(PlantedOpening, *[digests] * 6),
    st.builds(DrawnOpening, *[digests] * 4),
)
said = st.none() | st.builds(HomesWords, st.integers(0, 2**64 - 1), st.binary(max_size=300))
claimed = st.builds(
    ClaimedCanary,
    st.binary(min_size=20, max_size=20).map(Address),
    st.integers(0, 2**32 - 1),
    openings,
    said,
)


@given(st.lists(claimed, max_size=5))
def test_what_the_log_says_is_read_back(claims: list[ClaimedCanary]) -> None:
    assert decode_claimed(encode_claimed(claims)) == claims


@pytest.mark.parametrize("opening", [PUZZLE_OPENING, PLANTED_OPENING, DRAWN_OPENING])
@pytest.mark.parametrize("words", [None, HomesWords(1, b"twelve bytes")])
def test_half_a_claim_is_none(
    opening: PuzzleOpening | PlantedOpening | DrawnOpening, words: HomesWords | None
) -> None:
    packed = encode_claimed([ClaimedCanary(HOME, 7, opening, words)])
    for cut in range(1, len(packed)):
        with pytest.raises(PeerError):
            decode_claimed(packed[:cut])


@pytest.mark.parametrize("form", [0, SIGNED, PUZZLE | SAME_HOME, DRAWN | 16, 255])
def test_a_form_that_there_is_not(form: int) -> None:
    with pytest.raises(PeerError, match=f"form {form}"):
        decode_claimed(bytes([form]) + bytes(400))


@pytest.mark.parametrize(
    ("opening", "form", "shown"),
    [
        (PUZZLE_OPENING, PUZZLE, b"\x04" + b"".join(WORDS[:5])),
        (PLANTED_OPENING, PLANTED, b"".join(WORDS[:6])),
        (DRAWN_OPENING, DRAWN, b"".join(WORDS[:4])),
    ],
)
def test_a_claim_byte_by_byte(
    opening: PuzzleOpening | PlantedOpening | DrawnOpening, form: int, shown: bytes
) -> None:
    strict = replace(STRICT, opening=opening)
    assert encode_claims([strict]) == bytes([form]) + HOME + RESULT + b"\0" + shown
    in_batch = replace(IN_BATCH, opening=opening)
    place = bytes([0b1111, 5]) + b"".join(WORDS[:3])
    assert encode_claims([in_batch]) == bytes([form]) + HOME + RESULT + place + shown


def test_the_home_s_words_ride_along() -> None:
    signed = replace(STRICT, words=HomesWords(999, b"its signature"))
    plain = encode_claims([STRICT])
    tail = (999).to_bytes(8, "big") + b"\0\x0d" + b"its signature"
    assert encode_claims([signed]) == bytes([DRAWN | SIGNED]) + plain[1:] + tail


def test_neighbours_share_their_home_and_the_nodes_above_them() -> None:
    neighbour = replace(IN_BATCH, index=4, path=(WORDS[7], *WORDS[1:3]))
    second = encode_claims([IN_BATCH, neighbour]).removeprefix(encode_claims([IN_BATCH]))
    place = bytes([0b1001, 4]) + WORDS[7]
    assert second == bytes([DRAWN | SAME_HOME]) + RESULT + place + b"".join(WORDS[:4])


@pytest.mark.parametrize(
    ("change", "shares_home"),
    [
        ({"tree": Digest(b"\x98" * 32)}, True),
        ({"request": replace(REQUEST, home=HOST)}, False),
    ],
    ids=["another batch", "another home"],
)
def test_what_is_not_the_same_is_not_shared(change: dict[str, object], shares_home: bool) -> None:
    other = replace(IN_BATCH, **change)  # type: ignore[arg-type]
    second = encode_claims([IN_BATCH, other]).removeprefix(encode_claims([IN_BATCH]))
    assert bool(second[0] & SAME_HOME) is shares_home
    nodes = b"".join(WORDS[:3])
    assert (bytes([0b1111, 5]) + nodes in second) is ("tree" in change)


def test_a_claim_of_one_leaf_has_no_nodes() -> None:
    alone = replace(IN_BATCH, index=0, path=())
    assert bytes([1, 0]) + DRAWN_OPENING.task_digest in encode_claims([alone])


@pytest.mark.parametrize(
    "change",
    [
        {"result_signed_at": REQUEST.signed_at - 1},
        {"result_signed_at": REQUEST.signed_at + (1 << 24)},
        {"request": replace(REQUEST, cpu_seconds=1 << 24)},
        {"request": replace(REQUEST, seq=1 << 32)},
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        encode_claims([replace(STRICT, **change)])  # type: ignore[arg-type]
