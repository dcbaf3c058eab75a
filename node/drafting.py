"""A home's REQUEST, whoever schedules its tasks: what is signed, and what is on disk before it
leaves."""

from __future__ import annotations

from dataclasses import dataclass

from canaries.commitment import Mark, Place, commitment
from canaries.vault import Sealed, Vault
from ledger.assets import Request, process_name_field
from ledger.eip712 import digest
from ledger.types import Address, Digest, Signature
from node.handshake import Credentials
from node.task import Limits


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a host is asked for, signed at ``now`` and wanted back ``within`` seconds."""

    name: str
    task_digest: Digest
    limits: Limits
    now: int
    within: int


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A REQUEST that may leave."""

    request: Request
    request_id: Digest
    signature: Signature


def sign_request(
    me: Credentials, vault: Vault, host: Address, seq: int, wanted: Wanted, mark: Mark
) -> SignedRequest:
    """Commits to task and mark under a number that was taken for it, and seals the mark in the
    vault."""
    domain, home, limits = me.domain, me.key.address, wanted.limits
    place = Place(domain.chain_id, domain.contract, home, host, seq)
    request = Request(
        home=home,
        host=host,
        process_id=Digest(me.entropy(32)),
        process_name=process_name_field(wanted.name),
        commitment=Digest(commitment(place, wanted.task_digest, mark.hash)),
        cpu_seconds=limits.cpu_seconds,
        memory_mib=limits.memory_mib,
        output_kib=limits.output_kib,
        seq=seq,
        result_deadline=wanted.now + wanted.within,
        signed_at=wanted.now,
    )
    request_id = digest(domain, request)
    vault.put(Sealed(request_id, host, wanted.task_digest, mark))
    return SignedRequest(request, request_id, me.key.sign(domain, request))
