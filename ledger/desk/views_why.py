"""Outcomes in words, and other labels of values. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ledger.desk.queries.why import Outcome
from ledger.desk.wording import clock_text
from ledger.types import Address, address_from_hex, short

OUTCOMES: Mapping[str, tuple[str, str, str, str]] = {
    Outcome.VERIFIED: ("verified", "Enough validators approved: these points count.", "good", "✓"),
    Outcome.REFUSED: (
        "refused",
        "Enough validators refused: these points never count.",
        "bad",
        "✕",
    ),
    Outcome.VOID: (
        "void",
        "The validators' runs disagreed: nobody gains or loses, and the task is not used again.",
        *("plain", "≠"),
    ),
    Outcome.TIMED_OUT: (
        *("timed out", "No quorum formed in time; it was claimed again."),
        *("wait", "↻"),
    ),
    Outcome.WAITING: ("waiting", "Claimed, and votes are missing.", "wait", "…"),
    Outcome.UNREACHABLE: (
        *("unreachable", "Votes are missing, and a validator could not check: it abstained."),
        *("wait", "?"),
    ),
    Outcome.LATE: (
        "late",
        "Too late for the contract.",
        "bad",
        "!",
    ),
    Outcome.SKIPPED: ("skipped", "The contract left it out.", "bad", "↷"),
    Outcome.NEVER_ASKED: (
        "never asked",
        "No Kudos were claimed for it: over a cap.",
        "plain",
        "\N{EN DASH}",
    ),
}
"""Per outcome: its name, what it means, its colour, its sign."""


def facet_label(value: str, dimension: str, names: Mapping[Address, str]) -> str:
    """One value of a facet for people."""
    if dimension in ("node", "validator"):
        address = address_from_hex(value)
        return names.get(address) or short(address)
    if dimension == "level":
        return f"K{value}"
    return value or "unnamed"


def clip(value: object) -> str:
    """Long hex digits shortened in the middle."""
    text = str(value)
    return f"{text[:8]}…{text[-4:]}" if text.startswith("0x") and len(text) > 16 else text


def local(timestamp: int) -> str:
    """For a field of a form that holds a date and time."""
    return clock_text(timestamp).replace(" ", "T")
