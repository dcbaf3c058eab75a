"""The audit's own reading: logs by the ABI, batches by the interface's text, ids by eip712.json.

Shares nothing with the indexer but those definitions. Where the indexer is fast, this is plain.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_abi.exceptions import DecodingError
from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

from ledger.errors import ChainError
from ledger.events import RawLog
from ledger.source import CallableChain
from ledger.types import Address, BlockNumber

RANGE = 2_000
CONFIRMED_BYTES, REJECTED_BYTES = 220, 184


@dataclass(frozen=True, slots=True)
class Logged:
    """One decoded log: the event, its arguments by their names in the ABI, and where it stands."""

    event: str
    args: Mapping[str, Any]
    block: int
    log_index: int
    timestamp: int

    @property
    def where(self) -> str:
        return f"block {self.block}, log {self.log_index}"


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a batch, as numbers and bytes; times are absolute."""

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


class Hasher:
    """EIP-712 digests of one contract on one chain, through eth_abi."""

    def __init__(self, chain_id: int, contract: Address) -> None:
        definitions = _json("artifacts/eip712.json")
        self._types: dict[str, list[dict[str, str]]] = definitions["types"]
        self._commitment = keccak(text=definitions["hashed"]["commitment"])
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

    def commitment(self, record: Record, opened: Mapping[str, Any], kind: int) -> bytes:
        """The commitment that a mark of this kind would have had."""
        secret = (kind, opened["family"], opened["parameters"], opened["salt"])
        mark = keccak(abi_encode(["uint8", "bytes32", "bytes32", "bytes32"], secret))
        kinds = ["bytes32", "uint256", *["address"] * 3, "uint32", "bytes32", "bytes32"]
        bound = (*self._place, record.home, record.host, record.seq, opened["taskDigest"], mark)
        return keccak(abi_encode(kinds, [self._commitment, *bound]))


def seal(result_digest: bytes, salt: bytes, host: bytes, request_id: bytes) -> bytes:
    """The result seal of the interface."""
    kinds = ["bytes32", "bytes32", "address", "bytes32"]
    return keccak(abi_encode(kinds, [result_digest, salt, host, request_id]))


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


def read_logs(
    rpc: CallableChain,
    contract: Address,
    first: int,
    last: int,
    progress: Callable[[int, int], None],
) -> Iterator[Logged]:
    """Every log of the contract in these blocks, decoded, in the order of the chain."""
    timestamps: dict[int, int] = {}
    for start in range(first, last + 1, RANGE):
        end = min(last, start + RANGE - 1)
        logs = rpc.logs(contract, BlockNumber(start), BlockNumber(end))
        for log in sorted(logs, key=lambda log: (log.block_number, log.log_index)):
            if log.block_number not in timestamps:
                timestamps[log.block_number] = _timestamp(rpc, log)
            yield decode_log(log, timestamps[log.block_number])
        progress(end - first + 1, last - first + 1)


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


def decode_log(log: RawLog, timestamp: int) -> Logged:
    """One log by the packaged ABI; ChainError for one that it does not know."""
    try:
        name, inputs = _events()[log.topics[0]]
        indexed = [entry for entry in inputs if entry["indexed"]]
        plain = [entry for entry in inputs if not entry["indexed"]]
        values = abi_decode([entry["type"] for entry in plain], log.data)
        args = {entry["name"]: value for entry, value in zip(plain, values, strict=True)}
        for entry, topic in zip(indexed, log.topics[1:], strict=True):
            args[entry["name"]] = topic[12:] if entry["type"] == "address" else topic
    except (KeyError, IndexError, ValueError, DecodingError) as error:
        raise ChainError(
            f"Log {log.log_index} of block {log.block_number} is no known event: {error}.",
            hint="The contract is newer than this program, or the endpoint returned damaged data.",
        ) from error
    return Logged(name, args, log.block_number, log.log_index, timestamp)


def _timestamp(rpc: CallableChain, log: RawLog) -> int:
    header = rpc.header(log.block_number)
    if header is None or header.hash != log.block_hash:
        raise ChainError(
            f"Block {log.block_number} changed while it was audited.",
            hint="Audit again, or at a block that is final.",
        )
    return header.timestamp


@cache
def _events() -> dict[bytes, tuple[str, list[dict[str, Any]]]]:
    entries: list[dict[str, Any]] = _json("artifacts/KudosLedger.json")["abi"]
    return {
        keccak(text=f"{entry['name']}({','.join(i['type'] for i in entry['inputs'])})"): (
            entry["name"],
            entry["inputs"],
        )
        for entry in entries
        if entry["type"] == "event"
    }


def _type_string(name: str, fields: Sequence[Mapping[str, str]]) -> str:
    return f"{name}({','.join(field['type'] + ' ' + field['name'] for field in fields)})"


def _json(name: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(files("ledger").joinpath(name).read_text("utf-8"))
    return parsed
