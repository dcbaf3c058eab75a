"""The ``dlog`` family: k in an interval with k*G = Q on secp256k1.

``parameters`` are the address of Q (the last 160 bits of its keccak256), the interval's start in
88 bits and the logarithm of its length in 8. The contract finds the address of k*G by the identity
ecrecover(0, v, Gx, k*Gx) and compares.
"""

from __future__ import annotations

from coincurve import PublicKey
from eth_hash.auto import keccak

from canaries.puzzle import Puzzle, number, within
from canaries.replay import Replay
from canaries.solvers import dlog as solver

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
START_BITS = 88


class Dlog(Replay):
    """A discrete logarithm in an interval of 2^difficulty."""

    name = "dlog"
    lowest, highest = 8, 64

    def generate(self, seed: bytes, difficulty: int) -> Puzzle:
        within(self, difficulty)
        start = 1 + number(seed, b"dlog start", START_BITS - 1)
        point = _multiple(start + number(seed, b"dlog k", difficulty))
        parameters = _address(point) + start.to_bytes(11, "big") + bytes([difficulty])
        return Puzzle(parameters, tuple(map(str, (*point, start, difficulty))))

    def solve(self, question: tuple[str, ...]) -> int | None:
        x, y, start, bits = map(int, question)
        return solver.solve(x, y, start, bits)

    def verify(self, parameters: bytes, solution: int) -> bool:
        target, start = parameters[:20], int.from_bytes(parameters[20:31], "big")
        if not any(target) or not start <= solution < start + (1 << parameters[31]):
            return False
        if solution % ORDER == 0:
            return False
        return _address(_multiple(solution % ORDER)) == target

    def steps(self, difficulty: int) -> float:
        """2^(d/2) baby steps, and half as many giant steps on average."""
        return 1.5 * float(2 ** (difficulty / 2))


def _multiple(k: int) -> tuple[int, int]:
    """k*G, 0 < k < ORDER."""
    return PublicKey.from_secret(k.to_bytes(32, "big")).point()


def _address(point: tuple[int, int]) -> bytes:
    return keccak(point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big"))[12:]
