"""That all contracts of a proof run the code of Kudos: what the ledger's satellites are. Pure.

Three things together. What stands at their addresses, which follow from the ledger's own, is proven
under the same state root as the ledger. The constants in all that code are the ledger's addresses,
chain and domain, and what it was created with, and nothing else: no contract asks or calls
another one that is not of this ledger. And the ledger keeps the hashes of the init codes that it
took for its satellites, so these began with nothing in their storage but what that code puts there.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from eth_abi.exceptions import EncodingError
from eth_hash.auto import keccak

from ledger.abi import BEACON, CLAIMS, LEDGER
from ledger.assets import CLAIM_WITHIN
from ledger.contract_code import immutables, is_our_code
from ledger.contracts import contracts_of
from ledger.creation import Constants, part_addresses, satellite_codes
from ledger.eip712 import Domain
from ledger.proof_block import ProvenHeader, read_account
from ledger.proof_format import AccountProof, Bundle, PartProof
from ledger.proof_rules import ProvenRules
from ledger.proof_trie import BrokenProof, value_at
from ledger.types import Address

DECISIONS = "ClaimDecisions"
_CODE_OF = {"claims": (CLAIMS, DECISIONS), "beacon": (BEACON,)}
"""What runs where a satellite logs: of the claims contract, its votes are in code of their own."""


def needed(contract: Address, loggers: Iterable[Address]) -> list[str]:
    """The parts, but for the ledger, whose code is behind these contracts' logs; in their order."""
    roles = {contracts_of(contract).role(logger) for logger in loggers}
    parts = {part for role in roles for part in _CODE_OF.get(role or "", ())}
    return [part for part in part_addresses(contract) if part in parts]


def check_parts(
    bundle: Bundle,
    account: AccountProof,
    header: ProvenHeader,
    rules: ProvenRules,
    loggers: Iterable[Address],
) -> None:
    """BrokenProof when a contract of this proof is not the one of Kudos."""
    _check_created(rules, account.constants)
    domain = Domain(bundle.chain_id, bundle.contract)
    _check_constants(LEDGER, account.code, domain, account.constants)
    shown = [part.part for part in bundle.parts]
    due = needed(bundle.contract, loggers)
    if shown != due:
        wanted = ", ".join(due) or "nothing"
        raise BrokenProof(f"beside the ledger it needs the code of {wanted}, as its logs say")
    for part in bundle.parts:
        _check_part(part, part_addresses(bundle.contract)[part.part], header)
        _check_constants(part.part, part.code, domain, account.constants)


def _check_part(part: PartProof, address: Address, header: ProvenHeader) -> None:
    account = read_account(value_at(header.state_root, keccak(address), part.proof))
    if keccak(part.code) != account.code_hash:
        raise BrokenProof(f"the code is not that of the ledger's {part.part}")
    if not is_our_code(part.code, part.part):
        raise BrokenProof(f"the code of its {part.part} is not that of this version of Kudos")


def _check_created(rules: ProvenRules, constants: Constants) -> None:
    try:
        due = _init_hashes(constants)
    except EncodingError as error:
        raise BrokenProof("no ledger can be created with its constants") from error
    if rules.satellites != due:
        raise BrokenProof("its satellites were not created from the code and constants of Kudos")


@lru_cache(8)
def _init_hashes(constants: Constants) -> tuple[bytes, ...]:
    return tuple(keccak(code) for code in satellite_codes(constants))


def _check_constants(part: str, code: bytes, domain: Domain, constants: Constants) -> None:
    try:
        found = immutables(code, part)
    except ValueError as error:
        raise BrokenProof(f"{error} ({part})") from error
    if sorted(found) != sorted(_due(part, domain, constants)):
        raise BrokenProof(f"the constants in the code of its {part} are not those of this ledger")


def _due(part: str, domain: Domain, constants: Constants) -> list[int]:
    """What the immutables of a part are set to by its constructor."""
    own = contracts_of(domain.contract)
    where = {name: _number(found) for name, found in part_addresses(own.ledger).items()}
    place = [domain.chain_id, _number(domain.separator)]
    k2_cap = constants.k2_per_pair_and_epoch
    if part == LEDGER:
        caps = [constants.epoch_seconds, constants.k1_per_host_and_epoch, k2_cap]
        satellites = [_number(address) for address in (own.queue, own.claims, own.beacon)]
        return [*place, *caps, *satellites, _number(constants.predecessor)]
    place.append(where[LEDGER])
    if part == BEACON:
        return [*place, constants.beacon_period_seconds, constants.beacon_reveal_seconds]
    place += [CLAIM_WITHIN, constants.round_seconds]
    if part == DECISIONS:
        return place
    puzzles = [constants.puzzle_difficulty, constants.puzzles_per_host]
    asked = [where[DECISIONS], where[BEACON], constants.draw_rate, int(k2_cap != 0)]
    return [*place, *puzzles, *asked]


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "big")
