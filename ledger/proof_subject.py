"""What a proof is about, found in the copy: which logs it takes, and where they stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ledger import browse
from ledger.errors import UsageError
from ledger.reader import Reader
from ledger.rows import KudosRow, Place, SettledMigration
from ledger.types import Address, Digest, hex_of

_COLUMNS = {
    "answer_id": ("ACCEPTED", "REJECTED"),
    "confirmed_id": ("CONFIRMED", ""),
    "result_id": ("RESULT", ""),
}
"""Ids of ``migrations``, with the kind of asset of an accepted and of a rejected request."""


@dataclass(frozen=True, slots=True)
class LogPlace:
    """One log by its block and its index in the block."""

    event: str
    block: int
    log_index: int


@dataclass(frozen=True, slots=True)
class Subject:
    """One asset or Kudos, and the logs that it rests on, in the order of the chain. ``root`` is
    None where the migration came step by step, or the contract itself gave the puzzle."""

    id: Digest
    kind: str
    host: Address
    root: Digest | None
    index: int
    logs: tuple[LogPlace, ...]


class UnknownAsset(UsageError):
    """The copy holds no asset of this id."""


def find(reader: Reader, asset: Digest, period_seconds: int) -> Subject:
    """What has this id; UnknownAsset when nothing that is settled, or came by itself, has. A period
    of the beacon is so long."""
    claims = browse.claims(reader.connection, "k.kudos_id = ?", (asset,))
    if claims:
        return _of_claim(reader, claims[0], period_seconds)
    row = _one(reader, "SELECT kind, request_id FROM steps WHERE asset_id = ?", asset)
    if row:
        return _of_step(reader, asset, *row)
    if settled := reader.migration(asset):
        return _subject(reader, asset, "REQUEST", settled)
    for column, (accepted, rejected) in _COLUMNS.items():
        where = f"substr(m.{column}, 1, 8) = substr(?1, 1, 8) AND m.{column} = ?1"
        for settled in browse.migrations(reader.connection, where, (asset,), "ASC", 1):
            kind = accepted if settled.confirmed_id is not None else rejected
            return _subject(reader, asset, kind, settled)
    return _opening(reader, asset)


def _of_step(reader: Reader, asset: Digest, kind: str, request_id: Digest) -> Subject:
    """An asset that came by itself, with those before it."""
    logs = tuple(_steps(reader, request_id, kind))
    sql = "SELECT host FROM step_requests WHERE request_id = ?"
    (host,) = _one(reader, sql, request_id) or (Address(bytes(20)),)
    return Subject(asset, kind, host, None, 0, logs)


def _steps(reader: Reader, request_id: Digest, last: str) -> Iterator[LogPlace]:
    """The logs of a migration's single assets up to one of them, each behind its signature."""
    sql = "SELECT block, log_index FROM signatures WHERE asset_id = ?"
    for step in reader.steps(request_id):
        if place := _one(reader, sql, step.asset_id):
            yield LogPlace("Signed", *place)
        yield _at(_EVENTS[step.kind], step.place)
        if step.kind == last:
            return


def _opening(reader: Reader, asset: Digest) -> Subject:
    sql = (
        "SELECT request_id FROM openings"
        " WHERE substr(opened_id, 1, 8) = substr(?1, 1, 8) AND opened_id = ?1"
    )
    row = _one(reader, sql, asset)
    settled = reader.migration(Digest(row[0])) if row else None
    opening = reader.opening(Digest(row[0])) if row else None
    if settled is None or opening is None:
        raise UnknownAsset(
            f"No asset with the id {hex_of(asset)} is settled.",
            hint="What was settled a moment ago appears within seconds; open ids are not provable.",
        )
    place = _at("CanariesClaimed", opening.place)
    return _subject(reader, asset, "CANARY_OPENED", settled, place)


