"""The ledger's life, judged again: its validators' proposals, its sets, its parts, its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from eth_abi.abi import encode as abi_encode
from eth_utils.crypto import keccak

from ledger.audit_book import Book, Handlers
from ledger.audit_logs import Logged
from ledger.audit_seats import NOBODY, SEATS
from ledger.audit_windows import CLAIM_WINDOW, PROPOSAL_WINDOW

SET, FAMILY, CLOSE = 1, 2, 3
SATELLITES = ("queue", "claims", "beacon")
CONTENT = "(uint8,uint64,address[16],uint256,bytes32,address)"


@dataclass(slots=True)
class Proposal:
    """A proposal and who said what of it."""

    content: tuple[Any, ...]
    """Kind, set version, seats, quorum, family, implementation."""
    content_hash: bytes
    proposer: bytes
    proposed_at: int
    approvals: set[bytes] = field(default_factory=set)
    withdrawals: set[bytes] = field(default_factory=set)
    ready_at: int = 0
    outcome: str | None = None
    """Executed or withdrawn."""


class Life:
    """Queue, sets of validators, satellites, what is carried over, closing."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self.proposals: list[Proposal] = []
        self.built = 0
        self.handlers: Handlers = {
            "Proposed": self._proposed,
            "ProposalVoted": self._voted,
            "ProposalApproved": self._called_for,
            "ProposalWithdrawn": self._called_for,
            "ProposalExecuted": self._executed,
            "ValidatorSetChanged": self._set_changed,
            "SatelliteBuilt": self._satellite_built,
            "LedgerClosed": self._closed,
            "Carried": self._carried,
        }

    def finish(self) -> None:
        if self.built != len(SATELLITES):
            where = "the end of the log"
            self._book.differs(where, "the satellites built", len(SATELLITES), self.built)

    # -- the queue ------------------------------------------------------------------------------

    def _proposed(self, log: Logged) -> None:
        book, content, number = self._book, log.args["content"], len(self.proposals) + 1
        book.same(log, "the number of the proposal", number, log.args["proposal"])
        content_hash = keccak(abi_encode([CONTENT], [content]))
        book.same(log, "the content's hash", content_hash, log.args["contentHash"])
        book.same(log, "the set that it builds on", book.seats.version, content[1])
        book.holds(log, "a content that can be proposed", self._is_possible(content))
        proposer = log.args["proposer"]
        self.proposals.append(Proposal(content, content_hash, proposer, log.timestamp))
        vote = {"validator": proposer, "approve": True}
        book.expect(log, "ProposalVoted", proposal=number, **vote)

    def _is_possible(self, content: tuple[Any, ...]) -> bool:
        kind, _, holders, quorum, family, implementation = content
        no_family = not any(family) and implementation == NOBODY
        if kind == SET:
            return no_family and self._is_possible_set(holders, quorum)
        no_set = holders == (NOBODY,) * SEATS and quorum == 0
        if kind == FAMILY:
            return no_set and any(family) and implementation != NOBODY
        return kind == CLOSE and no_set and no_family

    def _is_possible_set(self, holders: tuple[bytes, ...], quorum: int) -> bool:
        seats = self._book.seats
        members = [holder for holder in holders if holder != NOBODY]
        stays = all(seats.seat_of(m) in (None, holders.index(m)) for m in members)
        changes = list(holders) != seats.holders or quorum != seats.threshold
        return stays and changes and _is_set(members, quorum)

    def _voted(self, log: Logged) -> None:
        book, validator = self._book, log.args["validator"]
        proposal = self._proposal(log)
        if proposal is None:
            return
        approve = log.args["approve"]
        book.holds(log, "a registered validator", book.seats.seat_of(validator) is not None)
        self._can_be_voted_on(log, proposal)
        said = proposal.withdrawals | (proposal.approvals if approve else set())
        book.holds(log, "a validator's first word of the kind", validator not in said)
        (proposal.approvals if approve else proposal.withdrawals).add(validator)
        self._decide(log, proposal)

    def _can_be_voted_on(self, log: Logged, proposal: Proposal) -> None:
        """Approved while it is open; withdrawn until it is executed, too."""
        alive = not log.args["approve"] or proposal.ready_at == 0
        self._book.holds(
            log, "a proposal that can be voted on", alive and self._lives(log, proposal)
        )

    def _lives(self, log: Logged, proposal: Proposal) -> bool:
        fresh = proposal.content[1] == self._book.seats.version
        start = proposal.ready_at or proposal.proposed_at
        return fresh and not proposal.outcome and log.timestamp <= start + PROPOSAL_WINDOW

    def _decide(self, log: Logged, proposal: Proposal) -> None:
        book, number = self._book, log.args["proposal"]
        quorum = book.seats.threshold
        if len(proposal.withdrawals) >= quorum:
            proposal.outcome = "withdrawn"
            book.expect(log, "ProposalWithdrawn", proposal=number)
        elif not proposal.ready_at and len(proposal.approvals - proposal.withdrawals) >= quorum:
            proposal.ready_at = log.timestamp + book.rules.queue_delay
            book.expect(log, "ProposalApproved", proposal=number, readyAt=proposal.ready_at)

    def _called_for(self, log: Logged) -> None:
        self._book.must_be_due(log)

    def _executed(self, log: Logged) -> None:
        book, proposal = self._book, self._proposal(log)
        if proposal is None:
            return
        ready = 0 < proposal.ready_at <= log.timestamp and self._lives(log, proposal)
        book.holds(log, "a proposal that is approved and has waited", ready)
        proposal.outcome = "executed"
        kind, _, holders, quorum, family, implementation = proposal.content
        if kind == SET:
            change = {"version": book.seats.version + 1, "seats": holders, "threshold": quorum}
            book.expect(log, "ValidatorSetChanged", **change)
        elif kind == FAMILY:
            change = {"name": family, "implementation": implementation}
            book.expect(log, "FamilyRegistered", **change)
        else:
            book.expect(log, "LedgerClosed", finalAt=log.timestamp + CLAIM_WINDOW)

    def _proposal(self, log: Logged) -> Proposal | None:
        number: int = log.args["proposal"]
        if not 1 <= number <= len(self.proposals):
            self._book.differs(log.where, "the proposal", "made before", number)
            return None
        return self.proposals[number - 1]

    # -- the ledger -----------------------------------------------------------------------------

    def _set_changed(self, log: Logged) -> None:
        """The deployment's own comes first and by itself; every other is a proposal's effect."""
        book, args = self._book, log.args
        book.same(log, "the version of the set", book.seats.version + 1, args["version"])
        if book.seats.version:
            book.must_be_due(log)
        members = [holder for holder in args["seats"] if holder != NOBODY]
        possible = _is_set(members, args["threshold"])
        book.holds(log, "a set of different validators and a threshold above half", possible)
        book.seats.replace(args["seats"], args["threshold"], log.timestamp)

    def _satellite_built(self, log: Logged) -> None:
        book, contracts = self._book, self._book.contracts
        book.same(log, "the number of the satellite", self.built, log.args["number"])
        expected = [getattr(contracts, name) for name in SATELLITES[self.built :]]
        place = expected[0] if expected else NOBODY
        book.same(log, "the satellite", place, log.args["satellite"])
        self.built += 1

    def _closed(self, log: Logged) -> None:
        self._book.must_be_due(log)
        self._book.holds(log, "a first closing", not self._book.final_at)
        self._book.final_at = log.args["finalAt"]

    def _carried(self, log: Logged) -> None:
        """Each node once, with all that it had in the ledger before."""
        book, node = self._book, log.args["node"]
        before = book.rules.predecessor
        is_final = before != NOBODY and 0 < book.witness.final_at(before, log.block) < log.timestamp
        book.holds(log, "a ledger before this one whose totals are final", is_final)
        book.holds(log, "a node that was not carried over", node not in book.carried)
        totals = book.witness.totals_before(before, node, log.block)
        for level, count in enumerate(totals, start=1):
            if level and count:
                book.tokens.due(log, node, level, count, None)
        book.carried[node] = totals


def _is_set(members: list[bytes], quorum: int) -> bool:
    return len(set(members)) == len(members) and len(members) // 2 < quorum <= len(members)
