"""A time budget for what one request asks of the copy, and what SQLite's own errors mean to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ledger.errors import CorruptData, KudosError

STEPS = 20_000
"""SQLite's own instructions between two looks at the clock: some tenths of a millisecond."""


_PASSING = {
    *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR),
    *(sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL),
}
"""Trouble with the file that may be over the next time."""


class TimedOut(KudosError):
    """An answer took longer than a request may."""


class Busy(KudosError):
    """The copy could not be read just now."""


@contextmanager
def time_budget(
    conn: sqlite3.Connection, seconds: float | None, monotonic: Callable[[], float]
) -> Iterator[None]:
    """Inside, a statement that is still running when the time is up ends with ``TimedOut``, and
    whatever else SQLite raises becomes an error that says what to do. None: no limit."""
    if seconds is not None:
        deadline = monotonic() + seconds
        conn.set_progress_handler(lambda: monotonic() > deadline, STEPS)
    try:
        yield
    except sqlite3.OperationalError as error:
        known = _explained(error, seconds)
        if known is None:
            raise  # a statement that cannot be: our own fault, and not to be called anything else
        raise known from error
    except sqlite3.DatabaseError as error:
        raise CorruptData(
            f"The copy is damaged: {error}.",
            hint="Stop its indexer and delete the file: it is rebuilt from the chain.",
        ) from error
    finally:
        conn.set_progress_handler(None, 0)


def _explained(error: sqlite3.OperationalError, seconds: float | None) -> KudosError | None:
    code = error.sqlite_errorcode & 0xFF
    if code == sqlite3.SQLITE_INTERRUPT:
        return TimedOut(
            f"The answer took longer than {seconds:g} s.",
            hint="Ask for less: a shorter page, a narrower filter, a more recent block.",
        )
    if code in _PASSING:
        return Busy(f"The copy cannot be read: {error}.", hint="Ask again in a moment.")
    return None
