"""The events of the four contracts as values. Field by field they are the interfaces' events, whose
signatures stand in ``ledger.events``; what each means is said there, in ``contracts/interfaces``.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger.assets import Request
from ledger.types import Address, Digest

Pairs = tuple[tuple[int, int], ...]
"""(index, reason code), for records that are something else than their neighbours."""

# -- the ledger: batches and their votes --------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BatchSettled:
    host: Address
    root: Digest
    claims: int
    skipped: Pairs
    batch: bytes


@dataclass(frozen=True, slots=True)
class ValidatorExcluded:
    host: Address
    root: Digest
    validator: Address
    records: int


@dataclass(frozen=True, slots=True)
class BatchVoted:
    validator: Address
    host: Address
    root: Digest
    approve: int
    refuse: int
    reasons: Pairs


@dataclass(frozen=True, slots=True)
class BatchDecided:
    host: Address
    root: Digest
    verified: int
    refused: int


# -- the ledger: single steps -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Requested:
    request_id: Digest
    request: Request


@dataclass(frozen=True, slots=True)
class Accepted:
    request_id: Digest
    signed_at: int


@dataclass(frozen=True, slots=True)
class Rejected:
    request_id: Digest
    reason: int
    signed_at: int
    claimed: bool


@dataclass(frozen=True, slots=True)
class Confirmed:
    request_id: Digest
    signed_at: int


@dataclass(frozen=True, slots=True)
class Resulted:
    request_id: Digest
    seal: Digest
    signed_at: int
    claimed: bool


@dataclass(frozen=True, slots=True)
class Signed:
    id: Digest
    signature: bytes


@dataclass(frozen=True, slots=True)
class StepVoted:
    validator: Address
    id: Digest
    reason: int
    state: int


@dataclass(frozen=True, slots=True)
class StepDecided:
    home: Address
    host: Address
    seq: int
    state: int


# -- the ledger: totals, validators, its own life -----------------------------------------------


@dataclass(frozen=True, slots=True)
class KudosMinted:
    """TransferSingle; named for the one thing that it can mean here."""

    operator: Address
    host: Address
    level: int
    count: int


@dataclass(frozen=True, slots=True)
class ValidatorSetChanged:
    version: int
    seats: tuple[Address, ...]
    threshold: int


@dataclass(frozen=True, slots=True)
class LedgerClosed:
    final_at: int


@dataclass(frozen=True, slots=True)
class Carried:
    node: Address


@dataclass(frozen=True, slots=True)
class SatelliteBuilt:
    number: int
    satellite: Address


# -- single claims ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CanariesClaimed:
    host: Address
    claims: bytes


@dataclass(frozen=True, slots=True)
class ClaimSkipped:
    host: Address
    item: int
    reason: int


@dataclass(frozen=True, slots=True)
class ClaimedAgain:
    kudos_id: Digest
    host: Address
    asset_id: Digest
    level: int


@dataclass(frozen=True, slots=True)
class Receipted:
    kudos_id: Digest
    host: Address
    result_id: Digest
    received_at: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class FamilyRegistered:
    number: int
    name: Digest
    implementation: Address


@dataclass(frozen=True, slots=True)
class VotesCommitted:
    validator: Address
    round: int
    commitment: Digest


@dataclass(frozen=True, slots=True)
class VotesRevealed:
    validator: Address
    round: int


@dataclass(frozen=True, slots=True)
class ClaimVoted:
    validator: Address
    kudos_id: Digest
    reason: int


@dataclass(frozen=True, slots=True)
class VoteSkipped:
    validator: Address
    kudos_id: Digest
    reason: int


@dataclass(frozen=True, slots=True)
class ClaimDecided:
    kudos_id: Digest
    host: Address
    level: int
    standing: int


@dataclass(frozen=True, slots=True)
class PuzzleAsked:
    host: Address
    counter: int
    difficulty: int
    block_number: int


@dataclass(frozen=True, slots=True)
class PuzzleSolved:
    host: Address
    counter: int
    parameters: Digest
    solution: Digest


@dataclass(frozen=True, slots=True)
class ValidatorTested:
    """TestOpened; named for whom the claim tested."""

    kudos_id: Digest
    result_id: Digest
    request_id: Digest
    seal_salt: Digest
    salt: Digest


# -- the queue ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ProposalContent:
    """IValidatorQueue.Content; ``kind`` is 1 for a set, 2 for a family, 3 for closing."""

    kind: int
    set_version: int
    seats: tuple[Address, ...]
    quorum: int
    family: Digest
    implementation: Address


@dataclass(frozen=True, slots=True)
class Proposed:
    proposal: int
    content_hash: Digest
    proposer: Address
    content: ProposalContent


@dataclass(frozen=True, slots=True)
class ProposalVoted:
    proposal: int
    validator: Address
    approve: bool


@dataclass(frozen=True, slots=True)
class ProposalApproved:
    proposal: int
    ready_at: int


@dataclass(frozen=True, slots=True)
class ProposalWithdrawn:
    proposal: int


@dataclass(frozen=True, slots=True)
class ProposalExecuted:
    proposal: int


# -- the beacon ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SecretCommitted:
    period: int
    validator: Address
    commitment: Digest


@dataclass(frozen=True, slots=True)
class SecretRevealed:
    period: int
    validator: Address
    secret: Digest


@dataclass(frozen=True, slots=True)
class BlockNamed:
    period: int
    block_number: int


@dataclass(frozen=True, slots=True)
class BeaconKnown:
    period: int
    value: Digest
    reveals: int


@dataclass(frozen=True, slots=True)
class NoBeacon:
    period: int
    commitments: int
    reveals: int


LedgerEvent = (
    BatchSettled
    | ValidatorExcluded
    | BatchVoted
    | BatchDecided
    | Requested
    | Accepted
    | Rejected
    | Confirmed
    | Resulted
    | Signed
    | StepVoted
    | StepDecided
    | KudosMinted
    | ValidatorSetChanged
    | LedgerClosed
    | Carried
    | SatelliteBuilt
)
ClaimsEvent = (
    CanariesClaimed
    | ClaimSkipped
    | ClaimedAgain
    | Receipted
    | FamilyRegistered
    | VotesCommitted
    | VotesRevealed
    | ClaimVoted
    | VoteSkipped
    | ClaimDecided
    | PuzzleAsked
    | PuzzleSolved
    | ValidatorTested
)
QueueEvent = Proposed | ProposalVoted | ProposalApproved | ProposalWithdrawn | ProposalExecuted
BeaconEvent = SecretCommitted | SecretRevealed | BlockNamed | BeaconKnown | NoBeacon
Event = LedgerEvent | ClaimsEvent | QueueEvent | BeaconEvent
