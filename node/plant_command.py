"""``kudos plant``: has the node plant a puzzle that takes about so long on a machine like this."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable

from canaries.family import installed
from canaries.puzzle import PuzzleFamily, calibrate, difficulty_for, travelling_solver
from ledger.errors import KudosError, UsageError
from node import shim_protocol as shim
from node.closure import RunHere
from node.shim import converse, settings_from

SPAN = 30.0
"""No longer: an unlucky host, at half the speed, still has to come to the end within the limits."""


def plant_puzzle(options: argparse.Namespace) -> int:
    """0 once the node has it in its queue."""
    family = find_family(options.family)
    if not 0 < options.seconds <= SPAN:
        raise UsageError(
            f"A puzzle takes up to {SPAN:.0f} seconds.", hint="Ask for fewer, and more than 0."
        )
    if options.within < 1:
        raise UsageError("--within is a number of seconds.", hint="Give 1 or more.")
    settings = settings_from(os.environ)
    if settings.socket is None:
        raise UsageError(
            "Only a node can plant a puzzle.", hint="Name its socket in KUDOS_SOCKET: DATA/socket."
        )
    bits, lasts = chosen(family, options.seconds, time.process_time)
    asked = shim.Puzzle(family.name, bits, options.within)
    try:
        converse(settings.socket, asked, {}, settings.timeout)
    except (RunHere, OSError, KudosError) as error:
        raise KudosError(
            f"The puzzle was not planted: {error}.", hint="The node's log says more."
        ) from error
    said = f"kudos: planted, {family.name} of {bits} bits, about {lasts:.1f} s of work here"
    print(said, file=sys.stderr)
    return 0


def find_family(name: str) -> PuzzleFamily:
    """UsageError, with the names that there are, for any other."""
    puzzles = {each.name: each for each in installed().values() if isinstance(each, PuzzleFamily)}
    if name not in puzzles:
        raise UsageError(
            f"There are no puzzles named {name!r}.",
            hint=f"Installed are {', '.join(sorted(puzzles))}.",
        )
    return puzzles[name]


def chosen(family: PuzzleFamily, seconds: float, clock: Callable[[], float]) -> tuple[int, float]:
    """The difficulty for so many seconds by ``clock``, and how many it takes on average."""
    rate = calibrate(family, clock, solve=travelling_solver(family))
    bits = difficulty_for(family, seconds, rate)
    return bits, family.steps(bits) / rate
