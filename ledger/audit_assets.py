"""The audit's own reading of assets: ids by eip712.json, packed forms by the interfaces' text.

Shares nothing with the indexer. Where the indexer is fast, this is plain.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

from eth_abi.abi import encode as abi_encode
from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

from ledger.types import Address

CONFIRMED_BYTES, REJECTED_BYTES = 220, 184
PUZZLE, PLANTED, DRAWN = 1, 2, 3
SIGNED = 8
_OPENING_BYTES = {PUZZLE: 161, PLANTED: 192, DRAWN: 128}


@dataclass(frozen=True, slots=True)
class Record:
    """One migration, as numbers and bytes; times are absolute, those not reached yet zero."""

    home: bytes
    host: bytes
    process_id: bytes
    process_name: bytes
    commitment: bytes
    seal: bytes | None
    signature: bytes
    seq: int
    signed_at: int
    deadline: int
    cpu_seconds: int
    memory_mib: int
    output_kib: int
    answered_at: int
    confirmed_at: int
    result_at: int
    reason: int | None

    @property
    def place(self) -> tuple[bytes, bytes, int]:
        """What no other settled migration shares."""
        return self.home, self.host, self.seq


@dataclass(frozen=True, slots=True)
class CanaryItem:
    """One K3 claim of the log. ``family`` is a name, of a puzzle its number, of a drawn one empty;
    ``answer`` is the result's digest, of a puzzle its solution."""

    form: int
    home: bytes
    seq: int
    family: bytes
    task_digest: bytes
    parameters: bytes
    salt: bytes
    mark_hash: bytes
    seal_salt: bytes
    answer: bytes
    opened_at: int = 0
    signature: bytes | None = None


class Hasher:
    """EIP-712 digests of one contract on one chain, through eth_abi."""

    def __init__(self, chain_id: int, contract: Address) -> None:
        definitions = read_json("artifacts/eip712.json")
        self._types: dict[str, list[dict[str, str]]] = definitions["types"]
        self._commitment = keccak(text=definitions["hashed"]["commitment"])
        self._test = keccak(text=definitions["hashed"]["validatorTest"])
        self.chain_id = chain_id
        self._place = (chain_id, contract)
        domain = definitions["domain"]
        values = [keccak(text=domain["name"]), keccak(text=domain["version"]), *self._place]
        kinds = ["bytes32", "bytes32", "bytes32", "uint256", "address"]
        type_hash = keccak(text=_type_string("EIP712Domain", domain["fields"]))
        self._separator = keccak(abi_encode(kinds, [type_hash, *values]))

    def digest(self, asset: str, *values: Any) -> bytes:
        """The id of an asset from its values, in the order of its type."""
        fields = self._types[asset]
        type_hash = keccak(text=_type_string(asset, fields))
        kinds = ["bytes32", *(field["type"] for field in fields)]
        struct = keccak(abi_encode(kinds, [type_hash, *values]))
        return keccak(b"\x19\x01" + self._separator + struct)

    def request(self, record: Record) -> bytes:
        """The id of a record's REQUEST."""
        texts = (record.process_id, record.process_name, record.commitment)
        limits = (record.cpu_seconds, record.memory_mib, record.output_kib)
        times = (record.seq, record.deadline, record.signed_at)
        return self.digest("Request", record.home, record.host, *texts, *limits, *times)

    def accepted(self, record: Record) -> bytes:
        """The id of a record's ACCEPTED."""
        return self.digest("Accepted", self.request(record), record.answered_at)

    def confirmed(self, record: Record) -> bytes:
        """The id of a record's CONFIRMED."""
        return self.digest("Confirmed", self.accepted(record), record.confirmed_at)

    def answer(self, record: Record) -> bytes:
        """The id of a record's RESULT or REJECTED."""
        request_id = self.request(record)
        if record.reason is not None:
            return self.digest("Rejected", request_id, record.reason, record.answered_at)
        return self.digest("Result", request_id, record.seal, record.result_at)

    def kudos(
        self, level: int, asset_id: bytes, answer: bytes = bytes(32), salt: bytes = bytes(32)
    ) -> bytes:
        """The id of a KUDOS; only K3 opens a result's seal."""
        return self.digest("Kudos", level, asset_id, answer, salt)

    def test(self, request_id: bytes, salt: bytes) -> bytes:
        """What stands for a result where the validators are tested."""
        return keccak(abi_encode(["bytes32"] * 3, [self._test, request_id, salt]))

    def commitment(self, record: Record, task_digest: bytes, mark_hash: bytes) -> bytes:
        """What a REQUEST with this mark commits to."""
        kinds = ["bytes32", "uint256", *["address"] * 3, "uint32", "bytes32", "bytes32"]
        bound = (*self._place, record.home, record.host, record.seq, task_digest, mark_hash)
        return keccak(abi_encode(kinds, [self._commitment, *bound]))


def planted_mark(family: bytes, parameters: bytes, salt: bytes) -> bytes:
    """The hash of the mark of a planted canary."""
    secret = (1, family, parameters, salt)
    return keccak(abi_encode(["uint8", "bytes32", "bytes32", "bytes32"], secret))


def seal(result_digest: bytes, salt: bytes, host: bytes, request_id: bytes) -> bytes:
    """The result seal of the interface."""
    kinds = ["bytes32", "bytes32", "address", "bytes32"]
    return keccak(abi_encode(kinds, [result_digest, salt, host, request_id]))


