"""Calldata and refusals, held against the packaged ABI and against another encoder."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from eth_abi.abi import encode as abi_encode
from eth_hash.auto import keccak
from web3 import Web3

from ledger import calls
from ledger.abi import abi, revert_error
from ledger.assets import Request
from ledger.errors import ChainError
from ledger.reasons import Reason
from ledger.types import Address, Digest

HOST, HOME = Address(b"\x11" * 20), Address(b"\x22" * 20)
WORD = Digest(b"\x07" * 32)
REQUEST = Request(HOME, HOST, WORD, WORD, WORD, 1, 2, 3, 4, 5, 6)
CLAIM = calls.CanaryClaim(
    *(REQUEST, WORD, 7, WORD, 8, (WORD, WORD), WORD, WORD, WORD, WORD, 9, b"\x01" * 64, WORD, WORD)
)


def entry(kind: str, name: str) -> dict[str, Any]:
    (found,) = [item for item in abi() if item["type"] == kind and item.get("name") == name]
    return found


def camel(name: str) -> str:
    first, *rest = name.split("_")
    joined = first + "".join(part.capitalize() for part in rest)
    return {"memoryMib": "memoryMiB", "outputKib": "outputKiB"}.get(joined, joined)


@pytest.mark.parametrize(
    ("ours", "function", "place"),
    [
        (calls.CanaryClaim, "claimCanaries", 0),
        (calls.BatchVote, "vote", 0),
        (calls.CanaryVote, "vote", 1),
    ],
)
def test_our_structs_have_the_contract_s_fields(ours: type, function: str, place: int) -> None:
    components = entry("function", function)["inputs"][place]["components"]
    assert [camel(field.name) for field in fields(ours)] == [item["name"] for item in components]


def test_the_request_in_a_claim_has_the_contract_s_fields() -> None:
    (claims,) = entry("function", "claimCanaries")["inputs"]
    components = claims["components"][0]["components"]
    assert [camel(field.name) for field in fields(Request)] == [c["name"] for c in components]


@pytest.mark.parametrize(
    ("ours", "function"),
    [
        (calls.Totals, "kudos"),
        (calls.BatchState, "batch"),
        (calls.CanaryState, "canary"),
        (calls.Ballot, "ballot"),
    ],
)
def test_what_views_answer_has_the_contract_s_fields(ours: type, function: str) -> None:
    outputs = entry("function", function)["outputs"]
    assert [camel(field.name) for field in fields(ours)] == [item["name"] for item in outputs]


def test_calldata_is_what_web3_encodes() -> None:
    contract = Web3().eth.contract(abi=abi())
    hosts = Web3.to_checksum_address(HOST)
    assert calls.settle(HOST, b"batch", b"sig").hex() == contract.encode_abi(
        "settle", [hosts, b"batch", b"sig"]
    ).removeprefix("0x")
    votes = calls.vote(
        [calls.BatchVote(HOST, WORD, 5, 2, ((1, 129), (3, 144)))],
        [calls.CanaryVote(WORD, Reason.APPROVE)],
    )
    expected = contract.encode_abi(
        "vote", [[(hosts, WORD, 5, 2, bytes([1, 129, 3, 144]))], [(WORD, 128)]]
    )
    assert votes.hex() == expected.removeprefix("0x")


def test_a_claim_is_encoded_field_by_field() -> None:
    raw = calls.claim_canaries([CLAIM])
    contract = Web3().eth.contract(abi=abi())
    _, decoded = contract.decode_function_input(raw)
    (claim,) = decoded["claims"]
    assert claim["request"]["home"] == Web3.to_checksum_address(HOME)
    assert (claim["resultSignedAt"], claim["index"], claim["openedAt"]) == (7, 8, 9)
    assert claim["path"] == [WORD, WORD]
    assert claim["openingSignature"] == b"\x01" * 64
    assert claim["hostSignature"] == b""


def test_a_value_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="vote"):
        calls.vote([calls.BatchVote(HOST, WORD, 1 << 128, 0)], [])


def test_views_read_their_answers() -> None:
    assert calls.kudos(HOST).decode(abi_encode(["uint64"] * 3, [1, 2, 3])) == calls.Totals(1, 2, 3)
    answer = abi_encode(["uint8", "address", "uint64"], [2, HOST, 99])
    assert calls.canary(WORD).decode(answer) == calls.CanaryState(2, HOST, 99)
    assert calls.validators().decode(abi_encode(["address[]"], [[HOST, HOME]])) == (HOST, HOME)
    assert calls.balance(HOST, 3).decode(abi_encode(["uint256"], [7])) == 7
    asked = calls.balances([(HOST, 1), (HOME, 2)])
    assert asked.decode(abi_encode(["uint256[]"], [[4, 5]])) == (4, 5)
    assert calls.sequence_used(HOME, HOST, 1).decode(abi_encode(["bool"], [True])) is True
    with pytest.raises(ChainError, match="kudos"):
        calls.kudos(HOST).decode(b"")


def test_every_custom_error_has_a_sentence_of_its_own() -> None:
    sentences = set()
    for item in (item for item in abi() if item["type"] == "error"):
        kinds = [value["type"] for value in item["inputs"]]
        samples = {"address": HOST, "bytes32": WORD, "uint256": 3, "uint8": 66}
        data = keccak(f"{item['name']}({','.join(kinds)})".encode())[:4]
        data += abi_encode(kinds, [samples[kind] for kind in kinds])
        error = revert_error(data)
        assert error.error == item["name"]
        assert len(error.values) == len(kinds)
        assert item["name"] not in error.message, "a sentence, not the name"
        sentences.add(error.message)
    assert len(sentences) == sum(item["type"] == "error" for item in abi())


def test_a_reason_is_told_with_its_text() -> None:
    data = keccak(b"NothingToSettle(uint8)")[:4] + abi_encode(["uint8"], [66])
    assert "SEQUENCE_USED" in revert_error(data).message


@pytest.mark.parametrize(
    ("data", "error", "says"),
    [
        (b"", "", "no reason given"),
        (b"\x01\x02\x03\x04", "", "0x01020304"),
        (keccak(b"Error(string)")[:4] + abi_encode(["string"], ["poor"]), "Error", "poor"),
        (keccak(b"Panic(uint256)")[:4] + abi_encode(["uint256"], [17]), "Panic", "17"),
        (keccak(b"NothingToSettle(uint8)")[:4], "NothingToSettle", "?"),
    ],
)
def test_other_refusals_are_told_as_far_as_they_go(data: bytes, error: str, says: str) -> None:
    found = revert_error(data)
    assert found.error == error
    assert says in found.message
