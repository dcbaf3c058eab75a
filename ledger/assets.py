"""The assets of a migration (protocol section 2): immutable, signed by their owner, each naming the
one before.

    home            host                 home              host            home               host
    REQUEST ──────▶ ACCEPTED ──────────▶ CONFIRMED ──────▶ RESULT ───────▶ CANARY_OPENED ───▶ KUDOS
              └───▶ REJECTED(reason) ───────────────────────────────────────────────────────▶ KUDOS

Field order and meaning are those of ``contracts/types/eip712.json``; an asset's id is its EIP-712
digest (``ledger.eip712``). Times are Unix seconds by the signer's own clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger.types import ZERO_DIGEST, Address, Digest, Signature

K1_REJECTED, K2_CONFIRMED, K3_CANARY = 1, 2, 3
POINTS = {K1_REJECTED: 1, K2_CONFIRMED: 10, K3_CANARY: 100}
"""What one Kudos record of each level is worth (thesis, section 6.3.2)."""

ANSWER_WITHIN = 10
CONFIRM_WITHIN = 30
RESULT_WITHIN_MAX = 7 * 86_400
SETTLE_WITHIN = 86_400
CLAIM_WITHIN = 7 * 86_400
"""Deadlines of protocol section 2, in seconds."""


@dataclass(frozen=True, slots=True)
class Request:
    """IMMIGRATION_REQUEST: home asks host to run one process."""

    home: Address
    host: Address
    process_id: Digest
    process_name: Digest
    commitment: Digest
    cpu_seconds: int
    memory_mib: int
    output_kib: int
    seq: int
    result_deadline: int
    signed_at: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """The host will run it."""

    request_id: Digest
    signed_at: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """The host will not, and says why (an answer code of ``ledger.reasons``)."""

    request_id: Digest
    reason: int
    signed_at: int


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The home confirms the acceptance; only with this in hand does the host start."""

    acceptance_id: Digest
    signed_at: int


@dataclass(frozen=True, slots=True)
class Result:
    """The host finished. ``seal`` = keccak256(abi.encode(resultDigest, salt, host, requestId))."""

    request_id: Digest
    seal: Digest
    signed_at: int


@dataclass(frozen=True, slots=True)
class CanaryOpened:
    """The home opens the mark of its request: it was a canary of this family."""

    request_id: Digest
    result_id: Digest
    task_digest: Digest
    family: Digest
    parameters: Digest
    salt: Digest
    signed_at: int


@dataclass(frozen=True, slots=True)
class Kudos:
    """A host's claim. K1 names a REJECTED, K2 a CONFIRMED, K3 a RESULT together with the opening of
    its seal."""

    level: int
    asset_id: Digest
    result_digest: Digest = ZERO_DIGEST
    seal_salt: Digest = ZERO_DIGEST


@dataclass(frozen=True, slots=True)
class Batch:
    """What a host signs when somebody else sends its batch: keccak256 of the packed bytes."""

    host: Address
    content: Digest


@dataclass(frozen=True, slots=True)
class Votes:
    """What a validator signs when somebody else sends its votes to the ledger."""

    content: Digest


@dataclass(frozen=True, slots=True)
class Claims:
    """What a host signs when somebody else sends its K3 claims."""

    host: Address
    content: Digest


@dataclass(frozen=True, slots=True)
class Receipt:
    """The home's word that a RESULT reached it then, whenever it was settled."""

    result_id: Digest
    received_at: int


@dataclass(frozen=True, slots=True)
class ClaimVotes:
    """What a validator signs when somebody else sends its votes on single claims."""

    content: Digest


@dataclass(frozen=True, slots=True)
class VoteCommitment:
    """What a validator signs when somebody else commits it to votes on K3."""

    round: int
    commitment: Digest


@dataclass(frozen=True, slots=True)
class BeaconCommitment:
    """What a validator signs when somebody else commits it to a secret."""

    period: int
    commitment: Digest


@dataclass(frozen=True, slots=True)
class OpenPuzzle:
    """What a host signs when somebody else asks for its puzzle."""

    host: Address
    counter: int
    difficulty: int


@dataclass(frozen=True, slots=True)
class ProposalVote:
    """What a validator signs for the queue: approve a proposal, or have it withdrawn."""

    proposal: int
    content: Digest
    approve: bool


@dataclass(frozen=True, slots=True)
class Anchor:
    """What validators sign to anchor migrations; ``totals`` as by ``ledger.anchoring``."""

    sequence: int
    root: Digest
    count: int
    new_hosts: tuple[Address, ...]
    totals: bytes


@dataclass(frozen=True, slots=True)
class TransportKey:
    """Binds a TLS certificate (SHA-256 of its DER form) to the ledger key that signs this."""

    certificate: Digest
    valid_until: int


@dataclass(frozen=True, slots=True)
class TransportLogin:
    """A client proves its ledger key to the server that showed this certificate and this nonce."""

    certificate: Digest
    nonce: Digest


Asset = (
    Request
    | Accepted
    | Rejected
    | Confirmed
    | Result
    | CanaryOpened
    | Kudos
    | Batch
    | Votes
    | Claims
    | Receipt
    | ClaimVotes
    | VoteCommitment
    | BeaconCommitment
    | OpenPuzzle
    | ProposalVote
    | Anchor
    | TransportKey
    | TransportLogin
)


@dataclass(frozen=True, slots=True)
class ConfirmedMigration:
    """A finished migration as it is settled; the home's signature is the one of CONFIRMED."""

    request: Request
    accepted: Accepted
    confirmed: Confirmed
    result: Result
    home_signature: Signature


@dataclass(frozen=True, slots=True)
class RejectedMigration:
    """An answered refusal as it is settled; the home's signature is the one of REQUEST."""

    request: Request
    rejected: Rejected
    home_signature: Signature


Migration = ConfirmedMigration | RejectedMigration


def process_name_field(name: str) -> Digest:
    """A process name as 32 bytes: UTF-8, cut at a character, padded with zeros."""
    raw = name.replace("\x00", "").encode("utf-8", "replace")[:32]
    return Digest(raw.decode("utf-8", "ignore").encode("utf-8").ljust(32, b"\0"))


def process_name_text(field: bytes) -> str:
    """The reverse, for people; a field that is no text (a salted hash) is shown in hex."""
    raw = field.rstrip(b"\0")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return "0x" + field.hex()
    return text if text.isprintable() else "0x" + field.hex()
