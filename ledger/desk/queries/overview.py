"""The whole ledger at a glance."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ledger import facet_sums, schema
from ledger.desk.queries.at_block import later
from ledger.desk.queries.common import DAY, check_span
from ledger.reader import Reader
from ledger.rows import IndexHead, Totals
from ledger.timed_out import made_again
from ledger.types import Address, BlockNumber

OPEN_CAP, SILENCE_CAP = 10_000, 1_000
_OPEN = f"k.state = {schema.CLAIMED} AND NOT {made_again('k')}"
"""Nobody waits for what was claimed again: the votes are on the newer claim."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What the ledger holds; Kudos k1 to k3 are the verified ones, those carried over from the
    ledger before it among them. ``void``: runs of validators disagreed."""

    nodes: int
    migrations: int
    accepted: int
    rejected: int
    canaries_opened: int
    claims: int
    k1: int
    k2: int
    k3: int
    refused: int
    void: int
    carried: int
    carried_points: int
    points: int

    @property
    def waiting(self) -> int:
        ended = self.k1 + self.k2 + self.k3 - self.carried + self.refused + self.void
        return self.claims - ended


@dataclass(frozen=True, slots=True)
class DayTotals:
    """One UTC day, by its first second: Kudos verified in it, and migrations settled."""

    start: int
    k1: int
    k2: int
    k3: int
    points: int
    refused: int
    migrations: int


@dataclass(frozen=True, slots=True)
class WaitingOn:
    """A validator, and the open claims that it has not voted on: how many, the oldest one's block
    and its time."""

    validator: Address
    claims: int
    block: BlockNumber | None
    since: int | None


@dataclass(frozen=True, slots=True)
class QuorumHealth:
    """Open claims: how many (up to ``OPEN_CAP``), since when the oldest waits, and on whom. Not
    exact: who is waited for is said of the oldest ``SILENCE_CAP`` only."""

    waiting: int
    oldest_block: BlockNumber | None
    oldest_since: int | None
    on: tuple[WaitingOn, ...]
    exact: bool


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything that the first page shows but the two series."""

    head: IndexHead | None
    lag_blocks: int
    reorganisations: int
    counts: Counts
    quorum: QuorumHealth


def overview(
    reader: Reader, validators: Sequence[Address], at_block: BlockNumber | None = None
) -> Overview:
    """``validators`` is the present set. ``at_block`` concerns the counts alone."""
    head = reader.head()
    return Overview(
        head,
        _lag(head),
        reader.reorganisations(),
        counts(reader, at_block),
        quorum_health(reader, validators),
    )


def under(head: IndexHead | None, view: Overview) -> Overview:
    """The same, when the chain has been asked again since and the copy has not moved."""
    return replace(view, head=head, lag_blocks=_lag(head))


def _lag(head: IndexHead | None) -> int:
    return max(0, head.chain_head - head.number) if head else 0


def counts(reader: Reader, at_block: BlockNumber | None = None) -> Counts:
    """The totals, now or as of a block."""
    conn = reader.connection
    sums = ", ".join(f"coalesce(sum({column}), 0)" for column in facet_sums.DAY_COUNTS)
    total = conn.execute(f"SELECT {sums} FROM day_totals").fetchone()
    if at_block is None:
        (nodes,) = conn.execute("SELECT count(*) FROM nodes").fetchone()
    else:
        young = later(conn, "day_totals", at_block)
        total = [
            all_ - new for all_, new in zip(total, young.get((), [0] * len(total)), strict=True)
        ]
        nodes = _nodes_at(conn, at_block)
    points = Totals(*total[5:8]).points
    named = dict(zip(facet_sums.DAY_COUNTS, total, strict=True))
    return Counts(nodes=nodes, points=points, **named)


def _nodes_at(conn: sqlite3.Connection, at: BlockNumber) -> int:
    """How many nodes had a row in or before this block; an opening follows its migration."""
    first = "EXISTS (SELECT 1 FROM {0} m WHERE m.{1} = n.address AND m.block <= ?1)"
    tables = (
        ("migrations", "home"),
        ("migrations", "host"),
        ("kudos", "host"),
        ("carried", "host"),
    )
    sql = "SELECT count(*) FROM nodes n WHERE "
    sql += " OR ".join(first.format(*place) for place in tables)
    return int(conn.execute(sql, (at,)).fetchone()[0])


