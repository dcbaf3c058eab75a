"""Who the validators are and how many are needed, read from the proven contract itself. Pure.

The state root leads to the account, the account to its code and storage. One slot says how many
validators there are, how many are needed, and when the set last changed; one slot for each seat
says who holds it. As many seats are shown as there are validators, so none can be left out. What
the satellites were created from (``ledger.proof_parts``) is read beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_hash.auto import keccak

from ledger.contract_code import is_our_code, slot
from ledger.creation import SATELLITES
from ledger.proof_block import ProvenHeader, read_account, read_word
from ledger.proof_format import AccountProof
from ledger.proof_trie import BrokenProof, value_at
from ledger.types import ZERO_ADDRESS, Address

MAX_SEATS = 16


@dataclass(frozen=True, slots=True)
class ProvenRules:
    """The validators as of one block, and the hash of the code that counts their votes.
    ``changed_at`` is when the set last changed; 0 if it never did. ``satellites`` are the hashes of
    the init codes that the ledger took for its own."""

    code_hash: bytes
    validators: tuple[Address, ...]
    threshold: int
    changed_at: int = 0
    satellites: tuple[bytes, ...] = ()


def rule_slots() -> list[int]:
    """The storage slots that hold the set, the hashes of the satellites' init codes, the seats."""
    hashes = (slot("_satelliteHashes") + number for number in range(len(SATELLITES)))
    return [slot("_set"), *hashes, *(slot("_seats") + seat for seat in range(MAX_SEATS))]


def read_rules(contract: Address, header: ProvenHeader, proof: AccountProof) -> ProvenRules:
    """The rules under this header's state root; BrokenProof when they are not proven."""
    account = read_account(value_at(header.state_root, keccak(contract), proof.proof))
    if keccak(proof.code) != account.code_hash:
        raise BrokenProof("the code is not the contract's")
    if not is_our_code(proof.code):
        raise BrokenProof("the contract's code is not that of this version of Kudos")
    slots = rule_slots()
    if len(proof.storage) != len(slots):
        raise BrokenProof(f"{len(proof.storage)} slots are proven, not {len(slots)}")
    words = [
        _word(account.storage_root, number, nodes) if nodes else 0
        for number, nodes in zip(slots, proof.storage, strict=True)
    ]
    held, *others = words
    hashes, seats = others[: len(SATELLITES)], others[len(SATELLITES) :]
    validators = tuple(
        Address((word & ((1 << 160) - 1)).to_bytes(20, "big")) for word in seats if word
    )
    if len(validators) != held >> 56 & 0xFF or ZERO_ADDRESS in validators:
        raise BrokenProof("the seats that are shown are not those of all validators")
    changed_at = held >> 72 & ((1 << 40) - 1)
    satellites = tuple(word.to_bytes(32, "big") for word in hashes)
    return ProvenRules(account.code_hash, validators, held >> 64 & 0xFF, changed_at, satellites)


def _word(storage_root: bytes, number: int, nodes: Sequence[bytes]) -> int:
    key = keccak(number.to_bytes(32, "big"))
    return int.from_bytes(read_word(value_at(storage_root, key, nodes)), "big")