def _of_claim(reader: Reader, claim: KudosRow, period_seconds: int) -> Subject:
    kind = f"K{claim.level}"
    if claim.origin == "open":
        solved = (_at("PuzzleSolved", claim.place),)
        return Subject(claim.kudos_id, kind, claim.host, None, 0, solved)
    settled = reader.migration(claim.request_id)
    if settled is None:
        raise UnknownAsset(
            f"The Kudos {hex_of(claim.kudos_id)} stand on nothing in this copy.",
            hint="Delete the copy: it is rebuilt from the chain.",
        )
    how = _claim_event(reader, claim)
    claimed = _claimed(reader, claim, how, settled.place.timestamp // period_seconds)
    logs = [*claimed, *_votes(reader, claim, how)]
    return _subject(reader, claim.chain_id, kind, settled, *logs)


def _claim_event(reader: Reader, claim: KudosRow) -> str:
    """The event that opened a claim: the settlement's own, or one behind it."""
    place = (claim.place.block, claim.place.log_index)
    if claim.level == 3:
        return "CanariesClaimed"
    if _one(reader, "SELECT 1 FROM batches WHERE block = ? AND log_index = ?", *place):
        return "BatchSettled"
    at = " WHERE block = ? AND log_index = ?"
    if _one(reader, "SELECT 1 FROM steps" + at, *place):
        return "Resulted"
    is_receipt = _one(reader, "SELECT 1 FROM receipts" + at, *place)
    return "Receipted" if is_receipt else "ClaimedAgain"


def _claimed(reader: Reader, claim: KudosRow, how: str, period: int) -> Iterator[LogPlace]:
    if how == "CanariesClaimed" and claim.origin == "drawn":
        sql = "SELECT block, log_index FROM beacon_steps WHERE kind = 'known' AND period = ?"
        if place := _one(reader, sql, period):
            yield LogPlace("BeaconKnown", *place)
    if how in ("CanariesClaimed", "Receipted", "ClaimedAgain"):
        yield _at(how, claim.place)


def _votes(reader: Reader, claim: KudosRow, how: str) -> Iterator[LogPlace]:
    """The votes up to the decision, with what they were committed by, and the decision; later
    votes change nothing."""
    name = {"BatchSettled": "Batch", "Resulted": "Step"}.get(how, "Claim")
    end = claim.decided
    ended = (end.block, end.log_index) if end else (1 << 62, 0)
    counted = [
        vote
        for vote in reader.votes(claim.kudos_id)
        if (vote.place.block, vote.place.log_index) <= ended
    ]
    if claim.level == 3:
        yield from _commitments(reader, claim, [vote.validator for vote in counted])
    places = {(vote.place.block, vote.place.log_index) for vote in counted}
    for vote in counted:
        yield _at(f"{name}Voted", vote.place)
    # A single step's last vote, and the claim for a puzzle, say themselves that they decide.
    places.add((claim.place.block, claim.place.log_index))
    if end is not None and ended not in places:
        yield _at(f"{name}Decided", end)


def _commitments(reader: Reader, claim: KudosRow, voters: Sequence[Address]) -> Iterator[LogPlace]:
    """The voters' commitments: their first ones after the claim, all of one round."""
    sql = (
        "SELECT round, block, log_index FROM vote_commitments WHERE validator = ? AND block >= ?"
        " AND EXISTS (SELECT 1 FROM vote_reveals r WHERE r.validator = vote_commitments.validator"
        "  AND r.round = vote_commitments.round) ORDER BY round LIMIT 1"
    )
    found = [_one(reader, sql, voter, claim.place.block) for voter in voters]
    for _, block, log_index in sorted(row for row in found if row):
        yield LogPlace("VotesCommitted", block, log_index)


def _at(event: str, place: Place) -> LogPlace:
    return LogPlace(event, place.block, place.log_index)


def _one(reader: Reader, sql: str, *values: object) -> Any:
    return reader.connection.execute(sql, values).fetchone()


def _subject(
    reader: Reader, asset: Digest, kind: str, settled: SettledMigration, *logs: LogPlace
) -> Subject:
    if settled.root is None:
        first = tuple(_steps(reader, settled.request_id, ""))
    else:
        first = (_at("BatchSettled", settled.place),)
    host = settled.request.host
    return Subject(asset, kind, host, settled.root, settled.batch_index or 0, (*first, *logs))


_EVENTS = {
    "REQUEST": "Requested",
    "ACCEPTED": "Accepted",
    "REJECTED": "Rejected",
    "CONFIRMED": "Confirmed",
    "RESULT": "Resulted",
}
