"""What the indexed copy has to hold of validators, beacon, and the ledger's life. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ledger.audit_recount import Recount

Row = tuple[object, ...]
Rows = Mapping[Row, Row]
Tables = tuple[tuple[str, str, Callable[[Recount], Rows]], ...]
"""A table, what is read of it, and what has to be there. What is read begins with how many of the
columns are the row's key."""

_KINDS = {1: "set", 2: "family", 3: "close"}
_PROPOSAL = "content_hash, proposer, kind, set_version, seats, threshold, family, implementation"


def _sets(recount: Recount) -> Rows:
    return {
        (version,): (b"".join(holders), threshold)
        for version, (holders, threshold) in enumerate(recount.book.seats.history, start=1)
    }


def _proposals(recount: Recount) -> Rows:
    found: dict[Row, Row] = {}
    for number, proposal in enumerate(recount.life.proposals, start=1):
        kind, version, seats, *rest = proposal.content
        made = (proposal.content_hash, proposal.proposer, _KINDS[kind])
        found[number,] = (*made, version, b"".join(seats), *rest)
    return found


def _proposal_votes(recount: Recount) -> Rows:
    return {
        (number, voter, verdict): ()
        for number, proposal in enumerate(recount.life.proposals, start=1)
        for verdict, voters in ((1, proposal.approvals), (2, proposal.withdrawals))
        for voter in voters
    }


def _proposal_steps(recount: Recount) -> Rows:
    found: dict[Row, Row] = {}
    for number, proposal in enumerate(recount.life.proposals, start=1):
        if proposal.ready_at:
            found[number, "approved"] = (proposal.ready_at,)
        if proposal.outcome:
            found[number, proposal.outcome] = (None,)
    return found


def _beacon_commitments(recount: Recount) -> Rows:
    return {
        (number, validator): (sealed,)
        for number, period in recount.beacons.periods.items()
        for validator, sealed in period.commitments.items()
    }


def _beacon_reveals(recount: Recount) -> Rows:
    return {
        (number, validator): (secret,)
        for number, period in recount.beacons.periods.items()
        for validator, secret in period.revealed.items()
    }


def _beacon_steps(recount: Recount) -> Rows:
    found: dict[Row, Row] = {}
    for number, period in recount.beacons.periods.items():
        found |= {(number, "named", block): (None,) for block in period.named}
        if period.value is not None:
            found[number, "known", len(period.revealed)] = (period.value,)
        if period.has_none:
            found[number, "none", len(period.revealed)] = (None,)
    return found


def _carried(recount: Recount) -> Rows:
    return {(node,): totals for node, totals in recount.book.carried.items()}


def _life(recount: Recount) -> Rows:
    parts = recount.book.contracts
    places = (parts.queue, parts.claims, parts.beacon)[: recount.life.built]
    found: dict[Row, Row] = {("built", n): (place,) for n, place in enumerate(places)}
    if recount.book.final_at:
        found["closed", recount.book.final_at] = (None,)
    return found


RULE_TABLES: Tables = (
    ("validator_sets", "1, version, seats, threshold", _sets),
    ("proposals", f"1, proposal, {_PROPOSAL}", _proposals),
    ("proposal_votes", "3, proposal, validator, verdict", _proposal_votes),
    ("proposal_steps", "2, proposal, kind, ready_at", _proposal_steps),
    ("beacon_commitments", "2, period, validator, commitment", _beacon_commitments),
    ("beacon_reveals", "2, period, validator, secret", _beacon_reveals),
    ("beacon_steps", "3, period, kind, number, beacon", _beacon_steps),
    ("carried", "1, host, sum(k1), sum(k2), sum(k3)", _carried),
    ("life", "2, kind, number, contract", _life),
)
