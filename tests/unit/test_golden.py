"""Python's hashes against the golden vectors, and both against eth-account."""

from __future__ import annotations

import hashlib
import hmac
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
from ledger.packed_claims import decode_claimed, encode_claimed
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


SIGNED = [*VECTORS["cases"], *VECTORS["satelliteCases"], *VECTORS["anchors"]["signed"]]


@pytest.mark.parametrize("case", SIGNED, ids=lambda case: case["type"])
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


@pytest.mark.parametrize("case", VECTORS["validatorTests"])
def test_tests_of_validators_equal_abi_encode_and_hmac(case: dict[str, Any]) -> None:
    request_id, salt = unhex(case["requestId"]), unhex(case["salt"])
    type_hash = keccak(types()["hashed"]["validatorTest"].encode())
    encoded = encode(["bytes32"] * 3, [type_hash, request_id, salt])
    assert keccak(encoded) == unhex(case["digest"])
    label = b"kudos validator test 1"
    assert hmac.digest(unhex(case["secret"]), label + request_id, hashlib.sha256) == salt


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


@pytest.mark.parametrize("case", VECTORS["puzzleResults"])
def test_puzzle_result_is_that_of_a_task_that_prints_the_solution(case: dict[str, Any]) -> None:
    printed = f"{case['solution'][2:]}\n".encode()
    nothing, stdout = hashlib.sha256(b"").hexdigest(), hashlib.sha256(printed).hexdigest()
    text = '{"exit_status":0,"outputs":[],"stderr":"%s","stdout":"%s","version":1}'
    assert keccak((text % (nothing, stdout)).encode()) == unhex(case["resultDigest"])


def padded(*values: int | str) -> bytes:
    """The values as 32-byte words; texts are hexadecimal."""
    raw = [
        value.to_bytes(32, "big") if isinstance(value, int) else unhex(value).rjust(32, b"\0")
        for value in values
    ]
    return b"".join(raw)


@pytest.mark.parametrize("case", VECTORS["secrets"])
def test_commitment_to_a_secret_hashes_plain_words(case: dict[str, Any]) -> None:
    bound = (DOMAIN.chain_id, VECTORS["contracts"]["beacon"])
    words = padded(*bound, case["validator"], case["period"], case["secret"])
    assert keccak(words) == unhex(case["commitment"])


@pytest.mark.parametrize("case", VECTORS["ballots"], ids=lambda case: len(case["votes"]))
def test_commitment_to_votes_hashes_plain_words(case: dict[str, Any]) -> None:
    # A list in calldata: where it begins, its length, and its items of two words each.
    votes = [word for vote in case["votes"] for word in (vote["kudosId"], vote["reason"])]
    content = keccak(padded(32, len(case["votes"]), *votes))
    bound = (DOMAIN.chain_id, VECTORS["contracts"]["claims"])
    words = padded(*bound, case["validator"], case["round"], "0x" + content.hex(), case["salt"])
    assert keccak(words) == unhex(case["commitment"])


@pytest.mark.parametrize("case", VECTORS["claims"], ids=lambda case: len(case["items"]))
def test_claims_of_the_log_round_trip(case: dict[str, Any]) -> None:
    claimed = decode_claimed(unhex(case["recorded"]))
    assert encode_claimed(claimed) == unhex(case["recorded"])
    assert [claim.home for claim in claimed] == [unhex(item["home"]) for item in case["items"]]
    assert len(case["packed"]) > len(case["recorded"]), "a call carries the request as well"


@pytest.mark.parametrize("case", VECTORS["proposals"], ids=lambda case: case["quorum"])
def test_proposals_are_signed_by_their_validator(case: dict[str, Any]) -> None:
    validator = unhex(case["validator"])
    assert recover(Digest(unhex(case["digest"])), unhex(case["signature"])) == validator
    seats, nothing = case["seats"], "0x" + bytes(32).hex()
    content = padded(1, 1, *seats, case["quorum"], nothing, nothing)
    assert keccak(content) == unhex(case["contentHash"])


def test_anchors_are_signed_by_their_validator_and_add_up() -> None:
    anchors = VECTORS["anchors"]
    for case in anchors["signed"]:
        signer = recover(Digest(unhex(case["digest"])), unhex(case["signature"]))
        assert signer == unhex(anchors["validator"])
    assert sum(anchors["totals"]) == sum(case["values"]["count"] for case in anchors["signed"])
