"""The questions of ``ledger.reader`` about how nodes stand with each other, now or as of a block.

As of a block means: without the Kudos decided and the migrations settled after it. Totals are the
roll-ups less what is younger, so that a question about the recent past costs little.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ledger import schema
from ledger.assets import POINTS, process_name_text
from ledger.rows import Totals
from ledger.timed_out import made_again
from ledger.types import Address, BlockNumber, Digest

_STANDS = f"NOT (state = {schema.CLAIMED} AND {made_again('k')})"


@dataclass(frozen=True, slots=True)
class ClaimSummary:
    """One claim of a host, with (reason code, votes that gave it)."""

    kudos_id: Digest
    level: int
    home: Address
    request_id: Digest
    block: BlockNumber
    reasons: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class PairSummary:
    """What a node earned from another one, and that one from it."""

    other: Address
    earned: Totals
    paid: Totals


@dataclass(frozen=True, slots=True)
class Dealings:
    """Where a node's Kudos come from: how many claims by (level, state), the newest that are open
    and refused, and its pairs. A claim that a newer one has taken the place of is none of them."""

    counts: dict[tuple[int, int], int]
    open: list[ClaimSummary]
    refused: list[ClaimSummary]
    pairs: list[PairSummary]


@dataclass(frozen=True, slots=True)
class PastRequest:
    """A settled request, how it was answered, and the last block before it was signed."""

    home: Address
    host: Address
    process_name: str
    cpu_seconds: int
    memory_mib: int
    signed_at: int
    rejection: int | None
    known: BlockNumber
    known_at: int


SEQUENCE_WINDOW = 256
STRANGER_WINDOW = 512

_LEVELS = "total(level = 1), total(level = 2), total(level = 3)"
_VERIFIED = f"state = {schema.VERIFIED}"


def kudos(conn: sqlite3.Connection, node: Address, at: BlockNumber | None) -> Totals:
    """A node's verified Kudos; zero for a stranger."""
    row = conn.execute("SELECT k1, k2, k3 FROM nodes WHERE address = ?", (node,)).fetchone()
    if row is None:
        return Totals()
    if at is None:
        return Totals(*row)
    sql = f"SELECT {_LEVELS} FROM kudos WHERE host = ? AND decided_block > ? AND {_VERIFIED}"
    return _less(row, conn.execute(sql, (node, at)).fetchone())


def pair_totals(
    conn: sqlite3.Connection, home: Address, host: Address, at: BlockNumber | None
) -> Totals:
    """The verified Kudos that a host has for tasks of one home."""
    sql = "SELECT level, sum(count) FROM pairs WHERE home = ? AND host = ? GROUP BY level"
    levels = dict(conn.execute(sql, (home, host)))
    if not levels:
        return Totals()
    all_ = [levels.get(level, 0) for level in (1, 2, 3)]
    if at is None:
        return Totals(*all_)
    sql = (
        f"SELECT {_LEVELS} FROM kudos WHERE host = ? AND decided_block > ? AND home = ?"
        f" AND {_VERIFIED}"
    )
    return _less(all_, conn.execute(sql, (host, at, home)).fetchone())


def unsettled(
    conn: sqlite3.Connection, home: Address, host: Address, at: BlockNumber | None
) -> tuple[int, int]:
    """Of a home's last requests to a host by sequence number: how many, and how many of these
    numbers left nothing on the ledger."""
    where = "FROM migrations WHERE home = ? AND host = ?"
    where += "" if at is None else " AND block <= ?"
    values: tuple[object, ...] = (home, host) if at is None else (home, host, at)
    (last,) = conn.execute(f"SELECT max(seq) {where}", values).fetchone()
    if last is None:
        return 0, 0
    asked = min(last + 1, SEQUENCE_WINDOW)
    sql = f"SELECT count(*) {where} AND seq > ?"
    (settled,) = conn.execute(sql, (*values, last - asked)).fetchone()
    return asked, asked - settled


def epoch_points(
    conn: sqlite3.Connection, node: Address, at: BlockNumber | None
) -> list[tuple[int, int]]:
    """(epoch, verified points claimed in it), the oldest first; reads every Kudos of the node."""
    points = " ".join(f"WHEN {level} THEN {weight}" for level, weight in POINTS.items())
    sql = (
        f"SELECT epoch, sum(CASE level {points} END) FROM kudos WHERE host = ?"
        f" AND decided_block <= ? AND {_VERIFIED} GROUP BY epoch ORDER BY epoch"
    )
    return list(conn.execute(sql, (node, _until(at))))


def drawn_passed(conn: sqlite3.Connection, node: Address, at: BlockNumber | None) -> int:
    """How many verified canaries of a node nobody had planted; reads every Kudos of the node."""
    sql = (
        f"SELECT count(*) FROM kudos WHERE host = ? AND decided_block <= ? AND {_VERIFIED}"
        " AND level = 3 AND origin = 'drawn'"
    )
    return int(conn.execute(sql, (node, _until(at))).fetchone()[0])


