"""Validators: how they vote, how fast, against whom, and on what they are silent."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

from ledger.desk.queries import validator_tests
from ledger.desk.queries.at_block import later
from ledger.desk.queries.common import MAX_LIMIT, Page, check_limit, read_cursor, write_cursor
from ledger.desk.queries.overview import WaitingOn, silence
from ledger.desk.queries.seats import tenures
from ledger.facet_sums import (
    DAY_COUNTS,
    DISAGREES,
    HOME,
    HOST,
    IN_BLOCKS,
    IN_SECONDS,
    VALIDATOR_COUNTS,
)
from ledger.reader import Reader
from ledger.types import ZERO_ADDRESS, Address, BlockNumber, Digest

SCAN = 2_000


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Exact median and 95th percentile (nearest rank); None without votes."""

    median: int | None
    p95: int | None


@dataclass(frozen=True, slots=True)
class ValidatorLine:
    """One validator. ``disagreed``: approved what was refused in the end, or refused what was
    verified. Of the claims opened while it was in office and not about itself, ``silent`` are the
    open ones without its vote, ``missed`` the decided ones without it; what a contract decided is
    nobody's to vote on. The last four are of the tests that were opened: claims that nobody who ran
    the task can have approved."""

    address: Address
    active: bool
    votes: int
    approved: int
    refused: int
    abstained: int
    decided: int
    disagreed: int
    latency_blocks: Quantiles
    latency_seconds: Quantiles
    silent: int
    silent_exact: bool
    oldest_silent_block: BlockNumber | None
    oldest_silent_since: int | None
    missed: int
    tests_approved: int
    tests_refused: int
    tests_abstained: int
    tests_silent: int


@dataclass(frozen=True, slots=True)
class Ballot:
    """One vote of one validator, with what became of the claim (state as ``ledger.schema``)."""

    kudos_id: Digest
    level: int
    home: Address
    host: Address
    request_id: Digest
    verdict: int
    reason: int | None
    state: int
    disagrees: bool
    block: BlockNumber
    timestamp: int
    latency_blocks: int
    latency_seconds: int


def list_validators(reader: Reader, validators: Sequence[Address]) -> tuple[ValidatorLine, ...]:
    """The present set first, in its order, then everybody else who ever voted (at most 500)."""
    conn, known = reader.connection, everybody(reader, validators)
    due = _Due(reader)
    silent, exact = silence(conn, known)
    tested = validator_tests.counts(reader, known)
    return tuple(
        ValidatorLine(
            *_line(conn, on, on.validator in validators, due.claims(on.validator), exact),
            *astuple(tested[on.validator]),
        )
        for on in silent
    )


def everybody(reader: Reader, validators: Sequence[Address]) -> list[Address]:
    """The present set, then everybody else who ever voted."""
    sql = f"SELECT validator FROM validator_totals ORDER BY validator LIMIT {MAX_LIMIT}"
    voted = [Address(row[0]) for row in reader.connection.execute(sql)]
    return [*validators, *(address for address in voted if address not in set(validators))]


def tests_by(
    reader: Reader, validators: Sequence[Address]
) -> dict[Address, validator_tests.Counts]:
    """What everybody said of opened tests; the first ones are the present set."""
    return validator_tests.counts(reader, everybody(reader, validators))


class _Due:
    """How many claims a validator had to vote on."""

    def __init__(self, reader: Reader) -> None:
        self._conn = reader.connection
        self._tenures = tenures(reader.connection)

    def claims(self, validator: Address) -> int:
        terms = self._tenures.get(validator, [])
        opened = sum(
            self._opened(first) - (self._opened(last) if last is not None else 0)
            for first, last in terms
        )
        return opened - sum(self._of_party(validator, side) for side in (HOME, HOST))

    def _opened(self, block: int) -> int:
        """Claims opened after a block that validators decide."""
        day = DAY_COUNTS.index("claims")
        claims = later(self._conn, "day_totals", BlockNumber(block)).get((), [0] * len(DAY_COUNTS))
        sql = "SELECT count(*) FROM openings WHERE solution IS NOT NULL AND block > ?"
        (solved,) = self._conn.execute(sql, (block,)).fetchone()
        sql = "SELECT count(*) FROM kudos INDEXED BY kudos_of_home WHERE home = ? AND block > ?"
        (asked,) = self._conn.execute(sql, (ZERO_ADDRESS, block)).fetchone()
        return int(claims[day] - solved - asked)

    def _of_party(self, validator: Address, side: int) -> int:
        sql = "SELECT kudos FROM facets WHERE dimension = ? AND value = ?"
        row = self._conn.execute(sql, (side, validator)).fetchone()
        return int(row[0]) if row else 0


