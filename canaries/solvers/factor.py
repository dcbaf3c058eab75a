"""Finds a factor of a semiprime: Pollard's rho in Brent's form (Brent 1980, "An improved Monte
Carlo factorization algorithm").

Arguments: N as a decimal number. About the fourth root of N steps.
"""

from __future__ import annotations

import sys
from math import gcd

BURST = 256
"""Differences that are multiplied up before one gcd is taken."""


def solve(n: int) -> int | None:
    """The smaller factor found, 1 < p < n; None where n is prime or 1."""
    for constant in range(1, 64 if n > 1 else 1):
        factor = _walk(n, constant)
        if 1 < factor < n:
            return min(factor, n // factor)
    return None


def _walk(n: int, constant: int) -> int:
    """One walk x -> x^2 + constant; n itself when it closed without a factor."""
    ahead = here = 2
    length, product = 1, 1
    while True:
        here = ahead
        for _ in range(length):
            ahead = (ahead * ahead + constant) % n
        done = 0
        while done < length:
            back = ahead
            for _ in range(min(BURST, length - done)):
                ahead = (ahead * ahead + constant) % n
                product = product * (here - ahead) % n
            factor = gcd(product, n)
            if factor == n:
                return _one_by_one(n, constant, here, back)
            if factor > 1:
                return factor
            done += BURST
        length *= 2


def _one_by_one(n: int, constant: int, here: int, ahead: int) -> int:
    """Goes the last burst again, step by step."""
    while True:
        ahead = (ahead * ahead + constant) % n
        factor = gcd(here - ahead, n)
        if factor > 1:
            return factor


def answer(question: tuple[str, ...]) -> int | None:
    return solve(int(question[0]))


if __name__ == "__main__":
    found = answer(tuple(sys.argv[1:]))
    if found is None:
        sys.exit("there is no factor")
    print(f"{found:064x}")
