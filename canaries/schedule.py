"""When a home plants a canary.

The thesis emits one after 1 to 10 ordinary tasks, drawn uniformly: 5.5 on average, so 2 tasks in 13
are canaries. Its own schedule has a tell: ten ordinary tasks are surely followed by a canary.
``Independent`` keeps the mean and draws every task on its own; ``ThesisSchedule`` can be chosen for
comparison.

Draws are HMAC-SHA-256 under a secret, so that somebody who has seen all earlier canaries learns
nothing about the next. ``Independent`` draws from the request's place (host and sequence number):
which requests are canaries depends on nothing that happens in between, not even on a restart.
"""

from __future__ import annotations

import hashlib
import hmac
from fractions import Fraction
from typing import Protocol

THESIS_RATE = Fraction(2, 13)
FLOOR = Fraction(1, 50)
"""No trust switches the checks off: a lower rate is refused."""


class Schedule(Protocol):
    def is_canary(self, host: bytes, seq: int) -> bool:
        """Whether the request with this number to this host (20 bytes) gets a canary's mark; asked
        once for each."""
        ...


class _Draws:
    """Numbers in [0, 2^256) that only the holder of the secret can tell."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 32:
            raise ValueError("a schedule's secret has at least 32 bytes")
        self._secret = secret

    def at(self, place: bytes) -> int:
        return int.from_bytes(hmac.digest(self._secret, place, hashlib.sha256), "big")


class Independent:
    """Every task is a canary with the same probability, whatever came before."""

    def __init__(self, secret: bytes, rate: Fraction = THESIS_RATE) -> None:
        if not FLOOR <= rate <= 1:
            raise ValueError(f"the canary rate must be in [{FLOOR}, 1], not {rate}")
        self._draws, self._rate = _Draws(secret), rate

    def is_canary(self, host: bytes, seq: int) -> bool:
        drawn = self._draws.at(host + seq.to_bytes(4, "big"))
        return drawn * self._rate.denominator < self._rate.numerator << 256


class Unplanted:
    """No canary is planted: for ledgers whose beacon draws them."""

    def is_canary(self, host: bytes, seq: int) -> bool:
        return False


class ThesisSchedule:
    """A canary after 1 to 10 ordinary tasks, uniformly (thesis, section 6.4.3)."""

    def __init__(self, secret: bytes) -> None:
        self._draws, self._count = _Draws(secret), 0
        self._ordinary_left = self._draw_gap()

    def is_canary(self, host: bytes, seq: int) -> bool:
        if self._ordinary_left:
            self._ordinary_left -= 1
            return False
        self._ordinary_left = self._draw_gap()
        return True

    def _draw_gap(self) -> int:
        self._count += 1
        return 1 + self._draws.at(self._count.to_bytes(8, "big")) % 10
