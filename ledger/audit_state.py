"""What the audit keeps in mind while it recounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ledger.audit_logs import Record

CLAIMED, VERIFIED, REFUSED = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not what it should be."""

    where: str
    what: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what} should be {self.expected}, is {self.found}"


@dataclass(frozen=True, slots=True)
class Rules:
    """The constants of the ledger."""

    validators: Sequence[bytes]
    threshold: int
    epoch_seconds: int
    k1_per_host_and_epoch: int


@dataclass(slots=True)
class Claim:
    """One Kudos claim, and what the validators said of it."""

    level: int
    host: bytes
    home: bytes
    request_id: bytes
    claimed_at: int
    approvals: int = 0
    refusals: int = 0
    state: int = CLAIMED
    announced: int = CLAIMED
    """What the decided events said; it must come to the same."""


@dataclass(slots=True)
class Batch:
    """One settled batch."""

    records: int
    confirmed: int
    settled_at: int
    claims: dict[int, bytes] = field(default_factory=dict)
    """Kudos ids by index."""
    ballots: dict[bytes, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settled:
    """What a canary claim needs of a settled RESULT."""

    record: Record
    result_id: bytes
    settled_at: int
    in_time: bool


def state_name(state: int) -> str:
    """For people."""
    return {CLAIMED: "claimed", VERIFIED: "verified", REFUSED: "refused"}.get(state, str(state))
