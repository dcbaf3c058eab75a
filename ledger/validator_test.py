"""What stands for a result in a claim that tests the validators (``IValidatorTests``). Pure.

Nobody finds a salt for the digest of a real result: a claim on such a digest proves by itself that
whoever approved it had not compared.
"""

from __future__ import annotations

from eth_hash.auto import keccak

from ledger.assets import K3_CANARY, Kudos
from ledger.eip712 import Domain, digest, types
from ledger.types import Digest


def digest_of(request_id: Digest, salt: Digest) -> Digest:
    """keccak256(abi.encode(type hash, request id, salt))."""
    type_hash = keccak(types()["hashed"]["validatorTest"].encode())
    return Digest(keccak(type_hash + request_id + salt))


def kudos_of(
    domain: Domain, request_id: Digest, result_id: Digest, seal_salt: Digest, salt: Digest
) -> Digest:
    """The id of the K3 that is claimed on such a digest."""
    stands_for = digest_of(request_id, salt)
    return digest(domain, Kudos(K3_CANARY, result_id, stands_for, seal_salt))
