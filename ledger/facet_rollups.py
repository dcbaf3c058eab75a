"""The roll-ups of the auditor's desk: sums over rows, kept block by block.

Each is a sum over the rows of some blocks, so one definition serves four ways: added when a block
arrives, taken away before it is rolled back, built over a whole copy, and compared with the rows.
What two rows know together (a vote, and the decision that it agrees with) belongs to the block of
the later one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ledger import schema
from ledger.assets import POINTS, CanaryOpened
from ledger.changes import unsigned_64
from ledger.eip712 import Domain, digest
from ledger.types import Digest, address_from_hex

ALL, HOME, HOST, DAY, NAME, OUTCOME = range(6)
"""facets.dimension; the value of OUTCOME is ten times the level plus the state."""

FACET_COUNTS = (
    *("request", "accepted", "rejected", "confirmed", "result", "canary_opened", "kudos"),
    "total",
)
NODE_DAY_COUNTS = (*schema.NODE_TOTALS, "canaries_met", "canaries_failed")
DAY_COUNTS = (
    *("migrations", "accepted", "rejected", "canaries_opened", "claims"),
    *("k1", "k2", "k3", "refused"),
)
FLOW_COUNTS = ("points", "k1", "k2", "k3", "requests", "accepted", "rejected")
VALIDATOR_COUNTS = ("approved", "refused", "abstained", "decided", "disagreed")
IN_BLOCKS, IN_SECONDS = 0, 1
"""vote_latency.unit."""

TABLES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "facets": (("dimension", "value"), FACET_COUNTS),
    "node_days": (("address", "day"), NODE_DAY_COUNTS),
    "node_canaries": (("address",), ("met", "failed")),
    "day_totals": (("day",), DAY_COUNTS),
    "flows": (("home", "host"), FLOW_COUNTS),
    "validator_totals": (("validator",), VALIDATOR_COUNTS),
    "vote_latency": (("validator", "unit", "value"), ("count",)),
}
"""Every roll-up with its key and its counts."""


@dataclass(frozen=True, slots=True)
class Sum:
    """A part of a roll-up: what the rows of one table add to it. ``where`` names the blocks."""

    table: str
    keys: tuple[str, ...]
    counts: Mapping[str, str]
    rows: str
    source: str
    where: str

    def narrowed(self, condition: str) -> Sum:
        """The same over fewer rows."""
        return replace(self, where=f"{self.where} AND {condition}")

    def select(self, counts: Iterable[str], sign: int = 1) -> str:
        """The sums by key, for the counts that are asked for."""
        sums = ", ".join(f"{sign} * sum({self.counts.get(count, '0')})" for count in counts)
        # SQL takes a number after GROUP BY for a column's position.
        groups = [key for key in self.keys if not key.isdigit()] or ["r.block IS NULL"]
        return (
            f"SELECT {', '.join(self.keys)}, {sums} FROM {self.source} WHERE {self.where}"
            f" GROUP BY {', '.join(groups)}"
        )


# CROSS JOIN keeps SQLite from starting anywhere but at the rows of the blocks.
_MIGRATIONS = "migrations r CROSS JOIN blocks b ON b.number = r.block"
_OPENINGS = "openings r CROSS JOIN blocks b ON b.number = r.block"
_CLAIMS = "kudos r CROSS JOIN blocks b ON b.number = r.block"
_DECISIONS = (
    "decisions r CROSS JOIN blocks b ON b.number = r.block"
    " CROSS JOIN kudos k ON k.kudos_id = r.kudos_id"
)
_RANGE = "r.block BETWEEN :low AND :high"
_DAY = "b.timestamp / 86400"

_ACCEPTED, _REJECTED = "(r.rejection IS NULL)", "(r.rejection IS NOT NULL)"
_VERIFIED, _REFUSED = f"(r.state = {schema.VERIFIED})", f"(r.state = {schema.REFUSED})"
_KUDOS = {
    f"k{level}": f"(k.level = {level} AND r.state = {schema.VERIFIED})" for level in (1, 2, 3)
}
_POINTS = (
    f"r.state = {schema.VERIFIED}) * CASE k.level "
    + " ".join(f"WHEN {level} THEN {weight}" for level, weight in POINTS.items())
    + " END"
)
_FAILED = f"(k.level = 3 AND r.state = {schema.REFUSED})"
_ASSETS = {
    "migrations": {
        "request": "1",
        "accepted": _ACCEPTED,
        "rejected": _REJECTED,
        "confirmed": _ACCEPTED,
        "result": _ACCEPTED,
        "total": f"2 + 2 * {_ACCEPTED}",
    },
    "openings": {"canary_opened": "1", "total": "1"},
    "kudos": {"kudos": "1", "total": "1"},
}
_FROM = {"migrations": _MIGRATIONS, "openings": _OPENINGS, "kudos": _CLAIMS}


def _facets() -> Iterator[Sum]:
    dimensions = {ALL: "0", HOME: "r.home", HOST: "r.host", DAY: _DAY, NAME: "r.process_name"}
    for rows, counts in _ASSETS.items():
        for dimension, value in dimensions.items():
            keys = (f"{dimension}", value)
            yield Sum("facets", keys, counts, rows, _FROM[rows], _RANGE)
    outcome = (f"{OUTCOME}", f"10 * r.level + {schema.CLAIMED}")
    yield Sum("facets", outcome, _ASSETS["kudos"], "kudos", _CLAIMS, _RANGE)
    for state, sign in ((f"{schema.CLAIMED}", "-1"), ("r.state", "1")):
        counts = {"kudos": sign, "total": sign}
        keys = (f"{OUTCOME}", f"10 * k.level + {state}")
        yield Sum("facets", keys, counts, "decisions", _DECISIONS, _RANGE)


def _nodes() -> Iterator[Sum]:
    asked = {"requests": "1", "accepted": _ACCEPTED, "rejected": _REJECTED}
    answered = {"hosted": _ACCEPTED, "rejections": _REJECTED}
    decided = {**_KUDOS, "refused": _REFUSED, "canaries_passed": _KUDOS["k3"]}
    decided["canaries_failed"] = _FAILED
    for who, counts, rows, source in (
        ("r.home", asked, "migrations", _MIGRATIONS),
        ("r.host", answered, "migrations", _MIGRATIONS),
        ("r.host", {"claims": "1"}, "kudos", _CLAIMS),
        ("k.host", decided, "decisions", _DECISIONS),
        ("r.home", {"canaries_opened": "1"}, "openings", _OPENINGS),
        ("r.host", {"canaries_met": "1"}, "openings", _OPENINGS),
    ):
        yield Sum("node_days", (who, _DAY), counts, rows, source, _RANGE)
    yield Sum("node_canaries", ("r.host",), {"met": "1"}, "openings", _OPENINGS, _RANGE)
    failed = f"{_RANGE} AND {_FAILED}"
    yield Sum("node_canaries", ("k.host",), {"failed": "1"}, "decisions", _DECISIONS, failed)


def _days_and_flows() -> Iterator[Sum]:
    answers = {"accepted": _ACCEPTED, "rejected": _REJECTED}
    for counts, rows, source in (
        ({"migrations": "1", **answers}, "migrations", _MIGRATIONS),
        ({"canaries_opened": "1"}, "openings", _OPENINGS),
        ({"claims": "1"}, "kudos", _CLAIMS),
        ({**_KUDOS, "refused": _REFUSED}, "decisions", _DECISIONS),
    ):
        yield Sum("day_totals", (_DAY,), counts, rows, source, _RANGE)
    pair, asked = ("r.home", "r.host"), {"requests": "1", **answers}
    yield Sum("flows", pair, asked, "migrations", _MIGRATIONS, _RANGE)
    paid = {**_KUDOS, "points": f"({_POINTS}"}
    verified = f"{_RANGE} AND {_VERIFIED}"
    yield Sum("flows", ("k.home", "k.host"), paid, "decisions", _DECISIONS, verified)


def _votes() -> Iterator[Sum]:
    votes, who = "votes r", ("r.validator",)
    verdicts = {
        "approved": f"(r.verdict = {schema.APPROVE})",
        "refused": f"(r.verdict = {schema.REFUSE})",
        "abstained": f"(r.verdict = {schema.ABSTAIN})",
    }
    yield Sum("validator_totals", who, verdicts, "votes", votes, _RANGE)
    both = "votes v CROSS JOIN decisions d ON d.kudos_id = v.kudos_id"
    agreed = {"decided": "1", "disagreed": f"({DISAGREES})"}
    later = "v.block BETWEEN :low AND :high AND d.block <= :high"
    yield Sum("validator_totals", ("v.validator",), agreed, "votes", both, later)
    before = "d.block BETWEEN :low AND :high AND v.block < :low"
    turned = "decisions d CROSS JOIN votes v ON v.kudos_id = d.kudos_id"
    yield Sum("validator_totals", ("v.validator",), agreed, "decisions", turned, before)
    claimed = (
        "votes r CROSS JOIN kudos k ON k.kudos_id = r.kudos_id"
        " CROSS JOIN blocks b ON b.number = r.block CROSS JOIN blocks c ON c.number = k.block"
    )
    for unit, took in ((IN_BLOCKS, "r.block - k.block"), (IN_SECONDS, "b.timestamp - c.timestamp")):
        keys = ("r.validator", f"{unit}", took)
        yield Sum("vote_latency", keys, {"count": "1"}, "votes", claimed, _RANGE)


DISAGREES = (
    f"v.verdict = {schema.APPROVE} AND d.state = {schema.REFUSED}"
    f" OR v.verdict = {schema.REFUSE} AND d.state = {schema.VERIFIED}"
)
"""A vote ``v`` against the decision ``d``; whoever abstained disagrees with nobody."""

SUMS: tuple[Sum, ...] = (*_facets(), *_nodes(), *_days_and_flows(), *_votes())
EVERYTHING = frozenset({"migrations", "openings", "kudos", "decisions", "votes"})


def add(
    conn: sqlite3.Connection,
    domain: Domain,
    low: int,
    high: int,
    tables: Collection[str] = EVERYTHING,
) -> None:
    """Counts the rows of these blocks in, once they are there; ``tables`` are those with any."""
    complete(conn, domain, low, high, tables)
    for statement in _statements(tables, 1):
        conn.execute(statement, {"low": low, "high": high})


def take_away(conn: sqlite3.Connection, floor: int) -> None:
    """Counts the rows above ``floor`` out, while they are still there."""
    blocks = {"low": floor + 1, "high": (1 << 63) - 1}
    for statement in _statements(EVERYTHING, -1):
        conn.execute(statement, blocks)
    for table, (_, counts) in TABLES.items():
        conn.execute(f"DELETE FROM {table} WHERE {' AND '.join(f'{c} = 0' for c in counts)}")


def complete(
    conn: sqlite3.Connection, domain: Domain, low: int, high: int, tables: Collection[str]
) -> None:
    """Fills the derived columns of these blocks' rows: names and hosts from the migration, the id
    of CANARY_OPENED from its fields."""
    of = "(SELECT {0} FROM migrations m WHERE m.request_id = {1}.request_id)"
    within = "WHERE block BETWEEN ? AND ?"
    if "kudos" in tables:
        name = of.format("process_name", "kudos")
        conn.execute(f"UPDATE kudos SET process_name = {name} {within}", (low, high))
    if "openings" in tables:
        name, host = of.format("process_name", "openings"), of.format("host", "openings")
        sql = f"UPDATE openings SET process_name = {name}, host = {host} {within}"
        conn.execute(sql, (low, high))
        fields = "request_id, result_id, task_digest, family, parameters, salt, opened_at"
        rows = conn.execute(f"SELECT {fields} FROM openings {within}", (low, high)).fetchall()
        conn.executemany(
            "UPDATE openings SET opened_id = ? WHERE request_id = ?",
            ((opened_id(domain, row), row[0]) for row in rows),
        )


def opened_id(domain: Domain, row: Sequence[Any]) -> Digest:
    """The id of CANARY_OPENED from its columns."""
    return digest(domain, CanaryOpened(*(*row[:6], unsigned_64(row[6]))))


def check_facets(conn: sqlite3.Connection) -> Iterable[str]:
    """A sentence for each roll-up, and each id of an opening, that is not what its rows say."""
    yield from _check_opened_ids(conn)
    everything = {"low": 0, "high": (1 << 63) - 1}
    for table, (keys, counts) in TABLES.items():
        numbers = ", ".join(map(str, range(1, len(keys) + 1)))
        sums = ", ".join(f"sum({count})" for count in counts)
        names = ", ".join((*keys, *counts))
        parts = " UNION ALL ".join(
            f"SELECT * FROM ({part.select(counts)})" for part in SUMS if part.table == table
        )
        counted = f"WITH all_parts ({names}) AS ({parts}) SELECT {', '.join(keys)}, {sums}"
        nonzero = " OR ".join(f"sum({count}) != 0" for count in counts)
        counted += f" FROM all_parts GROUP BY {numbers} HAVING {nonzero}"
        stored = f"SELECT {names} FROM {table} WHERE {' OR '.join(f'{c} != 0' for c in counts)}"
        for first, second in ((counted, stored), (stored, counted)):
            sql = f"SELECT * FROM ({first}) EXCEPT SELECT * FROM ({second})"
            for row in conn.execute(sql, everything):
                yield f"The roll-up {table} at {_text(row[: len(keys)])} does not fit its rows."


def _check_opened_ids(conn: sqlite3.Connection) -> Iterator[str]:
    meta = dict(conn.execute("SELECT key, value FROM meta"))
    fields = "request_id, result_id, task_digest, family, parameters, salt, opened_at, opened_id"
    for *row, stored in conn.execute(f"SELECT {fields} FROM openings"):
        domain = Domain(int(meta["chain_id"]), address_from_hex(meta["contract"]))
        if opened_id(domain, row) != stored:
            yield f"The id of CANARY_OPENED of request {_text(row[:1])} does not fit its fields."


def _statements(tables: Collection[str], sign: int) -> Iterator[str]:
    for part in SUMS:
        if part.rows not in tables:
            continue
        keys, counts = TABLES[part.table]
        given = [count for count in counts if count in part.counts]
        yield (
            f"INSERT INTO {part.table} ({', '.join((*keys, *given))}) {part.select(given, sign)}"
            f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET "
            + ", ".join(f"{count} = {count} + excluded.{count}" for count in given)
        )


def _text(key: tuple[object, ...]) -> str:
    return ", ".join("0x" + part.hex() if isinstance(part, bytes) else str(part) for part in key)
