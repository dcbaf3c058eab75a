"""The published EIP-712 types: the contracts' own, and hashed as others hash them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from eth_account.messages import encode_typed_data
from eth_hash.auto import keccak

from ledger.assets import Anchor, Asset, ProposalVote
from ledger.eip712 import Domain, digest, encode_type, types
from ledger.types import Address, Digest

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"
OFF_CHAIN = {"TransportKey", "TransportLogin"}
"""Signed between nodes, and never shown to a contract."""

DOMAIN = Domain(31_337, Address(b"\x11" * 20))


def solidity_types() -> set[str]:
    """The strings that the contracts hash into constants called ..._TYPE; neighbours are joined."""
    found = set()
    for path in CONTRACTS.rglob("*.sol"):
        if CONTRACTS / "test" in path.parents:
            continue
        for quoted in re.findall(r"_TYPE\s*=\s*keccak256\(([^;]*?)\);", path.read_text("utf-8")):
            found.add("".join(re.findall(r'"([^"]*)"', quoted)))
    return found


def published_types() -> set[str]:
    fields = ",".join(f"{field['type']} {field['name']}" for field in types()["domain"]["fields"])
    signed = {encode_type(name) for name in types()["types"] if name not in OFF_CHAIN}
    return {f"EIP712Domain({fields})", *types()["hashed"].values(), *signed}


def test_the_contracts_hash_the_published_types_and_no_others() -> None:
    """Equal strings are equal type hashes; what hashes them is the same function on both sides."""
    assert solidity_types() == published_types()


CASES: list[tuple[Asset, dict[str, Any]]] = [
    (
        ProposalVote(7, Digest(b"\x22" * 32), approve=True),
        {"proposal": 7, "content": "0x" + "22" * 32, "approve": True},
    ),
    (
        ProposalVote(2**256 - 1, Digest(b"\x22" * 32), approve=False),
        {"proposal": 2**256 - 1, "content": "0x" + "22" * 32, "approve": False},
    ),
    (
        Anchor(3, Digest(b"\x33" * 32), 9, (Address(b"\x44" * 20), Address(b"\x55" * 20)), b"abc"),
        {
            "sequence": 3,
            "root": "0x" + "33" * 32,
            "count": 9,
            "newHosts": ["0x" + "44" * 20, "0x" + "55" * 20],
            "totals": b"abc",
        },
    ),
    (
        Anchor(0, Digest(b"\x33" * 32), 1, (), b""),
        {"sequence": 0, "root": "0x" + "33" * 32, "count": 1, "newHosts": [], "totals": b""},
    ),
]


@pytest.mark.parametrize(("asset", "message"), CASES)
def test_digest_equals_eth_accounts(asset: Asset, message: dict[str, Any]) -> None:
    name = type(asset).__name__
    domain = {
        "name": "Kudos",
        "version": "1",
        "chainId": DOMAIN.chain_id,
        "verifyingContract": "0x" + DOMAIN.contract.hex(),
    }
    signable = encode_typed_data(domain, {name: types()["types"][name]}, message)
    assert keccak(b"\x19\x01" + signable.header + signable.body) == digest(DOMAIN, asset)
