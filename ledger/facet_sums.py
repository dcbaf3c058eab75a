"""What the roll-ups of the auditor's desk are: sums over rows. ``ledger.facet_rollups`` keeps them.

Each is a sum over the rows of some blocks, so one definition serves four ways: added when a block
arrives, taken away before it is rolled back, built over a whole copy, and compared with the rows.
What two rows know together (a vote, and the decision that it agrees with) belongs to the block of
the later one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from ledger import schema
from ledger.assets import POINTS

ALL, HOME, HOST, DAY, NAME, OUTCOME, ORIGIN = range(7)
"""facets.dimension; the value of OUTCOME is ten times the level plus the state, that of ORIGIN
where a K3 comes from."""

FACET_COUNTS = (
    *("request", "accepted", "rejected", "confirmed", "result", "canary_opened", "kudos"),
    "total",
)
NODE_DAY_COUNTS = (*schema.NODE_TOTALS, "canaries_met", "canaries_failed")
DAY_COUNTS = (
    *("migrations", "accepted", "rejected", "canaries_opened", "claims"),
    *("k1", "k2", "k3", "refused", "void", "carried", "carried_points"),
)
FLOW_COUNTS = ("points", "k1", "k2", "k3", "requests", "accepted", "rejected")
ORIGIN_COUNTS = ("claimed", "passed", "failed", "void")
VALIDATOR_COUNTS = ("approved", "refused", "abstained", "decided", "disagreed")
IN_BLOCKS, IN_SECONDS = 0, 1
"""vote_latency.unit."""

TABLES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "facets": (("dimension", "value"), FACET_COUNTS),
    "node_days": (("address", "day"), NODE_DAY_COUNTS),
    "node_canaries": (("address",), ("met", "failed")),
    "node_origins": (("address", "origin"), ORIGIN_COUNTS),
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
_STEPS = "steps r CROSS JOIN blocks b ON b.number = r.block"
_CARRIED = "carried r CROSS JOIN blocks b ON b.number = r.block"
_CLAIMS = "kudos r CROSS JOIN blocks b ON b.number = r.block"
_DECISIONS = (
    "decisions r CROSS JOIN blocks b ON b.number = r.block"
    " CROSS JOIN kudos k ON k.kudos_id = r.kudos_id"
)
_RANGE = "r.block BETWEEN :low AND :high"
_DAY = "b.timestamp / 86400"

_ACCEPTED, _REJECTED = "(r.rejection IS NULL)", "(r.rejection IS NOT NULL)"
_VERIFIED, _REFUSED = f"(r.state = {schema.VERIFIED})", f"(r.state = {schema.REFUSED})"
_VOID = f"(r.state = {schema.VOID})"
NEWLY_CLAIMED = (
    "(r.attempt = 0 OR EXISTS (SELECT 1 FROM kudos e WHERE e.state != "
    f"{schema.CLAIMED} AND (r.attempt = 1 AND e.kudos_id = r.repeats"
    " OR e.repeats = r.repeats AND e.attempt = r.attempt - 1)))"
)
"""Whether claim ``r`` counts as one more: not where it takes the place of one that is open still,
and would be waited for for ever."""
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
    "steps": {
        kind.lower(): f"(r.kind = '{kind}')"
        for kind in ("REQUEST", "ACCEPTED", "REJECTED", "CONFIRMED", "RESULT")
    }
    | {"total": "1"},
    "openings": {"canary_opened": "1", "total": "1"},
    "kudos": {"kudos": "1", "total": "1"},
}
_FROM = {"migrations": _MIGRATIONS, "steps": _STEPS, "openings": _OPENINGS, "kudos": _CLAIMS}
ASSETS_WHERE = {"migrations": "r.root IS NOT NULL", "openings": "r.signature IS NOT NULL"}
"""Which rows of a table are assets: the strict way's are in ``steps``, and an opening is an asset
only where its home has signed it."""


def _facets() -> Iterator[Sum]:
    dimensions = {ALL: "0", HOME: "r.home", HOST: "r.host", DAY: _DAY, NAME: "r.process_name"}
    for rows, counts in _ASSETS.items():
        for dimension, value in dimensions.items():
            keys = (f"{dimension}", value)
            where = " AND ".join((_RANGE, ASSETS_WHERE.get(rows, "1")))
            yield Sum("facets", keys, counts, rows, _FROM[rows], where)
    origin, canaries = (f"{ORIGIN}", "r.origin"), f"{_RANGE} AND r.level = 3"
    yield Sum("facets", origin, _ASSETS["kudos"], "kudos", _CLAIMS, canaries)
    outcome = (f"{OUTCOME}", f"10 * r.level + {schema.CLAIMED}")
    yield Sum("facets", outcome, _ASSETS["kudos"], "kudos", _CLAIMS, _RANGE)
    for state, sign in ((f"{schema.CLAIMED}", "-1"), ("r.state", "1")):
        counts = {"kudos": sign, "total": sign}
        keys = (f"{OUTCOME}", f"10 * k.level + {state}")
        yield Sum("facets", keys, counts, "decisions", _DECISIONS, _RANGE)


def _nodes() -> Iterator[Sum]:
    asked = {"requests": "1", "accepted": _ACCEPTED, "rejected": _REJECTED}
    answered = {"hosted": _ACCEPTED, "rejections": _REJECTED}
    decided = {**_KUDOS, "refused": _REFUSED, "void": _VOID, "canaries_passed": _KUDOS["k3"]}
    decided["canaries_failed"] = _FAILED
    claimed = {"claims": NEWLY_CLAIMED, "canaries_met": f"(r.level = 3 AND {NEWLY_CLAIMED})"}
    for who, counts, rows, source in (
        ("r.home", asked, "migrations", _MIGRATIONS),
        ("r.host", answered, "migrations", _MIGRATIONS),
        ("r.host", claimed, "kudos", _CLAIMS),
        ("k.host", decided, "decisions", _DECISIONS),
        ("r.home", {"canaries_opened": "1"}, "openings", _OPENINGS),
        ("r.host", {f"k{level}": f"r.k{level}" for level in POINTS}, "carried", _CARRIED),
    ):
        yield Sum("node_days", (who, _DAY), counts, rows, source, _RANGE)
    canaries = f"{_RANGE} AND r.level = 3"
    met = {"met": NEWLY_CLAIMED}
    yield Sum("node_canaries", ("r.host",), met, "kudos", _CLAIMS, canaries)
    by_origin = ("r.host", "r.origin")
    given = {"claimed": NEWLY_CLAIMED}
    yield Sum("node_origins", by_origin, given, "kudos", _CLAIMS, canaries)
    ended = {"passed": _VERIFIED, "failed": _REFUSED, "void": _VOID}
    of_canary = f"{_RANGE} AND k.level = 3"
    by_origin = ("k.host", "k.origin")
    yield Sum("node_origins", by_origin, ended, "decisions", _DECISIONS, of_canary)
    failed = f"{_RANGE} AND {_FAILED}"
    yield Sum("node_canaries", ("k.host",), {"failed": "1"}, "decisions", _DECISIONS, failed)


_CARRIED_COUNTS = {
    **{f"k{level}": f"r.k{level}" for level in POINTS},
    "carried": "(r.k1 + r.k2 + r.k3)",
    "carried_points": "(" + " + ".join(f"{weight} * r.k{n}" for n, weight in POINTS.items()) + ")",
}


def _days_and_flows() -> Iterator[Sum]:
    answers = {"accepted": _ACCEPTED, "rejected": _REJECTED}
    for counts, rows, source in (
        ({"migrations": "1", **answers}, "migrations", _MIGRATIONS),
        ({"canaries_opened": "1"}, "openings", _OPENINGS),
        ({"claims": NEWLY_CLAIMED}, "kudos", _CLAIMS),
        ({**_KUDOS, "refused": _REFUSED, "void": _VOID}, "decisions", _DECISIONS),
        (_CARRIED_COUNTS, "carried", _CARRIED),
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
