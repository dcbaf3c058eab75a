"""Why a node has the Kudos that it has: each claim and each thing that is none, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ledger import schema
from ledger.assets import CLAIM_WITHIN, POINTS
from ledger.desk.queries.common import Page, check_limit, read_cursor, write_cursor
from ledger.desk.queries.explore import STATE_NAMES
from ledger.desk.queries.explore_query import State
from ledger.desk.queries.streams import LAST, Stream, gather
from ledger.reader import Reader
from ledger.reasons import Reason
from ledger.types import Address, BlockNumber, Digest

SCAN = 2_000


class Outcome(StrEnum):
    """What became of a thing that Kudos can be had for.

    verified: counts. refused: validators refused it. waiting: votes are missing. unreachable: votes
    are missing, and somebody abstained (no inputs, another toolchain, a sandbox that failed).
    late: the contract skipped it for a missed deadline, or an opened canary was not claimed within
    the window. skipped: the contract skipped it for another reason. never_asked: nobody claimed
    Kudos for it (a rejection beyond the cap of its epoch, a canary that can still be claimed).
    """

    VERIFIED = "verified"
    REFUSED = "refused"
    WAITING = "waiting"
    UNREACHABLE = "unreachable"
    LATE = "late"
    SKIPPED = "skipped"
    NEVER_ASKED = "never_asked"


@dataclass(frozen=True, slots=True)
class Said:
    """One validator's vote; reason is a code of ``ledger.reasons``."""

    validator: Address
    verdict: int
    reason: int | None
    block: BlockNumber


@dataclass(frozen=True, slots=True)
class Why:
    """One claim, or one thing without a claim. ``points`` is what it is or would be worth;
    ``reason`` is the contract's for skipped things (whose level is not known: 2 is what most would
    have had); ``waiting_on`` the validators without a vote."""

    outcome: Outcome
    level: int
    points: int
    home: Address
    request_id: Digest | None
    kudos_id: Digest | None
    state: State | None
    reason: int | None
    votes: tuple[Said, ...]
    waiting_on: tuple[Address, ...]
    block: BlockNumber
    timestamp: int
    decided_block: BlockNumber | None


def why(
    reader: Reader,
    node: Address,
    validators: Sequence[Address],
    outcome: Outcome | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Why]:
    """The newest first; ``validators`` is the present set. Filtered by outcome, or all."""
    check_limit(limit)
    start: tuple[int, int, int, int] | None = None
    at = LAST
    if cursor is not None:
        block, log, item, rank = (int(part) for part in read_cursor(cursor, [int] * 4))
        start, at = (block, log, item, rank), (block, log, item)
    sources = _sources(reader, node, outcome)
    rows, floor = gather(reader.connection, list(sources.values()), limit, SCAN, at)
    ranks = list(sources)
    bottom = (*floor, 0) if floor else None
    chosen = [
        ((*row[:3], ranks[number]), row)
        for number, row in rows
        if (start is None or (*row[:3], ranks[number]) < start)
        and (bottom is None or (*row[:3], ranks[number]) >= bottom)
    ]
    chosen.sort(key=lambda entry: entry[0], reverse=True)
    following = chosen[limit - 1][0] if len(chosen) > limit else bottom
    teller = _Teller(reader, validators)
    found = tuple(teller.tell(key[3], row) for key, row in chosen[:limit])
    return Page(found, write_cursor(following) if following else None)


def _sources(reader: Reader, node: Address, outcome: Outcome | None) -> dict[int, Stream]:
    """By rank: what Kudos were claimed for, could have been claimed for, were skipped with."""
    values = {"node": node, "window": reader.head_timestamp() - CLAIM_WITHIN}
    made: dict[int, Stream] = {}

    def add(rank: int, index: str, test: str, columns: str, item: str, drive: str = "1") -> None:
        table = _TABLES[rank]
        driven = f"r.host = :node AND {drive}"
        made[rank] = Stream(table, index, driven, test, values, columns, item)

    claims = "r.request_id, r.home, r.kudos_id, r.level, r.state, r.decided_block"
    item = "coalesce(r.batch_index, 0)"
    if outcome in (None, Outcome.VERIFIED):
        test = f"r.state = {schema.VERIFIED}" if outcome else "1"
        add(_CLAIM, "kudos_of_host", test, claims, item)
    elif outcome in _LACKING:
        state, test = _LACKING[outcome]
        drive = f"r.state = {state} AND r.state != {schema.VERIFIED}"
        add(_CLAIM, "kudos_lacking_of", test, claims, item, drive)
    late = {
        Outcome.LATE: f"{_SETTLED_AT} < :window",
        Outcome.NEVER_ASKED: f"{_SETTLED_AT} >= :window",
    }
    if outcome is None or outcome in late:
        test = f"{_UNCLAIMED} AND k.level = 3) AND {late[outcome] if outcome else 1}"
        add(_OPENING, "openings_of_host", test, f"r.request_id, r.home, {_SETTLED_AT}", "0")
    if outcome in (None, Outcome.NEVER_ASKED):
        test = f"r.rejection IS NOT NULL AND {_UNCLAIMED})"
        add(_REJECTION, "migrations_by_host", test, "r.request_id, r.home", "r.batch_index")
    skipped = {
        Outcome.LATE: f"r.reason IN {_TOO_LATE}",
        Outcome.SKIPPED: f"r.reason NOT IN {_TOO_LATE}",
    }
    if outcome is None or outcome in skipped:
        test = skipped[outcome] if outcome else "1"
        add(_SKIPPED, "skipped_of", test, "r.request_id, r.home, r.reason", "r.item")
    return made


