"""The two forms of every call of the strict way: with the owner's signature, and by the owner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def submission(name: str, values: Sequence[Any]) -> tuple[Any, ...]:
    """The same asset where its owner sends it itself: function and arguments."""
    if name == "request":
        return "submitRequest", *values
    (home, host, seq), request_id, first, second = (*values, None)[:4]
    match name:
        case "accept":
            return "submitAccepted", request_id, home, seq, first
        case "reject":
            return "submitRejected", request_id, home, seq, second, first
        case "confirm":
            return "submitConfirmed", request_id, host, seq, second, first
    return "submitResult", request_id, home, seq, second, first
