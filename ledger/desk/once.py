"""What several answers of one block have in common, worked out once.

Totals over the whole ledger stand on pages, in the API and in the metrics, and cost the same each
time; the copy's block decides what they are.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Concatenate, ParamSpec, TypeVar

from ledger.reader import Reader

T = TypeVar("T")
P = ParamSpec("P")
MOST = 256
"""Results that are remembered; then all are forgotten, as when the copy moves."""


class PerBlock:
    """Asks each question once per block; its arguments must be hashable, its result immutable."""

    def __init__(self) -> None:
        self._state: Hashable = None
        self._known: dict[Hashable, Any] = {}

    def __call__(
        self,
        reader: Reader,
        ask: Callable[Concatenate[Reader, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """The answer in the reader's snapshot."""
        head = reader.head()
        if head is None:
            return ask(reader, *args, **kwargs)
        state = (head.hash, head.final_number)
        # The state is in the key too: another thread may read an older snapshot meanwhile.
        key = (state, ask, args, tuple(sorted(kwargs.items())))
        if key in (known := self._known):
            found: T = known[key]
            return found
        found = ask(reader, *args, **kwargs)
        if state != self._state or len(self._known) >= MOST:
            self._state, self._known = state, {}
        self._known[key] = found
        return found
