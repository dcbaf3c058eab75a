"""Signing and recovering on secp256k1. A ``Key`` never shows its secret; keystores are in
``node.identity``.

Signatures are 64 bytes, EIP-2098: r | (yParity << 255 | s), s in the lower half.
"""

from __future__ import annotations

from coincurve import PrivateKey, PublicKey
from eth_hash.auto import keccak

from ledger.assets import Asset
from ledger.eip712 import Domain, digest
from ledger.types import Address, Digest, Signature

_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


class Key:
    """A node's or validator's signing key; its address is its identity."""

    __slots__ = ("_private", "address")

    def __init__(self, private: PrivateKey) -> None:
        if not isinstance(private, PrivateKey):
            raise TypeError("Key takes a coincurve PrivateKey, never raw bytes or text")
        self._private = private
        self.address = address_of(private.public_key)

    def sign(self, domain: Domain, asset: Asset) -> Signature:
        """Signs an asset's id."""
        return self.sign_digest(digest(domain, asset))

    def sign_digest(self, value: Digest) -> Signature:
        """Signs 32 bytes as they are; for assets and transactions only, never for a stranger's
        bytes."""
        raw = self._private.sign_recoverable(value, hasher=None)
        return Signature(raw[:32] + bytes([raw[32] | raw[64] << 7]) + raw[33:64])

    def expose_secret(self) -> bytes:
        """The 32 secret bytes, for the keystore writer and the transaction signer alone."""
        return self._private.secret

    def __repr__(self) -> str:
        return f"<Key of 0x{self.address.hex()}>"

    def __reduce__(self) -> str:
        raise TypeError("a Key is never pickled")


def recover(value: Digest, signature: bytes) -> Address | None:
    """Who signed this digest; None when the signature is malformed or has s in the upper half."""
    if len(signature) != 64:
        return None
    parity, s_top = signature[32] >> 7, signature[32] & 0x7F
    s = bytes([s_top]) + signature[33:]
    if int.from_bytes(s, "big") > _HALF_ORDER:
        return None
    try:
        public = PublicKey.from_signature_and_message(
            signature[:32] + s + bytes([parity]), value, hasher=None
        )
    except Exception:  # coincurve raises a bare Exception for a bad point
        return None
    return address_of(public)


def signed_by(domain: Domain, asset: Asset, signature: bytes, signer: Address) -> bool:
    """Whether this is the signer's signature of this asset; never of one whose values do not fit
    their types, as a peer may send it."""
    try:
        signed = digest(domain, asset)
    except (ValueError, OverflowError):
        return False
    return recover(signed, signature) == signer


def address_of(public: PublicKey) -> Address:
    """The last 160 bits of keccak256 of the uncompressed point."""
    return Address(keccak(public.format(compressed=False)[1:])[12:])
