"""What a long piece of work is at: each step when it begins, and now and then how far it is."""

from __future__ import annotations

from collections.abc import Callable

EVERY_SECONDS = 10.0
INSTRUCTIONS = 1_000_000
"""SQLite's own, between two looks at the clock: a few milliseconds."""


class Progress:
    """Lines of progress; ``look`` may be called as often as one likes, by SQLite itself, too
    (``set_progress_handler``)."""

    def __init__(self, say: Callable[[str], object], monotonic: Callable[[], float]) -> None:
        self._say, self._monotonic = say, monotonic
        self._began = self._last = monotonic()
        self._step = ""

    def step(self, text: str) -> None:
        """Another step begins."""
        self._step = text
        self._line(self._monotonic())

    def look(self, text: str = "") -> int:
        """The same step goes on, or is at ``text``; 0, by which SQLite goes on, too."""
        self._step = text or self._step
        now = self._monotonic()
        if now - self._last >= EVERY_SECONDS:
            self._line(now)
        return 0

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return self._monotonic() - self._began

    def _line(self, now: float) -> None:
        self._last = now
        self._say(f"  {now - self._began:4.0f} s: {self._step}")


def silent() -> Progress:
    """For work that nobody waits for."""
    return Progress(lambda _: None, lambda: 0.0)
