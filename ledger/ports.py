"""What the outside world looks like to the code: time and randomness as arguments.

Disk, network and RPC come in as objects too (``ledger.rpc.Rpc``, paths, sockets); a simulator can
drive the same production code by passing its own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Protocol

Entropy = Callable[[int], bytes]
"""``entropy(n)`` gives n unpredictable bytes; ``os.urandom`` outside of tests."""


class Clock(Protocol):
    """Wall and monotonic time, in seconds."""

    def now(self) -> float: ...

    def monotonic(self) -> float: ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


system_entropy: Entropy = os.urandom
