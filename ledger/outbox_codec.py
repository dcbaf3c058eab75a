"""How queued assets lie on disk: the packed record of the contract, and an opening behind it. Pure.

migration = host:20 | a batch of one (``ledger.record``)
canary    = 1 | taskDigest:32 | family:32 | parameters:32 | salt:32 | openedAt:8
          | opening signature:64 | resultDigest:32 | sealSalt:32 | isPuzzle:1 | solution:32
          | migration                                                   opened by its home
          | 2 | taskDigest:32 | markHash:32 | resultDigest:32 | sealSalt:32
          | migration                                                   drawn by the beacon
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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
from ledger.types import ZERO_DIGEST, Address, Digest, Signature

_OPENED, _DRAWN = 1, 2
_OPENING = struct.Struct(">32s32s32s32sQ64s32s32s?32s")
_DRAW = struct.Struct(">32s32s32s32s")


@dataclass(frozen=True, slots=True)
class OpenedCanary:
    """All that a claim for K3 stands on, except where its RESULT was settled: that may change until
    it is final, and is looked up when the claim is sent."""

    migration: ConfirmedMigration
    opened: CanaryOpened
    opening_signature: Signature
    result_digest: Digest
    seal_salt: Digest
    solution: Digest | None = None
    """Of a puzzle whose family the contract checks."""


@dataclass(frozen=True, slots=True)
class DrawnCanary:
    """A RESULT that the beacon has drawn, and how its request's commitment and its seal open; the
    mark stays shut."""

    migration: ConfirmedMigration
    task_digest: Digest
    mark_hash: Digest
    result_digest: Digest
    seal_salt: Digest


Canary = OpenedCanary | DrawnCanary


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


def pack_canary(domain: Domain, canary: Canary) -> bytes:
    """The bytes for the disk; PeerError when the opening is that of another migration."""
    # First, as it refuses what has no digest.
    migration = pack_migration(domain, canary.migration)
    if isinstance(canary, DrawnCanary):
        words = (canary.task_digest, canary.mark_hash, canary.result_digest, canary.seal_salt)
        return bytes([_DRAWN]) + _DRAW.pack(*words) + migration
    opened = canary.opened
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
        canary.solution is not None,
        canary.solution or ZERO_DIGEST,
    )
    return bytes([_OPENED]) + packed + migration


def unpack_canary(domain: Domain, raw: bytes) -> Canary:
    """The reverse of ``pack_canary``."""
    is_drawn = raw[0] == _DRAWN
    content = _DRAW if is_drawn else _OPENING
    migration = unpack_migration(domain, raw[1 + content.size :])
    if not isinstance(migration, ConfirmedMigration):
        raise CorruptData(
            "A queued canary has no result.", hint="The settlement queue is damaged; keep the file."
        )
    values = content.unpack_from(raw, 1)
    if is_drawn:
        return DrawnCanary(migration, *(Digest(word) for word in values))
    return _unpack_opened(domain, migration, values)


def _unpack_opened(
    domain: Domain, migration: ConfirmedMigration, values: Sequence[Any]
) -> OpenedCanary:
    task_digest, family, parameters, salt, opened_at, signature, *answer = values
    result_digest, seal_salt, is_puzzle, solution = answer
    opened = CanaryOpened(
        digest(domain, migration.request),
        digest(domain, migration.result),
        *(Digest(task_digest), Digest(family), Digest(parameters), Digest(salt)),
        signed_at=opened_at,
    )
    return OpenedCanary(
        migration,
        opened,
        Signature(signature),
        Digest(result_digest),
        Digest(seal_salt),
        Digest(solution) if is_puzzle else None,
    )


def kudos_id(domain: Domain, canary: Canary) -> Digest:
    """The id of the KUDOS that the claim makes."""
    result_id = digest(domain, canary.migration.result)
    return digest(domain, Kudos(K3_CANARY, result_id, canary.result_digest, canary.seal_salt))
