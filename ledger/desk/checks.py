"""What anybody can recompute of one migration: ids, signatures, opened commitment, seal. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from eth_hash.auto import keccak

from ledger import validator_test
from ledger.assets import K3_CANARY, ConfirmedMigration, Kudos, Request
from ledger.eip712 import Domain, digest, types
from ledger.keys import recover
from ledger.rows import KudosRow, Opening, SettledMigration, SingleStep, ValidatorTest
from ledger.types import Address, Digest, Signature, hex_of

SIGNATURE_LENGTH = 64
PLANTED = 1
"""The kind of mark that says canary; 0 is an ordinary task."""


@dataclass(frozen=True, slots=True)
class Check:
    """One recomputation: what stands on the ledger, and what came out."""

    name: str
    stated: str
    computed: str

    @property
    def holds(self) -> bool:
        return self.stated == self.computed


def commitment(domain: Domain, request: Request, task_digest: Digest, mark: Digest) -> Digest:
    """What the REQUEST's commitment must be for this task and mark (protocol section 3)."""
    type_hash = keccak(types()["hashed"]["commitment"].encode())
    place = (_number(domain.chain_id), domain.contract, request.home, request.host)
    return _words(type_hash, *place, _number(request.seq), task_digest, mark)


def mark_hash(kind: int, family: Digest, parameters: Digest, salt: Digest) -> Digest:
    """The mark that a commitment hides."""
    return _words(_number(kind), family, parameters, salt)


def result_seal(result_digest: Digest, salt: Digest, host: Address, request_id: Digest) -> Digest:
    """What the RESULT's seal must be for this result."""
    return _words(result_digest, salt, host, request_id)


def checks(
    domain: Domain,
    settled: SettledMigration,
    opening: Opening | None,
    claims: list[KudosRow],
    steps: Sequence[SingleStep] = (),
    test: ValidatorTest | None = None,
) -> list[Check]:
    """Everything that can be recomputed of one migration, each with its outcome. A signature that
    is no key's is a contract wallet's, and the chain alone can judge it."""
    found = [*_asset_checks(domain, settled), *_step_checks(settled, steps)]
    if opening is not None:
        found += _opening_checks(domain, settled, opening)
    for claim in claims:
        found += _claim_checks(domain, settled, claim)
    if test is not None:
        found += _test_checks(domain, claims, test)
    return found


def _asset_checks(domain: Domain, settled: SettledMigration) -> Iterator[Check]:
    migration, request = settled.migration, settled.request
    yield _check("REQUEST id", settled.request_id, digest(domain, request))
    signer = "CONFIRMED" if isinstance(migration, ConfirmedMigration) else "REQUEST"
    signed: Digest
    if isinstance(migration, ConfirmedMigration):
        signed = digest(domain, migration.confirmed)
        yield _check("ACCEPTED id", settled.answer_id, digest(domain, migration.accepted))
        yield _check("CONFIRMED id", settled.confirmed_id or b"", signed)
        yield _check("RESULT id", settled.result_id or b"", digest(domain, migration.result))
    else:
        signed = digest(domain, request)
        yield _check("REJECTED id", settled.answer_id, digest(domain, migration.rejected))
    if settled.root is not None:
        found = recover(signed, migration.home_signature)
        yield _check(f"signer of {signer}", request.home, found or b"")


def _step_checks(settled: SettledMigration, steps: Sequence[SingleStep]) -> Iterator[Check]:
    """The signatures of assets that came one by one and were sent by another than their owner."""
    request = settled.request
    for step in steps:
        if step.signature is not None and len(step.signature) == SIGNATURE_LENGTH:
            owner = request.home if step.kind in ("REQUEST", "CONFIRMED") else request.host
            found = recover(step.asset_id, Signature(step.signature))
            yield _check(f"signer of {step.kind}", owner, found or b"")


def _opening_checks(domain: Domain, settled: SettledMigration, opening: Opening) -> Iterator[Check]:
    asset = opening.asset
    mark = mark_hash(PLANTED, asset.family, asset.parameters, asset.salt)
    computed = commitment(domain, settled.request, asset.task_digest, mark)
    yield _check("commitment, opened", settled.request.commitment, computed)
    if opening.signature is not None and len(opening.signature) == SIGNATURE_LENGTH:
        found = recover(digest(domain, asset), Signature(opening.signature))
        yield _check("signer of CANARY_OPENED", settled.request.home, found or b"")


def _claim_checks(domain: Domain, settled: SettledMigration, claim: KudosRow) -> Iterator[Check]:
    kudos = Kudos(claim.level, claim.asset_id)
    migration = settled.migration
    if claim.level == K3_CANARY and claim.result_digest and claim.seal_salt:
        kudos = Kudos(claim.level, claim.asset_id, claim.result_digest, claim.seal_salt)
        if isinstance(migration, ConfirmedMigration):
            request = settled.request
            opened = (claim.result_digest, claim.seal_salt, request.host, settled.request_id)
            yield _check("result seal, opened", migration.result.seal, result_seal(*opened))
    if claim.level < K3_CANARY and claim.asset_id == settled.result_id:
        kudos = Kudos(claim.level, settled.confirmed_id or claim.asset_id)
    yield _check(f"K{claim.level} id", claim.chain_id, digest(domain, kudos))


def _test_checks(domain: Domain, claims: list[KudosRow], test: ValidatorTest) -> Iterator[Check]:
    """That nobody's run gave this digest: only who chose it beforehand has a salt for it."""
    sealed = next((each.result_digest for each in claims if each.chain_id == test.kudos_id), None)
    computed = validator_test.digest_of(test.request_id, test.salt)
    yield _check("digest of a test, in place of a result's", sealed or b"", computed)
    shown = (test.request_id, test.result_id, test.seal_salt, test.salt)
    kudos_id = validator_test.kudos_of(domain, *shown)
    yield _check("K3 id of the test", test.kudos_id, kudos_id)


def _check(name: str, stated: bytes, computed: bytes) -> Check:
    return Check(name, hex_of(stated), hex_of(computed))


def _number(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _words(*values: bytes) -> Digest:
    return Digest(keccak(b"".join(value.rjust(32, b"\0") for value in values)))
