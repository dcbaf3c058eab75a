"""A validator's sealed rounds: what was sealed first stays, whatever happens in between."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.claim_calls import ClaimVote
from ledger.errors import CorruptData
from ledger.types import Digest
from node.ballot_box import BallotBox, Sealed

SALT = Digest(b"\x05" * 32)
VOTES = (ClaimVote(Digest(b"\x01" * 32), 128), ClaimVote(Digest(b"\x02" * 32), 131))

digests = st.binary(min_size=32, max_size=32).map(Digest)
sealed_rounds = st.builds(
    Sealed,
    st.integers(0, 2**40),
    st.lists(st.builds(ClaimVote, digests, st.integers(128, 159)), max_size=5).map(tuple),
    digests,
)


def test_what_is_sealed_is_there_after_a_restart(tmp_path: Path) -> None:
    box = BallotBox(tmp_path / "ballots.db")
    assert box.sealed(7) is None
    assert box.seal(Sealed(7, VOTES, SALT)) == Sealed(7, VOTES, SALT)
    box.close()
    again = BallotBox(tmp_path / "ballots.db")
    assert again.sealed(7) == Sealed(7, VOTES, SALT)
    again.close()


@settings(max_examples=25)
@given(st.lists(sealed_rounds, max_size=6))
def test_each_round_keeps_what_was_sealed_first(rounds: list[Sealed]) -> None:
    with TemporaryDirectory() as folder:
        box, first = BallotBox(Path(folder) / "ballots.db"), dict[int, Sealed]()
        for sealed in rounds:
            first.setdefault(sealed.number, sealed)
            assert box.seal(sealed) == first[sealed.number]
        assert box.numbers() == sorted(first)
        assert [box.sealed(number) for number in box.numbers()] == [first[n] for n in sorted(first)]
        box.close()


def test_what_is_forgotten_is_gone(tmp_path: Path) -> None:
    box = BallotBox(tmp_path / "ballots.db")
    for number in (3, 4):
        box.seal(Sealed(number, VOTES, SALT))
    box.forget(3)
    assert (box.sealed(3), box.numbers()) == (None, [4])
    box.close()


def test_nobody_else_may_read_it_and_logs_do_not_show_it(tmp_path: Path) -> None:
    box = BallotBox(tmp_path / "ballots.db")
    box.seal(Sealed(7, VOTES, SALT))
    for file in os.listdir(tmp_path):
        assert stat.S_IMODE((tmp_path / file).stat().st_mode) == 0o600, file
    shown = repr(Sealed(7, VOTES, SALT))
    assert "05" not in shown and "131" not in shown
    box.close()


def test_the_box_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ballots.db"
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 2")
    db.close()
    with pytest.raises(CorruptData, match="is of version 2"):
        BallotBox(path)
