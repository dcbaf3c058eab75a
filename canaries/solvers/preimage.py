"""Finds x with keccak256(challenge, x) below 2^(256 - bits), trying x = 0, 1, 2, ...

Arguments: the challenge as 64 hexadecimal digits, and bits as a decimal number. About 2^bits
hashes. hashlib has only the standardised SHA-3, whose padding differs; hence Keccak's permutation
here (Bertoni et al., "The Keccak reference", 2011, section 1.2).
"""

from __future__ import annotations

import sys
from itertools import count

MASK = (1 << 64) - 1
RATE_WORDS = 17


def _constants() -> tuple[list[int], list[tuple[int, int]]]:
    """Round constants from the LFSR x^8 + x^6 + x^5 + x^4 + 1; places and rotations of rho and
    pi."""
    rounds, register = [], 1
    for _ in range(24):
        word = 0
        for power in range(7):
            word |= (register & 1) << (1 << power) - 1
            register = register << 1 ^ (0x171 if register & 0x80 else 0)
        rounds.append(word)
    walk, x, y = [], 1, 0
    for step in range(24):
        x, y = y, (2 * x + 3 * y) % 5
        walk.append((x + 5 * y, (step + 1) * (step + 2) // 2 % 64))
    return rounds, walk


ROUNDS, WALK = _constants()


def _permute(lanes: list[int]) -> None:
    for constant in ROUNDS:
        columns = [
            lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20]
            for x in range(5)
        ]
        for x in range(5):
            right = columns[(x + 1) % 5]
            mix = columns[x - 1] ^ (right << 1 | right >> 63) & MASK
            for row in range(0, 25, 5):
                lanes[x + row] ^= mix
        carried = lanes[1]
        for place, turn in WALK:
            lanes[place], carried = (carried << turn | carried >> 64 - turn) & MASK, lanes[place]
        for row in range(0, 25, 5):
            a, b, c, d, e = lanes[row : row + 5]
            lanes[row : row + 5] = a ^ ~b & c, b ^ ~c & d, c ^ ~d & e, d ^ ~e & a, e ^ ~a & b
            for x in range(row, row + 5):
                lanes[x] &= MASK
        lanes[0] ^= constant


def keccak_of_two_words(first: bytes, second: bytes) -> bytes:
    """keccak256 of 64 bytes: one block of 136, padded with 0x01 ... 0x80."""
    block = first + second + b"\x01" + bytes(70) + b"\x80"
    lanes = [int.from_bytes(block[8 * i : 8 * i + 8], "little") for i in range(RATE_WORDS)]
    lanes += [0] * (25 - RATE_WORDS)
    _permute(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def solve(challenge: bytes, bits: int) -> int:
    """The smallest x."""
    for x in count():
        found = keccak_of_two_words(challenge, x.to_bytes(32, "big"))
        if int.from_bytes(found, "big") >> 256 - bits == 0:
            return x
    raise AssertionError


def answer(question: tuple[str, ...]) -> int:
    return solve(bytes.fromhex(question[0]), int(question[1]))


if __name__ == "__main__":
    print(f"{answer(tuple(sys.argv[1:])):064x}")
