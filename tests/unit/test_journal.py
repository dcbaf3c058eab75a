"""A node's memory over a crash: answers once, numbers once, seals for good."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.errors import CorruptData
from ledger.types import Address, Digest
from node.journal import VERSION, Journal, Seal

HOME, OTHER = Address(b"\x01" * 20), Address(b"\x02" * 20)
ID, ID2 = Digest(b"\x03" * 32), Digest(b"\x04" * 32)
SEAL = Seal(Digest(b"\x05" * 32), Digest(b"\x06" * 32), Digest(b"\x07" * 32), b"\x08" * 32)

SOLVED = replace(SEAL, solution=Digest(bytes(31) + b"\x09"))


class Memory:
    """A journal that can be left without closing, as kill -9 leaves it, and opened again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.left = [Journal(path)]

    @property
    def journal(self) -> Journal:
        return self.left[-1]

    def restart(self) -> Journal:
        self.left.append(Journal(self.path))
        return self.journal


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    memory = Memory(tmp_path / "journal.db")
    yield memory
    for journal in memory.left:
        journal.close()


def test_a_request_is_answered_once(memory: Memory) -> None:
    assert memory.journal.claim_answer(HOME, 5, ID)
    assert not memory.journal.claim_answer(HOME, 5, ID)
    assert not memory.journal.claim_answer(HOME, 5, ID2)
    assert memory.journal.claim_answer(HOME, 6, ID2)
    assert memory.journal.claim_answer(OTHER, 5, ID2)


def test_an_answer_stays_given_over_a_crash(memory: Memory) -> None:
    assert memory.journal.claim_answer(HOME, 5, ID)
    assert not memory.restart().claim_answer(HOME, 5, ID2)


def test_numbers_go_on_after_a_crash(memory: Memory) -> None:
    assert [memory.journal.take_sequence(HOME, 0) for _ in range(3)] == [0, 1, 2]
    assert memory.journal.take_sequence(OTHER, 0) == 0
    assert memory.restart().take_sequence(HOME, 0) == 3


def test_numbers_follow_the_ledger_when_it_is_ahead(memory: Memory) -> None:
    assert memory.journal.take_sequence(HOME, 40) == 40
    assert memory.journal.take_sequence(HOME, 7) == 41
    assert memory.restart().take_sequence(HOME, 50) == 50


def test_a_seal_can_be_opened_after_a_crash(memory: Memory) -> None:
    assert memory.journal.seal(ID) is None
    memory.journal.put_seal(ID, SEAL)
    assert memory.restart().seal(ID) == SEAL
    assert memory.journal.seal(ID2) is None


def test_a_seal_is_set_once_and_a_failure_leaves_the_journal_usable(memory: Memory) -> None:
    memory.journal.put_seal(ID, SEAL)
    other = Seal(SEAL.salt, SEAL.salt, SEAL.salt, b"")
    with pytest.raises(sqlite3.IntegrityError):
        memory.journal.put_seal(ID, other)
    assert memory.journal.seal(ID) == SEAL
    memory.journal.put_seal(ID2, other)
    assert memory.restart().seal(ID2) == other


def test_a_journal_of_version_1_learns_about_marks(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    old = sqlite3.connect(path)
    old.execute(
        "CREATE TABLE seals (request_id BLOB PRIMARY KEY, task_digest BLOB NOT NULL,"
        " result_digest BLOB NOT NULL, salt BLOB NOT NULL) STRICT, WITHOUT ROWID"
    )
    words = (SEAL.task_digest, SEAL.result_digest, SEAL.salt)
    old.execute("INSERT INTO seals VALUES (?, ?, ?, ?)", (ID, *words))
    old.execute("PRAGMA user_version = 1")
    old.commit()
    old.close()
    journal = Journal(path)
    assert journal.seal(ID) == Seal(*words, b"")
    journal.put_seal(ID2, SEAL)
    journal.close()
    assert version_of(path) == VERSION
    again = Journal(path)
    assert again.seal(ID2) == SEAL
    again.close()


def test_a_journal_of_version_2_learns_about_solutions(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    old = sqlite3.connect(path)
    old.execute(
        "CREATE TABLE seals (request_id BLOB PRIMARY KEY, task_digest BLOB NOT NULL,"
        " result_digest BLOB NOT NULL, salt BLOB NOT NULL, mark_hash BLOB NOT NULL DEFAULT x'')"
        " STRICT, WITHOUT ROWID"
    )
    words = (SEAL.task_digest, SEAL.result_digest, SEAL.salt, SEAL.mark_hash)
    old.execute("INSERT INTO seals VALUES (?, ?, ?, ?, ?)", (ID, *words))
    old.execute("PRAGMA user_version = 2")
    old.commit()
    old.close()
    journal = Journal(path)
    assert journal.seal(ID) == SEAL
    journal.put_seal(ID2, SOLVED)
    journal.close()
    assert version_of(path) == VERSION
    again = Journal(path)
    assert again.seal(ID2) == SOLVED
    again.close()


def test_a_solution_is_kept_over_a_crash(memory: Memory) -> None:
    memory.journal.put_seal(ID, SOLVED)
    assert memory.restart().seal(ID) == SOLVED


def test_where_a_task_is_kept(memory: Memory) -> None:
    assert memory.journal.task(ID) is None
    memory.journal.put_task(ID, b"first")
    memory.journal.put_task(ID, b"again")
    assert memory.restart().task(ID) == b"first"


def test_counters_outlive_the_process(memory: Memory) -> None:
    memory.journal.count("sent")
    memory.journal.count("sent", 2)
    memory.journal.count("local")
    assert memory.restart().counters() == {"sent": 3, "local": 1}


def version_of(path: Path) -> int:
    db = sqlite3.connect(path)
    (version,) = db.execute("PRAGMA user_version").fetchone()
    db.close()
    return int(version)


def set_version(path: Path, version: int) -> None:
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {version}")
    db.close()


def test_a_journal_of_a_newer_program_is_left_alone(memory: Memory) -> None:
    assert memory.journal.take_sequence(HOME, 7) == 7
    set_version(memory.path, VERSION + 1)
    with pytest.raises(CorruptData, match=f"of version {VERSION + 1}") as caught:
        Journal(memory.path)
    assert "newer program" in str(caught.value.hint)
    assert version_of(memory.path) == VERSION + 1
    set_version(memory.path, VERSION)
    assert memory.restart().take_sequence(HOME, 0) == 8


def test_a_journal_from_before_versions_keeps_what_it_knows(memory: Memory) -> None:
    assert version_of(memory.path) == VERSION
    assert memory.journal.claim_answer(HOME, 5, ID)
    set_version(memory.path, 0)
    assert not memory.restart().claim_answer(HOME, 5, ID2)
    assert version_of(memory.path) == VERSION


def test_only_the_owner_can_read_it(memory: Memory) -> None:
    memory.journal.put_seal(ID, SEAL)
    for file in memory.path.parent.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file.name
