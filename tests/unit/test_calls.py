"""Calldata and refusals, held against the packaged ABI and against another encoder."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from eth_abi.abi import encode as abi_encode
from eth_hash.auto import keccak
from web3 import Web3

from ledger import calls, claim_calls
from ledger.abi import BEACON, CLAIMS, LEDGER, QUEUE, abi, kinds_of, revert_error
from ledger.assets import Request
from ledger.contracts import contracts_of
from ledger.eip712 import Domain
from ledger.errors import ChainError
from ledger.reasons import Reason
from ledger.types import Address, Digest

HOST, HOME = Address(b"\x11" * 20), Address(b"\x22" * 20)
WORD = Digest(b"\x07" * 32)
DOMAIN = Domain(31_337, HOME)
OF_A_LEDGER = (LEDGER, QUEUE, CLAIMS, BEACON)


def entry(kind: str, name: str, contract: str = LEDGER) -> dict[str, Any]:
    (found,) = [item for item in abi(contract) if (item["type"], item.get("name")) == (kind, name)]
    return found


def camel(name: str) -> str:
    first, *rest = name.split("_")
    joined = first + "".join(part.capitalize() for part in rest)
    return {"memoryMib": "memoryMiB", "outputKib": "outputKiB"}.get(joined, joined)


def flat(components: list[dict[str, Any]]) -> list[str]:
    """The names of fields; a struct in a struct has its own in its place."""
    return [
        name
        for item in components
        for name in (flat(item["components"]) if "components" in item else [item["name"]])
    ]


@pytest.mark.parametrize(
    ("ours", "contract", "function", "place"),
    [
        (calls.BatchVote, LEDGER, "vote", 0),
        (calls.StepVote, LEDGER, "vote", 1),
        (claim_calls.ClaimVote, CLAIMS, "vote", 0),
        (claim_calls.ClaimVote, CLAIMS, "revealVotes", 2),
        (Request, LEDGER, "request", 0),
    ],
)
def test_our_structs_have_the_contract_s_fields(
    ours: type, contract: str, function: str, place: int
) -> None:
    taken = entry("function", function, contract)["inputs"][place]["components"]
    assert [camel(field.name) for field in fields(ours)] == flat(taken)


@pytest.mark.parametrize(
    ("ours", "function"),
    [(calls.Totals, "kudos"), (calls.BatchState, "batch"), (calls.Ballot, "ballot")],
)
def test_what_views_answer_has_the_contract_s_fields(ours: type, function: str) -> None:
    outputs = entry("function", function)["outputs"]
    assert [camel(field.name) for field in fields(ours)] == [item["name"] for item in outputs]


def test_a_single_claim_has_the_contract_s_fields() -> None:
    (view,) = entry("function", "kudosClaim", CLAIMS)["outputs"]
    names = [camel(field.name) for field in fields(claim_calls.SingleClaim)]
    assert names == flat(view["components"])


def test_calldata_is_what_web3_encodes() -> None:
    contract = Web3().eth.contract(abi=abi())
    home, host = Web3.to_checksum_address(HOME), Web3.to_checksum_address(HOST)
    assert calls.settle(HOST, b"batch", b"sig").hex() == contract.encode_abi(
        "settle", [host, b"batch", b"sig"]
    ).removeprefix("0x")
    votes = calls.vote(
        [calls.BatchVote(HOST, WORD, 5, 2, ((1, 129), (3, 144)))],
        [calls.StepVote(HOME, HOST, 9, WORD, Reason.APPROVE)],
    )
    batches = [(host, WORD, 5, 2, bytes([1, 129, 3, 144]))]
    expected = contract.encode_abi("vote", [batches, [((home, host, 9), WORD, 128)]])
    assert votes.hex() == expected.removeprefix("0x")


def test_a_vote_on_one_migration_has_a_form_of_its_own() -> None:
    contract = Web3().eth.contract(abi=abi())
    home, host = Web3.to_checksum_address(HOME), Web3.to_checksum_address(HOST)
    one = calls.StepVote(HOME, HOST, 9, WORD, Reason.REFUSE_RESULT)
    short = contract.encode_abi("voteOnStep", [home, host, 9, WORD, 131])
    assert calls.vote([], [one]).hex() == short.removeprefix("0x")
    listed = contract.encode_abi("vote", [[], [((home, host, 9), WORD, 131)] * 2])
    assert calls.vote([], [one, one]).hex() == listed.removeprefix("0x")
    batch = calls.BatchVote(HOST, WORD, 1, 0)
    mixed = contract.encode_abi("vote", [[(host, WORD, 1, 0, b"")], [((home, host, 9), WORD, 131)]])
    assert calls.vote([batch], [one]).hex() == mixed.removeprefix("0x")


def test_calldata_of_the_claims_contract_is_what_web3_encodes() -> None:
    contract = Web3().eth.contract(abi=abi(CLAIMS))
    host = Web3.to_checksum_address(HOST)
    said, listed = [claim_calls.ClaimVote(WORD, Reason.REFUSE_RESULT)], [(WORD, 131)]
    made = {
        claim_calls.vote(said): ("vote", [listed]),
        claim_calls.commit_votes(7, WORD): ("commitVotes", [7, WORD]),
        claim_calls.reveal_votes(HOST, 7, said, WORD): ("revealVotes", [host, 7, listed, WORD]),
    }
    for data, (name, values) in made.items():
        assert data.hex() == contract.encode_abi(name, values).removeprefix("0x")


def test_a_commitment_hides_who_when_what_and_where() -> None:
    said = (claim_calls.ClaimVote(WORD, Reason.APPROVE),)
    usual = (DOMAIN, HOST, 7, said, WORD)
    refused = (claim_calls.ClaimVote(WORD, Reason.REFUSE_RESULT),)
    other_chain, other_ledger = Domain(1, HOME), Domain(31_337, HOST)
    cases = (
        usual,
        *((domain, HOST, 7, said, WORD) for domain in (other_chain, other_ledger)),
        (DOMAIN, HOME, 7, said, WORD),
        (DOMAIN, HOST, 8, said, WORD),
        (DOMAIN, HOST, 7, refused, WORD),
        (DOMAIN, HOST, 7, said, Digest(bytes(32))),
    )
    assert len({claim_calls.votes_commitment(*case) for case in cases}) == len(cases)
    content = keccak(abi_encode(["(bytes32,uint8)[]"], [[(WORD, 128)]]))
    bound = (31_337, contracts_of(HOME).claims, HOST, 7, content, WORD)
    kinds = ["uint256", "address", "address", "uint64", "bytes32", "bytes32"]
    assert claim_calls.votes_commitment(*usual) == keccak(abi_encode(kinds, bound))


def test_a_value_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="vote"):
        calls.vote([calls.BatchVote(HOST, WORD, 1 << 128, 0)], [])


def test_views_read_their_answers() -> None:
    assert calls.kudos(HOST).decode(abi_encode(["uint64"] * 3, [1, 2, 3])) == calls.Totals(1, 2, 3)
    standing = (2, 3, 1, HOST, 99, 0b011, 0b100, 0b111, 0b1000)
    answer = abi_encode(
        [kinds_of(entry("function", "kudosClaim", CLAIMS)["outputs"])[0]], [standing]
    )
    assert claim_calls.kudos_claim(WORD).decode(answer) == claim_calls.SingleClaim(*standing)
    assert calls.validators().decode(abi_encode(["address[]"], [[HOST, HOME]])) == (HOST, HOME)
    assert calls.balance(HOST, 3).decode(abi_encode(["uint256"], [7])) == 7
    asked = calls.balances([(HOST, 1), (HOME, 2)])
    assert asked.decode(abi_encode(["uint256[]"], [[4, 5]])) == (4, 5)
    assert calls.sequence_used(HOME, HOST, 1).decode(abi_encode(["bool"], [True])) is True
    with pytest.raises(ChainError, match="kudos"):
        calls.kudos(HOST).decode(b"")


def test_every_custom_error_has_a_sentence_of_its_own() -> None:
    told: dict[str, str] = {}
    for item in (item for name in OF_A_LEDGER for item in abi(name) if item["type"] == "error"):
        kinds = kinds_of(item["inputs"])
        samples = {"address": HOST, "bytes32": WORD, "uint8": 66}
        data = keccak(f"{item['name']}({','.join(kinds)})".encode())[:4]
        data += abi_encode(kinds, [samples.get(kind, 3) for kind in kinds])
        error = revert_error(data)
        assert error.error == item["name"]
        assert len(error.values) == len(kinds)
        assert error.hint, "what to do about it"
        assert item["name"] not in error.message, "a sentence, not the name"
        assert "{" not in error.message and "b'" not in error.message
        told[item["name"]] = error.message
    assert len(set(told.values())) == len(told) > 45


def test_a_reason_is_told_with_its_text() -> None:
    data = keccak(b"NothingToSettle(uint8)")[:4] + abi_encode(["uint8"], [66])
    assert "SEQUENCE_USED" in revert_error(data).message
    refused = keccak(b"VoteRefused(bytes32,uint8)")[:4]
    refused += abi_encode(["bytes32", "uint8"], [WORD, Reason.WRONG_ROUND])
    assert "0x0707" in revert_error(refused).message
    assert "WRONG_ROUND" in revert_error(refused).message


@pytest.mark.parametrize(
    ("data", "error", "says"),
    [
        (b"", "", "no reason given"),
        (b"\x01\x02\x03\x04", "", "0x01020304"),
        (keccak(b"Error(string)")[:4] + abi_encode(["string"], ["poor"]), "Error", "poor"),
        (keccak(b"Panic(uint256)")[:4] + abi_encode(["uint256"], [17]), "Panic", "17"),
        (keccak(b"NothingToSettle(uint8)")[:4], "NothingToSettle", "?"),
        (keccak(b"StaleSet(uint64,uint64)")[:4], "StaleSet", "on set ?, and set ?"),
    ],
)
def test_other_refusals_are_told_as_far_as_they_go(data: bytes, error: str, says: str) -> None:
    found = revert_error(data)
    assert found.error == error
    assert says in found.message
