"""Block headers, receipts and accounts in the form that they are hashed in: RLP. Pure.

From JSON-RPC to bytes for whoever makes a proof; from bytes to values for whoever checks one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import rlp
from eth_hash.auto import keccak

from ledger.proof_trie import BrokenProof, Node, decoded
from ledger.types import Address, BlockHash, BlockNumber, Digest, UnixSeconds

Encoded: TypeAlias = "int | bytes | list[Encoded]"

# In the order of the hash; each later group came with one hard fork, and may be missing as a whole.
_HEADER: tuple[tuple[str, ...], ...] = (
    (
        *("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot"),
        *("logsBloom", "difficulty", "number", "gasLimit", "gasUsed", "timestamp", "extraData"),
        *("mixHash", "nonce"),
    ),
    ("baseFeePerGas",),
    ("withdrawalsRoot",),
    ("blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot"),
    ("requestsHash",),
)
_NUMBERS = frozenset(
    {
        *("difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas"),
        *("blobGasUsed", "excessBlobGas"),
    }
)


@dataclass(frozen=True, slots=True)
class ProvenHeader:
    """A header as its own bytes say it, and their hash."""

    hash: BlockHash
    parent: BlockHash
    state_root: bytes
    receipts_root: bytes
    number: BlockNumber
    timestamp: UnixSeconds


@dataclass(frozen=True, slots=True)
class ReceiptLog:
    """One log of a receipt; where it stands is not in it."""

    address: Address
    topics: tuple[Digest, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class ReceiptBody:
    """What a receipt's own bytes say."""

    succeeded: bool
    logs: tuple[ReceiptLog, ...]


@dataclass(frozen=True, slots=True)
class Account:
    """What the state trie holds of a contract."""

    storage_root: bytes
    code_hash: bytes


def header_bytes(fields: Mapping[str, Any]) -> bytes:
    """The header of an eth_getBlock answer; ValueError or KeyError when a field is amiss."""
    items: list[Encoded] = []
    for group in _HEADER:
        if group[0] not in fields:
            break
        items += [_field(name, fields[name]) for name in group]
    return bytes(rlp.encode(items))


def receipt_bytes(fields: Mapping[str, Any]) -> bytes:
    """One receipt of an eth_getBlockReceipts answer, with its type in front (EIP-2718)."""
    first: Encoded = (
        _quantity(fields["status"])
        if fields.get("status") is not None
        else _data(fields.get("root"))
    )
    logs: list[Encoded] = [
        [_data(log["address"]), [_data(topic) for topic in log["topics"]], _data(log["data"])]
        for log in fields["logs"]
    ]
    bloom = _data(fields["logsBloom"])
    body = bytes(rlp.encode([first, _quantity(fields["cumulativeGasUsed"]), bloom, logs]))
    kind = _quantity(fields.get("type", "0x0"))
    return bytes([kind]) + body if kind else body


def receipt_key(index: int) -> bytes:
    """Under which key a block's receipt trie has the receipt of this transaction."""
    return bytes(rlp.encode(index))


def read_header(raw: bytes) -> ProvenHeader:
    """The fields of a header; BrokenProof when these bytes are none."""
    items = decoded(raw)
    if isinstance(items, bytes) or len(items) < len(_HEADER[0]):
        raise BrokenProof("a header with too few fields")
    parent, state, receipts = (_sized(items[place], 32) for place in (0, 3, 5))
    number, timestamp = _int(items[8]), _int(items[11])
    return ProvenHeader(
        BlockHash(keccak(raw)),
        BlockHash(parent),
        state,
        receipts,
        BlockNumber(number),
        UnixSeconds(timestamp),
    )


def read_receipt(raw: bytes) -> ReceiptBody:
    """A receipt of any type with the usual body."""
    body = raw[1:] if raw and raw[0] < 0x80 else raw
    items = decoded(body)
    if isinstance(items, bytes) or len(items) != 4 or isinstance(items[3], bytes):
        raise BrokenProof("a receipt of an unknown form")
    return ReceiptBody(items[0] == b"\x01", tuple(_read_log(item) for item in items[3]))


def read_account(raw: bytes) -> Account:
    """The account that a state proof ends in."""
    items = decoded(raw)
    if isinstance(items, bytes) or len(items) != 4:
        raise BrokenProof("no account, or one of an unknown form")
    return Account(_sized(items[2], 32), _sized(items[3], 32))


def read_word(raw: bytes) -> bytes:
    """A storage slot's value as 32 bytes; an absent one is zero."""
    value = decoded(raw) if raw else b""
    if not isinstance(value, bytes) or len(value) > 32:
        raise BrokenProof("a storage slot that holds no word")
    return value.rjust(32, b"\0")


def _read_log(item: Node) -> ReceiptLog:
    if isinstance(item, bytes) or len(item) != 3 or isinstance(item[1], bytes):
        raise BrokenProof("a log of an unknown form")
    topics = tuple(Digest(_sized(topic, 32)) for topic in item[1])
    if not isinstance(item[2], bytes):
        raise BrokenProof("a log of an unknown form")
    return ReceiptLog(Address(_sized(item[0], 20)), topics, item[2])


def _sized(item: Node, size: int) -> bytes:
    if isinstance(item, bytes) and len(item) == size:
        return item
    raise BrokenProof(f"a field that has not {size} bytes")


def _int(item: Node) -> int:
    if isinstance(item, bytes) and len(item) <= 8:
        return int.from_bytes(item, "big")
    raise BrokenProof("a field that is no number")


def _field(name: str, value: Any) -> Encoded:
    return _quantity(value) if name in _NUMBERS else _data(value)


def _quantity(value: Any) -> int:
    return int(str(value), 16)


def _data(value: Any) -> bytes:
    return bytes.fromhex(str(value).removeprefix("0x"))
