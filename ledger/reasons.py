"""The one registry of reason codes; ``contracts/types/reasons.json`` is the source for every
language."""

from __future__ import annotations

import json
from enum import IntEnum
from functools import cache
from importlib.resources import files


class Reason(IntEnum):
    """Why an answer, a skip, a vote or a local run was what it was. 1-63 answers of a host, 64-127
    items that the contract skipped, 128-191 votes (129-143 refuse, 144-159 abstain), from 192
    decisions of a home."""

    REPUTATION = 1
    POLICY = 2
    CAPACITY = 3
    TOOLCHAIN = 4
    LIMITS = 5
    STALE_LEDGER = 6
    MALFUNCTION = 7

    SELF = 64
    PARTY_IS_VALIDATOR = 65
    SEQUENCE_USED = 66
    BAD_SIGNATURE = 67
    BAD_DEADLINE = 68
    EXPIRED = 69
    NOT_SETTLED = 70
    BAD_OPENING = 71
    BAD_SEAL = 72
    CLAIMED_BEFORE = 73
    NOT_A_CANARY = 74
    BAD_ORDER = 75
    NOT_AUTHORISED = 76
    OUT_OF_TURN = 77
    BAD_SOLUTION = 80
    UNKNOWN_FAMILY = 81
    NOT_DRAWN = 82
    NO_BEACON = 83
    UNKNOWN_CLAIM = 84
    NOT_ELIGIBLE = 85
    WRONG_ROUND = 86
    VOTED_BEFORE = 87
    NOT_A_VOTE = 88
    NOT_TIMED_OUT = 89
    NOT_LATE = 90
    OVER_CAP = 91

    APPROVE = 128
    REFUSE_SIGNATURE = 129
    REFUSE_ORDER = 130
    REFUSE_RESULT = 131
    REFUSE_OPENING = 132
    ABSTAIN_TOOLCHAIN = 144
    ABSTAIN_INPUTS = 145
    ABSTAIN_SANDBOX = 146
    ABSTAIN_NOT_REPEATABLE = 147

    NOT_WORTH = 192
    NOT_SENDABLE = 193
    NO_HOST = 194
    PEER_LOST = 195
    PEER_TIMEOUT = 196
    REMOTE_FAILED = 197
    NODE_UNAVAILABLE = 198
    ACCEPTED = 199

    @property
    def text(self) -> str:
        """One line for people."""
        return _texts()[self]

    @property
    def is_approval(self) -> bool:
        return self == Reason.APPROVE

    @property
    def is_refusal(self) -> bool:
        return 129 <= self <= 143


def describe(code: int) -> str:
    """Name and text of a code; a code from a newer registry is shown as its number."""
    try:
        reason = Reason(code)
    except ValueError:
        return f"reason {code}"
    return f"{reason.name}: {reason.text}"


@cache
def _texts() -> dict[Reason, str]:
    registry = json.loads(files("ledger").joinpath("artifacts/reasons.json").read_text("utf-8"))
    return {
        Reason(int(code)): text for group in registry.values() for code, (_, text) in group.items()
    }
