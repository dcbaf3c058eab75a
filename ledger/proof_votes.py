"""The votes of a proof, counted again by the audit's own rule. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.audit_logs import Logged
from ledger.audit_seats import APPROVE, SEATS, SeatTable, is_refusal
from ledger.audit_state import OPEN, REFUSED, Claim, state_name
from ledger.audit_windows import CLAIM_WINDOW
from ledger.proof_rules import ProvenRules
from ledger.proof_settled import Findings, require

REFUSE, ABSTAIN = 129, 144
VOTED = ("BatchVoted", "StepVoted", "ClaimVoted")
DECIDED = ("BatchDecided", "StepDecided", "ClaimDecided")


def judge(
    claim: Claim,
    index: int,
    root: bytes | None,
    logs: Sequence[Logged],
    rules: ProvenRules | None,
    found: Findings,
) -> str:
    """How the claim stands by its votes, which must be what was decided."""
    votes = [log for log in logs if log.event in VOTED]
    said = {log.args["validator"]: _said(claim, index, root, log, found) for log in votes}
    require(len(said) == len(votes), "a validator voted twice")
    state, decided_at = _decision(claim, index, root, logs)
    _check_commitments(claim, logs, list(said), found)
    approvals = sum(reason == APPROVE for reason in said.values())
    counted = f"{approvals} approved and {sum(map(is_refusal, said.values()))} refused"
    shown = "CLAIMED" if state == OPEN else state_name(state).upper()
    if rules is None:
        found.trusted.append(
            "who the validators are and how many are needed: the contract counted them"
        )
        found.proved.append(f"{counted}, of those who voted: {shown}")
        return shown
    if rules.changed_at >= claim.opened_at > 0 and rules.changed_at:
        found.trusted.append(
            "that the votes were counted rightly: the set of validators changed after the claim"
        )
        found.proved.append(f"{counted}, of those who voted: {shown}")
        return shown
    _recount(claim, said, state, decided_at, rules, votes, found)
    found.proved.append(
        f"of {len(rules.validators)} validators, of whom {rules.threshold} are needed,"
        f" {counted}: {shown}"
    )
    if state == OPEN:
        found.trusted.append("that there are no further votes: a proof of logs cannot show that")
    return shown


def _recount(
    claim: Claim,
    said: dict[bytes, int],
    state: int,
    decided_at: int,
    rules: ProvenRules,
    votes: Sequence[Logged],
    found: Findings,
) -> None:
    table = SeatTable()
    empty = [bytes(20)] * (SEATS - len(rules.validators))
    table.replace([*rules.validators, *empty], rules.threshold, 0)
    for voter, reason in said.items():
        seat = table.seat_of(voter)
        require(seat is not None, "a voter is no validator")
        assert seat is not None, "required above"
        claim.votes[seat] = (voter, reason)
    alone = any(vote.event == "ClaimVoted" for vote in votes) or claim.level == 3
    due = table.standing_alone(claim) if alone else table.standing_in_ledger(claim)
    if state == REFUSED and due == OPEN and decided_at > claim.opened_at + CLAIM_WINDOW:
        found.trusted.append("that it timed out and is made again elsewhere")
        return
    require(state == due, f"the votes make it {state_name(due)}, not {state_name(state)}")


def _said(claim: Claim, index: int, root: bytes | None, log: Logged, found: Findings) -> int:
    """The reason code of one vote on this claim."""
    args = log.args
    if log.event == "BatchVoted":
        require((args["host"], args["root"]) == (claim.host, root), "a vote is on another batch")
        approves, refuses = args["approve"] >> index & 1, args["refuse"] >> index & 1
        return APPROVE if approves else REFUSE if refuses else ABSTAIN
    if log.event == "StepVoted":
        answers = (found.ids.get("RESULT"), found.ids.get("REJECTED"))
        require(args["id"] in answers, "a vote is on another asset")
    else:
        require(args["kudosId"] == claim.kudos_id, "a vote is on other Kudos")
    return int(args["reason"])


def _decision(
    claim: Claim, index: int, root: bytes | None, logs: Sequence[Logged]
) -> tuple[int, int]:
    """The state that the logs announce, and when."""
    last = logs[-1]
    args = last.args
    match last.event:
        case "BatchDecided":
            require((args["host"], args["root"]) == (claim.host, root), "it is on another batch")
            verified, refused = args["verified"] >> index & 1, args["refused"] >> index & 1
            require(verified + refused == 1, "the decision is not about this claim")
            return (2 if verified else REFUSED), last.timestamp
        case "StepVoted":
            return args["state"], last.timestamp
        case "StepDecided":
            require((args["home"], args["host"]) == claim.parties, "it is on another migration")
            return args["state"], last.timestamp
        case "ClaimDecided":
            require(args["kudosId"] == claim.kudos_id, "the decision is about other Kudos")
            return args["standing"], last.timestamp
        case _:
            return OPEN, 0


def _check_commitments(
    claim: Claim, logs: Sequence[Logged], voters: Sequence[bytes], found: Findings
) -> None:
    """Each vote on a K3 was committed to, in one round, while nobody's were known."""
    if claim.level != 3 or not voters:
        return
    committed = [log for log in logs if log.event == "VotesCommitted"]
    rounds = {log.args["round"] for log in committed}
    require(len(rounds) == 1, "votes on one claim are committed to in one round")
    require(
        {log.args["validator"] for log in committed} >= set(voters), "a vote without commitment"
    )
    found.proved.append(f"every vote on it was committed to in round {rounds.pop()}, then revealed")
    found.trusted.append("that what was revealed is what was committed to: the contract checked it")