def _line(
    conn: sqlite3.Connection, silent: WaitingOn, active: bool, claims: int, exact: bool
) -> tuple[Any, ...]:
    """All but the tests."""
    address = silent.validator
    sql = f"SELECT {', '.join(VALIDATOR_COUNTS)} FROM validator_totals WHERE validator = ?"
    approved, refused, abstained, decided, disagreed = conn.execute(sql, (address,)).fetchone() or [
        0
    ] * len(VALIDATOR_COUNTS)
    votes = approved + refused + abstained
    return (
        *(address, active, votes, approved, refused, abstained, decided, disagreed),
        _quantiles(conn, address, IN_BLOCKS),
        _quantiles(conn, address, IN_SECONDS),
        *(silent.claims, exact, silent.block, silent.since),
        max(0, claims - votes - silent.claims),
    )


def _quantiles(conn: sqlite3.Connection, validator: Address, unit: int) -> Quantiles:
    sql = (
        "SELECT value, count FROM vote_latency WHERE validator = ? AND unit = ? AND count > 0"
        " ORDER BY value"
    )
    histogram = conn.execute(sql, (validator, unit)).fetchall()
    total = sum(many for _, many in histogram)
    if not total:
        return Quantiles(None, None)
    return Quantiles(*(_nearest_rank(histogram, -(-total * part // 100)) for part in (50, 95)))


def _nearest_rank(histogram: Sequence[tuple[int, int]], rank: int) -> int:
    for value, many in histogram:
        rank -= many
        if rank <= 0:
            return value
    raise AssertionError("the rank is within the total")


def ballots(
    reader: Reader,
    validator: Address,
    verdict: int | None = None,
    disagreeing: bool = False,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Ballot]:
    """One validator's votes, the newest first. With a filter that few votes pass, a page looks at
    ``SCAN`` votes and may be short."""
    check_limit(limit)
    conn = reader.connection
    values: dict[str, object] = {"who": validator, "limit": limit + 1, "verdict": verdict}
    where = "v.validator = :who"
    if cursor is not None:
        key = read_cursor(cursor, (int, int, bytes))
        values |= zip(("block", "log", "kudos"), key, strict=True)
        where += " AND (v.block, v.log_index) <= (:block, :log)"
        where += " AND ((v.block, v.log_index) < (:block, :log) OR v.kudos_id > :kudos)"
    tests = ["(v.verdict = :verdict)"] if verdict is not None else []
    tests += ["disagrees"] if disagreeing else []
    scan = SCAN if tests else limit + 1
    sql = _ballots_sql(where, tests)
    rows = conn.execute(sql, values | {"scan": scan}).fetchall()
    found = tuple(Ballot(*(*row[:8], bool(row[8]), *row[9:13])) for row in rows[:limit])
    if len(rows) > limit:
        return Page(
            found, write_cursor((rows[limit - 1][9], rows[limit - 1][13], found[-1].kudos_id))
        )
    last = None
    if tests:
        place = "SELECT v.block, v.log_index, v.kudos_id FROM votes v INDEXED BY votes_of"
        place += f" WHERE {where} ORDER BY v.block DESC, v.log_index DESC, v.kudos_id"
        place += " LIMIT 1 OFFSET :scan"
        last = conn.execute(place, values | {"scan": SCAN - 1}).fetchone()
    return Page(found, write_cursor(last) if last else None)


def _ballots_sql(where: str, tests: list[str]) -> str:
    """The newest votes, ``scan`` of them, and of these the ones that pass the tests."""
    votes = (
        "SELECT v.*, k.level, k.home, k.host, k.request_id, k.state, k.block AS claimed,"
        f" ({DISAGREES.replace('d.state', 'k.state')}) AS disagrees"
        " FROM votes v INDEXED BY votes_of JOIN kudos k ON k.kudos_id = v.kudos_id"
        f" WHERE {where} ORDER BY v.block DESC, v.log_index DESC, v.kudos_id LIMIT :scan"
    )
    return (
        "SELECT v.kudos_id, v.level, v.home, v.host, v.request_id, v.verdict, v.reason, v.state,"
        " v.disagrees, v.block, b.timestamp, v.block - v.claimed, b.timestamp - c.timestamp,"
        f" v.log_index FROM ({votes}) v JOIN blocks b ON b.number = v.block"
        f" JOIN blocks c ON c.number = v.claimed WHERE {' AND '.join(tests) or '1'} LIMIT :limit"
    )
