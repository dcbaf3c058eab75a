"""The people of a synthetic ledger: keys from a seed, and what their owners sign."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from random import Random
from typing import Literal

from coincurve import PrivateKey
from eth_hash.auto import keccak

from ledger import validator_test
from ledger.assets import (
    Accepted,
    CanaryOpened,
    Confirmed,
    ConfirmedMigration,
    Migration,
    Rejected,
    RejectedMigration,
    Request,
    Result,
    process_name_field,
)
from ledger.eip712 import Domain, digest, types
from ledger.keys import Key
from ledger.reasons import Reason
from ledger.types import Address, BlockNumber, Digest, Signature

CANARY_RATE = 2 / 13
_NAMES = (
    "cc -O2 networking.c",
    "cc -O2 dict.c",
    "cc -O2 t_zset.c",
    "cc -O2 server.c",
    "cc -O2 sds.c",
)


@dataclass(frozen=True, slots=True)
class SyntheticDeployment:
    """The constants of a synthetic ledger (``ledger.source.LedgerIdentity``)."""

    chain_id: int
    contract: Address
    deployed_block: BlockNumber
    validators: tuple[Address, ...]
    threshold: int
    epoch_seconds: int
    finality_depth: int
    finality: Literal["depth", "chain"] = "depth"
    round_seconds: int = 2
    draw_rate: int = 0
    period_seconds: int = 86_400
    reveal_seconds: int = 21_600

    @property
    def domain(self) -> Domain:
        return Domain(self.chain_id, self.contract)


@dataclass(frozen=True, slots=True)
class Planted:
    """A canary that its home will open: the secrets of the mark and of the result's seal; and the
    salt of what stands for a result where it is a test of the validators."""

    migration: ConfirmedMigration
    opened: CanaryOpened
    result_digest: Digest
    seal_salt: Digest
    test_salt: Digest | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """What a synthetic ledger looks like. Without signatures it is made faster and fails audits."""

    seed: str = "kudos"
    nodes: int = 8
    validators: int = 3
    threshold: int = 2
    rejected: float = 0.25
    refused: float = 0.02
    repeated: float = 0.1
    tests: float = 0.1
    """Of the planted canaries; the last validator approves them."""
    block_seconds: int = 2
    epoch_seconds: int = 86_400
    finality_depth: int = 12
    signatures: bool = True
    process_names: tuple[str, ...] = _NAMES


class Actors:
    """Nodes that make signed migrations out of a stream of random numbers."""

    def __init__(self, settings: Settings, domain: Domain) -> None:
        self._settings = settings
        self._domain = domain
        self.random = Random(settings.seed)
        self.nodes = [_key(settings.seed, "node", index) for index in range(settings.nodes)]
        self._sequences: dict[tuple[Address, Address], int] = {}

    def migration(self, home: Key, host: Key, settled_at: int) -> tuple[Migration, Planted | None]:
        """One finished migration, and the opening of its mark if it is a canary."""
        task_digest, salt = self._digest(), self._digest()
        planted = self.random.random() < CANARY_RATE
        family = Digest(keccak(b"replay"))
        mark = _words(bytes([planted]), family, bytes(32), salt)
        request = self._request(home.address, host.address, settled_at, task_digest, mark)
        request_id = digest(self._domain, request)
        answered = request.signed_at + self.random.randrange(3)
        if self.random.random() < self._settings.rejected:
            rejected = Rejected(request_id, Reason.REPUTATION, answered)
            return RejectedMigration(request, rejected, self._sign(home, request)), None
        accepted = Accepted(request_id, answered)
        confirmed = Confirmed(digest(self._domain, accepted), answered)
        result_digest, seal_salt = self._digest(), self._digest()
        test_salt = Digest(keccak(salt)) if salt[0] < self._settings.tests * 256 else None
        if planted and test_salt:
            result_digest = validator_test.digest_of(request_id, test_salt)
        seal = _words(result_digest, seal_salt, host.address, request_id)
        result = Result(request_id, seal, answered + self.random.randrange(1, 20))
        signature = self._sign(home, confirmed)
        migration = ConfirmedMigration(request, accepted, confirmed, result, signature)
        if not planted:
            return migration, None
        mark_fields = (task_digest, family, Digest(bytes(32)), salt)
        result_id = digest(self._domain, result)
        opened = CanaryOpened(request_id, result_id, *mark_fields, settled_at + 1)
        return migration, Planted(migration, opened, result_digest, seal_salt, test_salt)

    def sign_opening(self, planted: Planted) -> Signature:
        """The home's signature of an opening."""
        home = planted.migration.request.home
        key = next(node for node in self.nodes if node.address == home)
        return self._sign(key, planted.opened)

    def _request(
        self, home: Address, host: Address, settled_at: int, task_digest: Digest, mark: Digest
    ) -> Request:
        seq = self._sequences.get((home, host), 0)
        self._sequences[home, host] = seq + 1
        domain = self._domain
        type_hash = keccak(types()["hashed"]["commitment"].encode())
        chain_id, place = domain.chain_id.to_bytes(32, "big"), (home, host, seq.to_bytes(4, "big"))
        commitment = _words(type_hash, chain_id, domain.contract, *place, task_digest, mark)
        name = process_name_field(self.random.choice(self._settings.process_names))
        signed_at = settled_at - self.random.randrange(30, 60)
        limits = (60, 512, 4096)
        return Request(
            home, host, self._digest(), name, commitment, *limits, seq, signed_at + 600, signed_at
        )

    def _sign(self, key: Key, asset: Request | Confirmed | CanaryOpened) -> Signature:
        if self._settings.signatures:
            return key.sign(self._domain, asset)
        return Signature(self.random.randbytes(64))

    def _digest(self) -> Digest:
        return Digest(self.random.randbytes(32))


def deployment_of(settings: Settings) -> SyntheticDeployment:
    """The ledger that the seed of these settings stands for."""
    validators = [_key(settings.seed, "validator", i).address for i in range(settings.validators)]
    contract = Address(sha256(f"{settings.seed} contract".encode()).digest()[:20])
    return SyntheticDeployment(
        *(31_337, contract, BlockNumber(1), tuple(validators)),
        *(settings.threshold, settings.epoch_seconds, settings.finality_depth),
        round_seconds=settings.block_seconds,
    )


def _key(seed: str, role: str, index: int) -> Key:
    return Key(PrivateKey(sha256(f"{seed} {role} {index}".encode()).digest()))


def _words(*values: bytes) -> Digest:
    return Digest(keccak(b"".join(value.rjust(32, b"\0") for value in values)))
