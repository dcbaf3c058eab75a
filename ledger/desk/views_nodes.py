"""What the pages of nodes show beside the queries' own rows."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.desk.queries import node
from ledger.desk.queries.common import DAY
from ledger.reader import Reader
from ledger.types import Address

FINE_UNTIL_POINTS = 200_000
FINE_STEPS = 200
"""A young node's curve is drawn block by block; the limits keep that cheap."""


@dataclass(frozen=True, slots=True)
class Column:
    """A sortable column of the table of nodes: its sort, its head, and what that means."""

    sort: str
    title: str
    meaning: str


COLUMNS = (
    Column("points", "Points", "K1 count 1, K2 count 10, K3 count 100"),
    Column("k1", "K1", "verified: requests it rejected properly"),
    Column("k2", "K2", "verified: tasks it ran, with a result in time"),
    Column("k3", "K3", "verified: canaries it passed"),
    Column("hosted", "Hosted", "tasks of others that it accepted"),
    Column("requests", "Sent", "tasks that it asked others to run"),
    Column("acceptance", "Accepts", "share of the requests to it that it accepted"),
    Column("canaries_passed", "Canaries passed", "opened, and found right by the validators"),
    Column("canaries_failed", "Canaries failed", "opened, and refused by the validators"),
)


@dataclass(frozen=True, slots=True)
class Chart:
    """A node's points over time; ``is_daily``: at the ends of days, else after single blocks."""

    points: tuple[tuple[int, int], ...]
    is_daily: bool


def chart(reader: Reader, who: Address) -> Chart:
    """By days; by blocks while all of it lies within two days."""
    days = node.series(reader, who)
    active = [day for day in days if day.points or day.requests or day.hosted]
    if not active or days[-1].start - active[0].start > DAY:
        first = active[0].start if active else 0
        return Chart(tuple((day.start, day.points) for day in days if day.start >= first), True)
    if days[-1].points > FINE_UNTIL_POINTS:
        return Chart(tuple((day.start, day.points) for day in days), True)
    series = reader.kudos_series(who)
    stride = -(-len(series) // FINE_STEPS) or 1
    return Chart((*series[:-1][::stride], *series[-1:]), False)
