"""The contracts' own answers at one block, held against the recount."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak

from ledger.audit_beacon import Period
from ledger.audit_logs import plain
from ledger.audit_recount import Recount
from ledger.audit_seats import APPROVE, NOBODY, is_refusal
from ledger.audit_state import OPEN, REFUSED, VERIFIED, Batch, Claim, Difference, Rules, shown
from ledger.audit_tokens import LEVELS
from ledger.contracts import contracts_of
from ledger.errors import ChainError, Reverted
from ledger.source import CallableChain, LedgerIdentity
from ledger.types import Address, BlockNumber, hex_of

ORIGINS = {None: 0, "planted": 1, "drawn": 2}
Answer = tuple[Any, ...]


class Views:
    """Asks the contracts, and any other, at one block; also the recount's witness."""

    def __init__(self, rpc: CallableChain, deployment: LedgerIdentity, block: BlockNumber) -> None:
        self._rpc = rpc
        self._deployment = deployment
        self._block = block
        self._contracts = contracts_of(deployment.contract)

    def rules(self) -> Rules:
        """The constants that the contracts were deployed with."""
        parts = self._contracts

        def number(contract: Address, view: str) -> int:
            (value,) = self._ask(contract, view, "uint64")
            return int(value)

        (predecessor,) = self._ask(parts.ledger, "predecessor()", "address")
        floor, most = self._ask(parts.claims, "puzzleLimits()", "uint8", "uint32")
        return Rules(
            epoch_seconds=number(parts.ledger, "epochSeconds()"),
            k1_per_host_and_epoch=number(parts.ledger, "k1PerHostAndEpoch()"),
            k2_per_pair_and_epoch=number(parts.ledger, "k2PerPairAndEpoch()"),
            queue_delay=number(parts.queue, "delay()"),
            round_seconds=number(parts.claims, "commitSeconds()"),
            draw_rate=number(parts.claims, "drawRate()"),
            puzzle_floor=floor,
            puzzles_per_host=most,
            period_seconds=number(parts.beacon, "periodSeconds()"),
            reveal_seconds=number(parts.beacon, "revealSeconds()"),
            predecessor=predecessor,
        )

    # -- what the recount asks ------------------------------------------------------------------

    def wallet_signed(self, wallet: bytes, digest: bytes, signature: bytes, block: int) -> bool:
        """ERC-1271, at the block where the signature was used: a wallet may change its mind later.

        Needs an endpoint that still has that state, but only where such a wallet was used.
        """
        selector = keccak(text="isValidSignature(bytes32,bytes)")[:4]
        data = selector + abi_encode(["bytes32", "bytes"], [digest, signature])
        return self._answer_at(wallet, data, block) == selector.ljust(32, b"\0")

    def solves(self, family: bytes, parameters: bytes, solution: bytes, block: int) -> bool:
        """ICanaryFamily, likewise at the block where it was asked."""
        data = keccak(text="verify(bytes32,bytes)")[:4]
        data += abi_encode(["bytes32", "bytes"], [parameters, solution])
        return self._answer_at(family, data, block) == (1).to_bytes(32, "big")

    def _answer_at(self, contract: bytes, data: bytes, block: int) -> bytes:
        try:
            return self._rpc.call(Address(contract), data, BlockNumber(block))[:32]
        except Reverted:
            return b""

    def block_hash(self, number: int) -> bytes | None:
        header = self._rpc.header(BlockNumber(number))
        return header.hash if header else None

    def totals_before(self, ledger: bytes, node: bytes, block: int) -> tuple[int, int, int]:
        """At that block, because that ledger may take totals over after its end, too. It needs the
        state of then, but only where totals were carried over."""
        asked = Views(self._rpc, self._deployment, BlockNumber(block))
        k1, k2, k3 = asked._ask(ledger, "kudos(address)", *["uint64"] * 3, values=(node,))
        return k1, k2, k3

    def final_at(self, ledger: bytes, block: int) -> int:
        """Likewise at that block."""
        data = keccak(text="finalAt()")[:4]
        return int.from_bytes(self._answer_at(ledger, data, block), "big")

    # -- what the contracts say -----------------------------------------------------------------

    def compare(self, recount: Recount) -> Iterator[Difference]:
        """Differences between what was recounted and what the contracts say."""
        yield from self._compare_set(recount)
        yield from self._compare_totals(recount)
        for (host, root), batch in recount.batches.batches.items():
            yield from self._compare_batch(recount, host, root, batch)
        for step in recount.steps.steps.values():
            place, claim = step.record.place, step.claim
            state = claim.state if claim else 0
            stored = (step.stage, state, step.fingerprint, step.time & 0xFFFFFFFF)
            kinds = ("uint8", "uint8", "bytes20", "uint32")
            yield from self._ledger("step((address,address,uint32))", kinds, (place,), stored)
            masks = _masks(claim) if claim else (0, 0, 0)
            view = "stepVotes((address,address,uint32))"
            yield from self._ledger(view, ("uint16",) * 3, (place,), masks)
        yield from self._compare_claims(recount)
        for (home, host), (epoch, counts) in recount.book.caps.pairs.items():
            counted = (epoch, *(counts.get(level, 0) for level in LEVELS))
            pair = "pair(address,address)"
            yield from self._ledger(pair, ("uint64",) * 4, (home, host), counted)

    def _compare_set(self, recount: Recount) -> Iterator[Difference]:
        known, seats, rules = self._deployment, recount.book.seats, recount.book.rules
        holders, threshold = seats.history[0] if seats.history else ([], 0)
        first = [holder for holder in holders if holder != NOBODY]
        actual = (first, threshold, rules.epoch_seconds)
        stated = (list(known.validators), known.threshold, known.epoch_seconds)
        yield from unlike("deployment file", "validators, threshold and epoch", actual, stated)
        yield from self._ledger("validators()", ("address[]",), (), (tuple(seats.validators),))
        yield from self._ledger("threshold()", ("uint256",), (), (seats.threshold,))
        yield from self._ledger("setVersion()", ("uint256",), (), (seats.version,))
        seated = (tuple(seats.holders), tuple(seats.since))
        yield from self._ledger("seats()", ("address[16]", "uint40[16]"), (), seated)
        yield from self._ledger("finalAt()", ("uint64",), (), (recount.book.final_at,))

    def _compare_totals(self, recount: Recount) -> Iterator[Difference]:
        tokens = recount.book.tokens
        for node, totals in recount.book.totals().items():
            found = self._ask(
                self._contracts.ledger, "kudos(address)", *["uint64"] * 3, values=(node,)
            )
            yield from unlike("contract", f"Kudos of {hex_of(node)}", totals, found)
            lists = ([node] * len(LEVELS), LEVELS)
            view = "balanceOfBatch(address[],uint256[])"
            (found,) = self._ask(self._contracts.ledger, view, "uint256[]", values=lists)
            yield from unlike("contract", f"tokens of {hex_of(node)}", totals, found)
            minted = tuple(tokens.minted[node, level] for level in LEVELS)
            yield from unlike("logs", f"tokens minted for {hex_of(node)}", totals, minted)

    def _compare_batch(
        self, recount: Recount, host: bytes, root: bytes, batch: Batch
    ) -> Iterator[Difference]:
        bits = {OPEN: 0, VERIFIED: 0, REFUSED: 0}
        for index, claim in batch.claims.items():
            bits[claim.state] |= 1 << index
        decided = (sum(bits.values()), bits[VERIFIED], bits[REFUSED])
        stored = (batch.records, batch.confirmed, batch.settled_at, *decided)
        kinds = ("uint8", "uint8", "uint64", "uint128", "uint128", "uint128")
        yield from self._ledger("batch(address,bytes32)", kinds, (host, root), stored)
        seats = recount.book.seats
        for validator in seats.validators:
            cast: Answer = (False, 0, 0, 0)
            if seats.is_eligible(validator, batch.settled_at):
                excluded = batch.excluded.get(validator, 0)
                said = batch.ballots.get(validator, (0, 0))
                cast = (validator in batch.ballots, *said, excluded)
            ballot = ("bool", "uint128", "uint128", "uint128")
            named = (host, root, validator)
            yield from self._ledger("ballot(address,bytes32,address)", ballot, named, cast)

    def _compare_claims(self, recount: Recount) -> Iterator[Difference]:
        claims, book = self._contracts.claims, recount.book
        kinds = ("uint8", "uint8", "uint8", "address", "uint64", *["uint16"] * 4)
        for kudos_id, claim in book.single.items():
            head = (claim.state, claim.level, ORIGINS[claim.origin], claim.host, claim.opened_at)
            voters, approvals, refusals = _masks(claim)
            expected = (*head, approvals, refusals, voters, claim.party_seats)
            found = self._ask(claims, "kudosClaim(bytes32)", *kinds, values=(kudos_id,))
            yield from unlike("contract", f"claim {hex_of(kudos_id)}", expected, found)
        for place in recount.claims.marks:
            view = "canaryClaimed(address,address,uint32)"
            found = self._ask(claims, view, "bool", values=place)
            yield from unlike("contract", f"the mark of {shown(place)}", (True,), found)
        for host, asked in recount.puzzles.asked.items():
            kinds = ("bool", "bytes32", "uint32", "uint32")
            found = self._ask(claims, "puzzle(address)", *kinds, values=(host,))
            counted = (asked.counter, asked.solved)
            yield from unlike("contract", f"puzzles of {hex_of(host)}", counted, found[2:])
        for number, period in recount.beacons.periods.items():
            known = (period.value is not None, period.value or bytes(32))
            beacon = self._contracts.beacon
            found = self._ask(beacon, "beacon(uint64)", "bool", "bytes32", values=(number,))
            yield from unlike("contract", f"the beacon of period {number}", known, found)
            yield from self._compare_period(recount, number, period)
        for (validator, number), sealed in recount.votes.commitments.items():
            view = "voteCommitment(address,uint64)"
            found = self._ask(claims, view, "bytes32", values=(validator, number))
            what = f"votes of {hex_of(validator)} in round {number}"
            yield from unlike("contract", what, (sealed,), found)

    def _compare_period(
        self, recount: Recount, number: int, period: Period
    ) -> Iterator[Difference]:
        """What is not in the beacon's value: what nobody revealed, and that there is none."""
        beacon, none = self._contracts.beacon, 5
        kinds = ("uint8", "uint256", "uint256", "uint256")
        status, *found = self._ask(beacon, "standing(uint64)", *kinds, values=(number,))
        counts = [len(period.commitments), len(period.revealed), period.block]
        expected = (period.has_none, *counts)
        what = f"the standing of period {number}"
        yield from unlike("contract", what, expected, (status == none, *found))
        known = {node for holders, _ in recount.book.seats.history for node in holders}
        for validator in sorted(known - {NOBODY}):
            sealed = period.commitments.get(validator, bytes(32))
            made = (sealed, validator in period.revealed)
            view = "commitmentOf(uint64,address)"
            told = self._ask(beacon, view, "bytes32", "bool", values=(number, validator))
            what = f"the secret of {hex_of(validator)} for period {number}"
            yield from unlike("contract", what, made, told)

    def _ledger(
        self, view: str, kinds: Sequence[str], values: Answer, expected: Answer
    ) -> Iterator[Difference]:
        found = self._ask(self._contracts.ledger, view, *kinds, values=values)
        name = f"{view.partition('(')[0]}{shown(values) if values else ''}"
        yield from unlike("contract", name, expected, found)

    def _ask(self, contract: bytes, view: str, *results: str, values: Answer = ()) -> Answer:
        inside = view[view.index("(") + 1 : -1]
        kinds = [inside] if inside.startswith("(") else [kind for kind in inside.split(",") if kind]
        data = keccak(text=view)[:4] + abi_encode(kinds, values)
        answer = self._rpc.call(Address(contract), data, self._block)
        if not answer:
            raise ChainError(
                f"At block {self._block} there is no contract at {hex_of(contract)}.",
                hint="A ledger's contracts come one after the other: audit at a later block.",
            )
        try:
            return tuple(map(plain, abi_decode(results, answer)))
        except DecodingError as error:
            raise ChainError(
                f"The contract's answer to {view} does not decode: {error}.",
                hint="The deployment file names another contract, or the endpoint is damaged.",
            ) from error


def _masks(claim: Claim) -> tuple[int, int, int]:
    """The seats that voted on a claim, that approved it, that refused it."""
    reasons = {seat: reason for seat, (_, reason) in claim.votes.items()}
    approvals = sum(1 << seat for seat, reason in reasons.items() if reason == APPROVE)
    refusals = sum(1 << seat for seat, reason in reasons.items() if is_refusal(reason))
    return sum(1 << seat for seat in reasons), approvals, refusals


def unlike(where: str, what: str, expected: object, found: object) -> Iterator[Difference]:
    """A difference, if there is one."""
    if expected != found:
        yield Difference(where, what, shown(expected), shown(found))
