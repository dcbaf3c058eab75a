"""What a proof is about, found in the copy: which logs it takes, and where they stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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
    """One asset or Kudos, and the logs that it rests on, in the order of the chain."""

    id: Digest
    kind: str
    host: Address
    root: Digest
    index: int
    logs: tuple[LogPlace, ...]


class UnknownAsset(UsageError):
    """The copy holds no asset of this id."""


def find(reader: Reader, asset: Digest) -> Subject:
    """What has this id; UnknownAsset when nothing settled has."""
    claims = browse.claims(reader.connection, "k.kudos_id = ?", (asset,))
    if claims:
        return _of_claim(reader, claims[0])
    if settled := reader.migration(asset):
        return _subject(asset, "REQUEST", settled)
    for column, (accepted, rejected) in _COLUMNS.items():
        where = f"substr(m.{column}, 1, 8) = substr(?1, 1, 8) AND m.{column} = ?1"
        for settled in browse.migrations(reader.connection, where, (asset,), "ASC", 1):
            kind = accepted if settled.confirmed_id is not None else rejected
            return _subject(asset, kind, settled)
    return _opening(reader, asset)


def _opening(reader: Reader, asset: Digest) -> Subject:
    sql = (
        "SELECT request_id FROM openings"
        " WHERE substr(opened_id, 1, 8) = substr(?1, 1, 8) AND opened_id = ?1"
    )
    row = reader.connection.execute(sql, (asset,)).fetchone()
    settled = reader.migration(Digest(row[0])) if row else None
    opening = reader.opening(Digest(row[0])) if row else None
    if settled is None or opening is None:
        raise UnknownAsset(
            f"No asset with the id {hex_of(asset)} is settled.",
            hint="What was settled a moment ago appears within seconds; open ids are not provable.",
        )
    return _subject(asset, "CANARY_OPENED", settled, _at("CanaryOpened", opening.place))


def _of_claim(reader: Reader, claim: KudosRow) -> Subject:
    settled = reader.migration(claim.request_id)
    if settled is None:
        raise UnknownAsset(
            f"The Kudos {hex_of(claim.kudos_id)} stand on nothing in this copy.",
            hint="Delete the copy: it is rebuilt from the chain.",
        )
    logs = [*_claimed(reader, claim), *_votes(reader, claim)]
    return _subject(claim.kudos_id, f"K{claim.level}", settled, *logs)


def _claimed(reader: Reader, claim: KudosRow) -> Iterator[LogPlace]:
    opening = reader.opening(claim.request_id)
    if claim.level == 3 and opening is not None:
        yield _at("CanaryOpened", opening.place)
        yield _at("CanaryClaimed", claim.place)


def _votes(reader: Reader, claim: KudosRow) -> Iterator[LogPlace]:
    """The votes up to the decision, and the decision; later votes change nothing."""
    name = "Canary" if claim.level == 3 else "Batch"
    end = claim.decided
    for vote in reader.votes(claim.kudos_id):
        place = (vote.place.block, vote.place.log_index)
        if end is None or place < (end.block, end.log_index):
            yield _at(f"{name}Voted", vote.place)
    if end is not None:
        yield _at(f"{name}Decided", end)


def _at(event: str, place: Place) -> LogPlace:
    return LogPlace(event, place.block, place.log_index)


def _subject(asset: Digest, kind: str, settled: SettledMigration, *logs: LogPlace) -> Subject:
    every = (_at("BatchSettled", settled.place), *logs)
    host = settled.request.host
    return Subject(asset, kind, host, settled.root, settled.batch_index, every)
