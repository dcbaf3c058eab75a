"""Who sat among the validators, and since when."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from ledger.docket import last_of_its_second
from ledger.types import ZERO_ADDRESS, Address, BlockNumber

SEATS = 16


@dataclass(frozen=True, slots=True)
class SetLine:
    """One set of validators, by seat (zero: empty), from its block on."""

    version: int
    seats: tuple[Address, ...]
    threshold: int
    came: tuple[Address, ...]
    left: tuple[Address, ...]
    block: BlockNumber
    timestamp: int

    @property
    def members(self) -> tuple[Address, ...]:
        return tuple(seat for seat in self.seats if seat != ZERO_ADDRESS)


def set_history(conn: sqlite3.Connection) -> tuple[SetLine, ...]:
    """All sets, the present one last. Each change takes a proposal with a delay: there are few."""
    sql = (
        "SELECT s.version, s.seats, s.threshold, s.block, b.timestamp FROM validator_sets s"
        " JOIN blocks b ON b.number = s.block ORDER BY s.version"
    )
    found: list[SetLine] = []
    before: tuple[Address, ...] = ()
    for version, packed, threshold, block, timestamp in conn.execute(sql):
        seats = tuple(Address(packed[i : i + 20]) for i in range(0, 20 * SEATS, 20))
        line = SetLine(version, seats, threshold, (), (), block, timestamp)
        came = tuple(who for who in line.members if who not in before)
        left = tuple(who for who in before if who not in line.members)
        found.append(SetLine(version, seats, threshold, came, left, block, timestamp))
        before = line.members
    return tuple(found)


def seated_since(conn: sqlite3.Connection) -> dict[Address, int]:
    """The block after which claims are for each validator in office to vote on: the last one of
    the second in which it took its seat; 0 for the first set."""
    since: dict[int, tuple[Address, int]] = {}
    for number, line in enumerate(set_history(conn)):
        for seat, who in enumerate(line.seats):
            if since.get(seat, (ZERO_ADDRESS, 0))[0] != who:
                since[seat] = (who, last_of_its_second(conn, line.block) if number else 0)
    return {who: block for who, block in since.values() if who != ZERO_ADDRESS}


def tenures(conn: sqlite3.Connection) -> dict[Address, list[tuple[int, int | None]]]:
    """(the block as in ``seated_since``, last block) of each time in office; None while it
    lasts."""
    found: dict[Address, list[tuple[int, int | None]]] = {}
    for number, line in enumerate(set_history(conn)):
        for who in line.came:
            since = last_of_its_second(conn, line.block) if number else 0
            found.setdefault(who, []).append((since, None))
        for who in line.left:
            found[who][-1] = (found[who][-1][0], line.block)
    return found
