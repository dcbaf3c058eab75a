"""What the validators decided about the ledger itself: proposals, the beacon, rounds of committed
votes, puzzles of newcomers, and whether the ledger is closed. Each list has its newest first."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from ledger import schema
from ledger.desk.queries.common import check_limit
from ledger.reader import Reader
from ledger.types import Address, BlockNumber, Digest

SHOWN = 50
PROPOSAL_WINDOW = 30 * 86_400
"""Seconds in which a proposal is approved, and once more in which it is executed: a constant of the
queue."""
_NO_NUMBER = (1 << 63) - 1
"""Above every proposal, round and period."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One proposal. ``status`` is the last thing that the chain said of it: open, approved (the
    delay runs, until ``ready_at``), withdrawn, executed; or stale, after another change of the
    set, or lapsed, when nobody finished it in time."""

    number: int
    kind: str
    content_hash: Digest
    proposer: Address
    set_version: int
    status: str
    ready_at: int | None
    approvals: tuple[Address, ...]
    withdrawals: tuple[Address, ...]
    block: BlockNumber
    timestamp: int


@dataclass(frozen=True, slots=True)
class Participation:
    """A period of the beacon or a round of votes: who committed, and who of these never revealed.
    ``status`` and ``value`` are a period's: what the chain has said of its beacon, or "open". What
    the clock makes of them: ``ledger.desk.views_participation``."""

    number: int
    committed: tuple[Address, ...]
    silent: tuple[Address, ...]
    status: str
    value: Digest | None


@dataclass(frozen=True, slots=True)
class Puzzle:
    """A puzzle that a node asked the contract for."""

    counter: int
    difficulty: int
    solved: bool
    block: BlockNumber
    timestamp: int


@dataclass(frozen=True, slots=True)
class Life:
    """When the ledger closed, and from when on its totals are final; how many nodes' Kudos were
    carried over from the ledger before."""

    closed_at: int | None
    final_at: int | None
    carried_nodes: int


def proposals(reader: Reader, limit: int = SHOWN, below: int | None = None) -> tuple[Proposal, ...]:
    """The proposals of the queue, or those below a number."""
    conn = reader.connection
    sql = (
        "SELECT p.proposal, p.kind, p.content_hash, p.proposer, p.set_version, p.block, b.timestamp"
        " FROM proposals p JOIN blocks b ON b.number = p.block WHERE p.proposal < ?"
        " ORDER BY p.proposal DESC LIMIT ?"
    )
    version = conn.execute("SELECT coalesce(max(version), 0) FROM validator_sets").fetchone()[0]
    rows = conn.execute(sql, (_NO_NUMBER if below is None else below, limit)).fetchall()
    head = reader.head()
    now = head.timestamp if head else 0
    return tuple(_proposal(conn, row, version, now) for row in rows)


def _proposal(conn: sqlite3.Connection, row: tuple[Any, ...], version: int, now: int) -> Proposal:
    number, kind, content_hash, proposer, set_version, block, timestamp = row
    sql = (
        "SELECT kind, ready_at FROM proposal_steps WHERE proposal = ?"
        " ORDER BY block DESC, log_index DESC"
    )
    steps = conn.execute(sql, (number,)).fetchall()
    status = steps[0][0] if steps else "open"
    ready_at = next((at for _, at in steps if at is not None), None)
    if status in ("open", "approved"):
        is_late = now > (timestamp if ready_at is None else ready_at) + PROPOSAL_WINDOW
        status = "stale" if set_version != version else "lapsed" if is_late else status
    said: dict[int, tuple[Address, ...]] = {}
    votes = "SELECT validator FROM proposal_votes WHERE proposal = ? AND verdict = ?"
    for verdict in (schema.APPROVE, schema.REFUSE):
        found = conn.execute(votes, (number, verdict))
        said[verdict] = tuple(Address(who) for (who,) in found)
    return Proposal(
        *(number, kind, content_hash, proposer, set_version, status, ready_at),
        *(said[schema.APPROVE], said[schema.REFUSE], block, timestamp),
    )


def rounds(
    reader: Reader, limit: int = SHOWN, below: int | None = None
) -> tuple[Participation, ...]:
    """Rounds in which anybody committed to votes on K3, or those below a number."""
    return _participation(reader.connection, "vote", "round", limit, below)


def beacons(
    reader: Reader, limit: int = SHOWN, below: int | None = None
) -> tuple[Participation, ...]:
    """Periods for which anybody committed to a secret, or that came out without, or those below a
    number."""
    return _participation(reader.connection, "beacon", "period", limit, below)


def _participation(
    conn: sqlite3.Connection, what: str, key: str, limit: int, below: int | None
) -> tuple[Participation, ...]:
    sql = (
        f"SELECT c.{key}, c.validator, r.validator FROM {what}_commitments c"
        f" LEFT JOIN {what}_reveals r ON r.validator = c.validator AND r.{key} = c.{key}"
        f" WHERE c.{key} BETWEEN ? AND ? ORDER BY c.block, c.log_index"
    )
    last = _NO_NUMBER if below is None else below
    numbers = _numbers(conn, what, key, limit, last)
    committed: dict[int, list[Address]] = {number: [] for number in numbers}
    silent: dict[int, list[Address]] = {number: [] for number in numbers}
    ends = (numbers[-1], numbers[0]) if numbers else (1, 0)
    for number, validator, revealed in conn.execute(sql, ends):
        committed[number].append(validator)
        silent[number].extend([] if revealed else [validator])
    return tuple(
        Participation(
            *(number, tuple(who), tuple(silent[number])),
            *(beacon_of(conn, number) if what == "beacon" else ("", None)),
        )
        for number, who in committed.items()
    )


def _numbers(conn: sqlite3.Connection, what: str, key: str, limit: int, below: int) -> list[int]:
    """The newest rounds or periods, descending."""
    sql = f"SELECT {key} FROM {what}_commitments WHERE {key} < ?1"
    if what == "beacon":
        sql += " UNION SELECT period FROM beacon_steps WHERE period < ?1"
    sql = f"SELECT DISTINCT {key} FROM ({sql}) ORDER BY {key} DESC LIMIT ?2"
    return [number for (number,) in conn.execute(sql, (below, limit))]


def beacon_of(conn: sqlite3.Connection, period: int) -> tuple[str, Digest | None]:
    """How the beacon of a period stands: open, named, known or none; and its value."""
    sql = (
        "SELECT kind, beacon FROM beacon_steps WHERE period = ?"
        " ORDER BY block DESC, log_index DESC LIMIT 1"
    )
    row = conn.execute(sql, (period,)).fetchone()
    return (row[0], row[1]) if row else ("open", None)


def puzzles(reader: Reader, host: Address, limit: int = SHOWN) -> tuple[Puzzle, ...]:
    """What this node asked the contract for; only the last one can still be solved."""
    sql = (
        "SELECT p.counter, p.difficulty, EXISTS (SELECT 1 FROM kudos k WHERE k.host = p.host"
        " AND k.origin = 'open' AND (k.block, k.log_index) > (p.block, p.log_index)"
        " AND NOT EXISTS (SELECT 1 FROM puzzles q WHERE q.host = p.host"
        "  AND (q.block, q.log_index) > (p.block, p.log_index)"
        "  AND (q.block, q.log_index) < (k.block, k.log_index))), p.block, b.timestamp"
        " FROM puzzles p JOIN blocks b ON b.number = p.block WHERE p.host = ?"
        " ORDER BY p.block DESC, p.log_index DESC LIMIT ?"
    )
    found = reader.connection.execute(sql, (host, check_limit(limit)))
    return tuple(Puzzle(row[0], row[1], bool(row[2]), *row[3:]) for row in found)


def life(reader: Reader) -> Life:
    """Whether the ledger is closed, and whether it goes on from another."""
    conn = reader.connection
    sql = (
        "SELECT b.timestamp, l.number FROM life l JOIN blocks b ON b.number = l.block"
        " WHERE l.kind = 'closed'"
    )
    closed_at, final_at = conn.execute(sql).fetchone() or (None, None)
    (carried,) = conn.execute("SELECT count(DISTINCT host) FROM carried").fetchone()
    return Life(closed_at, final_at, carried)
