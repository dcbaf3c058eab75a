"""The strict way: one asset after the other, each from its owner or with its signature."""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from enum import IntEnum

from ledger.assets import Accepted, Asset, Confirmed, Rejected, Request, Result
from ledger.calls import StepVote
from ledger.reasons import Reason
from ledger.types import Address, Digest
from tests.integration.ledger_model.core import DAY, Core
from tests.integration.ledger_model.state import WINDOW, Refused, Signed, Table

Place = tuple[Address, Address, int]
"""Home, host and sequence number. Numbers ``PLACES`` apart share what is kept, one at a time."""
PLACES = 1 << 16
KEPT = 30 * DAY
"""So long after its end or its deadline a migration cannot be overwritten."""


class Stage(IntEnum):
    NONE = 0
    REQUESTED = 1
    ACCEPTED = 2
    CONFIRMED = 3
    RESULT = 4
    LATE_RESULT = 5
    REJECTED = 6


class State(IntEnum):
    NONE = 0
    CLAIMED = 1
    VERIFIED = 2
    REFUSED = 3


@dataclass(frozen=True)
class Said:
    """A vote: whose, from which seat, and its reason code."""

    validator: Address
    seat: int
    reason: int


@dataclass(frozen=True)
class Step:
    """A migration that comes the strict way. ``time`` is the deadline until it is finished, then
    the block time of that; ``latest`` is the asset that the next one has to name."""

    seq: int
    stage: Stage
    latest: Digest
    time: int
    signed_at: int = 0
    claim: State = State.NONE
    said: tuple[Said, ...] = ()


