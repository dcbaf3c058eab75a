"""What waits for a validator: open claims without its vote, its commitments, the set it sits in."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from ledger import schema
from ledger.assets import CLAIM_WITHIN
from ledger.browse import claims, draw, joined, migrations, opening, placed, read_place
from ledger.errors import CorruptData
from ledger.event_types import BatchSettled
from ledger.events import RawLog, decode
from ledger.rows import SettledMigration, UnvotedBatch, UnvotedCanary, UnvotedSingle
from ledger.types import ZERO_ADDRESS, Address, Digest

_NEVER = (1 << 63) - 1
_ALL = -1


@dataclass(frozen=True, slots=True)
class ValidatorSet:
    """The validators by seat (zero: an empty seat), as of a version."""

    version: int
    seats: tuple[Address, ...]
    threshold: int

    @property
    def members(self) -> tuple[Address, ...]:
        return tuple(seat for seat in self.seats if seat != ZERO_ADDRESS)


def validator_set(conn: sqlite3.Connection) -> ValidatorSet | None:
    """The set in force; None in a copy that has not come to the first one."""
    sql = "SELECT version, seats, threshold FROM validator_sets ORDER BY version DESC LIMIT 1"
    row = conn.execute(sql).fetchone()
    if row is None:
        return None
    version, seats, threshold = row
    return ValidatorSet(
        version, tuple(Address(seats[i : i + 20]) for i in range(0, 320, 20)), threshold
    )


def seated_after(conn: sqlite3.Connection, validator: Address) -> int | None:
    """The last block of the second in which a validator took the seat that it holds (-1: it was
    there from the beginning); it may vote on what was opened later, and the contract tells earlier
    from later by the second. None for who is no validator."""
    sets = conn.execute("SELECT version, seats, block FROM validator_sets ORDER BY version DESC")
    seat: int | None = None
    after = -1
    for version, seats, block in sets:
        holders = [seats[i : i + 20] for i in range(0, len(seats), 20)]
        if seat is None:
            if validator not in holders:
                return None
            seat = holders.index(validator)
        elif holders[seat] != validator:
            break
        after = -1 if version == 1 else block
    return None if seat is None else last_of_its_second(conn, after)


def last_of_its_second(conn: sqlite3.Connection, block: int) -> int:
    """The newest block with the time of this one. A block that the copy does not hold stands for
    itself."""
    sql = (
        "SELECT max(b.number) FROM blocks a JOIN blocks b ON b.timestamp = a.timestamp"
        " WHERE a.number = ?"
    )
    (last,) = conn.execute(sql, (block,)).fetchone()
    return block if last is None else int(last)


def open_rounds(conn: sqlite3.Connection, validator: Address) -> list[int]:
    """The rounds in which this validator committed to votes that it has not revealed."""
    sql = (
        "SELECT round FROM vote_commitments c WHERE validator = ? AND NOT EXISTS"
        " (SELECT 1 FROM vote_reveals r WHERE r.validator = c.validator AND r.round = c.round)"
        " ORDER BY round"
    )
    return [row[0] for row in conn.execute(sql, (validator,))]


def has_committed(conn: sqlite3.Connection, validator: Address, number: int) -> bool:
    """Whether this validator committed in a round."""
    sql = "SELECT 1 FROM vote_commitments WHERE validator = ? AND round = ?"
    return conn.execute(sql, (validator, number)).fetchone() is not None


@dataclass(frozen=True, slots=True)
class BeaconState:
    """How the beacon of a period stands, and what one validator has done for it."""

    committed: bool
    revealed: bool
    commitments: int
    reveals: int
    kind: str | None
    """The last step after the reveals: "named", "known" or "none"."""
    value: Digest | None

    @property
    def is_settled(self) -> bool:
        """Whether it is known, or known that there is none."""
        return self.kind in ("known", "none")


def beacon(conn: sqlite3.Connection, validator: Address, period: int) -> BeaconState:
    """The beacon of a period."""
    sql = (
        "SELECT (SELECT count(*) FROM beacon_commitments WHERE period = ?1 AND validator = ?2),"
        " (SELECT count(*) FROM beacon_reveals WHERE period = ?1 AND validator = ?2),"
        " (SELECT count(*) FROM beacon_commitments WHERE period = ?1),"
        " (SELECT count(*) FROM beacon_reveals WHERE period = ?1)"
    )
    committed, revealed, commitments, reveals = conn.execute(sql, (period, validator)).fetchone()
    last = conn.execute(
        "SELECT kind, beacon FROM beacon_steps WHERE period = ?"
        " ORDER BY block DESC, log_index DESC LIMIT 1",
        (period,),
    ).fetchone()
    kind, value = last or (None, None)
    return BeaconState(bool(committed), bool(revealed), commitments, reveals, kind, value)


def known_beacons(conn: sqlite3.Connection, since: int) -> list[tuple[int, Digest]]:
    """The periods from ``since`` on whose beacon is known in a final block, with its value."""
    sql = (
        "SELECT period, beacon FROM beacon_steps WHERE kind = 'known' AND period >= ?"
        " AND block <= (SELECT final_number FROM cursor) ORDER BY period"
    )
    return [(period, Digest(value)) for period, value in conn.execute(sql, (since,))]


def results_without_canary(
    conn: sqlite3.Connection, host: Address, since: int, until: int
) -> list[SettledMigration]:
    """A host's results settled in [since, until) seconds that no K3 was claimed on."""
    first, beyond = (first_block(conn, second) for second in (since, until))
    where = (
        "m.host = ? AND m.block >= ? AND m.block < ? AND m.rejection IS NULL AND NOT EXISTS"
        " (SELECT 1 FROM kudos k WHERE k.request_id = m.request_id AND k.level = 3)"
    )
    return migrations(conn, where, (host, first, beyond), "ASC", _ALL)


