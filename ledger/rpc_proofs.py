"""What only a proof needs of the chain: whole headers, whole receipts, and account proofs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ledger import rpc_values as read
from ledger.rpc import Refused, Rpc
from ledger.types import Address, hex_of

Json = Mapping[str, Any]


def full_header(rpc: Rpc, number: int) -> Json:
    """Every field of a header, as the chain names them."""
    return read.mapping(rpc.raw("eth_getBlockByNumber", [hex(number), False]))


def receipts(rpc: Rpc, number: int) -> list[Json]:
    """All receipts of a block, in their order."""
    found = rpc.raw("eth_getBlockReceipts", [hex(number)])
    if not isinstance(found, list):
        raise read.distrust(f"no list of the receipts of block {number}")
    return [read.mapping(receipt) for receipt in found]


def account(
    rpc: Rpc, contract: Address, slots: Sequence[int], number: int
) -> tuple[tuple[bytes, ...], tuple[tuple[bytes, ...], ...]] | None:
    """The proofs of an account and of these slots, of one that is zero an empty proof; None where
    the chain does not give them."""
    keys = ["0x" + slot.to_bytes(32, "big").hex() for slot in slots]
    try:
        answer = rpc.raw("eth_getProof", [hex_of(contract), keys, hex(number)])
    except Refused:
        return None
    fields = read.mapping(answer)
    storage = fields.get("storageProof")
    if not isinstance(storage, list) or len(storage) != len(slots):
        raise read.distrust("proofs of other slots than those asked for")
    return _nodes(fields), tuple(map(_slot_nodes, storage))


def _slot_nodes(slot: Any) -> tuple[bytes, ...]:
    fields = read.mapping(slot)
    return _nodes(fields, "proof") if read.quantity(fields.get("value")) else ()


def _nodes(fields: Json, name: str = "accountProof") -> tuple[bytes, ...]:
    nodes = fields.get(name)
    if not isinstance(nodes, list):
        raise read.distrust("a proof that is no list of nodes")
    return tuple(read.data(node) for node in nodes)
