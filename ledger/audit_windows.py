"""The audit's own reading of the interface's time windows and caps; times are block times."""

from __future__ import annotations

from dataclasses import dataclass, field

from ledger.audit_assets import Record
from ledger.reasons import Reason

MAX_RESULT_SECONDS, MAX_AHEAD = 7 * 86_400, 300
SETTLEMENT_WINDOW, CLAIM_WINDOW = 86_400, 7 * 86_400
PROPOSAL_WINDOW = 30 * 86_400
STEP_PLACES, STEP_KEPT = 1 << 16, 30 * 86_400
"""Numbers so far apart share a place of the strict way; what stands there is kept so long."""

Counts = dict[int, int]
"""Claims by level."""


def deadline_reason(record: Record, time: int) -> Reason | None:
    """Why the record's times alone keep it from being settled."""
    allowed = record.deadline - record.signed_at
    if not 1 <= allowed <= MAX_RESULT_SECONDS or record.signed_at > time + MAX_AHEAD:
        return Reason.BAD_DEADLINE
    if record.deadline > time + MAX_RESULT_SECONDS:
        return Reason.BAD_DEADLINE
    return Reason.EXPIRED if time > record.deadline + SETTLEMENT_WINDOW else None


@dataclass(slots=True)
class Caps:
    """How many claims an epoch has room for: one K1 per pair, so many per host; K2 per pair."""

    epoch_seconds: int
    k1_per_host: int
    k2_per_pair: int
    """0 for no cap; then K2 and K3 are not counted."""
    pairs: dict[tuple[bytes, bytes], tuple[int, Counts]] = field(default_factory=dict)
    """By (home, host): the latest epoch that saw a claim, and what it saw."""
    _hosts: dict[tuple[bytes, int], int] = field(default_factory=dict)

    def admit(self, home: bytes, host: bytes, level: int, time: int) -> bool:
        """Counts a claim, if there is room."""
        if level != 1 and not self.k2_per_pair:
            return True
        epoch = time // self.epoch_seconds
        latest, counts = self.pairs.get((home, host), (epoch, {}))
        if latest != epoch:
            counts = {}
        counted, of_host = counts.get(level, 0), self._hosts.get((host, epoch), 0)
        if level == 2 and counted >= self.k2_per_pair:
            return False
        if level == 1:
            if counted or of_host >= self.k1_per_host:
                return False
            self._hosts[host, epoch] = of_host + 1
        self.pairs[home, host] = (epoch, counts | {level: counted + 1})
        return True
