"""One daemon for one data directory: two would sign with one key, answer from one journal and
settle one queue, each without knowing what the other has promised."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger.errors import SetupError

LOCK_FILE = "daemon.lock"


@contextmanager
def only_one(data: Path, command: str) -> Iterator[None]:
    """Holds the lock of a data directory in the name of ``command``; SetupError when another
    process does. The system lets go of it when the process ends, however it ends."""
    # Not truncated when it is opened: it says who holds it.
    with (data / LOCK_FILE).open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise _taken(data, command, file.read().strip()) from None
        file.truncate(0)
        file.write(f"{command} {os.getpid()}\n")
        file.flush()
        yield


def _taken(data: Path, command: str, holder: str) -> SetupError:
    other, _, process = holder.rpartition(" ")
    who = f"`kudos {other}` (process {process})" if other and process.isdecimal() else "A daemon"
    return SetupError(
        f"{who} works in {data} already; two daemons cannot share one key and one journal.",
        hint=f"Stop it first, or give `kudos {command}` a --data directory and a key of its own.",
    )
