"""m-of-n over bitmaps, as the contract counts it. A bit stands for the claim at that index of a
batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Decision:
    """Claims that became final, as bitmaps."""

    verified: int
    refused: int


def at_least(bitmaps: Sequence[int], m: int) -> int:
    """The bits set in at least ``m`` of the bitmaps; every bit of 128 for m = 0."""
    reached = [(1 << 128) - 1] + [0] * m
    for bitmap in bitmaps:
        for level in range(m, 0, -1):
            reached[level] |= reached[level - 1] & bitmap
    return reached[m]


def decide(
    claims: int,
    approvals: Sequence[int],
    refusals: Sequence[int],
    *,
    validators: int,
    threshold: int,
) -> Decision:
    """Approvals of ``threshold`` verify; refusals that leave fewer than ``threshold`` others
    refuse."""
    verified = at_least(approvals, threshold) & claims
    refused = at_least(refusals, validators - threshold + 1) & claims & ~verified
    return Decision(verified, refused)


def indices(bitmap: int) -> list[int]:
    """The positions of the set bits, ascending."""
    return [index for index in range(bitmap.bit_length()) if bitmap >> index & 1]
