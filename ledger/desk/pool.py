"""Open copies at hand: opening one takes longer than most questions do."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger.ports import Clock
from ledger.reader import Reader
from ledger.source import LedgerIdentity

KEPT = 8
KEPT_SECONDS = 60.0
"""After that a copy is opened anew, and what is checked at opening is checked again."""


class ReaderPool:
    """Hands a reader to one request at a time; a file that was replaced is opened anew."""

    def __init__(self, path: Path, deployment: LedgerIdentity, clock: Clock) -> None:
        self._path, self._deployment, self._clock = path, deployment, clock
        self._idle: list[tuple[Reader, tuple[int, int], float]] = []
        self._lock = threading.Lock()
        weakref.finalize(self, _close_all, self._idle)

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """One reader, for as long as this lasts. What it reads is as new as its next snapshot."""
        reader, identity, opened = self._take()
        try:
            yield reader
        finally:
            if reader.connection.in_transaction or len(self._idle) >= KEPT:
                reader.close()
            else:
                self._idle.append((reader, identity, opened))

    def _take(self) -> tuple[Reader, tuple[int, int], float]:
        identity, now = self._identity(), self._clock.monotonic()
        with self._lock:
            while self._idle:
                reader, known, opened = self._idle.pop()
                if known == identity and now - opened < KEPT_SECONDS:
                    return reader, known, opened
                reader.close()
        reader = Reader.open(self._path, self._deployment, one_thread=False)
        return reader, identity, now

    def _identity(self) -> tuple[int, int]:
        try:
            found = os.stat(self._path)
        except OSError:
            return (0, 0)
        return found.st_dev, found.st_ino


def _close_all(idle: list[tuple[Reader, tuple[int, int], float]]) -> None:
    for reader, _, _ in idle:
        reader.close()
