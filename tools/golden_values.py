"""How golden vectors are drawn and written down; see ``tools.golden``."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Any

from ledger import assets
from ledger.eip712 import Domain, digest, encode_type, hash_struct
from ledger.types import Address, Digest, hex_of


class Draw:
    """A deterministic stream of values."""

    def __init__(self, seed: str) -> None:
        self._seed, self._count = seed, 0

    def bytes(self, size: int) -> bytes:
        self._count += 1
        return hashlib.shake_256(f"{self._seed}/{self._count}".encode()).digest(size)

    def digest(self) -> Digest:
        return Digest(self.bytes(32))

    def address(self) -> Address:
        return Address(self.bytes(20))

    def number(self, low: int, high: int) -> int:
        return low + int.from_bytes(self.bytes(8), "big") % (high - low)


def case(domain: Domain, asset: assets.Asset) -> dict[str, Any]:
    """An asset with its hashes."""
    name = type(asset).__name__
    values = {_camel(field): _json(value) for field, value in asdict(asset).items()}
    return {
        "type": name,
        "encodeType": encode_type(name),
        "values": values,
        "structHash": hex_of(hash_struct(asset)),
        "digest": hex_of(digest(domain, asset)),
    }


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    words = head + "".join(part.capitalize() for part in tail)
    return words.replace("Mib", "MiB").replace("Kib", "KiB")


def _json(value: object) -> object:
    if isinstance(value, tuple):
        return [_json(item) for item in value]
    return hex_of(value) if isinstance(value, bytes) else value
