"""How the validators change their own set: propose, approve, wait, execute."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ledger.assets import ProposalVote
from ledger.event_types import ProposalContent
from ledger.queue_calls import SET, Status, content_hash
from ledger.types import Address
from tests.integration.ledger_model.core import Core
from tests.integration.ledger_model.state import NOBODY, Refused, Signed, Table

OPEN_FOR = 30 * 86_400


@dataclass(frozen=True)
class Proposal:
    """What is proposed, and who has said what of it."""

    content: ProposalContent
    proposed_at: int
    approving: frozenset[Address] = frozenset()
    withdrawing: frozenset[Address] = frozenset()
    ready_at: int = 0
    outcome: Status = Status.OPEN


class Queue:
    """Proposals of new sets, by number. Other kinds of proposals are not modelled."""

    def __init__(self, core: Core) -> None:
        self.core, self.world = core, core.world
        self.proposals: Table[int, Proposal] = core.world.table()

    def propose(self, validator: Address, content: ProposalContent, signed: Signed | None) -> None:
        number = len(self.proposals) + 1
        self._require_signed(validator, number, content, True, signed)
        version = self.core.set.version
        if content.set_version != version:
            raise Refused("StaleSet", content.set_version, version)
        self._check(content)
        self.proposals[number] = Proposal(content, self.world.time)
        fields = (content.kind, content.set_version, content.seats, content.quorum)
        named = (content.family, content.implementation)
        hashed = content_hash(content)
        self.world.emit("Proposed", number, hashed, validator, (*fields, *named))
        self._vote(validator, number, content, True)

    def vote(
        self,
        validator: Address,
        number: int,
        content: ProposalContent,
        approve: bool,
        signed: Signed | None,
    ) -> None:
        self._require_signed(validator, number, content, approve, signed)
        self._vote(validator, number, content, approve)

    def execute(self, number: int) -> None:
        status = self.status(number)
        if status != Status.READY:
            raise Refused("NotPossible", int(status))
        proposal = self.proposals[number]
        self.proposals[number] = replace(proposal, outcome=Status.EXECUTED)
        self.world.emit("ProposalExecuted", number)
        self.core.apply_set(proposal.content.seats, proposal.content.quorum)

    def status(self, number: int) -> Status:
        proposal = self.proposals.get(number)
        if proposal is None:
            return Status.NONE
        if proposal.outcome != Status.OPEN:
            return proposal.outcome
        if proposal.content.set_version != self.core.set.version:
            return Status.STALE
        if self.world.time > (proposal.ready_at or proposal.proposed_at) + OPEN_FOR:
            return Status.LAPSED
        if not proposal.ready_at:
            return Status.OPEN
        return Status.WAITING if self.world.time < proposal.ready_at else Status.READY

    def _vote(
        self, validator: Address, number: int, content: ProposalContent, approve: bool
    ) -> None:
        if self.core.set.seat_of(validator) is None:
            raise Refused("NotAValidator", validator)
        status = self.status(number)
        if status == Status.NONE or self.proposals[number].content != content:
            raise Refused("UnknownProposal", number)
        waits = status in (Status.WAITING, Status.READY) and not approve
        if status != Status.OPEN and not waits:
            raise Refused("NotPossible", int(status))
        proposal = self.proposals[number]
        spoke = validator in proposal.withdrawing
        if spoke or (approve and validator in proposal.approving):
            raise Refused("VotedBefore")
        self.world.emit("ProposalVoted", number, validator, approve)
        if approve:
            proposal = replace(proposal, approving=proposal.approving | {validator})
        else:
            proposal = replace(proposal, withdrawing=proposal.withdrawing | {validator})
        self.proposals[number] = self._decided(number, proposal)

    def _decided(self, number: int, proposal: Proposal) -> Proposal:
        threshold = self.core.set.threshold
        if len(proposal.withdrawing) >= threshold:
            self.world.emit("ProposalWithdrawn", number)
            return replace(proposal, outcome=Status.WITHDRAWN)
        standing_by_it = proposal.approving - proposal.withdrawing
        if not proposal.ready_at and len(standing_by_it) >= threshold:
            ready_at = self.world.time + self.world.rules.queue_delay_seconds
            self.world.emit("ProposalApproved", number, ready_at)
            return replace(proposal, ready_at=ready_at)
        return proposal

    def _check(self, content: ProposalContent) -> None:
        if content.kind != SET:
            raise NotImplementedError("only sets are modelled")
        named = [seat for seat in content.seats if seat != NOBODY]
        for place, seat in enumerate(named):
            if seat in named[:place]:
                raise Refused("ExistingValidator", seat)
        if not len(named) < 2 * content.quorum or content.quorum > len(named):
            raise Refused("BadThreshold", len(named), content.quorum)
        before = dict(self.core.set.seats)
        changed = False
        for number, holder in enumerate(content.seats):
            was = before[number].holder if number in before else NOBODY
            if holder == was:
                continue
            changed = True
            if holder != NOBODY and holder in self.core.set.holders:
                raise Refused("SeatMoved", holder)
        if not changed and content.quorum == self.core.set.threshold:
            raise Refused("NothingChanges")

    def _require_signed(
        self,
        validator: Address,
        number: int,
        content: ProposalContent,
        approve: bool,
        signed: Signed | None,
    ) -> None:
        asset = ProposalVote(number, content_hash(content), approve)
        if signed and not self.world.has_signed(validator, asset, signed.signature):
            raise Refused("NotAValidator", validator)
