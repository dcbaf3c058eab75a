"""EIP-712 hashing of the assets. Types come from the one file that Solidity is tested against too.

Every field is one word of encodeData: static types as they are, bytes and lists by their hash.
Signing is values in, values out; keys live in ``ledger.keys``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from eth_hash.auto import keccak

from ledger.assets import Asset
from ledger.types import Address, Digest


@dataclass(frozen=True, slots=True)
class Domain:
    """Where a signature is valid: one contract on one chain (EIP-712 domain, name Kudos, version
    1)."""

    chain_id: int
    contract: Address

    @property
    def separator(self) -> Digest:
        return _separator(self.chain_id, self.contract)


def digest(domain: Domain, asset: Asset) -> Digest:
    """The asset's id: keccak256(0x1901 | domain separator | hashStruct)."""
    return Digest(keccak(b"\x19\x01" + domain.separator + hash_struct(asset)))


def hash_struct(asset: Asset) -> Digest:
    """keccak256(typeHash | encodeData), fields in the order of the type."""
    type_hash, kinds = _type(type(asset).__name__)
    words = [
        _word(kind, getattr(asset, field))
        for kind, field in zip(kinds, asset.__dataclass_fields__, strict=True)
    ]
    return Digest(keccak(type_hash + b"".join(words)))


def encode_type(name: str) -> str:
    """The type string of a struct, for example ``Accepted(bytes32 requestId,uint64 signedAt)``."""
    fields = ",".join(f"{field['type']} {field['name']}" for field in types()["types"][name])
    return f"{name}({fields})"


@cache
def types() -> dict[str, Any]:
    """The parsed contracts/types/eip712.json, as packaged."""
    text = files("ledger").joinpath("artifacts/eip712.json").read_text("utf-8")
    parsed: dict[str, Any] = json.loads(text)
    return parsed


@cache
def _type(name: str) -> tuple[bytes, tuple[str, ...]]:
    kinds = tuple(field["type"] for field in types()["types"][name])
    return keccak(encode_type(name).encode()), kinds


@cache
def _separator(chain_id: int, contract: Address) -> Digest:
    domain = types()["domain"]
    fields = ",".join(f"{field['type']} {field['name']}" for field in domain["fields"])
    words = (
        keccak(f"EIP712Domain({fields})".encode()),
        keccak(domain["name"].encode()),
        keccak(domain["version"].encode()),
        _word("uint256", chain_id),
        _word("address", contract),
    )
    return Digest(keccak(b"".join(words)))


def _word(kind: str, value: Any) -> bytes:
    """One word of encodeData; ValueError or OverflowError when the value does not fit its type."""
    if kind.endswith("[]"):
        return keccak(b"".join(_word(kind[:-2], item) for item in value))
    if kind == "bytes":
        return keccak(value)
    if kind == "bool" or kind.startswith("uint"):
        bits = 1 if kind == "bool" else int(kind[4:])
        if value >> bits:
            raise OverflowError(f"{value} does not fit {kind}")
        return int(value).to_bytes(32, "big")
    size = 20 if kind == "address" else 32
    if len(value) != size:
        raise ValueError(f"{kind} has {size} bytes, this value has {len(value)}")
    return bytes(value).rjust(32, b"\0")