class Steps:
    """Single assets and the votes on their claims."""

    def __init__(self, core: Core) -> None:
        self.core, self.world = core, core.world
        self.steps: Table[Place, Step] = core.world.table()
        """By places that several numbers share; the step says whose it is."""

    def at(self, place: Place) -> Step | None:
        """The migration that stands where this one would, whether it is this one or not."""
        return self.steps.get(shared(place))

    def of(self, place: Place) -> Step | None:
        """The migration of this very number."""
        step = self.at(place)
        return step if step is not None and step.seq == place[2] else None

    def request(self, asset: Request, signed: Signed | None) -> None:
        if asset.home == asset.host:
            _refuse(Reason.SELF)
        reason = self.core.time_reason(asset.signed_at, asset.result_deadline)
        if reason is not None:
            _refuse(reason)
        place = (asset.home, asset.host, asset.seq)
        before = self.at(place)
        if before is not None and (
            before.claim == State.CLAIMED or self.world.time <= before.time + KEPT
        ):
            _refuse(Reason.SEQUENCE_USED)
        request_id = self._owned(asset.home, asset, signed, Reason.BAD_SIGNATURE)
        self._put(place, Stage.REQUESTED, request_id, asset.result_deadline, asset.signed_at)
        self.world.emit("Requested", request_id, astuple(asset))

    def accept(self, place: Place, asset: Accepted, signed: Signed | None) -> None:
        accepted_id = self._owned(place[1], asset, signed, Reason.NOT_AUTHORISED)
        step = self._turn(place, Stage.REQUESTED, asset.request_id, asset.signed_at)
        self._put(place, Stage.ACCEPTED, accepted_id, step.time, asset.signed_at)
        self.world.emit("Accepted", asset.request_id, asset.signed_at)

    def reject(self, place: Place, asset: Rejected, signed: Signed | None) -> None:
        rejected_id = self._owned(place[1], asset, signed, Reason.NOT_AUTHORISED)
        self._turn(place, Stage.REQUESTED, asset.request_id, asset.signed_at)
        self._answer(place)
        claimed = self._finish(place, rejected_id, Stage.REJECTED)
        self.world.emit("Rejected", asset.request_id, asset.reason, asset.signed_at, claimed)

    def confirm(self, place: Place, accepted: Accepted, at: int, signed: Signed | None) -> None:
        accepted_id = self.world.id(accepted)
        asset = Confirmed(accepted_id, at)
        self._owned(place[0], asset, signed, Reason.BAD_SIGNATURE)
        step = self._turn(place, Stage.ACCEPTED, accepted_id, at)
        self._put(place, Stage.CONFIRMED, accepted.request_id, step.time, at)
        self.world.emit("Confirmed", accepted.request_id, at)

    def result(self, place: Place, asset: Result, signed: Signed | None) -> None:
        result_id = self._owned(place[1], asset, signed, Reason.NOT_AUTHORISED)
        step = self._turn(place, Stage.CONFIRMED, asset.request_id, asset.signed_at)
        self._answer(place)
        stage = Stage.RESULT if self.world.time <= step.time else Stage.LATE_RESULT
        claimed = self._finish(place, result_id, stage)
        self.world.emit("Resulted", asset.request_id, asset.seal, asset.signed_at, claimed)

    def _owned(self, owner: Address, asset: Asset, signed: Signed | None, reason: Reason) -> Digest:
        asset_id = self.world.id(asset)
        if signed is None and self.world.sender == owner:
            return asset_id
        if signed is None or not self.world.has_signed(owner, asset, signed.signature):
            _refuse(reason)
        else:
            self.world.emit("Signed", asset_id, signed.signature)
        return asset_id

    def _turn(self, place: Place, stage: Stage, latest: Digest, signed_at: int) -> Step:
        step = self.of(place)
        if step is None or step.stage != stage or step.latest != latest:
            there = self.at(place)
            answered = stage == Stage.REQUESTED and there is not None and there.stage > stage
            _refuse(Reason.SEQUENCE_USED if answered else Reason.OUT_OF_TURN)
        assert step is not None
        if signed_at < step.signed_at:
            _refuse(Reason.BAD_ORDER)
        if self.world.time > step.time + DAY:
            _refuse(Reason.EXPIRED)
        return step

    def _answer(self, place: Place) -> None:
        if self.core.is_used(*place):
            _refuse(Reason.SEQUENCE_USED)
        self.core.use(*place)

    def _finish(self, place: Place, asset_id: Digest, stage: Stage) -> bool:
        level = 1 if stage == Stage.REJECTED else 2
        home, host, _ = place
        claimed = stage != Stage.LATE_RESULT and self.core.admit(home, host, level)
        claim = State.CLAIMED if claimed else State.NONE
        self.steps[shared(place)] = Step(place[2], stage, asset_id, self.world.time, claim=claim)
        return claimed

    def _put(self, place: Place, stage: Stage, latest: Digest, deadline: int, at: int) -> None:
        self.steps[shared(place)] = Step(place[2], stage, latest, deadline, at)

    # -- votes ---------------------------------------------------------------------------------

    def vote(self, validator: Address, vote: StepVote) -> None:
        """The validator is known to be one."""
        place = (vote.home, vote.host, vote.seq)
        step = self._claimed(place, vote.id)
        since, seat = self.core.set.since(validator), self.core.set.seat_of(validator)
        assert since is not None and seat is not None
        if since >= step.time or validator in place:
            raise Refused("NotEligible", validator)
        if any(said.validator == validator for said in step.said):
            raise Refused("VotedBefore")
        if not 128 <= vote.reason <= 159:
            raise Refused("ContradictoryVote")
        said = (*step.said, Said(validator, seat, vote.reason))
        step = replace(step, said=said)
        state = self._standing(place, step)
        self.steps[shared(place)] = replace(step, claim=state)
        self.world.emit("StepVoted", validator, vote.id, vote.reason, int(state))
        if state == State.VERIFIED and step.claim == State.CLAIMED:
            self._mint(validator, place, step)

    def recount(self, place: Place, asset_id: Digest) -> None:
        step = self._claimed(place, asset_id)
        state = self._standing(place, step)
        if state == step.claim:
            return
        self._decide(place, state)
        if state == State.VERIFIED:
            self._mint(self.world.sender, place, step)

    def retire(self, place: Place) -> bool:
        step = self.of(place)
        if step is None or step.claim != State.CLAIMED or self.world.time <= step.time + WINDOW:
            return False
        self._decide(place, State.REFUSED)
        return True

    def _claimed(self, place: Place, asset_id: Digest) -> Step:
        step = self.of(place)
        if step is None or step.claim == State.NONE or step.latest != asset_id:
            raise Refused("UnknownStep", *place)
        return step

    def _decide(self, place: Place, state: State) -> None:
        here = shared(place)
        self.steps[here] = replace(self.steps[here], claim=state)
        self.world.emit("StepDecided", *place, int(state))

    def _mint(self, operator: Address, place: Place, step: Step) -> None:
        self.core.mint(operator, place[1], 1 if step.stage == Stage.REJECTED else 2, 1)

    def _standing(self, place: Place, step: Step) -> State:
        if step.claim != State.CLAIMED:
            return step.claim
        approving = {said.validator for said in step.said if said.reason == Reason.APPROVE}
        against = {said.validator for said in step.said if 129 <= said.reason <= 143}
        outcome = self.core.judge(step.time, approving, against, place[:2])
        if outcome is None:
            return State.CLAIMED
        return State.VERIFIED if outcome else State.REFUSED


def shared(place: Place) -> Place:
    """The place with the number that stands for all that share it."""
    home, host, seq = place
    return home, host, seq % PLACES


def _refuse(reason: Reason) -> None:
    raise Refused("NothingToSettle", int(reason))
