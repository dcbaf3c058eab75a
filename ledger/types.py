"""Names for numbers and byte strings that could be confused with one another."""

from __future__ import annotations

from typing import NewType

Address = NewType("Address", bytes)
"""20 bytes: the last 160 bits of keccak256(public key). Also a node's Kademlia ID."""

Digest = NewType("Digest", bytes)
"""32 bytes: a keccak256 of this protocol (asset id, commitment, seal, Merkle node)."""

Sha256 = NewType("Sha256", bytes)
"""32 bytes: the name of a blob in a content store."""

Signature = NewType("Signature", bytes)
"""64 bytes, EIP-2098: r, then s with the recovery bit on top."""

BlockHash = NewType("BlockHash", bytes)
TxHash = NewType("TxHash", bytes)
BlockNumber = NewType("BlockNumber", int)

UnixSeconds = NewType("UnixSeconds", int)
Points = NewType("Points", int)
"""k1 + 10 * k2 + 100 * k3."""

ZERO_DIGEST = Digest(bytes(32))
ZERO_ADDRESS = Address(bytes(20))


def address_from_hex(text: str) -> Address:
    """Reads an address in any capitalisation, with or without 0x; ValueError if it is none."""
    raw = bytes.fromhex(text.removeprefix("0x").removeprefix("0X"))
    if len(raw) != 20:
        raise ValueError(f"an address has 20 bytes, this has {len(raw)}")
    return Address(raw)


def hex_of(value: bytes) -> str:
    """0x and lower-case digits, for storage and logs."""
    return "0x" + value.hex()


def short(value: bytes) -> str:
    """The first and last digits, for people: 0x12ab…89ef."""
    text = value.hex()
    return f"0x{text[:6]}…{text[-4:]}"
