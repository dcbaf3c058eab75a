"""The home's secret: owner-only, one opening per request, nothing lost over a crash."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from canaries.commitment import ORDINARY, PLANTED, Mark
from canaries.vault import VERSION, Sealed, Vault, VaultError

ID = b"\x01" * 32
RESULT, OTHER_RESULT = b"\x0a" * 32, b"\x0b" * 32
CANARY = Sealed(
    ID, b"\x02" * 20, b"\x03" * 32, Mark(PLANTED, b"\x04" * 32, b"\x05" * 32, b"\x06" * 32)
)
TASK = Sealed(
    b"\x07" * 32, CANARY.host, b"\x08" * 32, Mark(ORDINARY, bytes(32), bytes(32), b"\x09" * 32)
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault.db"


@pytest.fixture
def vault(path: Path) -> Iterator[Vault]:
    vault = Vault(path)
    yield vault
    vault.close()


def reopened(path: Path) -> Vault:
    """As after kill -9: the first one was never closed."""
    return Vault(path)


def test_only_the_owner_can_read_it(vault: Vault, path: Path) -> None:
    vault.put(CANARY)
    names = {file.name for file in path.parent.iterdir()}
    assert "vault.db" in names
    for file in path.parent.iterdir():
        assert file.stat().st_mode & 0o777 == 0o600, file.name


def test_a_mode_that_was_loosened_is_tightened(path: Path) -> None:
    Vault(path).close()
    path.chmod(0o644)
    Vault(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_another_users_vault_is_not_opened(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Vault(path).close()
    before = path.read_bytes()
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    with pytest.raises(VaultError, match="belongs to another user"):
        Vault(path)
    assert path.read_bytes() == before


def test_a_mark_comes_back_as_it_went_in(vault: Vault, path: Path) -> None:
    vault.put(CANARY)
    assert vault.canary(ID) == CANARY
    again = reopened(path)
    assert again.canary(ID) == CANARY
    again.close()
    assert vault.canary(b"\x00" * 32) is None


def test_an_ordinary_task_is_no_canary_and_cannot_be_opened(vault: Vault) -> None:
    vault.put(TASK)
    assert vault.canary(TASK.request_id) is None
    with pytest.raises(VaultError, match="no canary of ours"):
        vault.open(TASK.request_id, RESULT, 5, b"s")
    with pytest.raises(VaultError, match="no canary of ours"):
        vault.open(b"\x00" * 32, RESULT, 5, b"s")
    assert vault.undelivered() == []


def test_a_request_has_one_mark(vault: Vault) -> None:
    vault.put(CANARY)
    with pytest.raises(VaultError, match="has a mark already"):
        vault.put(replace(TASK, request_id=ID))
    assert vault.canary(ID) == CANARY
    vault.put(TASK)


def test_the_first_opening_stands(vault: Vault, path: Path) -> None:
    vault.put(CANARY)
    first = vault.open(ID, RESULT, 5, b"first")
    assert (first.sealed, first.result_id, first.opened_at) == (CANARY, RESULT, 5)
    assert vault.open(ID, OTHER_RESULT, 6, b"second") == first
    assert vault.canary(ID) is None
    again = reopened(path)
    assert again.open(ID, OTHER_RESULT, 7, b"third") == first
    again.close()


def test_an_opening_is_delivered_until_it_was(vault: Vault, path: Path) -> None:
    vault.put(CANARY)
    assert vault.undelivered() == []
    opening = vault.open(ID, RESULT, 5, b"signature")
    assert vault.undelivered() == [opening]
    again = reopened(path)
    assert again.undelivered() == [opening]
    again.delivered(ID)
    again.close()
    assert vault.undelivered() == []


def test_what_came_to_nothing_is_forgotten_but_no_opening_is(vault: Vault) -> None:
    vault.put(CANARY)
    vault.forget(ID)
    assert vault.canary(ID) is None
    vault.put(CANARY)
    opening = vault.open(ID, RESULT, 5, b"signature")
    vault.forget(ID)
    assert vault.undelivered() == [opening]


def test_a_damaged_vault_gives_no_openings(vault: Vault, path: Path) -> None:
    vault.put(CANARY)
    vault.open(ID, RESULT, 5, b"signature")
    db = sqlite3.connect(path)
    db.execute("PRAGMA ignore_check_constraints = ON")
    db.execute("UPDATE marks SET result_id = NULL")
    db.commit()
    db.close()
    with pytest.raises(VaultError, match="damaged"):
        vault.undelivered()


def version_of(path: Path) -> int:
    db = sqlite3.connect(path)
    (version,) = db.execute("PRAGMA user_version").fetchone()
    db.close()
    return int(version)


def set_version(path: Path, version: int) -> None:
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {version}")
    db.close()


def test_a_vault_of_a_newer_program_is_left_alone(vault: Vault, path: Path) -> None:
    vault.put(CANARY)
    set_version(path, VERSION + 1)
    with pytest.raises(VaultError, match=f"of version {VERSION + 1}"):
        Vault(path)
    assert version_of(path) == VERSION + 1
    assert vault.canary(ID) == CANARY


def test_a_vault_from_before_versions_keeps_its_marks(vault: Vault, path: Path) -> None:
    assert version_of(path) == VERSION
    vault.put(CANARY)
    set_version(path, 0)
    again = reopened(path)
    assert again.canary(ID) == CANARY
    again.close()
    assert version_of(path) == VERSION


def test_a_mark_does_not_show_itself(vault: Vault) -> None:
    assert "unopened" in repr(CANARY.mark)
    assert "06" not in repr(CANARY.mark)
    assert repr(CANARY.mark) == repr(TASK.mark)
