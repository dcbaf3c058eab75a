"""Votes on single claims: directly on K1 and K2, committed and then revealed on K3."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from eth_abi.abi import encode as abi_encode
from eth_hash.auto import keccak

from ledger.assets import ClaimVotes, VoteCommitment
from ledger.claim_calls import ClaimVote
from ledger.reasons import Reason
from ledger.types import Address, Digest
from tests.integration.ledger_model.core import Core, ValidatorSet
from tests.integration.ledger_model.state import WINDOW, Refused, Signed, Table, words
from tests.integration.ledger_model.steps import Said

PLANTED, DRAWN = 1, 2


class Standing(IntEnum):
    NONE = 0
    OPEN = 1
    VERIFIED = 2
    REFUSED = 3
    VOID = 4


@dataclass(frozen=True)
class Claim:
    """One claim: whose, since when, and what was said of it. ``party_seats`` are those that home
    and host had when it was opened."""

    host: Address
    home: Address
    level: int
    origin: int
    opened_at: int
    party_seats: frozenset[int]
    standing: Standing = Standing.OPEN
    said: tuple[Said, ...] = ()

    def who(self, *reasons: int) -> set[Address]:
        return {said.validator for said in self.said if said.reason in reasons}


class Verdicts:
    """Claims by the id of their Kudos, and the validators' commitments."""

    def __init__(self, core: Core) -> None:
        self.core, self.world = core, core.world
        self.claims: Table[Digest, Claim] = core.world.table()
        self.commitments: Table[tuple[Address, int], Digest | None] = core.world.table()
        self._mints: list[tuple[Address, int]] = []

    def round_of(self, time: int) -> int:
        return time // self.world.rules.round_seconds

    def open(self, kudos_id: Digest, home: Address, host: Address, level: int, origin: int) -> bool:
        """Opens a claim, or opens it again when it has timed out."""
        if kudos_id in self.claims and not self.has_timed_out(kudos_id):
            return False
        seats = {self.core.set.seat_of(party) for party in (home, host)} - {None}
        opened_at = self.world.time
        self.claims[kudos_id] = Claim(
            *(host, home, level, origin, opened_at),
            frozenset(seat for seat in seats if seat is not None),
        )
        return True

    def has_timed_out(self, kudos_id: Digest) -> bool:
        claim = self.claims.get(kudos_id)
        if claim is None or claim.standing != Standing.OPEN:
            return False
        return self.world.time > claim.opened_at + WINDOW

    # -- votes ---------------------------------------------------------------------------------

    def vote(self, validator: Address, votes: Sequence[ClaimVote], signed: Signed | None) -> None:
        asset = ClaimVotes(self.signed_content(votes))
        if signed and not self.world.has_signed(validator, asset, signed.signature):
            raise Refused("NotSigned")
        self.core.require_validator(validator)
        self._mints = []
        for vote in votes:
            reason = self._cast(validator, vote, 0)
            if reason is not None:
                raise Refused("VoteRefused", vote.kudos_id, int(reason))
        self._flush()

    def signed_content(self, votes: Sequence[ClaimVote]) -> Digest:
        """What a validator signs of votes that somebody else sends: they are on the claims as
        they are open now, and on none that is made again."""
        known = (self.claims.get(vote.kudos_id) for vote in votes)
        opened_at = [claim.opened_at if claim else 0 for claim in known]
        return Digest(
            keccak(abi_encode(["(bytes32,uint8)[]", "uint64[]"], [_listed(votes), opened_at]))
        )

    def commit(
        self, validator: Address, number: int, commitment: Digest, signed: Signed | None
    ) -> None:
        asset = VoteCommitment(number, commitment)
        if signed and not self.world.has_signed(validator, asset, signed.signature):
            raise Refused("NotSigned")
        now = self.round_of(self.world.time)
        if number != now:
            raise Refused("WrongRound", now)
        if not any(commitment):
            raise Refused("NothingToReveal")
        self.core.require_validator(validator)
        if self.commitments.get((validator, number)) is not None:
            raise Refused("CommittedBefore")
        self.commitments[validator, number] = commitment
        self.world.emit("VotesCommitted", validator, number, commitment)

    def reveal(
        self, validator: Address, number: int, votes: Sequence[ClaimVote], salt: Digest
    ) -> None:
        fits = self.commitments.get((validator, number)) == self.commitment(
            validator, number, votes, salt
        )
        if not fits or self.round_of(self.world.time) <= number:
            raise Refused("NothingToReveal")
        self.core.require_validator(validator)
        self.commitments[validator, number] = None
        self.world.emit("VotesRevealed", validator, number)
        self._mints = []
        for vote in votes:
            reason = self._cast(validator, vote, number)
            if reason is not None:
                self.world.emit("VoteSkipped", validator, vote.kudos_id, int(reason))
        self._flush()

    def commitment(
        self, validator: Address, number: int, votes: Sequence[ClaimVote], salt: Digest
    ) -> Digest:
        bound = (self.world.domain.chain_id, self.core.addresses.claims)
        return Digest(words(*bound, validator, number, votes_hash(votes), salt))

    def recount(self, kudos_id: Digest) -> None:
        claim = self.claims.get(kudos_id)
        if claim is None or claim.standing != Standing.OPEN:
            raise Refused("VoteRefused", kudos_id, int(Reason.UNKNOWN_CLAIM))
        self._mints = []
        self._decide(kudos_id)
        self._flush()

    def _cast(self, validator: Address, vote: ClaimVote, number: int) -> Reason | None:
        claim = self.claims.get(vote.kudos_id)
        if claim is None:
            return Reason.UNKNOWN_CLAIM
        reason = self._reason_against(validator, claim, vote.reason, number)
        if reason is not None:
            return reason
        seat = self.core.set.seat_of(validator)
        assert seat is not None
        said = (*claim.said, Said(validator, seat, vote.reason))
        self.claims[vote.kudos_id] = replace(claim, said=said)
        self.world.emit("ClaimVoted", validator, vote.kudos_id, vote.reason)
        if claim.standing == Standing.OPEN:
            self._decide(vote.kudos_id)
        return None

    def _reason_against(
        self, validator: Address, claim: Claim, reason: int, number: int
    ) -> Reason | None:
        if not 128 <= reason <= 159:
            return Reason.NOT_A_VOTE
        due = self.round_of(claim.opened_at) + 1 if claim.level == 3 else 0
        if number != due:
            return Reason.WRONG_ROUND
        if self.world.time > claim.opened_at + WINDOW:
            return Reason.EXPIRED
        since = self.core.set.since(validator)
        if since is None or since >= claim.opened_at or validator in (claim.home, claim.host):
            return Reason.NOT_ELIGIBLE
        if any(said.validator == validator for said in claim.said):
            return Reason.VOTED_BEFORE
        return None

    def _decide(self, kudos_id: Digest) -> None:
        claim = self.claims[kudos_id]
        standing = judge(claim, self.core.set)
        if standing == Standing.OPEN:
            return
        self.claims[kudos_id] = replace(claim, standing=standing)
        self.world.emit("ClaimDecided", kudos_id, claim.host, claim.level, int(standing))
        if standing == Standing.VERIFIED:
            if self._mints and self._mints[0] != (claim.host, claim.level):
                self._flush()
            self._mints.append((claim.host, claim.level))

    def _flush(self) -> None:
        """Neighbours of one host and level are minted together."""
        if self._mints:
            host, level = self._mints[0]
            self.core.mint(self.core.addresses.claims, host, level, len(self._mints))
        self._mints = []


