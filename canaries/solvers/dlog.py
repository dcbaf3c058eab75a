"""Finds k with k*G = Q on secp256k1, start <= k < start + 2^bits: baby steps, giant steps.

Arguments: x and y of Q, start and bits, as decimal numbers. About 2^(bits/2) steps and
table entries.
"""

from __future__ import annotations

import sys

P = 2**256 - 2**32 - 977
"""The field's prime (SEC 2, section 2.4.1)."""
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)
Point = tuple[int, int] | None
"""Affine coordinates; None is the point at infinity."""


def add(a: Point, b: Point) -> Point:
    if a is None or b is None:
        return b if a is None else a
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, P) % P
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P) % P
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def negate(a: Point) -> Point:
    return None if a is None else (a[0], -a[1] % P)


def multiply(k: int, a: Point) -> Point:
    total: Point = None
    while k:
        if k & 1:
            total = add(total, a)
        a, k = add(a, a), k >> 1
    return total


def solve(x: int, y: int, start: int, bits: int) -> int | None:
    """k, or None where the interval holds none."""
    size = 1 << (bits + 1) // 2
    baby: dict[Point, int] = {}
    point: Point = None
    for step in range(size):
        baby[point] = step
        point = add(point, G)
    back = negate(multiply(size, G))
    target = add((x, y), negate(multiply(start, G)))
    for giant in range((1 << bits) // size + 1):
        if target in baby:
            k = giant * size + baby[target]
            return start + k if k < 1 << bits else None
        target = add(target, back)
    return None


def answer(question: tuple[str, ...]) -> int | None:
    return solve(*map(int, question))


if __name__ == "__main__":
    found = answer(tuple(sys.argv[1:]))
    if found is None:
        sys.exit("there is no such k")
    print(f"{found:064x}")