def is_void(conn: sqlite3.Connection, task_digest: Digest) -> bool:
    """Whether a K3 claim on this task ended void."""
    # The second condition is in the words of the partial index.
    void = f"k.state = {schema.VOID} AND k.state != {schema.VERIFIED} AND k.level = 3"
    shown = (
        f"EXISTS (SELECT 1 FROM {table} s WHERE s.request_id = k.request_id AND s.task_digest = ?1)"
        for table in ("openings", "draws")
    )
    sql = f"SELECT 1 FROM kudos k WHERE {void} AND ({' OR '.join(shown)}) LIMIT 1"
    return conn.execute(sql, (task_digest,)).fetchone() is not None


def first_block(conn: sqlite3.Connection, second: int) -> int:
    """The first block at or after a second; beyond all blocks where there is none yet."""
    sql = "SELECT number FROM blocks WHERE timestamp >= ? ORDER BY timestamp, number LIMIT 1"
    row = conn.execute(sql, (second,)).fetchone()
    return row[0] if row else _NEVER


def singles_unvoted(
    conn: sqlite3.Connection, validator: Address, limit: int
) -> list[UnvotedSingle]:
    """Open K1 and K2 claims outside of batches without a vote of this validator: those that the
    ledger itself keeps whatever their age, those in the claims contract while it takes votes on
    them. One vote that comes too late there would take all others of its call with it."""
    by_step = "EXISTS (SELECT 1 FROM steps s WHERE s.block = k.block AND s.log_index = k.log_index)"
    where = (
        f"k.state = {schema.CLAIMED} AND k.level < 3 AND k.root IS NULL"
        " AND k.home != ?1 AND k.host != ?1 AND k.block > ?3 AND NOT EXISTS (SELECT 1 FROM votes v"
        " WHERE v.kudos_id = k.kudos_id AND v.validator = ?1)"
        f" AND (k.block >= ?4 OR {by_step}) ORDER BY k.block, k.log_index LIMIT ?2"
    )
    (head,) = conn.execute("SELECT coalesce(timestamp, 0) FROM cursor").fetchone()
    first = first_block(conn, head - CLAIM_WITHIN)
    found = []
    for claim in claims(conn, where, (validator, limit, _since(conn, validator), first)):
        (settled,) = migrations(conn, "m.request_id = ?", (claim.request_id,), "ASC", 1)
        sql = "SELECT 1 FROM steps WHERE block = ? AND log_index = ?"
        place = (claim.place.block, claim.place.log_index)
        in_ledger = conn.execute(sql, place).fetchone() is not None
        found.append(UnvotedSingle(claim, settled, in_ledger))
    return found


