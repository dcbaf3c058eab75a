"""The ``preimage`` family: x with keccak256(parameters, x) below 2^(256 - bits).

``parameters`` are a challenge of 248 bits and, in the last byte, the bits. Nobody knows an answer
beforehand, not even who chose the challenge; so this family alone serves for ``open`` puzzles.
"""

from __future__ import annotations

from itertools import count

from eth_hash.auto import keccak

from canaries.puzzle import Puzzle, number, within
from canaries.replay import Replay


class Preimage(Replay):
    """A hash with ``difficulty`` leading zero bits."""

    name = "preimage"
    lowest, highest = 4, 64

    def generate(self, seed: bytes, difficulty: int) -> Puzzle:
        within(self, difficulty)
        parameters = number(seed, b"preimage", 248).to_bytes(31, "big") + bytes([difficulty])
        return Puzzle(parameters, (parameters.hex(), str(difficulty)))

    def solve(self, question: tuple[str, ...]) -> int | None:
        """As the solver does, with a faster hash."""
        parameters = bytes.fromhex(question[0])
        return next(x for x in count() if self.verify(parameters, x))

    def verify(self, parameters: bytes, solution: int) -> bool:
        if not 0 <= solution < 1 << 256:
            return False
        found = keccak(parameters + solution.to_bytes(32, "big"))
        return int.from_bytes(found, "big") < 1 << 256 - parameters[31]

    def steps(self, difficulty: int) -> float:
        return float(2**difficulty)
