"""The tree over a batch: every leaf has its path, and no other leaf has it."""

from __future__ import annotations

import pytest
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from ledger.merkle import depth, path, root, root_of_path
from ledger.types import ZERO_DIGEST, Digest

leaves = st.binary(min_size=32, max_size=32).filter(any).map(Digest)
batches = st.lists(leaves, min_size=1, max_size=20)
A, B, C = (Digest(bytes([n]) * 32) for n in (1, 2, 3))


def test_small_trees_by_hand() -> None:
    assert root([A]) == A
    assert root([A, B]) == keccak(A + B)
    assert root([A, B, C]) == keccak(keccak(A + B) + keccak(C + ZERO_DIGEST))
    assert path([A, B, C], 2) == (ZERO_DIGEST, keccak(A + B))


@pytest.mark.parametrize(
    ("count", "levels"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (127, 7), (128, 7)]
)
def test_depth(count: int, levels: int) -> None:
    assert depth(count) == levels
    assert len(path([A] * count, count - 1)) == levels


@given(batches, st.data())
def test_every_path_leads_to_the_root(batch: list[Digest], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(batch) - 1))
    siblings = path(batch, index)
    assert root_of_path(batch[index], index, siblings) == root(batch)
    other = data.draw(leaves)
    assert (root_of_path(other, index, siblings) == root(batch)) == (other == batch[index])


@given(st.lists(leaves, min_size=2, max_size=20, unique=True), st.data())
def test_a_path_belongs_to_its_position(batch: list[Digest], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(batch) - 1))
    wrong = data.draw(st.integers(0, (1 << depth(len(batch))) - 1).filter(lambda i: i != index))
    assert root_of_path(batch[index], wrong, path(batch, index)) != root(batch)


@pytest.mark.parametrize("index", [-1, 3, 4])
def test_padding_and_places_outside_have_no_path(index: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        path([A, B, C], index)


def test_no_tree_without_leaves() -> None:
    with pytest.raises(ValueError, match="needs a leaf"):
        root([])
