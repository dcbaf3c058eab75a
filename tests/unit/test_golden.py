"""Python's hashes against the golden vectors, and both against eth-account."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account.messages import encode_typed_data
from eth_hash.auto import keccak

from ledger import merkle, record
from ledger.assets import ConfirmedMigration
from ledger.eip712 import Domain, digest, types
from ledger.keys import recover
from ledger.types import Address, Digest
from tools import golden

VECTORS = json.loads(golden.TARGET.read_text("utf-8"))
DOMAIN = Domain(
    VECTORS["domain"]["chainId"],
    Address(bytes.fromhex(VECTORS["domain"]["verifyingContract"][2:])),
)


def unhex(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def test_checked_in_vectors_are_what_the_generator_gives() -> None:
    assert golden.vectors() == VECTORS, "run: python tools/golden.py"


def test_packaged_types_are_the_contracts_types() -> None:
    source = Path(golden.TARGET).parents[2] / "types/eip712.json"
    assert types() == json.loads(source.read_text("utf-8"))


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["type"])
def test_digest_equals_eth_accounts(case: dict[str, Any]) -> None:
    spec = types()
    signable = encode_typed_data(
        full_message={
            "domain": {
                "name": spec["domain"]["name"],
                "version": spec["domain"]["version"],
                "chainId": DOMAIN.chain_id,
                "verifyingContract": VECTORS["domain"]["verifyingContract"],
            },
            "types": {
                "EIP712Domain": spec["domain"]["fields"],
                case["type"]: spec["types"][case["type"]],
            },
            "primaryType": case["type"],
            "message": case["values"],
        }
    )
    assert keccak(b"\x19\x01" + signable.header + signable.body) == unhex(case["digest"])


@pytest.mark.parametrize("case", VECTORS["commitments"])
def test_commitment_equals_abi_encode(case: dict[str, Any]) -> None:
    mark = encode(
        ["uint8", "bytes32", "bytes32", "bytes32"],
        [
            case["kind"],
            unhex(case["family"]),
            unhex(case["parameters"]),
            unhex(case["salt"]),
        ],
    )
    assert keccak(mark) == unhex(case["markHash"])
    type_hash = keccak(types()["hashed"]["commitment"].encode())
    words = encode(
        [
            "bytes32",
            "uint256",
            "address",
            "address",
            "address",
            "uint32",
            "bytes32",
            "bytes32",
        ],
        [
            type_hash,
            DOMAIN.chain_id,
            VECTORS["domain"]["verifyingContract"],
            case["home"],
            case["host"],
            case["seq"],
            unhex(case["taskDigest"]),
            unhex(case["markHash"]),
        ],
    )
    assert keccak(words) == unhex(case["commitment"])


@pytest.mark.parametrize("case", VECTORS["batches"], ids=lambda case: len(case["leaves"]))
def test_batch_round_trip_signatures_and_paths(case: dict[str, Any]) -> None:
    host = Address(unhex(case["host"]))
    migrations = record.decode_batch(DOMAIN, host, unhex(case["batch"]))
    assert record.encode_batch(migrations) == unhex(case["batch"])
    for migration in migrations:
        signed = (
            migration.confirmed if isinstance(migration, ConfirmedMigration) else migration.request
        )
        assert recover(digest(DOMAIN, signed), migration.home_signature) == migration.request.home
    leaves = record.leaves(DOMAIN, migrations, ())
    assert [unhex(leaf) for leaf in case["leaves"]] == leaves
    last = len(leaves) - 1
    path = [Digest(unhex(node)) for node in case["lastPath"]]
    assert merkle.root_of_path(leaves[last], last, path) == unhex(case["root"])