def puzzle_digest(solution: bytes) -> bytes:
    """The result digest of a puzzle's solution: of the one way to write its result down."""
    nothing = hashlib.sha256(b"").hexdigest()
    printed = hashlib.sha256(f"{solution.hex()}\n".encode()).hexdigest()
    text = f'"stderr":"{nothing}","stdout":"{printed}","version":1'
    return keccak(text='{"exit_status":0,"outputs":[],' + text + "}")


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Pairs from the left, padded with zeros to a power of two."""
    level = list(leaves)
    while len(level) & (len(level) - 1):
        level.append(bytes(32))
    while len(level) > 1:
        level = [keccak(level[i] + level[i + 1]) for i in range(0, len(level), 2)]
    return level[0]


def signed_by(digest: bytes, signature: bytes, signer: bytes) -> bool:
    """Whether ecrecover would give the signer for this EIP-2098 signature."""
    if len(signature) != 64:
        return False
    r, vs = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    try:
        parts = Signature(vrs=(vs >> 255, r, vs & ((1 << 255) - 1)))
        public = parts.recover_public_key_from_msg_hash(digest)
    except (BadSignature, ValidationError):
        return False
    return bytes(public.to_canonical_address()) == signer


def read_batch(host: bytes, packed: bytes) -> list[Record]:
    """The records of a batch, by the layout in IKudosLedger; ValueError when it is not so."""
    version, count, confirmed = packed[0], packed[1], packed[2]
    if version != 1 or not 1 <= count <= 128 or confirmed > count:
        raise ValueError(f"header {packed[:3].hex()}")
    records: list[Record] = []
    at = 3
    while len(records) < count:
        home, size = packed[at : at + 20], packed[at + 20]
        at += 21
        for _ in range(size):
            is_confirmed = len(records) < confirmed
            width = CONFIRMED_BYTES if is_confirmed else REJECTED_BYTES
            if at + width > len(packed):
                raise ValueError(f"{len(packed)} bytes end inside record {len(records)}")
            records.append(_read_record(home, host, packed[at : at + width], is_confirmed))
            at += width
        if size == 0:
            raise ValueError("an empty group")
    if len(records) != count or at != len(packed):
        raise ValueError(f"{len(records)} records and {at} bytes of {len(packed)} read")
    return records


def _read_record(home: bytes, host: bytes, raw: bytes, is_confirmed: bool) -> Record:
    seal_bytes = raw[96:128] if is_confirmed else None
    at = 128 if is_confirmed else 96
    signature, numbers = raw[at : at + 64], raw[at + 64 :]
    widths = (4, 4, 3, 3, 3, 4, 2, 2, 3) if is_confirmed else (4, 4, 3, 3, 3, 4, 2, 1)
    values, at = [], 0
    for width in widths:
        values.append(int.from_bytes(numbers[at : at + width], "big"))
        at += width
    seq, signed, deadline, cpu, memory, output, answered, *rest = values
    texts = (raw[:32], raw[32:64], raw[64:96])
    confirmed, result, reason = (*rest, None) if is_confirmed else (0, 0, rest[0])
    times = (signed + answered, signed + (confirmed or 0), signed + (result or 0))
    limits = (cpu, memory, output)
    head = (home, host, *texts, seal_bytes, signature, seq, signed, signed + deadline)
    return Record(*head, *limits, *times, reason)


def read_request(fields: Sequence[Any]) -> Record:
    """The REQUEST of an event, as a migration that has got no further."""
    home, host, process, name, commitment, cpu, memory, output, seq, deadline, signed = fields
    head = (home, host, process, name, commitment, None, b"", seq, signed, deadline)
    return Record(*head, cpu, memory, output, 0, 0, 0, None)


def read_canaries(packed: bytes) -> Iterator[CanaryItem]:
    """The K3 claims of an event, by IKudosClaims; ValueError when they are not so."""
    at = 0
    while at < len(packed):
        form, kind = packed[at], packed[at] & 3
        size = _OPENING_BYTES.get(kind, 0)
        body, end = packed[at + 1 : at + 25 + size], at + 25 + size
        if form & ~(SIGNED | 3) or not size or len(body) < 24 + size:
            raise ValueError(f"no claim stands at byte {at}")
        item = _read_opening(kind, body[:20], int.from_bytes(body[20:24], "big"), body[24:])
        if form & SIGNED:
            length = int.from_bytes(packed[end + 8 : end + 10], "big")
            opened_at = int.from_bytes(packed[end : end + 8], "big")
            signature = packed[end + 10 : end + 10 + length]
            item = replace(item, opened_at=opened_at, signature=signature)
            end += 10 + length
        if end > len(packed):
            raise ValueError(f"{len(packed)} bytes end inside a claim")
        yield item
        at = end


def _read_opening(kind: int, home: bytes, seq: int, raw: bytes) -> CanaryItem:
    first = {PUZZLE: 1, PLANTED: 32, DRAWN: 0}[kind]
    family, words = raw[:first], [raw[at : at + 32] for at in range(first, len(raw), 32)]
    if kind == DRAWN:
        task, mark, seal_salt, answer = words
        return CanaryItem(kind, home, seq, family, task, b"", b"", mark, seal_salt, answer)
    task, parameters, salt, seal_salt, answer = words
    return CanaryItem(kind, home, seq, family, task, parameters, salt, b"", seal_salt, answer)


def read_json(name: str) -> dict[str, Any]:
    """A packaged file."""
    parsed: dict[str, Any] = json.loads(files("ledger").joinpath(name).read_text("utf-8"))
    return parsed


def _type_string(name: str, fields: Sequence[Mapping[str, str]]) -> str:
    return f"{name}({','.join(field['type'] + ' ' + field['name'] for field in fields)})"
