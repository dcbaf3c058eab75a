"""The audit's view of the validators' seats, and of how votes of those seated add up.

Plain on purpose: votes are counted claim by claim and seat by seat, not by bit operations.
"""

from __future__ import annotations

from collections.abc import Sequence

from ledger.audit_state import OPEN, REFUSED, VERIFIED, VOID, Claim

SEATS = 16
NOBODY = bytes(20)
APPROVE, REFUSE_RESULT, NOT_REPEATABLE = 128, 131, 147


def is_refusal(reason: int) -> bool:
    return 129 <= reason <= 143


def is_vote(reason: int) -> bool:
    return 128 <= reason <= 159


class SeatTable:
    """Who sits where, and since when."""

    def __init__(self) -> None:
        self.holders: list[bytes] = [NOBODY] * SEATS
        self.since = [0] * SEATS
        self.version = 0
        self.threshold = 0
        self.history: list[tuple[list[bytes], int]] = []
        """Holders and threshold of every set, the deployment's first."""

    def replace(self, holders: Sequence[bytes], threshold: int, time: int) -> None:
        """Puts a set in place; who stays in its seat keeps its time."""
        for seat, holder in enumerate(holders):
            if self.holders[seat] != holder:
                self.holders[seat] = holder
                self.since[seat] = time if self.version else 0
        self.version += 1
        self.threshold = threshold
        self.history.append((list(holders), threshold))

    @property
    def validators(self) -> list[bytes]:
        return [holder for holder in self.holders if holder != NOBODY]

    def seat_of(self, node: bytes) -> int | None:
        """The seat of a validator; None for who is none."""
        return self.holders.index(node) if node in self.validators else None

    def is_eligible(self, node: bytes, opened_at: int) -> bool:
        """Whether a node is a validator that was seated before a claim was opened."""
        seat = self.seat_of(node)
        return seat is not None and self.since[seat] < opened_at

    def eligible(self, opened_at: int) -> dict[int, bytes]:
        """The validators, by seat, that may have a say in a claim opened then."""
        return {
            seat: holder
            for seat, holder in enumerate(self.holders)
            if holder != NOBODY and self.since[seat] < opened_at
        }

    def standing_in_ledger(self, claim: Claim) -> int:
        """How a claim that the ledger itself keeps stands: parties count like refusals, but
        refuse nothing by themselves."""
        eligible = self.eligible(claim.opened_at)
        reasons = _counted(claim, eligible)
        if reasons.count(APPROVE) >= self.threshold:
            return VERIFIED
        parties = sum(holder in claim.parties for holder in eligible.values())
        against = sum(map(is_refusal, reasons)) + parties
        spare = len(eligible) - self.threshold
        return REFUSED if parties <= spare < against else OPEN

    def standing_alone(self, claim: Claim) -> int:
        """How a claim in the claims contract stands: parties do not count at all."""
        eligible = {
            seat: holder
            for seat, holder in self.eligible(claim.opened_at).items()
            if holder not in claim.parties
        }
        if len(eligible) < self.threshold:
            return OPEN
        reasons = _counted(claim, eligible)
        if reasons.count(APPROVE) >= self.threshold:
            return VERIFIED
        if claim.level == 3:
            return self._standing_of_runs(reasons, len(eligible))
        refusals = sum(map(is_refusal, reasons))
        return REFUSED if refusals > len(eligible) - self.threshold else OPEN

    def _standing_of_runs(self, reasons: list[int], room: int) -> int:
        """K3 that is not verified: refused by the quorum, void, refused at last, or open."""
        approvals, refusals = reasons.count(APPROVE), sum(map(is_refusal, reasons))
        silent = room - len(reasons)
        if refusals >= self.threshold:
            return REFUSED
        if reasons.count(NOT_REPEATABLE) >= self.threshold:
            return VOID
        runs_differ = approvals > 0 and REFUSE_RESULT in reasons
        if runs_differ and max(approvals, refusals) + silent < self.threshold:
            return VOID
        return REFUSED if silent == 0 and refusals > room - self.threshold else OPEN


def _counted(claim: Claim, eligible: dict[int, bytes]) -> list[int]:
    """The reasons of those who still sit where they voted from."""
    return [reason for seat, (voter, reason) in claim.votes.items() if eligible.get(seat) == voter]
