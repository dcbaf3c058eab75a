"""The embedded chain's state file and its complete copy; why two: see ``ledger.embedded``."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ledger.errors import CorruptData


def good_copy(state: Path) -> Path:
    """Where the complete copy of a state file is."""
    return state.with_name(state.name + ".good")


def copy_complete(state: Path) -> bool:
    """Copies the state if it is a complete dump right now; if not, a later call tries again."""
    try:
        content = state.read_bytes()
    except FileNotFoundError:
        return False
    # A dump that is being written stops anywhere; parsing all of it is the only certain test.
    if not _complete(content):
        return False
    target = good_copy(state)
    unfinished = target.with_name(target.name + ".new")
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(target)
    return True


def choose_state(state: Path) -> None:
    """Makes sure that what anvil is going to read is complete, or raises.

    No file: a fresh chain, and a copy left over from another one goes. A broken file: the copy.
    """
    copy = good_copy(state)
    if not state.exists():
        copy.unlink(missing_ok=True)
        return
    if _complete(state.read_bytes()):
        return
    if not copy.exists() or not _complete(copy.read_bytes()):
        raise CorruptData(
            f"The chain's state {state} breaks off in the middle, and there is no good copy of it.",
            hint="Move the file away to begin a fresh chain; what it recorded is lost with it.",
        )
    copy.replace(state)


def _complete(content: bytes) -> bool:
    try:
        return isinstance(json.loads(content), dict)
    except ValueError:
        return False
