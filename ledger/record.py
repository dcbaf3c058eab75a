"""The packed batch of ``IKudosLedger.settle``, whose interface file has the layout.

version:1 | n:1 | confirmed:1 | (home:20 | count:1 | record * count)...
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from itertools import groupby

from ledger.assets import (
    Accepted,
    Confirmed,
    ConfirmedMigration,
    Migration,
    Rejected,
    RejectedMigration,
    Request,
    Result,
)
from ledger.eip712 import Domain, digest
from ledger.errors import PeerError
from ledger.types import Address, Digest, Signature

VERSION = 1
MAX_RECORDS = 128

#                      pid name com seal sig  seq at  dl  cpu mem out acc conf res
_CONFIRMED = struct.Struct(">32s32s32s32s64s I I 3s 3s 3s I H H 3s".replace(" ", ""))
_REJECTED = struct.Struct(">32s32s32s64s I I 3s 3s 3s I H B".replace(" ", ""))
CONFIRMED_BYTES = _CONFIRMED.size
REJECTED_BYTES = _REJECTED.size


def encode_batch(migrations: Iterable[Migration]) -> bytes:
    """Packs finished migrations of one host; confirmed ones first, then rejected, each grouped by
    home.

    ValueError when there are none or more than 128, several hosts, or a time that does not fit its
    field. ``decode_batch`` gives them back in the order of their index.
    """
    ordered = batch_order(migrations)
    if not 1 <= len(ordered) <= MAX_RECORDS:
        raise ValueError(f"a batch holds 1 to {MAX_RECORDS} migrations, not {len(ordered)}")
    if len({migration.request.host for migration in ordered}) != 1:
        raise ValueError("a batch holds the migrations of one host")
    confirmed = sum(isinstance(migration, ConfirmedMigration) for migration in ordered)
    packed = bytearray((VERSION, len(ordered), confirmed))
    for (_, home), group in groupby(ordered, key=_group_key):
        records = [_encode_record(migration) for migration in group]
        packed += home + bytes([len(records)]) + b"".join(records)
    return bytes(packed)


def batch_order(migrations: Iterable[Migration]) -> list[Migration]:
    """The order that ``encode_batch`` gives the records."""
    return sorted(migrations, key=_group_key)


def decode_batch(domain: Domain, host: Address, packed: bytes) -> list[Migration]:
    """The migrations in a batch, by index; PeerError when the bytes are not in the packed form."""
    if len(packed) < 3 or packed[0] != VERSION:
        raise PeerError("This is not a batch of version 1.")
    count, confirmed = packed[1], packed[2]
    if not 1 <= count <= MAX_RECORDS or confirmed > count:
        raise PeerError(f"A batch cannot hold {count} records of which {confirmed} are confirmed.")
    migrations: list[Migration] = []
    offset = 3
    while len(migrations) < count:
        home, size, offset = _group_header(packed, offset)
        left = (confirmed if len(migrations) < confirmed else count) - len(migrations)
        if not 1 <= size <= left:
            raise PeerError(f"A group of {size} records cannot stand at offset {offset}.")
        is_confirmed = len(migrations) < confirmed
        width = CONFIRMED_BYTES if is_confirmed else REJECTED_BYTES
        if offset + size * width > len(packed):
            raise PeerError("The batch ends in the middle of a record.")
        decode = _decode_confirmed if is_confirmed else _decode_rejected
        for start in range(offset, offset + size * width, width):
            migrations.append(decode(domain, home, host, packed, start))
        offset += size * width
    if offset != len(packed):
        raise PeerError(f"{len(packed) - offset} bytes follow the last record of a batch.")
    return migrations


def leaf(domain: Domain, migration: Migration) -> Digest:
    """A record's leaf: the id of its RESULT, or of its REJECTED."""
    if isinstance(migration, ConfirmedMigration):
        return digest(domain, migration.result)
    return digest(domain, migration.rejected)


def leaves(domain: Domain, migrations: Sequence[Migration], skipped: Iterable[int]) -> list[Digest]:
    """All leaves of a batch; a skipped record's is zero."""
    gone = set(skipped)
    return [
        Digest(bytes(32)) if index in gone else leaf(domain, migration)
        for index, migration in enumerate(migrations)
    ]


def _group_key(migration: Migration) -> tuple[bool, Address]:
    return isinstance(migration, RejectedMigration), migration.request.home


def _group_header(packed: bytes, offset: int) -> tuple[Address, int, int]:
    if offset + 21 > len(packed):
        raise PeerError("The batch ends in the middle of a group.")
    return Address(packed[offset : offset + 20]), packed[offset + 20], offset + 21


def _u24(value: int) -> bytes:
    if not 0 <= value < 1 << 24:
        raise ValueError(f"{value} does not fit 24 bits")
    return value.to_bytes(3, "big")


def _encode_record(migration: Migration) -> bytes:
    request = migration.request
    at = request.signed_at
    texts = (request.process_id, request.process_name, request.commitment)
    numbers = (
        request.seq,
        at,
        _u24(request.result_deadline - at),
        _u24(request.cpu_seconds),
        _u24(request.memory_mib),
        request.output_kib,
    )
    try:
        if isinstance(migration, RejectedMigration):
            answer = (migration.rejected.signed_at - at, migration.rejected.reason)
            return _REJECTED.pack(*texts, migration.home_signature, *numbers, *answer)
        times = (
            migration.accepted.signed_at - at,
            migration.confirmed.signed_at - at,
            _u24(migration.result.signed_at - at),
        )
        seal = migration.result.seal
        return _CONFIRMED.pack(*texts, seal, migration.home_signature, *numbers, *times)
    except struct.error as error:
        raise ValueError(f"a migration does not fit its record: {error}") from error


def _request(
    home: Address, host: Address, texts: tuple[bytes, ...], numbers: tuple[int, ...]
) -> Request:
    process_id, process_name, commitment = (Digest(text) for text in texts)
    seq, at, deadline, cpu, memory, output = numbers
    return Request(
        home,
        host,
        process_id,
        process_name,
        commitment,
        cpu,
        memory,
        output,
        seq,
        at + deadline,
        at,
    )


def _decode_confirmed(
    domain: Domain, home: Address, host: Address, packed: bytes, start: int
) -> ConfirmedMigration:
    (
        pid,
        name,
        commitment,
        seal,
        signature,
        seq,
        at,
        deadline,
        cpu,
        memory,
        output,
        *times,
    ) = _CONFIRMED.unpack_from(packed, start)
    numbers = (seq, at, _int(deadline), _int(cpu), _int(memory), output)
    request = _request(home, host, (pid, name, commitment), numbers)
    request_id = digest(domain, request)
    accepted = Accepted(request_id, at + times[0])
    confirmed = Confirmed(digest(domain, accepted), at + times[1])
    result = Result(request_id, Digest(seal), at + _int(times[2]))
    return ConfirmedMigration(request, accepted, confirmed, result, Signature(signature))


def _decode_rejected(
    domain: Domain, home: Address, host: Address, packed: bytes, start: int
) -> RejectedMigration:
    (
        pid,
        name,
        commitment,
        signature,
        seq,
        at,
        deadline,
        cpu,
        memory,
        output,
        after,
        reason,
    ) = _REJECTED.unpack_from(packed, start)
    numbers = (seq, at, _int(deadline), _int(cpu), _int(memory), output)
    request = _request(home, host, (pid, name, commitment), numbers)
    rejected = Rejected(digest(domain, request), reason, at + after)
    return RejectedMigration(request, rejected, Signature(signature))


def _int(raw: bytes) -> int:
    return int.from_bytes(raw, "big")