def kudos_per_day(reader: Reader, days: int = 90) -> tuple[DayTotals, ...]:
    """The last days up to that of the newest block, the oldest first, without gaps."""
    last = reader.head_timestamp() // DAY
    first = last - check_span(days, 3660) + 1
    sql = "SELECT day, k1, k2, k3, refused, migrations FROM day_totals WHERE day >= ?"
    found = {day: rest for day, *rest in reader.connection.execute(sql, (first,))}
    series = []
    for day in range(first, last + 1):
        k1, k2, k3, refused, migrations = found.get(day, [0] * 5)
        points = Totals(k1, k2, k3).points
        series.append(DayTotals(day * DAY, k1, k2, k3, points, refused, migrations))
    return tuple(series)


def migrations_per_minute(reader: Reader, minutes: int = 60) -> tuple[tuple[int, int], ...]:
    """(first second of a minute, migrations settled in it) up to that of the newest block."""
    last = reader.head_timestamp() // 60
    first = last - check_span(minutes, 1440) + 1
    per_batch = (
        "SELECT b.timestamp / 60, sum(t.records) FROM blocks b JOIN batches t ON t.block = b.number"
        " WHERE b.timestamp >= ? GROUP BY 1"
    )
    skipped = (
        "SELECT b.timestamp / 60, count(*) FROM blocks b JOIN skipped s ON s.block = b.number"
        " WHERE b.timestamp >= ? AND s.kind = 'record' GROUP BY 1"
    )
    strict = (
        "SELECT b.timestamp / 60, count(*) FROM blocks b JOIN migrations m ON m.block = b.number"
        " WHERE b.timestamp >= ? AND m.root IS NULL GROUP BY 1"
    )
    settled: Counter[int] = Counter(dict(reader.connection.execute(per_batch, (first * 60,))))
    for sql, sign in ((skipped, -1), (strict, 1)):
        for minute, many in reader.connection.execute(sql, (first * 60,)):
            settled[minute] += sign * many
    return tuple((minute * 60, settled.get(minute, 0)) for minute in range(first, last + 1))


def quorum_health(reader: Reader, validators: Sequence[Address]) -> QuorumHealth:
    """What waits for votes."""
    conn = reader.connection
    sql = f"SELECT count(*) FROM (SELECT 1 FROM kudos k WHERE {_OPEN} LIMIT {OPEN_CAP + 1})"
    (waiting,) = conn.execute(sql).fetchone()
    sql = (
        "SELECT k.block, b.timestamp FROM kudos k JOIN blocks b ON b.number = k.block"
        f" WHERE {_OPEN} ORDER BY k.block LIMIT 1"
    )
    block, since = conn.execute(sql).fetchone() or (None, None)
    on, exact = silence(conn, validators)
    return QuorumHealth(min(waiting, OPEN_CAP), block, since, on, exact)


def silence(
    conn: sqlite3.Connection, validators: Sequence[Address]
) -> tuple[tuple[WaitingOn, ...], bool]:
    """The open claims without a vote of each validator, and whether these are all: no more than
    the ``SILENCE_CAP`` oldest are looked at."""
    sql = (
        "SELECT k.kudos_id, k.block, k.home, k.host, v.validator FROM"
        " (SELECT kudos_id, block, home, host, log_index FROM kudos k INDEXED BY kudos_open"
        f"  WHERE {_OPEN} ORDER BY block, log_index LIMIT {SILENCE_CAP + 1}) k"
        " LEFT JOIN votes v ON v.kudos_id = k.kudos_id"
    )
    voters: dict[bytes, set[bytes]] = {}
    blocks: dict[bytes, int] = {}
    for kudos_id, block, home, host, validator in conn.execute(sql):
        # A party to the migration has no vote: nobody waits for it.
        voters.setdefault(kudos_id, {home, host}).add(validator)
        blocks[kudos_id] = block
    exact = len(voters) <= SILENCE_CAP
    found = []
    for validator in validators:
        missing = [blocks[claim] for claim, heard in voters.items() if validator not in heard]
        oldest = BlockNumber(min(missing)) if missing else None
        time = conn.execute("SELECT timestamp FROM blocks WHERE number = ?", (oldest,)).fetchone()
        found.append(WaitingOn(validator, len(missing), oldest, time[0] if time else None))
    return tuple(found), exact
