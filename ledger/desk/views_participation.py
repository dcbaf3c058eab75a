"""How periods of the beacon and rounds of votes stand, by the clock of the chain. Pure.

Nobody is silent who may still speak: a secret can be revealed from the end of its period on, for a
while, votes once their round is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from ledger.desk.queries.rule import Participation
from ledger.desk.wording import count_of

FIXED = ("named", "known", "none")
"""What the chain itself says of a period; before that its clock decides."""


def stand(
    period: Participation, now: int, period_seconds: int, reveal_seconds: int
) -> Participation:
    """A period of the beacon with its status at this time, and with those as silent that can reveal
    no more."""
    start = period.number * period_seconds
    end = start + period_seconds
    if period.status in FIXED or now >= end + reveal_seconds:
        return replace(period, status=period.status if period.status in FIXED else "waiting")
    status = "committing" if now < start else "running" if now < end else "revealing"
    return replace(period, status=status, silent=())


def words(period: Participation) -> str:
    """How a period stands, for people."""
    if not period.committed and period.status not in ("committing", "known"):
        return "nobody committed"
    secrets = count_of(len(period.silent), "secret")
    return {
        "committing": "collecting commitments",
        "running": "running, commitments are closed",
        "revealing": "revealing",
        "waiting": "waits for a block to be named",
        "named": "waits for its block",
        "known": f"known without {secrets}" if period.silent else "known",
        "none": "none, too few revealed",
    }[period.status]


def with_gaps(periods: Sequence[Participation], current: int, most: int) -> list[Participation]:
    """These, and between them so many of the periods up to the current one that nobody committed
    to; the newest first."""
    known = {period.number: period for period in periods}
    newest, oldest = max(known, default=0), min(known, default=1)
    past = range(min(newest, current), oldest, -1)
    missed = islice((number for number in past if number not in known), most)
    empty = {number: Participation(number, (), (), "open", None) for number in missed}
    return [each for _, each in sorted({**known, **empty}.items(), reverse=True)]


def ended(round_: Participation, now: int, round_seconds: int) -> Participation:
    """A round of votes, with nobody silent while it is running."""
    if now < (round_.number + 1) * round_seconds:
        return replace(round_, status="running", silent=())
    return replace(round_, status="over")
