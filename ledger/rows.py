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
from ledger.event_types import BatchSettled
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
    """One migration as it was settled, with the ids of its assets. ``root`` and ``batch_index`` are
    None where it came step by step; then its home's signature is empty, and ``Reader.steps`` has
    what stands behind each asset."""

    migration: Migration
    request_id: Digest
    answer_id: Digest
    confirmed_id: Digest | None
    result_id: Digest | None
    root: Digest | None
    batch_index: int | None
    place: Place

    @property
    def request(self) -> Request:
        return self.migration.request


@dataclass(frozen=True, slots=True)
class Opening:
    """The opening of a mark. It is an asset of the home's only where the home has signed it; else
    ``signature`` is None and ``asset.signed_at`` 0, and what shows that it is true is the
    commitment. A puzzle has a ``solution``."""

    asset: CanaryOpened
    signature: bytes | None
    solution: Digest | None
    place: Place


@dataclass(frozen=True, slots=True)
class Draw:
    """A canary that the beacon has drawn: the task, and the mark that stays shut."""

    request_id: Digest
    result_id: Digest
    task_digest: Digest
    mark_hash: Digest
    place: Place


@dataclass(frozen=True, slots=True)
class ValidatorTest:
    """A K3 claim that was no run's, made to test the validators, and what proves it."""

    kudos_id: Digest
    request_id: Digest
    result_id: Digest
    seal_salt: Digest
    salt: Digest
    place: Place


@dataclass(frozen=True, slots=True)
class SingleStep:
    """One asset that came by itself: signed by its owner, or (None) sent by it."""

    kind: str
    asset_id: Digest
    signed_at: int | None
    signature: bytes | None
    place: Place


@dataclass(frozen=True, slots=True)
class KudosRow:
    """One claim; ``state`` is one of ``ledger.schema``. ``repeats`` is the Kudos that is claimed
    again, for the ``attempt``th time."""

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
    repeats: Digest | None
    attempt: int
    place: Place
    decided: Place | None

    @property
    def chain_id(self) -> Digest:
        """The id that the contract knows this claim by."""
        return self.repeats or self.kudos_id


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
    opening: Opening | None
    draw: Draw | None

    @property
    def task_digest(self) -> Digest:
        shown = self.opening.asset if self.opening else self.draw
        assert shown is not None, "a canary is opened or drawn"
        return shown.task_digest


@dataclass(frozen=True, slots=True)
class UnvotedSingle:
    """An open K1 or K2 claim outside of a batch that a validator has not voted on. ``by_step``:
    in the ledger itself, else in the claims contract."""

    kudos: KudosRow
    settled: SettledMigration
    by_step: bool


@dataclass(frozen=True, slots=True)
class NodeRow:
    """The roll-ups of one node; zero for one that the ledger has nothing of."""

    address: Address
    k1: int = 0
    k2: int = 0
    k3: int = 0
    claims: int = 0
    refused: int = 0
    void: int = 0
    requests: int = 0
    accepted: int = 0
    rejected: int = 0
    hosted: int = 0
    rejections: int = 0
    canaries_opened: int = 0
    canaries_passed: int = 0

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
    home_signature = Signature(signature or b"")
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
