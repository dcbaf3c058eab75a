"""Calldata of the claims contract and of the beacon, and what they answer. Pure; see
``ledger.calls``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

from eth_abi.abi import encode as abi_encode
from eth_hash.auto import keccak

from ledger.abi import BEACON, CLAIMS, decode_result, encode
from ledger.assets import K1_REJECTED, K2_CONFIRMED, ConfirmedMigration, Migration
from ledger.calls import View
from ledger.contracts import contracts_of
from ledger.eip712 import Domain
from ledger.packed_claims import ClaimItem, encode_claims
from ledger.types import ZERO_DIGEST, Address, Digest, address_from_hex


@dataclass(frozen=True, slots=True)
class ClaimVote:
    """A validator's word on one single claim."""

    kudos_id: Digest
    reason: int


@dataclass(frozen=True, slots=True)
class SingleClaim:
    """How a single claim stands; masks have a bit for each seat."""

    standing: int
    level: int
    origin: int
    host: Address
    opened_at: int
    approvals: int
    refusals: int
    voters: int
    parties: int


def claim(items: Sequence[ClaimItem]) -> bytes:
    """Calldata that claims K3 for the sender's canaries."""
    return encode("claim", encode_claims(items), contract=CLAIMS)


def claim_again(
    migration: Migration, root: Digest | None = None, index: int = 0, path: Sequence[Digest] = ()
) -> bytes:
    """Calldata that opens a K1 or K2 which has timed out to votes anew, with the place in its batch
    (no root: settled step by step)."""
    request = astuple(migration.request)
    place = (root or ZERO_DIGEST, index, list(path))
    if isinstance(migration, ConfirmedMigration):
        result = migration.result
        stands_on = (request, K2_CONFIRMED, result.seal, 0, result.signed_at)
    else:
        rejected = migration.rejected
        stands_on = (request, K1_REJECTED, ZERO_DIGEST, rejected.reason, rejected.signed_at)
    return encode("claimAgain", (*stands_on, *place), contract=CLAIMS)


def vote(votes: Sequence[ClaimVote]) -> bytes:
    """Calldata of direct votes on single K1 and K2 claims."""
    return encode("vote", [astuple(each) for each in votes], contract=CLAIMS)


def commit_votes(number: int, commitment: Digest) -> bytes:
    """Calldata that commits the sender in this round."""
    return encode("commitVotes", number, commitment, contract=CLAIMS)


def reveal_votes(
    validator: Address, number: int, votes: Sequence[ClaimVote], salt: Digest
) -> bytes:
    """Calldata that opens a validator's commitment."""
    listed = [astuple(each) for each in votes]
    return encode("revealVotes", validator, number, listed, salt, contract=CLAIMS)


def votes_commitment(
    domain: Domain, validator: Address, number: int, votes: Sequence[ClaimVote], salt: Digest
) -> Digest:
    """What ``hashVotes`` of the claims contract gives."""
    content = keccak(abi_encode(["(bytes32,uint8)[]"], [[astuple(each) for each in votes]]))
    contract = contracts_of(domain.contract).claims
    kinds = ["uint256", "address", "address", "uint64", "bytes32", "bytes32"]
    bound = [domain.chain_id, contract, validator, number, content, salt]
    return Digest(keccak(abi_encode(kinds, bound)))


def vote_commitment(validator: Address, number: int) -> View[Digest]:
    """A validator's commitment of a round; zero when there is none or it was opened."""
    return _scalar(CLAIMS, "voteCommitment", validator, number)


def kudos_claim(kudos_id: Digest) -> View[SingleClaim]:
    def read(raw: bytes) -> SingleClaim:
        fields = list(decode_result("kudosClaim", raw, contract=CLAIMS)[0])
        fields[3] = address_from_hex(fields[3])
        return SingleClaim(*fields)

    return View(encode("kudosClaim", kudos_id, contract=CLAIMS), read)


def canary_claimed(home: Address, host: Address, seq: int) -> View[bool]:
    """Whether K3 was claimed on the RESULT with this sequence number."""
    return _scalar(CLAIMS, "canaryClaimed", home, host, seq)


def commit_seconds() -> View[int]:
    """The length of a round of commitments."""
    return _scalar(CLAIMS, "commitSeconds")


def draw_rate() -> View[int]:
    """How many of 65,536 requests the beacon draws."""
    return _scalar(CLAIMS, "drawRate")


def family(number: int) -> View[tuple[Digest, Address]]:
    """A registered family of puzzles: its name and its contract; zeros beyond the last."""

    def read(raw: bytes) -> tuple[Digest, Address]:
        name, implementation = decode_result("family", raw, contract=CLAIMS)
        return Digest(name), address_from_hex(implementation)

    return View(encode("family", number, contract=CLAIMS), read)


def open_test(request_id: Digest, result_id: Digest, seal_salt: Digest, salt: Digest) -> bytes:
    """Calldata that shows a claim to be a test of the validators."""
    return encode("openTest", request_id, result_id, seal_salt, salt, contract=CLAIMS)


def commit_secret(period: int, commitment: Digest) -> bytes:
    """Calldata that commits the sender to its secret for a period of the beacon."""
    return encode("commit", period, commitment, contract=BEACON)


def reveal_secret(validator: Address, period: int, secret: Digest) -> bytes:
    """Calldata that opens a validator's secret."""
    return encode("reveal", validator, period, secret, contract=BEACON)


def fix_beacon(period: int) -> bytes:
    """Calldata for the next step of a period's beacon."""
    return encode("fix", period, contract=BEACON)


def secret_commitment(domain: Domain, validator: Address, period: int, secret: Digest) -> Digest:
    """What ``hashSecret`` of the beacon gives."""
    contract = contracts_of(domain.contract).beacon
    kinds = ["uint256", "address", "address", "uint64", "bytes32"]
    return Digest(keccak(abi_encode(kinds, [domain.chain_id, contract, validator, period, secret])))


def period_seconds() -> View[int]:
    return _scalar(BEACON, "periodSeconds")


def reveal_seconds() -> View[int]:
    return _scalar(BEACON, "revealSeconds")


def _scalar(contract: str, name: str, *values: Any) -> View[Any]:
    return View(
        encode(name, *values, contract=contract),
        lambda raw: decode_result(name, raw, contract=contract)[0],
    )
