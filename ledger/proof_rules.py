"""Who the validators are and how many are needed, read from the proven contract itself. Pure.

The state root leads to the account, the account to its code and storage. How many validators there
are and how many are needed are constants in the code; who they are stands in storage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_hash.auto import keccak

from ledger.contract_code import immutable, is_our_code, slot
from ledger.proof_block import ProvenHeader, read_account, read_word
from ledger.proof_format import AccountProof
from ledger.proof_trie import BrokenProof, value_at
from ledger.types import Address

MAX_SEATS = 16


@dataclass(frozen=True, slots=True)
class ProvenRules:
    """The validators as of one block, and the hash of the code that counts their votes."""

    code_hash: bytes
    validators: tuple[Address, ...]
    threshold: int


def seat_slots(code: bytes) -> list[int]:
    """The storage slots that hold the validators of a contract with this code."""
    seats = immutable(code, "SEATS")
    if not 1 <= seats <= MAX_SEATS:
        raise BrokenProof(f"a contract with {seats} validators")
    return [slot("_seats") + seat for seat in range(seats)]


def read_rules(contract: Address, header: ProvenHeader, proof: AccountProof) -> ProvenRules:
    """The rules under this header's state root; BrokenProof when they are not proven."""
    account = read_account(value_at(header.state_root, keccak(contract), proof.proof))
    if keccak(proof.code) != account.code_hash:
        raise BrokenProof("the code is not the contract's")
    if not is_our_code(proof.code):
        raise BrokenProof("the contract's code is not that of this version of Kudos")
    slots = seat_slots(proof.code)
    if len(slots) != len(proof.storage):
        raise BrokenProof(f"{len(proof.storage)} validators proven, the contract has {len(slots)}")
    seats = [
        _seat(account.storage_root, number, nodes)
        for number, nodes in zip(slots, proof.storage, strict=True)
    ]
    return ProvenRules(account.code_hash, tuple(seats), immutable(proof.code, "QUORUM"))


def _seat(storage_root: bytes, number: int, nodes: Sequence[bytes]) -> Address:
    key = keccak(number.to_bytes(32, "big"))
    return Address(read_word(value_at(storage_root, key, nodes))[12:])
