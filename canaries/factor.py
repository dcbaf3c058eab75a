"""The ``factor`` family: p with 1 < p < N that divides N, a product of two primes.

``parameters`` are N.
"""

from __future__ import annotations

from canaries.puzzle import Puzzle, number, within
from canaries.replay import Replay
from canaries.solvers import factor as solver

_BASES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41)
"""Miller and Rabin's test with these is exact below 3.3 * 10^24 (Sorenson and Webster 2015)."""


class Factor(Replay):
    """Two primes of ``difficulty`` bits each."""

    name = "factor"
    lowest, highest = 16, 80

    def generate(self, seed: bytes, difficulty: int) -> Puzzle:
        within(self, difficulty)
        p = _prime(number(seed, b"factor p", difficulty), difficulty)
        q = _prime(number(seed, b"factor q", difficulty), difficulty)
        if p == q:
            q = _prime(q + 2, difficulty)
        n = p * q
        return Puzzle(n.to_bytes(32, "big"), (str(n),))

    def solve(self, question: tuple[str, ...]) -> int | None:
        return solver.solve(int(question[0]))

    def verify(self, parameters: bytes, solution: int) -> bool:
        n = int.from_bytes(parameters, "big")
        return 1 < solution < n and n % solution == 0

    def steps(self, difficulty: int) -> float:
        """Rho finds p after some 1.2 * sqrt(p) steps; Brent's form takes a half more."""
        return 1.8 * float(2 ** (difficulty / 2))


def _prime(start: int, bits: int) -> int:
    """The first prime from ``start`` on, with the two highest bits set, so that N has all its
    bits; it wraps round to where the primes of that length begin."""
    low = 0b11 << bits - 2
    candidate = (low | start) | 1
    while not _is_prime(candidate):
        candidate = candidate + 2 if candidate + 2 < 1 << bits else low | 1
    return candidate


def _is_prime(n: int) -> bool:
    if any(n % base == 0 for base in _BASES):
        return n in _BASES
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    return all(_passes(n, base, odd, twos) for base in _BASES)


def _passes(n: int, base: int, odd: int, twos: int) -> bool:
    x = pow(base, odd, n)
    return x in (1, n - 1) or any((x := x * x % n) == n - 1 for _ in range(twos - 1))