def judge(claim: Claim, seats: ValidatorSet) -> Standing:
    """How a claim stands by the votes that count now."""
    able = seats.eligible(claim.opened_at) - {claim.home, claim.host}
    threshold = seats.threshold
    if len(able) < threshold:
        return Standing.OPEN
    approvals = len(able & claim.who(Reason.APPROVE))
    refusals = len(able & claim.who(*range(129, 144)))
    if approvals >= threshold:
        return Standing.VERIFIED
    if claim.level != 3:
        hopeless = len(able) - refusals < threshold
        return Standing.REFUSED if hopeless else Standing.OPEN
    return _judge_runs(claim, able, (approvals, refusals, threshold))


def _judge_runs(claim: Claim, able: set[Address], counts: tuple[int, int, int]) -> Standing:
    approvals, refusals, threshold = counts
    if refusals >= threshold:
        return Standing.REFUSED
    if len(able & claim.who(Reason.ABSTAIN_NOT_REPEATABLE)) >= threshold:
        return Standing.VOID
    silent = len(able - claim.who(*range(128, 160)))
    differ = approvals and able & claim.who(Reason.REFUSE_RESULT)
    if differ and max(approvals, refusals) + silent < threshold:
        return Standing.VOID
    if silent == 0 and len(able) - refusals < threshold:
        return Standing.REFUSED
    return Standing.OPEN


def votes_hash(votes: Sequence[ClaimVote]) -> bytes:
    return keccak(abi_encode(["(bytes32,uint8)[]"], [_listed(votes)]))


def _listed(votes: Sequence[ClaimVote]) -> list[tuple[Digest, int]]:
    return [(vote.kudos_id, vote.reason) for vote in votes]
