"""What ``ledger.reader`` answers with: typed rows of the indexed copy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ledger.assets import (
    POINTS,
    Accepted,
    CanaryOpened,
    Confirmed,
    ConfirmedMigration,
    Migration,
    Rejected,
    RejectedMigration,
    Request,
    Result,
)
from ledger.events import BatchSettled
from ledger.types import (
    Address,
    BlockHash,
    BlockNumber,
    Digest,
    Points,
    Signature,
    TxHash,
    UnixSeconds,
)


@dataclass(frozen=True, slots=True)
class IndexHead:
    """Where the copy stands. ``indexed_at`` is when the chain was last asked, by our own clock."""

    number: BlockNumber
    hash: BlockHash
    timestamp: UnixSeconds
    indexed_at: UnixSeconds
    chain_head: BlockNumber
    final_number: BlockNumber

    def age(self, now: float) -> float:
        """How old the data is, in seconds: since the chain was last asked, or, while the copy is
        still catching up, since its last block."""
        asked = now - self.indexed_at
        return asked if self.number >= self.chain_head else max(asked, now - self.timestamp)


@dataclass(frozen=True, slots=True)
class Totals:
    """Verified Kudos records of one node, by level."""

    k1: int = 0
    k2: int = 0
    k3: int = 0

    @property
    def points(self) -> Points:
        return Points(POINTS[1] * self.k1 + POINTS[2] * self.k2 + POINTS[3] * self.k3)


@dataclass(frozen=True, slots=True)
class Place:
    """Where on the chain a row came from."""

    block: BlockNumber
    log_index: int
    tx: TxHash
    timestamp: UnixSeconds
    final: bool


@dataclass(frozen=True, slots=True)
class SettledMigration:
    """One migration as it was settled, with the ids of its assets."""

    migration: Migration
    request_id: Digest
    answer_id: Digest
    confirmed_id: Digest | None
    result_id: Digest | None
    root: Digest
    batch_index: int
    place: Place

    @property
    def request(self) -> Request:
        return self.migration.request


@dataclass(frozen=True, slots=True)
class Opening:
    """CANARY_OPENED, and the home's signature of it."""

    asset: CanaryOpened
    signature: bytes
    place: Place


@dataclass(frozen=True, slots=True)
class KudosRow:
    """One claim; ``state`` is CLAIMED, VERIFIED or REFUSED of ``ledger.schema``."""

    kudos_id: Digest
    level: int
    host: Address
    home: Address
    asset_id: Digest
    request_id: Digest
    origin: str | None
    result_digest: Digest | None
    seal_salt: Digest | None
    epoch: int
    state: int
    place: Place
    decided: Place | None


@dataclass(frozen=True, slots=True)
class Vote:
    """One validator's word on one claim; ``verdict`` is APPROVE, REFUSE or ABSTAIN."""

    validator: Address
    verdict: int
    reason: int | None
    place: Place


@dataclass(frozen=True, slots=True)
class UnvotedBatch:
    """A batch with open claims that a validator has not voted on, as the contract announced it."""

    event: BatchSettled
    place: Place


@dataclass(frozen=True, slots=True)
class UnvotedCanary:
    """An open K3 claim that a validator has not voted on, with all that it stands on."""

    kudos: KudosRow
    settled: SettledMigration
    opening: Opening


@dataclass(frozen=True, slots=True)
class NodeRow:
    """The roll-ups of one node."""

    address: Address
    k1: int
    k2: int
    k3: int
    claims: int
    refused: int
    requests: int
    accepted: int
    rejected: int
    hosted: int
    rejections: int
    canaries_opened: int
    canaries_passed: int

    @property
    def points(self) -> Points:
        return Totals(self.k1, self.k2, self.k3).points


@dataclass(frozen=True, slots=True)
class ValidatorRow:
    """How often a validator has voted, and how."""

    address: Address
    approved: int
    refused: int
    abstained: int


@dataclass(frozen=True, slots=True)
class Step:
    """One asset in the life of a migration."""

    asset: str
    id: Digest
    owner: Address
    signed_at: int | None
    place: Place
    kudos: KudosRow | None = None


SETTLED_COLUMNS = (
    "m.home, m.host, m.process_id, m.process_name, m.commitment, m.cpu_seconds, m.memory_mib,"
    " m.output_kib, m.seq, m.result_deadline, m.requested_at, m.answered_at, m.rejection,"
    " m.confirmed_at, m.seal, m.finished_at, m.home_signature,"
    " m.request_id, m.answer_id, m.confirmed_id, m.result_id, m.root, m.batch_index"
)


def settled_migration(row: Sequence[Any], place: Place) -> SettledMigration:
    """From the values of ``SETTLED_COLUMNS``."""
    *fields, answered_at, rejection, confirmed_at, seal, finished_at, signature = row[:17]
    request_id, answer_id, confirmed_id, result_id, root, batch_index = row[17:23]
    request = Request(*fields)
    home_signature = Signature(signature)
    migration: Migration
    if rejection is None:
        migration = ConfirmedMigration(
            request,
            Accepted(request_id, answered_at),
            Confirmed(answer_id, confirmed_at),
            Result(request_id, seal, finished_at),
            home_signature,
        )
    else:
        rejected = Rejected(request_id, rejection, answered_at)
        migration = RejectedMigration(request, rejected, home_signature)
    return SettledMigration(
        migration, request_id, answer_id, confirmed_id, result_id, root, batch_index, place
    )
