"""The audit's own reading of the interface's time windows; all in seconds of block time."""

from __future__ import annotations

from ledger.audit_logs import Record
from ledger.reasons import Reason

MAX_RESULT_SECONDS, MAX_AHEAD = 7 * 86_400, 300
SETTLEMENT_WINDOW, CLAIM_WINDOW = 86_400, 7 * 86_400


def deadline_reason(record: Record, time: int) -> Reason | None:
    """Why the record's times alone keep it from being settled."""
    allowed = record.deadline - record.signed_at
    if not 1 <= allowed <= MAX_RESULT_SECONDS or record.signed_at > time + MAX_AHEAD:
        return Reason.BAD_DEADLINE
    if record.deadline > time + MAX_RESULT_SECONDS:
        return Reason.BAD_DEADLINE
    return Reason.EXPIRED if time > record.deadline + SETTLEMENT_WINDOW else None
