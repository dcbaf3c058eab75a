"""What the contracts of ``ledger.synthetic`` answer when an audit asks them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_hash.auto import keccak

from ledger.creation import Constants
from ledger.errors import ChainError
from ledger.reasons import Reason
from ledger.synthetic_contract import SEATS, CanaryState, SyntheticContract
from ledger.types import ZERO_ADDRESS, Address, Digest, address_from_hex

_CONSTANTS = Constants()
"""Of what the synthetic ledger has nothing to do with."""


def answer(ledger: SyntheticContract, data: bytes) -> bytes:
    """The view that this calldata asks for; ChainError where there is none."""
    try:
        view = _VIEWS[data[:4]]
    except KeyError:
        raise ChainError("The synthetic contract has no such view.") from None
    return view(ledger, data[4:])


def _kudos(ledger: SyntheticContract, arguments: bytes) -> bytes:
    totals = ledger.totals.get(Address(arguments[12:32]), Counter())
    return abi_encode(["uint64"] * 3, [totals[1], totals[2], totals[3]])


def _balances(ledger: SyntheticContract, arguments: bytes) -> bytes:
    accounts, levels = abi_decode(["address[]", "uint256[]"], arguments)
    asked = zip(accounts, levels, strict=True)
    balances = [ledger.totals[address_from_hex(node)][level] for node, level in asked]
    return abi_encode(["uint256[]"], [balances])


def _batch(ledger: SyntheticContract, arguments: bytes) -> bytes:
    kinds = ["uint8", "uint8", "uint64", "uint128", "uint128", "uint128"]
    batch = ledger.batches.get((Address(arguments[12:32]), Digest(arguments[32:64])))
    if batch is None:
        return abi_encode(kinds, [0] * 6)
    head = [len(batch.migrations), batch.confirmed, batch.settled_at]
    return abi_encode(kinds, [*head, batch.claims, batch.verified, batch.refused])


def _ballot(ledger: SyntheticContract, arguments: bytes) -> bytes:
    batch = ledger.batches[Address(arguments[12:32]), Digest(arguments[32:64])]
    validator = Address(arguments[76:96])
    cast = batch.ballots.get(validator, (0, 0))
    kinds = ["bool", "uint128", "uint128", "uint128"]
    return abi_encode(kinds, [validator in batch.ballots, *cast, 0])


def _pair(ledger: SyntheticContract, arguments: bytes) -> bytes:
    epoch = ledger.first_claims.get((Address(arguments[12:32]), Address(arguments[44:64])))
    return abi_encode(["uint64"] * 4, [epoch or 0, int(epoch is not None), 0, 0])


def _seats(ledger: SyntheticContract, _: bytes) -> bytes:
    empty = SEATS - len(ledger.validators)
    holders = [*ledger.validators, *[ZERO_ADDRESS] * empty]
    return abi_encode(["address[16]", "uint40[16]"], [holders, [0] * SEATS])


def _claim(ledger: SyntheticContract, arguments: bytes) -> bytes:
    canary = ledger.canaries.get(Digest(arguments[:32]))
    kinds = ["uint8", "uint8", "uint8", "address", "uint64", *["uint16"] * 4]
    if canary is None:
        return abi_encode(kinds, [0, 0, 0, ZERO_ADDRESS, 0, 0, 0, 0, 0])
    head = [canary.state, 3, 1, canary.host, canary.claimed_at]
    return abi_encode(kinds, [*head, *_masks(ledger, canary)])


def _masks(ledger: SyntheticContract, canary: CanaryState) -> list[int]:
    """The seats that approve, that refuse, that voted, that are parties."""
    approvals, refusals, voters, parties = 0, 0, 0, 0
    for seat, validator in enumerate(ledger.validators):
        reason = canary.votes.get(validator)
        approvals |= (reason == Reason.APPROVE) << seat
        refusals |= (reason is not None and 129 <= reason <= 143) << seat
        voters |= (reason is not None) << seat
        parties |= (validator in (canary.home, canary.host)) << seat
    return [approvals, refusals, voters, parties]


def _marked(ledger: SyntheticContract, arguments: bytes) -> bytes:
    place = (
        Address(arguments[12:32]),
        Address(arguments[44:64]),
        int.from_bytes(arguments[64:96], "big"),
    )
    return abi_encode(["bool"], [place in ledger.marks])


def _sealed(ledger: SyntheticContract, arguments: bytes) -> bytes:
    place = (Address(arguments[12:32]), int.from_bytes(arguments[32:64], "big"))
    return ledger.commitments.get(place, Digest(bytes(32)))


def _constant(value: int) -> Callable[[SyntheticContract, bytes], bytes]:
    return lambda ledger, _: _number(value)


def _number(value: int) -> bytes:
    return abi_encode(["uint256"], [value])


def _selector(view: str) -> bytes:
    return bytes(keccak(view.encode())[:4])


_LIMITS = [_CONSTANTS.puzzle_difficulty, _CONSTANTS.puzzles_per_host]
_VIEWS: dict[bytes, Callable[[SyntheticContract, bytes], bytes]] = {
    _selector("validators()"): lambda ledger, _: abi_encode(["address[]"], [ledger.validators]),
    _selector("seats()"): _seats,
    _selector("threshold()"): lambda ledger, _: _number(ledger.threshold),
    _selector("setVersion()"): _constant(1),
    _selector("finalAt()"): _constant(0),
    _selector("predecessor()"): _constant(0),
    _selector("epochSeconds()"): lambda ledger, _: _number(ledger.epoch_seconds),
    _selector("k1PerHostAndEpoch()"): lambda ledger, _: _number(ledger.k1_per_host_and_epoch),
    _selector("k2PerPairAndEpoch()"): _constant(0),
    _selector("delay()"): _constant(_CONSTANTS.queue_delay_seconds),
    _selector("drawRate()"): _constant(_CONSTANTS.draw_rate),
    _selector("puzzleLimits()"): lambda ledger, _: abi_encode(["uint8", "uint32"], _LIMITS),
    _selector("periodSeconds()"): _constant(_CONSTANTS.beacon_period_seconds),
    _selector("revealSeconds()"): _constant(_CONSTANTS.beacon_reveal_seconds),
    _selector("commitSeconds()"): lambda ledger, _: _number(ledger.commit_seconds),
    _selector("kudos(address)"): _kudos,
    _selector("balanceOfBatch(address[],uint256[])"): _balances,
    _selector("batch(address,bytes32)"): _batch,
    _selector("ballot(address,bytes32,address)"): _ballot,
    _selector("pair(address,address)"): _pair,
    _selector("kudosClaim(bytes32)"): _claim,
    _selector("voteCommitment(address,uint64)"): _sealed,
    _selector("canaryClaimed(address,address,uint32)"): _marked,
}