def batches_unvoted(
    conn: sqlite3.Connection, contract: Address, validator: Address, limit: int
) -> list[UnvotedBatch]:
    """Batches with open claims without a ballot of this validator, with their log."""
    sql = (
        f"SELECT l.topics, l.data, l.block_hash, {placed('k')} FROM"
        " (SELECT DISTINCT block, log_index FROM kudos AS open"
        f"  WHERE state = {schema.CLAIMED} AND level < 3 AND root IS NOT NULL AND block > ?3"
        "   AND NOT EXISTS (SELECT 1 FROM ballots v"
        "   WHERE v.host = open.host AND v.root = open.root AND v.validator = ?1)"
        f"  ORDER BY block, log_index LIMIT ?2) k{joined('k')}"
    )
    found = []
    asked = (validator, limit, _since(conn, validator))
    for topics, data, block_hash, *place in conn.execute(sql, asked):
        at = read_place(place)
        words = tuple(Digest(topics[i : i + 32]) for i in range(0, len(topics), 32))
        event = decode(RawLog(contract, words, data, at.block, block_hash, at.tx, at.log_index))
        if not isinstance(event, BatchSettled):
            raise CorruptData(
                f"Log {at.log_index} of block {at.block} in the copy is no batch.",
                hint="Delete the copy: it is rebuilt from the chain.",
            )
        found.append(UnvotedBatch(event, at))
    return found


def canary_claims_unvoted(
    conn: sqlite3.Connection,
    validator: Address,
    limit: int,
    since: int = 0,
    until: int | None = None,
) -> list[UnvotedCanary]:
    """Open K3 claims without a vote of this validator, opened in [since, until) seconds.

    The first of every pair of home and host, then the second of every pair, and so on, so that
    whoever makes many claims crowds out only its own.
    """
    where = (
        f"k.state = {schema.CLAIMED} AND k.level = 3 AND k.block > ?3 AND k.block >= ?4"
        " AND k.block < ?5 AND k.home != ?1 AND k.host != ?1 AND NOT EXISTS"
        " (SELECT 1 FROM votes v WHERE v.kudos_id = k.kudos_id AND v.validator = ?1)"
        " ORDER BY row_number() OVER"
        " (PARTITION BY k.home, k.host ORDER BY k.block, k.log_index, k.kudos_id),"
        " k.block, k.log_index, k.kudos_id LIMIT ?2"
    )
    first = first_block(conn, since) if since else 0
    beyond = _NEVER if until is None else first_block(conn, until)
    found = []
    for claim in claims(conn, where, (validator, limit, _since(conn, validator), first, beyond)):
        settled = migrations(conn, "m.request_id = ?", (claim.request_id,), "ASC", 1)
        opened, drawn = opening(conn, claim.request_id), draw(conn, claim.request_id)
        if not settled or (opened is None and drawn is None):
            raise CorruptData(
                f"Kudos 0x{claim.kudos_id.hex()} in the copy stand on nothing.",
                hint="Delete the copy: it is rebuilt from the chain.",
            )
        found.append(UnvotedCanary(claim, settled[0], opened, drawn))
    return found


def _since(conn: sqlite3.Connection, validator: Address) -> int:
    """For queries: the block after which a validator may vote; beyond all blocks for a stranger."""
    after = seated_after(conn, validator)
    return _NEVER if after is None else after
