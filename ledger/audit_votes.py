"""Votes in the claims contract, judged again: rounds, eligibility, and what they add up to.

A reveal's salt is in the call and not in the log. So that revealed votes are those that were
committed to is trusted; that there was a commitment, in its round and opened once, is not.
"""

from __future__ import annotations

from ledger.audit_book import Book, Handlers
from ledger.audit_logs import Logged
from ledger.audit_seats import is_vote
from ledger.audit_state import OPEN, VERIFIED, Claim, state_name
from ledger.audit_windows import CLAIM_WINDOW
from ledger.reasons import Reason

UNKNOWN_CLAIM, NOT_ELIGIBLE, WRONG_ROUND, VOTED_BEFORE, NOT_A_VOTE = 84, 85, 86, 87, 88
WITHIN_REVEAL = frozenset({"ClaimVoted", "VoteSkipped", "ClaimDecided", "TransferSingle"})
CANARY = 3


class Votes:
    """Commitments, reveals, votes, decisions."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self.commitments: dict[tuple[bytes, int], bytes] = {}
        """By validator and round, as long as they are not opened."""
        self.sealed: dict[tuple[bytes, int], bytes] = {}
        """The same, opened or not."""
        self.revealed: set[tuple[bytes, int]] = set()
        self._revealing: tuple[bytes, int] | None = None
        self.handlers: Handlers = {
            "VotesCommitted": self._votes_committed,
            "VotesRevealed": self._votes_revealed,
            "ClaimVoted": self._claim_voted,
            "VoteSkipped": self._vote_skipped,
            "ClaimDecided": self._claim_decided,
        }

    def before(self, log: Logged) -> None:
        """A reveal is over when something else happens."""
        if log.event not in WITHIN_REVEAL:
            self._revealing = None

    def _votes_committed(self, log: Logged) -> None:
        book, key = self._book, (log.args["validator"], log.args["round"])
        book.same(log, "the round", self._round(log.timestamp), key[1])
        self._check_seated(log)
        book.holds(log, "a validator's first commitment of the round", key not in self.sealed)
        book.holds(log, "a commitment that is not zero", any(log.args["commitment"]))
        self.sealed[key] = self.commitments[key] = log.args["commitment"]

    def _votes_revealed(self, log: Logged) -> None:
        book, key = self._book, (log.args["validator"], log.args["round"])
        self._check_seated(log)
        committed = self.commitments.pop(key, None) is not None
        book.holds(log, "a commitment to reveal", committed)
        book.holds(log, "a reveal after its round", key[1] < self._round(log.timestamp))
        self._revealing = key
        self.revealed.add(key)

    def _claim_voted(self, log: Logged) -> None:
        book, validator, reason = self._book, log.args["validator"], log.args["reason"]
        claim = book.single.get(log.args["kudosId"])
        if claim is None:
            book.differs(log.where, "the Kudos voted on", "claimed", "unknown")
            return
        self._check_seated(log)
        book.same(log, "why the vote cannot be taken", None, self._refusal(log, claim))
        book.holds(log, "a reason that is a vote", is_vote(reason))
        seat = book.seats.seat_of(validator)
        if seat is None:
            return
        claim.votes[seat] = (validator, reason)
        standing = book.seats.standing_alone(claim)
        if claim.state == OPEN != standing:
            names = {"kudosId": claim.kudos_id, "host": claim.host, "level": claim.level}
            book.expect(log, "ClaimDecided", **names, standing=standing)

    def _vote_skipped(self, log: Logged) -> None:
        """What is no vote is not logged; so that reason stands for itself."""
        book, reason = self._book, log.args["reason"]
        revealing = self._revealing and self._revealing[0] == log.args["validator"]
        book.holds(log, "a vote of a reveal", bool(revealing))
        claim = book.single.get(log.args["kudosId"])
        refusal = UNKNOWN_CLAIM if claim is None else self._refusal(log, claim)
        if reason != NOT_A_VOTE or claim is None:
            book.same(log, "why the vote was skipped", refusal, reason)
        told = ("vote", None, log.args["validator"], None, log.args["kudosId"], reason)
        book.skipped[log.block, log.log_index, 0] = told

    def _refusal(self, log: Logged, claim: Claim) -> int | None:
        """Why the contract cannot have taken this vote, in the order in which it looks."""
        validator, time = log.args["validator"], log.timestamp
        round_ = 0
        if self._revealing and self._revealing[0] == validator:
            round_ = self._revealing[1]
        if claim.level == CANARY and round_ != self._round(claim.opened_at) + 1:
            return WRONG_ROUND
        if claim.level != CANARY and round_ and log.event == "VoteSkipped":
            return WRONG_ROUND
        if time > claim.opened_at + CLAIM_WINDOW:
            return int(Reason.EXPIRED)
        seats = self._book.seats
        if not seats.is_eligible(validator, claim.opened_at) or validator in claim.parties:
            return NOT_ELIGIBLE
        return VOTED_BEFORE if seats.seat_of(validator) in claim.votes else None

    def _claim_decided(self, log: Logged) -> None:
        """Behind a vote, or by a recount; the tokens come from the claims contract either way."""
        book = self._book
        claim = book.single.get(log.args["kudosId"])
        if claim is None or claim.state != OPEN:
            book.differs(log.where, "the Kudos decided", "an open claim", "decided without one")
            return
        standing = state_name(book.seats.standing_alone(claim))
        book.same(log, "the decision due", standing, state_name(log.args["standing"]))
        book.same(log, "the host", claim.host, log.args["host"])
        book.same(log, "the level", claim.level, log.args["level"])
        claim.state = log.args["standing"]
        if claim.state == VERIFIED:
            book.not_final(log)
            book.tokens.due(log, claim.host, claim.level, 1, book.contracts.claims)

    def _check_seated(self, log: Logged) -> None:
        seated = self._book.seats.seat_of(log.args["validator"]) is not None
        self._book.holds(log, "a registered validator", seated)

    def _round(self, time: int) -> int:
        return time // self._book.rules.round_seconds