class _Teller:
    """Puts the reason to each row."""

    def __init__(self, reader: Reader, validators: Sequence[Address]) -> None:
        self._conn = reader.connection
        self._validators = validators
        self._window = reader.head_timestamp() - CLAIM_WITHIN

    def tell(self, rank: int, row: Any) -> Why:
        block, request_id, home = row[0], row[3], row[4]
        sql = "SELECT timestamp FROM blocks WHERE number = ?"
        (timestamp,) = self._conn.execute(sql, (block,)).fetchone()
        if rank == _CLAIM:
            return self._claim(row, timestamp)
        level, outcome, reason = 1, Outcome.NEVER_ASKED, None
        if rank == _OPENING:
            level = 3
            outcome = Outcome.LATE if row[5] < self._window else Outcome.NEVER_ASKED
        elif rank == _SKIPPED:
            level, reason = 2, row[5]
            outcome = Outcome.LATE if reason in _TOO_LATE else Outcome.SKIPPED
        return Why(
            *(outcome, level, POINTS[level], home, request_id, None, None, reason, (), ()),
            *(block, timestamp, None),
        )

    def _claim(self, row: Any, timestamp: int) -> Why:
        block, _log, _item, request_id, home, kudos_id, level, state, decided_block = row[:9]
        sql = (
            "SELECT validator, verdict, reason, block FROM votes WHERE kudos_id = ?"
            " ORDER BY block, log_index"
        )
        votes = tuple(Said(*vote) for vote in self._conn.execute(sql, (kudos_id,)))
        waiting: tuple[Address, ...] = ()
        outcome = {schema.VERIFIED: Outcome.VERIFIED, schema.REFUSED: Outcome.REFUSED}.get(state)
        if outcome is None:
            heard = {vote.validator for vote in votes}
            waiting = tuple(who for who in self._validators if who not in heard)
            abstained = any(vote.verdict == schema.ABSTAIN for vote in votes)
            outcome = Outcome.UNREACHABLE if abstained else Outcome.WAITING
        return Why(
            *(outcome, level, POINTS[level], home, request_id, kudos_id, STATE_NAMES[state], None),
            *(votes, waiting, block, timestamp, decided_block),
        )


_CLAIM, _OPENING, _REJECTION, _SKIPPED = 3, 2, 1, 0
_TABLES = {_CLAIM: "kudos", _OPENING: "openings", _REJECTION: "migrations", _SKIPPED: "skipped"}
_TOO_LATE = (int(Reason.BAD_DEADLINE), int(Reason.EXPIRED))
_UNCLAIMED = (
    "NOT EXISTS (SELECT 1 FROM kudos k INDEXED BY kudos_by_request"
    " WHERE k.request_id = r.request_id"
)
_SETTLED_AT = (
    "(SELECT b.timestamp FROM migrations m JOIN blocks b ON b.number = m.block"
    " WHERE m.request_id = r.request_id)"
)
_ABSTAINED = (
    f"EXISTS (SELECT 1 FROM votes v WHERE v.kudos_id = r.kudos_id AND v.verdict = {schema.ABSTAIN})"
)
_LACKING: dict[Outcome | None, tuple[int, str]] = {
    Outcome.REFUSED: (schema.REFUSED, "1"),
    Outcome.WAITING: (schema.CLAIMED, f"NOT {_ABSTAINED}"),
    Outcome.UNREACHABLE: (schema.CLAIMED, _ABSTAINED),
}
