"""Why a node has the Kudos that it has: each claim and each thing that is none, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ledger import schema
from ledger.assets import K3_CANARY, POINTS
from ledger.desk.queries.common import Page, check_limit, read_cursor, write_cursor
from ledger.desk.queries.explore import STATE_NAMES
from ledger.desk.queries.explore_query import Origin, State
from ledger.desk.queries.seats import seated_since
from ledger.desk.queries.streams import LAST, Stream, gather
from ledger.reader import Reader
from ledger.reasons import Reason
from ledger.timed_out import made_again
from ledger.types import Address, BlockNumber, Digest

SCAN = 2_000


class Outcome(StrEnum):
    """What became of a thing that Kudos can be had for.

    verified: counts. refused: validators refused it. void: the runs of validators disagreed, so
    that nobody gains or loses. timed_out: no quorum formed in time, and it was claimed again.
    waiting: votes are missing. unreachable: votes are missing, and somebody abstained (no inputs,
    another toolchain, a failing sandbox). late: it missed its deadline. skipped: the contract left
    it out for another reason. never_asked: no Kudos were claimed for it (over a cap of its epoch).
    """

    VERIFIED = "verified"
    REFUSED = "refused"
    VOID = "void"
    TIMED_OUT = "timed_out"
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
    have had). Of the validators in office without a vote, ``waiting_on`` are those that may vote,
    ``unrevealed`` those of them that committed to their vote and have not revealed it, and
    ``not_eligible`` those that are a party or took their seat after the claim was opened.
    ``attempt`` counts from 0; a claim made again is ``repeats``, claimed anew. ``tested`` says that
    it was made to test the validators, and is no run's."""

    outcome: Outcome
    level: int
    points: int
    home: Address | None
    request_id: Digest | None
    kudos_id: Digest | None
    repeats: Digest | None
    attempt: int
    origin: Origin | None
    state: State | None
    reason: int | None
    votes: tuple[Said, ...]
    waiting_on: tuple[Address, ...]
    unrevealed: tuple[Address, ...]
    not_eligible: tuple[Address, ...]
    block: BlockNumber
    timestamp: int
    decided_block: BlockNumber | None
    tested: bool = False


def why(
    reader: Reader,
    node: Address,
    validators: Sequence[Address],
    outcome: Outcome | None = None,
    limit: int = 50,
    cursor: str | None = None,
    round_seconds: int = 0,
) -> Page[Why]:
    """The newest first; ``validators`` is the present set. Filtered by outcome, or all. A round of
    committed votes has ``round_seconds``; 0 where they are not known."""
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
    teller = _Teller(reader, validators, round_seconds)
    found = tuple(teller.tell(key[3], row) for key, row in chosen[:limit])
    return Page(found, write_cursor(following) if following else None)


def _sources(reader: Reader, node: Address, outcome: Outcome | None) -> dict[int, Stream]:
    """By rank: what Kudos were claimed for, could have been claimed for, were skipped with."""
    values = {"node": node}
    made: dict[int, Stream] = {}

    def add(rank: int, index: str, test: str, columns: str, item: str, drive: str = "1") -> None:
        table = _TABLES[rank]
        driven = f"r.host = :node AND {drive}"
        made[rank] = Stream(table, index, driven, test, values, columns, item)

    claims = "r.request_id, r.home, r.kudos_id, r.level, r.state, r.decided_block,"
    claims += " r.repeats, r.attempt, r.origin, r.host"
    item = "coalesce(r.batch_index, r.rowid)"
    if outcome in (None, Outcome.VERIFIED):
        test = f"r.state = {schema.VERIFIED}" if outcome else "1"
        add(_CLAIM, "kudos_of_host", test, claims, item)
    elif outcome in _LACKING:
        state, test = _LACKING[outcome]
        drive = f"r.state {state} AND r.state != {schema.VERIFIED}"
        add(_CLAIM, "kudos_lacking_of", test, claims, item, drive)
    late = {Outcome.LATE: _LATE, Outcome.NEVER_ASKED: f"NOT ({_LATE})"}
    if outcome is None or outcome in late:
        test = f"{_UNCLAIMED} AND {late[outcome] if outcome else 1}"
        columns = f"r.request_id, r.home, r.rejection IS NULL, {_LATE}"
        add(_MIGRATION, "migrations_by_host", test, columns, "coalesce(r.batch_index, 0)")
    skipped = {
        Outcome.LATE: f"r.reason IN {_TOO_LATE}",
        Outcome.SKIPPED: f"r.reason NOT IN {_TOO_LATE}",
    }
    if outcome is None or outcome in skipped:
        test = skipped[outcome] if outcome else "1"
        columns = "r.request_id, r.home, r.reason, r.kind = 'canary'"
        add(_SKIPPED, "skipped_of", test, columns, "r.item")
    return made


