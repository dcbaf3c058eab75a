"""Marks, commitments, seals: bound to everything, and nothing to be guessed from the hash."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_abi.abi import encode
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from canaries.commitment import ORDINARY, PLANTED, Mark, Place, commitment, seal
from canaries.family import field_of

words = st.binary(min_size=32, max_size=32)
salts = words.filter(any)
addresses = st.binary(min_size=20, max_size=20)
places = st.builds(
    Place, st.integers(0, (1 << 256) - 1), addresses, addresses, addresses, st.integers(0, 2**32)
)
PLACE = Place(1, b"\x01" * 20, b"\x02" * 20, b"\x03" * 20, 4)
TASK, MARK = b"\x05" * 32, b"\x06" * 32


@given(st.sampled_from([ORDINARY, PLANTED]), words, words, salts)
def test_a_marks_hash_is_that_of_its_abi_encoding(
    kind: int, family: bytes, parameters: bytes, salt: bytes
) -> None:
    mark = Mark(kind, family, parameters, salt)
    kinds = ["uint8", "bytes32", "bytes32", "bytes32"]
    assert mark.hash == keccak(encode(kinds, [kind, family, parameters, salt]))
    assert mark.is_canary == (kind == PLANTED)


@given(words, salts, addresses, words)
def test_a_seal_is_that_of_its_abi_encoding(
    result: bytes, salt: bytes, host: bytes, request: bytes
) -> None:
    kinds = ["bytes32", "bytes32", "address", "bytes32"]
    assert seal(result, salt, host, request) == keccak(encode(kinds, [result, salt, host, request]))


@given(places, places)
def test_another_place_has_another_commitment(one: Place, two: Place) -> None:
    same = commitment(one, TASK, MARK) == commitment(two, TASK, MARK)
    assert same == (one == two)


@pytest.mark.parametrize(
    "other",
    [
        replace(PLACE, chain_id=2),
        replace(PLACE, contract=b"\x09" * 20),
        replace(PLACE, home=b"\x09" * 20),
        replace(PLACE, host=b"\x09" * 20),
        replace(PLACE, home=PLACE.host, host=PLACE.home),
        replace(PLACE, seq=5),
    ],
)
def test_a_copied_commitment_is_worthless_elsewhere(other: Place) -> None:
    assert commitment(other, TASK, MARK) != commitment(PLACE, TASK, MARK)


def test_task_and_mark_are_covered_and_not_interchangeable() -> None:
    whole = {commitment(PLACE, *pair) for pair in [(TASK, MARK), (MARK, TASK), (TASK, TASK)]}
    assert len(whole) == 3


@pytest.mark.parametrize("kind", [-1, 2, 256])
def test_a_mark_is_ordinary_or_planted(kind: int) -> None:
    with pytest.raises(ValueError, match="kind 0 or 1"):
        Mark(kind, MARK, MARK, TASK)


@pytest.mark.parametrize("salt", [b"", bytes(32)])
def test_a_mark_without_salt_could_be_guessed(salt: bytes) -> None:
    with pytest.raises(ValueError, match="random bytes of salt"):
        Mark(ORDINARY, MARK, MARK, salt)


@pytest.mark.parametrize("word", [b"", b"\x01" * 31, b"\x01" * 33])
def test_words_have_a_length(word: bytes) -> None:
    with pytest.raises(ValueError, match="every word has 32 bytes"):
        seal(word, TASK, PLACE.host, MARK)


def test_a_family_name_is_a_field() -> None:
    assert field_of("replay") == b"replay" + bytes(26)
    assert field_of("x" * 32) == b"x" * 32
    for name in ("", "x" * 33):
        with pytest.raises(ValueError, match="1 to 32 characters"):
            field_of(name)
    with pytest.raises(UnicodeEncodeError):
        field_of("ä")
