"""The anchored mode's totals in their packed form, as ``IAnchoredLedger`` draws it. Pure.

Hosts have dense indexes; eight of them share a word, 32 bits each, the first in the lowest bits.
"""

from __future__ import annotations

from collections.abc import Mapping

LANES = 8
LANE_BITS = 32
MAX_LEAVES = 1 << 20


def pack_totals(added: Mapping[int, int]) -> bytes:
    """What is added to the totals, by host index: ``(word:4 | eight lanes:32)...``, ascending."""
    words: dict[int, int] = {}
    for index, amount in added.items():
        if not 0 < amount < 1 << LANE_BITS:
            raise ValueError(f"{amount} cannot be added to the total of host {index}")
        word, lane = divmod(index, LANES)
        words[word] = words.get(word, 0) | amount << (LANE_BITS * lane)
    return b"".join(
        word.to_bytes(4, "big") + lanes.to_bytes(32, "big") for word, lanes in sorted(words.items())
    )


def unpack_totals(packed: bytes) -> dict[int, int]:
    """The reverse, for readers of the log; ValueError when it is not in the packed form."""
    if len(packed) % 36:
        raise ValueError(f"{len(packed)} bytes are not a list of words")
    added: dict[int, int] = {}
    lowest = 0
    for start in range(0, len(packed), 36):
        word = int.from_bytes(packed[start : start + 4], "big")
        lanes = int.from_bytes(packed[start + 4 : start + 36], "big")
        if word < lowest or not lanes:
            raise ValueError(f"word {word} is out of order or empty")
        lowest = word + 1
        for lane in range(LANES):
            amount = lanes >> (LANE_BITS * lane) & 0xFFFF_FFFF
            if amount:
                added[word * LANES + lane] = amount
    return added
