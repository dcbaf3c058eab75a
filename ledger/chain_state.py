"""The embedded chain's state file and its complete copy; why two: see ``ledger.embedded``."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ledger.errors import CorruptData


def good_copy(state: Path) -> Path:
    """Where the complete copy of a state file is."""
    return state.with_name(state.name + ".good")


def copy_complete(state: Path) -> int | None:
    """Copies the state if it is a complete dump right now, and gives the height that it stands at.

    None when it is not; a later call tries again.
    """
    try:
        content = state.read_bytes()
    except FileNotFoundError:
        return None
    height = _height(content)
    if height is None:
        return None
    target = good_copy(state)
    unfinished = target.with_name(target.name + ".new")
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(target)
    return height


def choose_state(state: Path) -> None:
    """Makes sure that what anvil is going to read is complete, or raises.

    No file: a fresh chain, and a copy left over from another one goes. A broken file: the copy.
    """
    copy = good_copy(state)
    if not state.exists():
        copy.unlink(missing_ok=True)
        return
    if _height(state.read_bytes()) is not None:
        return
    if not copy.exists() or _height(copy.read_bytes()) is None:
        raise CorruptData(
            f"The chain's state {state} breaks off in the middle, and there is no good copy of it.",
            hint="Move the file away to begin a fresh chain; what it recorded is lost with it.",
        )
    copy.replace(state)


def _height(content: bytes) -> int | None:
    """The block number in a dump; None when it breaks off: only parsing all of it tells."""
    try:
        return int(json.loads(content)["block"]["number"], 16)
    except (ValueError, KeyError, TypeError):
        return None
