"""Signatures: only the key's own count, in one form, and the secret stays inside."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from typing import Any

import pytest
from coincurve import PrivateKey
from eth_keys.datatypes import PrivateKey as OtherKey
from eth_keys.datatypes import Signature as OtherSignature
from hypothesis import given
from hypothesis import strategies as st

from ledger.assets import Accepted, Rejected
from ledger.eip712 import Domain, digest
from ledger.keys import Key, recover, signed_by
from ledger.types import Address, Digest, address_from_hex, hex_of, short
from tests.unit.node_world import DOMAIN, key

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
ASSET = Accepted(Digest(b"\x01" * 32), 5)
digests = st.binary(min_size=32, max_size=32).map(Digest)
secrets = st.integers(1, ORDER - 1)


@given(secrets, digests)
def test_signing_and_recovering_agree_with_another_library(secret: int, value: Digest) -> None:
    raw = secret.to_bytes(32, "big")
    ours = Key(PrivateKey(raw))
    other = OtherKey(raw)
    assert ours.address == other.public_key.to_canonical_address()
    signature = ours.sign_digest(value)
    assert len(signature) == 64
    parity, top = signature[32] >> 7, signature[32] & 0x7F
    classic = signature[:32] + bytes([top]) + signature[33:] + bytes([parity])
    found = OtherSignature(classic).recover_public_key_from_msg_hash(value)
    assert found.to_canonical_address() == ours.address
    assert recover(value, signature) == ours.address


@given(digests, st.integers(0, 511))
def test_a_flipped_bit_is_another_signer_or_none(value: Digest, bit: int) -> None:
    signature = bytearray(key(1).sign_digest(value))
    signature[bit // 8] ^= 1 << bit % 8
    assert recover(value, bytes(signature)) != key(1).address


def test_s_ends_at_half_the_order() -> None:
    """Above it, every signature would have a twin that says the same."""
    value = digest(DOMAIN, ASSET)
    r = key(1).sign_digest(value)[:32]
    half = ORDER // 2
    assert recover(value, r + half.to_bytes(32, "big")) is not None
    assert recover(value, r + (half + 1).to_bytes(32, "big")) is None


@pytest.mark.parametrize("size", [0, 63, 65, 96])
def test_a_signature_has_a_length(size: int) -> None:
    assert recover(digest(DOMAIN, ASSET), bytes(size)) is None


@pytest.mark.parametrize(
    "signature",
    [
        bytes(64),
        ORDER.to_bytes(32, "big") + b"\x01" * 32,
        b"\x01" * 32 + b"\x7f" + b"\xff" * 31,
    ],
)
def test_what_is_no_point_is_signed_by_nobody(signature: bytes) -> None:
    assert recover(digest(DOMAIN, ASSET), signature) is None


def test_a_signature_is_bound_to_asset_kind_and_ledger() -> None:
    signature = key(1).sign(DOMAIN, ASSET)
    assert signed_by(DOMAIN, ASSET, signature, key(1).address)
    assert not signed_by(DOMAIN, ASSET, signature, key(2).address)
    assert not signed_by(DOMAIN, replace(ASSET, signed_at=6), signature, key(1).address)
    assert not signed_by(
        DOMAIN, Rejected(ASSET.request_id, 0, ASSET.signed_at), signature, key(1).address
    )
    for elsewhere in (Domain(1, DOMAIN.contract), Domain(DOMAIN.chain_id, Address(bytes(20)))):
        assert not signed_by(elsewhere, ASSET, signature, key(1).address)


@pytest.mark.parametrize("change", [{"signed_at": -1}, {"signed_at": 1 << 64}, {"request_id": b""}])
def test_what_fits_no_type_is_signed_by_nobody(change: dict[str, Any]) -> None:
    signature = key(1).sign(DOMAIN, ASSET)
    assert not signed_by(DOMAIN, replace(ASSET, **change), signature, key(1).address)


def test_the_secret_stays_inside() -> None:
    made = key(0x1234567890ABCDEF)
    for text in (repr(made), str(made), f"{made!r:>80}"):
        assert "1234567890abcdef" not in text.lower()
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="never pickled"):
            leak(made)
    assert not hasattr(made, "__dict__")
    assert made.expose_secret() == (0x1234567890ABCDEF).to_bytes(32, "big")


@pytest.mark.parametrize("secret", [bytes(31) + b"\x01", "01" * 32, 1])
def test_no_constructor_takes_a_secret_by_mistake(secret: Any) -> None:
    with pytest.raises(TypeError, match="never raw bytes"):
        Key(secret)


def test_addresses_in_text() -> None:
    address = key(1).address
    assert address_from_hex(hex_of(address)) == address
    assert address_from_hex(address.hex().upper()) == address
    assert address_from_hex("0X" + address.hex()) == address
    for bad in ("", "0x", "0x12", "zz" * 20, "0x" + "11" * 21):
        with pytest.raises(ValueError):
            address_from_hex(bad)
    assert short(address) == f"0x{address.hex()[:6]}…{address.hex()[-4:]}"
