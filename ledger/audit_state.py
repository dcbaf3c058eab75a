"""What the audit keeps in mind while it recounts."""

from __future__ import annotations

from dataclasses import dataclass, field

from ledger.audit_assets import Record
from ledger.types import hex_of

OPEN, VERIFIED, REFUSED, VOID = 1, 2, 3, 4


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
    """The constants of the ledger and its satellites."""

    epoch_seconds: int
    k1_per_host_and_epoch: int
    k2_per_pair_and_epoch: int
    queue_delay: int
    round_seconds: int
    draw_rate: int
    puzzle_floor: int
    puzzles_per_host: int
    period_seconds: int
    reveal_seconds: int
    predecessor: bytes


@dataclass(slots=True)
class Claim:
    """One Kudos claim, and what the validators said of it."""

    kudos_id: bytes
    level: int
    host: bytes
    home: bytes
    request_id: bytes
    asset_id: bytes
    opened_at: int
    origin: str | None = None
    """Of a K3: planted, drawn, or open for a puzzle of the contract's own."""
    attempt: int = 0
    """How often this Kudos was claimed before."""
    party_seats: int = 0
    """A bit for each seat that a party held when the claim was opened."""
    place: tuple[bytes, int] | None = None
    """Root and index, where a batch opened it."""
    run: tuple[bytes, bytes] | None = None
    """Of a K3: the result's digest and the seal's salt; of the contract's own puzzle the solution
    and the parameters."""
    state: int = OPEN
    votes: dict[int, tuple[bytes, int]] = field(default_factory=dict)
    """By seat: who voted from it, with which reason code."""

    @property
    def parties(self) -> tuple[bytes, bytes]:
        return self.home, self.host


@dataclass(slots=True)
class Batch:
    """One settled batch."""

    records: int
    confirmed: int
    settled_at: int
    excluded: dict[bytes, int]
    """By validator: the records that it is a party to."""
    claims: dict[int, Claim] = field(default_factory=dict)
    """By index."""
    ballots: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    codes: dict[tuple[bytes, int], int] = field(default_factory=dict)
    """The reasons that were given, by validator and index."""
    leaves: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Migration:
    """A settled migration, either way."""

    record: Record
    request_id: bytes
    answer_id: bytes
    """RESULT or REJECTED."""
    settled_at: int
    root: bytes | None

    @property
    def is_result(self) -> bool:
        return self.record.reason is None

    @property
    def in_time(self) -> bool:
        return self.settled_at <= self.record.deadline


def state_name(state: int) -> str:
    """For people."""
    names = {OPEN: "claimed", VERIFIED: "verified", REFUSED: "refused", VOID: "void"}
    return names.get(state, str(state))


def shown(value: object) -> str:
    """Any value for people: bytes as hex, bitmaps and numbers as they are."""
    if isinstance(value, bytes):
        return hex_of(value)
    if isinstance(value, tuple | list):
        return f"({', '.join(shown(item) for item in value)})"
    return str(value)