def largest_amounts(
    conn: sqlite3.Connection, node: Address, limit: int, at: BlockNumber | None
) -> list[int]:
    """The greatest amounts of points that a node has for the tasks of one home each. What the
    contract itself gave stands under the zero address; what came from an earlier ledger under
    none."""
    sql = (
        "SELECT home, points FROM flows WHERE host = ? AND points > 0 ORDER BY points DESC LIMIT ?"
    )
    if at is None:
        return [points for _, points in conn.execute(sql, (node, limit))]
    weights = " ".join(f"WHEN {level} THEN {weight}" for level, weight in POINTS.items())
    later = (
        f"SELECT home, sum(CASE level {weights} END) FROM kudos WHERE host = ?"
        f" AND decided_block > ? AND {_VERIFIED} GROUP BY home"
    )
    young: dict[bytes, int] = dict(conn.execute(later, (node, at)))
    # Each home that has grown since may have pushed one out that belongs among them.
    amounts = [
        points - young.get(home, 0)
        for home, points in conn.execute(sql, (node, limit + len(young)))
    ]
    return sorted(filter(None, amounts), reverse=True)[:limit]


def strangers(conn: sqlite3.Connection, host: Address, at: BlockNumber | None) -> tuple[int, int]:
    """Among the homes of a host's last tasks: those that had done no verified work when it first
    helped them, and how many of these have by now."""
    worked = f"EXISTS (SELECT 1 FROM kudos WHERE host = t.home AND level > 1 AND {_VERIFIED} AND "
    sql = (
        f"SELECT count(*), total({worked} decided_block > t.since AND decided_block <= ?1)) FROM"
        " (SELECT home, min(block) AS since FROM"
        "  (SELECT home, block FROM migrations WHERE host = ?2 AND block <= ?1"
        "   AND rejection IS NULL ORDER BY block DESC LIMIT ?3) GROUP BY home) t"
        f" WHERE NOT {worked} decided_block <= t.since)"
    )
    tried, good = conn.execute(sql, (_until(at), host, STRANGER_WINDOW)).fetchone()
    return int(tried), int(good)


def dealings(conn: sqlite3.Connection, node: Address, limit: int) -> Dealings:
    """Everything about one node's Kudos; reads each of them."""
    sql = (
        f"SELECT level, state, count(*) FROM kudos k WHERE host = ? AND {_STANDS}"
        " GROUP BY level, state"
    )
    return Dealings(
        {(level, state): count for level, state, count in conn.execute(sql, (node,))},
        _claims(conn, node, schema.CLAIMED, limit),
        _claims(conn, node, schema.REFUSED, limit),
        _pairs_of(conn, node),
    )


def _claims(conn: sqlite3.Connection, host: Address, state: int, limit: int) -> list[ClaimSummary]:
    """The newest first, with what validators gave as reasons."""
    sql = (
        "SELECT kudos_id, level, home, request_id, block FROM kudos k WHERE host = ? AND state = ?"
        f" AND {_STANDS} ORDER BY block DESC, log_index DESC LIMIT ?"
    )
    reasons = (
        "SELECT reason, count(*) FROM votes WHERE kudos_id = ? AND reason IS NOT NULL"
        " GROUP BY reason ORDER BY reason"
    )
    return [
        ClaimSummary(key, level, home, request, block, tuple(conn.execute(reasons, (key,))))
        for key, level, home, request, block in conn.execute(sql, (host, state, limit)).fetchall()
    ]


def _pairs_of(conn: sqlite3.Connection, node: Address) -> list[PairSummary]:
    totals = f"SELECT home, {_LEVELS} FROM kudos WHERE host = ? AND {_VERIFIED} GROUP BY home"
    earned = {row[0]: row[1:] for row in conn.execute(totals, (node,))}
    sql = "SELECT host, level, sum(count) FROM pairs WHERE home = ? GROUP BY host, level"
    paid: dict[bytes, list[int]] = {}
    for host, level, count in conn.execute(sql, (node,)):
        paid.setdefault(host, [0, 0, 0])[level - 1] = count
    return [
        PairSummary(Address(other), _totals(earned.get(other)), _totals(paid.get(other)))
        for other in sorted(earned.keys() | paid.keys())
    ]


def past_requests(
    conn: sqlite3.Connection, since: int, host: Address | None
) -> Iterator[PastRequest]:
    """Settled requests signed at or after a second, in the order of their signing, each with the
    last block that its host could have known when it was signed."""
    blocks = conn.execute("SELECT timestamp, number FROM blocks ORDER BY number").fetchall()
    times = [timestamp for timestamp, _ in blocks]
    sql = (
        "SELECT home, host, process_name, cpu_seconds, memory_mib, requested_at, rejection, block"
        " FROM migrations WHERE requested_at >= ? AND (?2 IS NULL OR host = ?2)"
        " ORDER BY requested_at, block, log_index, batch_index"
    )
    for home, to, name, cpu, memory, signed_at, rejection, block in conn.execute(
        sql, (since, host)
    ):
        position = bisect_right(times, signed_at) - 1
        # A home's clock may be ahead: nobody knew the block that settled the request.
        while position >= 0 and blocks[position][1] >= block:
            position -= 1
        known = blocks[position] if position >= 0 else (signed_at, 0)
        yield PastRequest(
            *(home, to, process_name_text(name), cpu, memory, signed_at, rejection),
            *(BlockNumber(known[1]), known[0]),
        )


def _until(at: BlockNumber | None) -> int:
    return (1 << 63) - 1 if at is None else at


def _less(all_: Sequence[int], later: Sequence[float]) -> Totals:
    return Totals(*(total - int(young) for total, young in zip(all_, later, strict=True)))


def _totals(row: Sequence[float] | None) -> Totals:
    return Totals(*map(int, row)) if row else Totals()
