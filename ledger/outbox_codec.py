"""How queued assets lie on disk: the packed record of the contract, and an opening behind it. Pure.

migration = host:20 | a batch of one (``ledger.record``)
canary    = taskDigest:32 | family:32 | parameters:32 | salt:32 | openedAt:8
          | opening signature:64 | resultDigest:32 | sealSalt:32 | migration
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ledger.assets import (
    K3_CANARY,
    CanaryOpened,
    ConfirmedMigration,
    Kudos,
    Migration,
)
from ledger.eip712 import Domain, digest
from ledger.errors import CorruptData, PeerError
from ledger.record import decode_batch, encode_batch
from ledger.types import Address, Digest, Signature

_OPENING = struct.Struct(">32s32s32s32sQ64s32s32s")


@dataclass(frozen=True, slots=True)
class OpenedCanary:
    """All that a claim for K3 stands on, except where its RESULT was settled: that may change until
    it is final, and is looked up when the claim is sent."""

    migration: ConfirmedMigration
    opened: CanaryOpened
    opening_signature: Signature
    result_digest: Digest
    seal_salt: Digest


def pack_migration(domain: Domain, migration: Migration) -> bytes:
    """The bytes for the disk; PeerError when they would not say the same as the assets."""
    try:
        packed = encode_batch([migration])
    except (ValueError, OverflowError) as error:
        raise PeerError(f"This migration cannot be settled: {error}.") from error
    if decode_batch(domain, migration.request.host, packed) != [migration]:
        raise PeerError("The assets of this migration do not name one another.")
    return migration.request.host + packed


def unpack_migration(domain: Domain, raw: bytes) -> Migration:
    """The reverse of ``pack_migration``."""
    (migration,) = decode_batch(domain, Address(raw[:20]), raw[20:])
    return migration


def pack_canary(domain: Domain, canary: OpenedCanary) -> bytes:
    """The bytes for the disk; PeerError when the opening is that of another migration."""
    opened = canary.opened
    # First, as it refuses what has no digest.
    migration = pack_migration(domain, canary.migration)
    expected = (digest(domain, canary.migration.request), digest(domain, canary.migration.result))
    if (opened.request_id, opened.result_id) != expected:
        raise PeerError("The opening is not that of this migration's result.")
    packed = _OPENING.pack(
        opened.task_digest,
        opened.family,
        opened.parameters,
        opened.salt,
        opened.signed_at,
        canary.opening_signature,
        canary.result_digest,
        canary.seal_salt,
    )
    return packed + migration


def unpack_canary(domain: Domain, raw: bytes) -> OpenedCanary:
    """The reverse of ``pack_canary``."""
    migration = unpack_migration(domain, raw[_OPENING.size :])
    if not isinstance(migration, ConfirmedMigration):
        raise CorruptData(
            "A queued canary has no result.", hint="The settlement queue is damaged; keep the file."
        )
    task_digest, family, parameters, salt, opened_at, signature, result_digest, seal_salt = (
        _OPENING.unpack_from(raw)
    )
    opened = CanaryOpened(
        digest(domain, migration.request),
        digest(domain, migration.result),
        *(Digest(task_digest), Digest(family), Digest(parameters), Digest(salt)),
        signed_at=opened_at,
    )
    return OpenedCanary(
        migration, opened, Signature(signature), Digest(result_digest), Digest(seal_salt)
    )


def kudos_id(domain: Domain, canary: OpenedCanary) -> Digest:
    """The id of the KUDOS that the claim makes."""
    result_id = digest(domain, canary.migration.result)
    return digest(domain, Kudos(K3_CANARY, result_id, canary.result_digest, canary.seal_salt))
