"""Logs as the chain would give them: events laid out by the compiled ABIs."""

from __future__ import annotations

from typing import Any

from eth_abi.abi import encode
from eth_hash.auto import keccak

from ledger import event_types as types
from ledger.abi import BEACON, CLAIMS, LEDGER, QUEUE, abi, kinds_of
from ledger.events import DECLARED, EMITTER, SIGNATURES, RawLog
from ledger.types import ZERO_ADDRESS, Address, BlockHash, BlockNumber, Digest, TxHash

PARTS = {"ledger": LEDGER, "claims": CLAIMS, "queue": QUEUE, "beacon": BEACON}


def values_of(event: types.Event) -> list[Any]:
    """The fields as the ABI encoder takes them: structs are tuples, and mints come from nobody."""
    values = [_plain(getattr(event, name)) for name in event.__slots__]
    if isinstance(event, types.KudosMinted):
        values.insert(1, ZERO_ADDRESS)
    return values


def _plain(value: Any) -> Any:
    if hasattr(value, "__dataclass_fields__"):
        return tuple(getattr(value, name) for name in value.__slots__)
    return value


def inputs_of(event: type[Any]) -> tuple[str, list[dict[str, Any]]]:
    """Name and parameters of an event in the compiled ABI of the contract that emits it."""
    contract = EMITTER[event]
    name = DECLARED[contract][event].partition("(")[0]
    (item,) = [e for e in abi(PARTS[contract]) if e["type"] == "event" and e["name"] == name]
    return name, item["inputs"]


def log_of(event: type[Any], values: list[Any]) -> RawLog:
    """The log that the chain would give."""
    name, inputs = inputs_of(event)
    pairs = list(zip(inputs, kinds_of(inputs), values, strict=True))
    topics = [keccak(SIGNATURES[name].encode())]
    topics += [encode([kind], [v]) for i, kind, v in pairs if i["indexed"]]
    plain = [(kind, v) for i, kind, v in pairs if not i["indexed"]]
    data = encode([kind for kind, _ in plain], [value for _, value in plain])
    return raw_log(tuple(Digest(topic) for topic in topics), data)


def raw_log(topics: tuple[Digest, ...], data: bytes) -> RawLog:
    where = (BlockNumber(4), BlockHash(b"\1" * 32), TxHash(b"\2" * 32), 6)
    return RawLog(Address(bytes(20)), topics, data, *where)
