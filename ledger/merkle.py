"""The tree over a batch's leaves: the smallest power of two, zero padding, by position,
keccak256(left | right)."""

from __future__ import annotations

from collections.abc import Sequence

from eth_hash.auto import keccak

from ledger.types import ZERO_DIGEST, Digest


def depth(count: int) -> int:
    """The length of every path in a tree of ``count`` leaves (0 for one leaf)."""
    return (count - 1).bit_length()


def root(leaves: Sequence[Digest]) -> Digest:
    """The root; ValueError without leaves."""
    return _levels(leaves)[-1][0]


def path(leaves: Sequence[Digest], index: int) -> tuple[Digest, ...]:
    """The siblings from the leaf at ``index`` up to the root."""
    if not 0 <= index < len(leaves):
        raise ValueError(f"no leaf {index} among {len(leaves)}")
    siblings = []
    for level in _levels(leaves)[:-1]:
        siblings.append(level[index ^ 1])
        index >>= 1
    return tuple(siblings)


def root_of_path(leaf: Digest, index: int, siblings: Sequence[Digest]) -> Digest:
    """The root that this path leads to."""
    node = leaf
    for sibling in siblings:
        pair = sibling + node if index & 1 else node + sibling
        node = Digest(keccak(pair))
        index >>= 1
    return node


def _levels(leaves: Sequence[Digest]) -> list[list[Digest]]:
    if not leaves:
        raise ValueError("a tree needs a leaf")
    padding = (1 << depth(len(leaves))) - len(leaves)
    levels = [[*leaves, *[ZERO_DIGEST] * padding]]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([Digest(keccak(below[i] + below[i + 1])) for i in range(0, len(below), 2)])
    return levels