class _Teller:
    """Puts the reason to each row."""

    def __init__(self, reader: Reader, validators: Sequence[Address], round_seconds: int) -> None:
        self._conn = reader.connection
        self._validators = validators
        self._seated = seated_since(reader.connection)
        self._round_seconds = round_seconds

    def tell(self, rank: int, row: Any) -> Why:
        block, request_id, home = row[0], row[3], row[4]
        sql = "SELECT timestamp FROM blocks WHERE number = ?"
        (timestamp,) = self._conn.execute(sql, (block,)).fetchone()
        if rank == _CLAIM:
            return self._claim(row, timestamp)
        if rank == _SKIPPED:
            level, reason = 3 if row[6] else 2, row[5]
            outcome = Outcome.LATE if reason in _TOO_LATE else Outcome.SKIPPED
        else:
            level, reason = 2 if row[5] else 1, None
            outcome = Outcome.LATE if row[6] else Outcome.NEVER_ASKED
        return Why(
            *(outcome, level, POINTS[level], home, request_id, None, None, 0, None, None, reason),
            *((), (), (), (), block, timestamp, None),
        )

    def _claim(self, row: Any, timestamp: int) -> Why:
        block, _log, _item, request_id, home, kudos_id, level, state, decided_block = row[:9]
        repeats, attempt, origin = row[9:12]
        sql = (
            "SELECT validator, verdict, reason, block FROM votes WHERE kudos_id = ?"
            " ORDER BY block, log_index"
        )
        votes = tuple(Said(*vote) for vote in self._conn.execute(sql, (kudos_id,)))
        outcome = _ENDED.get(state)
        missing: _Missing = ((), (), ())
        if outcome in (None, Outcome.REFUSED) and self._was_made_again(kudos_id):
            outcome = Outcome.TIMED_OUT
        if outcome is None:
            missing = self._missing(row, timestamp, {vote.validator for vote in votes})
            abstained = any(vote.verdict == schema.ABSTAIN for vote in votes)
            outcome = Outcome.UNREACHABLE if abstained else Outcome.WAITING
        kudos = (kudos_id, repeats, attempt, origin and Origin(origin), STATE_NAMES[state], None)
        return Why(
            *(outcome, level, POINTS[level], home, request_id, *kudos),
            *(votes, *missing, block, timestamp, decided_block),
            self._was_test(repeats or kudos_id),
        )

    def _was_test(self, kudos_id: bytes) -> bool:
        sql = "SELECT 1 FROM tests WHERE kudos_id = ?"
        return self._conn.execute(sql, (kudos_id,)).fetchone() is not None

    def _was_made_again(self, kudos_id: bytes) -> bool:
        sql = f"SELECT {made_again('k')} FROM kudos k WHERE k.kudos_id = ?"
        return bool(self._conn.execute(sql, (kudos_id,)).fetchone()[0])

    def _missing(self, row: Any, timestamp: int, heard: set[Address]) -> _Missing:
        """Whom an open claim waits for, who of them committed in silence, and who may not vote."""
        block, home, level = row[0], row[4], row[6]
        silent = [who for who in self._validators if who not in heard]
        parties = {home, row[12]}
        out = [who for who in silent if who in parties or self._seated.get(who, 0) >= block]
        waiting = [who for who in silent if who not in out]
        committed: set[Address] = set()
        if level == K3_CANARY and self._round_seconds:
            sql = (
                "SELECT validator FROM vote_commitments c WHERE round = ? AND NOT EXISTS (SELECT 1"
                " FROM vote_reveals r WHERE r.validator = c.validator AND r.round = c.round)"
            )
            turn = timestamp // self._round_seconds + 1
            committed = {found[0] for found in self._conn.execute(sql, (turn,))}
        return tuple(waiting), tuple(who for who in waiting if who in committed), tuple(out)


_Missing = tuple[tuple[Address, ...], tuple[Address, ...], tuple[Address, ...]]
_CLAIM, _MIGRATION, _SKIPPED = 2, 1, 0
_TABLES = {_CLAIM: "kudos", _MIGRATION: "migrations", _SKIPPED: "skipped"}
_TOO_LATE = (int(Reason.BAD_DEADLINE), int(Reason.EXPIRED))
_ENDED = {
    schema.VERIFIED: Outcome.VERIFIED,
    schema.REFUSED: Outcome.REFUSED,
    schema.VOID: Outcome.VOID,
}
_UNCLAIMED = (
    "NOT EXISTS (SELECT 1 FROM kudos k INDEXED BY kudos_by_request"
    " WHERE k.request_id = r.request_id AND k.level < 3)"
)
_LATE = (
    "(r.rejection IS NULL AND r.result_deadline <"
    " (SELECT b.timestamp FROM blocks b WHERE b.number = r.block))"
)
_ABSTAINED = (
    f"EXISTS (SELECT 1 FROM votes v WHERE v.kudos_id = r.kudos_id AND v.verdict = {schema.ABSTAIN})"
)
_AGAIN = made_again("r")
_LACKING: dict[Outcome | None, tuple[str, str]] = {
    Outcome.REFUSED: (f"= {schema.REFUSED}", f"NOT {_AGAIN}"),
    Outcome.TIMED_OUT: (f"IN ({schema.CLAIMED}, {schema.REFUSED})", _AGAIN),
    Outcome.VOID: (f"= {schema.VOID}", "1"),
    Outcome.WAITING: (f"= {schema.CLAIMED}", f"NOT {_ABSTAINED} AND NOT {_AGAIN}"),
    Outcome.UNREACHABLE: (f"= {schema.CLAIMED}", f"{_ABSTAINED} AND NOT {_AGAIN}"),
}
