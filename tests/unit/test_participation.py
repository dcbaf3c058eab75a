"""How periods of the beacon and rounds of votes stand at a time, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger.desk.queries.rule import Participation
from ledger.desk.views_participation import ended, stand, with_gaps, words
from ledger.types import Address, Digest

A, B = (Address(bytes([number]) * 20) for number in (1, 2))
PERIOD, REVEAL = 100, 20
SILENT = Participation(7, (A, B), (B,), "open", None)
VALUE = Digest(bytes([7]) * 32)


@pytest.mark.parametrize(
    ("now", "status", "silent", "said"),
    [
        (699, "committing", (), "collecting commitments"),
        (700, "running", (), "running, commitments are closed"),
        (799, "running", (), "running, commitments are closed"),
        (800, "revealing", (), "revealing"),
        (819, "revealing", (), "revealing"),
        (820, "waiting", (B,), "waits for a block to be named"),
    ],
)
def test_the_clock_says_who_is_silent(
    now: int, status: str, silent: tuple[Address, ...], said: str
) -> None:
    found = stand(SILENT, now, PERIOD, REVEAL)
    assert (found.status, found.silent, words(found)) == (status, silent, said)
    nobody = stand(replace(SILENT, committed=(), silent=()), now, PERIOD, REVEAL)
    assert words(nobody) == (said if status == "committing" else "nobody committed")


@pytest.mark.parametrize(
    ("status", "silent", "said"),
    [
        ("named", (), "waits for its block"),
        ("known", (), "known"),
        ("known", (B,), "known without 1 secret"),
        ("known", (A, B), "known without 2 secrets"),
        ("none", (A, B), "none, too few revealed"),
    ],
)
def test_what_the_chain_said_stands(status: str, silent: tuple[Address, ...], said: str) -> None:
    period = replace(SILENT, status=status, silent=silent, value=VALUE)
    assert stand(period, 999, PERIOD, REVEAL) == period
    assert words(period) == said


def test_periods_without_anybody_are_shown_up_to_the_present_one() -> None:
    listed = [replace(SILENT, number=number) for number in (90, 9, 5, 4)]
    numbers = [(each.number, len(each.committed)) for each in with_gaps(listed, 12, 99)]
    assert numbers == [(90, 2), (12, 0), (11, 0), (10, 0), (9, 2), *((8 - n, 0) for n in range(3)),
                       (5, 2), (4, 2)]  # fmt: skip
    few = [each.number for each in with_gaps(listed, 12, 2)]
    assert few == [90, 12, 11, 9, 5, 4]
    assert with_gaps([], 12, 99) == []


def test_nobody_is_silent_in_a_round_that_runs() -> None:
    assert ended(SILENT, 79, 10) == replace(SILENT, status="running", silent=())
    assert ended(SILENT, 80, 10) == replace(SILENT, status="over")
