"""The strict way, judged again asset by asset.

An asset is its owner's by the signature that is logged in front of it. Where there is none, the
owner itself has called the contract; the logs do not say who called, so this much is trusted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from eth_utils.crypto import keccak

from ledger.audit_assets import Record, read_request
from ledger.audit_book import Book, Handlers
from ledger.audit_logs import Logged
from ledger.audit_seats import is_vote
from ledger.audit_state import OPEN, REFUSED, VERIFIED, Claim, state_name
from ledger.audit_windows import (
    CLAIM_WINDOW,
    SETTLEMENT_WINDOW,
    STEP_KEPT,
    STEP_PLACES,
    deadline_reason,
)

REQUESTED, ACCEPTED, CONFIRMED, RESULT, LATE_RESULT, REJECTED = range(1, 7)
ASSETS = {
    "Requested": "REQUEST",
    "Accepted": "ACCEPTED",
    "Rejected": "REJECTED",
    "Confirmed": "CONFIRMED",
    "Resulted": "RESULT",
}
"""By their events."""
LATEST_TIME = (1 << 48) - 1
Place = tuple[bytes, bytes, int]
"""Home, host and sequence number."""


@dataclass(slots=True)
class Step:
    """A migration that comes the strict way, as far as it has come."""

    record: Record
    stage: int
    asset_id: bytes
    """The latest asset; of a confirmed migration the REQUEST, which RESULT names."""
    signed_at: int
    time: int
    """The result deadline; once finished, when that was."""
    claim: Claim | None = None

    @property
    def fingerprint(self) -> bytes:
        return bytes(keccak(self.asset_id + self.record.seq.to_bytes(32, "big"))[12:])

    def is_forgettable(self, time: int) -> bool:
        """Whether another migration may take its place."""
        is_open = self.claim is not None and self.claim.state == OPEN
        return not is_open and time > self.time + STEP_KEPT


def _shared(place: Place) -> Place:
    """Where the contract keeps it: numbers far enough apart share that, one at a time."""
    home, host, seq = place
    return home, host, seq % STEP_PLACES


class Steps:
    """Single assets, and the votes on the claims that they open."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self.steps: dict[Place, Step] = {}
        """Who holds each place that numbers share."""
        self.requests: dict[bytes, Step] = {}
        """By request id."""
        self._by_answer: dict[bytes, Step] = {}
        self.assets: dict[bytes, tuple[bytes, str, int, bytes | None]] = {}
        """Of every asset its REQUEST, what it is, when it was signed, and a RESULT's seal."""
        self.signatures: dict[bytes, bytes] = {}
        self._signed: tuple[bytes, bytes] | None = None
        self.handlers: Handlers = {
            "Signed": self._signature,
            "Requested": self._requested,
            "Accepted": self._accepted,
            "Rejected": self._rejected,
            "Confirmed": self._confirmed,
            "Resulted": self._resulted,
            "StepVoted": self._step_voted,
            "StepDecided": self._step_decided,
        }

    def _signature(self, log: Logged) -> None:
        self._signed = (log.args["id"], log.args["signature"])
        self._book.expect(log, ASSETS)

    def _check_owner(self, log: Logged, owner: bytes, asset_id: bytes) -> None:
        self._book.assets += 1
        request = log.args.get("request")
        signed_at = log.args["signedAt"] if request is None else request[-1]
        what = (ASSETS[log.event], signed_at, log.args.get("seal"))
        self.assets[asset_id] = (log.args["requestId"], *what)
        signed, self._signed = self._signed, None
        if signed is None or not self._book.was_due:
            return
        self._book.same(log, "the asset that was signed", asset_id, signed[0])
        self.signatures[asset_id] = signed[1]
        holds = self._book.signed(log, owner, asset_id, signed[1])
        self._book.holds(log, "the signature of the asset's owner", holds)

    def _requested(self, log: Logged) -> None:
        book, record = self._book, read_request(log.args["request"])
        request_id = book.hash.request(record)
        book.same(log, "the id of the REQUEST", request_id, log.args["requestId"])
        book.holds(log, "a home that is not the host", record.home != record.host)
        book.same(
            log, "what is wrong with the deadline", None, deadline_reason(record, log.timestamp)
        )
        before = self.steps.get(_shared(record.place))
        free = before is None or before.is_forgettable(log.timestamp)
        book.holds(log, "a place that can be taken", free)
        self._check_owner(log, record.home, request_id)
        step = Step(record, REQUESTED, request_id, record.signed_at, record.deadline)
        self.steps[_shared(record.place)] = self.requests[log.args["requestId"]] = step

    def _accepted(self, log: Logged) -> None:
        step = self._turn(log, REQUESTED)
        if step is None:
            return
        step.record = replace(step.record, answered_at=log.args["signedAt"])
        accepted = self._book.hash.accepted(step.record)
        self._check_owner(log, step.record.host, accepted)
        step.stage, step.asset_id, step.signed_at = ACCEPTED, accepted, log.args["signedAt"]

    def _confirmed(self, log: Logged) -> None:
        step = self._turn(log, ACCEPTED)
        if step is None:
            return
        step.record = replace(step.record, confirmed_at=log.args["signedAt"])
        self._check_owner(log, step.record.home, self._book.hash.confirmed(step.record))
        step.stage, step.signed_at = CONFIRMED, log.args["signedAt"]
        step.asset_id = log.args["requestId"]

    def _rejected(self, log: Logged) -> None:
        step = self._turn(log, REQUESTED)
        if step is None:
            return
        self._use_sequence(log, step)
        answer: dict[str, Any] = {"answered_at": log.args["signedAt"]}
        step.record = replace(step.record, reason=log.args["reason"], **answer)
        self._finish(log, step, REJECTED)

    def _resulted(self, log: Logged) -> None:
        step = self._turn(log, CONFIRMED)
        if step is None:
            return
        self._use_sequence(log, step)
        answer: dict[str, Any] = {"result_at": log.args["signedAt"]}
        step.record = replace(step.record, seal=log.args["seal"], **answer)
        late = log.timestamp > step.record.deadline
        self._finish(log, step, LATE_RESULT if late else RESULT)

    def _finish(self, log: Logged, step: Step, stage: int) -> None:
        book, time = self._book, log.timestamp
        migration = book.settle(step.record, time, None)
        self._check_owner(log, step.record.host, migration.answer_id)
        step.stage, step.asset_id, step.time = stage, migration.answer_id, time
        step.claim = book.earn(migration, time)
        book.same(log, "whether it opens a claim", step.claim is not None, log.args["claimed"])
        self._by_answer[migration.answer_id] = step

    def _turn(self, log: Logged, stage: int) -> Step | None:
        """The migration, if it stands where this asset may follow."""
        book, step = self._book, self.requests.get(log.args["requestId"])
        if step is None or step.stage != stage:
            found = "unknown" if step is None else step.stage
            book.differs(log.where, "the stage of the migration", stage, found)
            return None
        self._check_place(log, step)
        ordered = step.signed_at <= log.args["signedAt"] <= LATEST_TIME
        book.holds(log, "an asset signed after the one before", ordered)
        in_time = log.timestamp <= step.record.deadline + SETTLEMENT_WINDOW
        book.holds(log, "an asset within the settlement window", in_time)
        return step

    def _check_place(self, log: Logged, step: Step) -> None:
        holder = self.steps.get(_shared(step.record.place))
        self._book.holds(log, "a migration that has its place still", holder is step)

    def _use_sequence(self, log: Logged, step: Step) -> None:
        used = self._book.used
        self._book.holds(log, "an unused sequence number", step.record.place not in used)
        used.add(step.record.place)

    def _step_voted(self, log: Logged) -> None:
        book, step = self._book, self._by_answer.get(log.args["id"])
        claim = step.claim if step else None
        if step is None or claim is None:
            book.differs(log.where, "the asset voted on", "with a claim", "without one")
            return
        self._check_place(log, step)
        validator, reason = log.args["validator"], log.args["reason"]
        self._check_voter(log, claim)
        seat = book.seats.seat_of(validator)
        if seat is None:
            return
        book.holds(log, "a validator's first vote", seat not in claim.votes)
        claim.votes[seat] = (validator, reason)
        was_open = claim.state == OPEN
        if was_open:
            claim.state = book.seats.standing_in_ledger(claim)
        told = state_name(log.args["state"])
        book.same(log, "how the claim stands", state_name(claim.state), told)
        if was_open and claim.state == VERIFIED:
            book.tokens.due(log, claim.host, claim.level, 1, validator)

    def _check_voter(self, log: Logged, claim: Claim) -> None:
        book, validator = self._book, log.args["validator"]
        eligible = book.seats.is_eligible(validator, claim.opened_at)
        book.holds(log, "a vote of a registered validator, seated before the claim", eligible)
        book.holds(log, "a vote of no party", validator not in claim.parties)
        book.holds(log, "a reason that is a vote", is_vote(log.args["reason"]))
        book.not_final(log)
        alive = not book.closed_before(claim.opened_at)
        book.holds(log, "a claim from before the ledger was closed", alive)

    def _step_decided(self, log: Logged) -> None:
        """By a recount, or as the end of a claim that is made again elsewhere."""
        book, state = self._book, log.args["state"]
        home, host, seq = (log.args[name] for name in ("home", "host", "seq"))
        step = self.steps.get(_shared((home, host, seq)))
        known = step is not None and step.record.seq == seq
        if step is None or not known or step.claim is None or step.claim.state != OPEN:
            book.differs(log.where, "the migration decided", "with an open claim", "without one")
            return
        claim = step.claim
        due = book.seats.standing_in_ledger(claim)
        waited = log.timestamp > claim.opened_at + CLAIM_WINDOW
        again = {"host": claim.host, "assetId": step.asset_id}
        if state == REFUSED != due and waited:
            book.expect(log, "ClaimedAgain", **again)
        else:
            if state == REFUSED and waited:
                book.allow(log, "ClaimedAgain", **again)
            book.not_final(log)
            book.same(log, "what a recount decides", state_name(due), state_name(state))
        claim.state = state
        if state == VERIFIED:
            book.tokens.due(log, claim.host, claim.level, 1, None)
