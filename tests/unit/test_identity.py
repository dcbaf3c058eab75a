"""Keystores: a key goes in and the same key comes out, for its owner and nobody else."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from ledger.errors import SetupError, UsageError
from node import identity
from node.identity import create, password_from, unlock
from tests.unit.node_world import key, seeded_entropy

WEAK = 2
"""scrypt rounds: these keys guard nothing."""


@pytest.fixture
def keystore(tmp_path: Path) -> Path:
    path = tmp_path / "keys" / "node.json"
    create(path, "secret", seeded_entropy(1), scrypt_n=WEAK)
    return path


def test_the_same_key_comes_out(tmp_path: Path) -> None:
    path = tmp_path / "node.json"
    made = create(path, "secret", seeded_entropy(1), scrypt_n=WEAK)
    assert unlock(path, "secret").address == made.address
    stored = json.loads(path.read_text("utf-8"))
    assert stored["version"] == 3
    assert stored["crypto"]["kdf"] == "scrypt"
    assert bytes(Account.decrypt(stored, "secret")) == made.expose_secret()


def test_only_the_owner_can_read_it_and_it_does_not_hold_the_secret(keystore: Path) -> None:
    assert keystore.stat().st_mode & 0o777 == 0o600
    secret = unlock(keystore, "secret").expose_secret().hex()
    assert secret not in keystore.read_text("utf-8").lower()


def test_the_default_cost_is_the_standards() -> None:
    assert identity.STRONG_SCRYPT == 262_144


def test_a_key_is_never_overwritten(keystore: Path) -> None:
    before = keystore.read_bytes()
    with pytest.raises(UsageError, match="already") as caught:
        create(keystore, "other", seeded_entropy(2), scrypt_n=WEAK)
    assert caught.value.hint
    assert keystore.read_bytes() == before


def test_a_file_is_no_directory_for_keys(keystore: Path) -> None:
    with pytest.raises(SetupError, match="No keystore can be written") as caught:
        create(keystore / "below" / "it.json", "x", seeded_entropy(2), scrypt_n=WEAK)
    assert caught.value.hint


def test_numbers_that_are_no_key_are_drawn_again(tmp_path: Path) -> None:
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    draws = [bytes(32), order.to_bytes(32, "big"), b"\xff" * 32, (3).to_bytes(32, "big")]
    made = create(tmp_path / "k.json", "x", lambda size: draws.pop(0), scrypt_n=WEAK)
    assert made.address == key(3).address
    assert draws == []


def test_a_wrong_password_opens_nothing(keystore: Path) -> None:
    with pytest.raises(SetupError, match="cannot be opened") as caught:
        unlock(keystore, "guess")
    assert "password" in caught.value.hint


def test_a_missing_keystore_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="There is no keystore") as caught:
        unlock(tmp_path / "none.json", "x")
    assert "kudos key new" in caught.value.hint


Damage = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    "damage",
    [
        lambda stored: [],
        lambda stored: "text",
        lambda stored: {},
        lambda stored: {**stored, "crypto": {}},
        lambda stored: {**stored, "crypto": []},
        lambda stored: {**stored, "address": "no hex"},
        lambda stored: {**stored, "address": 5},
        lambda stored: {**stored, "address": "00"},
    ],
)
def test_a_damaged_keystore_is_said_to_be(keystore: Path, damage: Damage) -> None:
    stored = json.loads(keystore.read_text("utf-8"))
    keystore.write_text(json.dumps(damage(stored)), "utf-8")
    with pytest.raises(SetupError, match="cannot be opened"):
        unlock(keystore, "secret")


def test_what_is_no_file_or_no_text_is_no_keystore(keystore: Path) -> None:
    with pytest.raises(SetupError, match="cannot be opened"):
        unlock(keystore.parent, "secret")
    keystore.write_bytes(b"\xff\xfe{")
    with pytest.raises(SetupError, match="cannot be opened"):
        unlock(keystore, "secret")


def test_a_keystore_that_names_another_address_is_refused(keystore: Path) -> None:
    stored = json.loads(keystore.read_text("utf-8"))
    stored["address"] = key(9).address.hex()
    keystore.write_text(json.dumps(stored), "utf-8")
    with pytest.raises(SetupError, match="names another address"):
        unlock(keystore, "secret")
    del stored["address"]
    keystore.write_text(json.dumps(stored), "utf-8")
    unlock(keystore, "secret")


# -- passwords -----------------------------------------------------------------------------------


def test_the_password_is_the_first_line(tmp_path: Path) -> None:
    file = tmp_path / "pw"
    file.touch(0o600)
    assert password_from(file) == ""
    file.write_text("  with spaces \nsecond\n", "utf-8")
    assert password_from(file) == "  with spaces "


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_password_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "pw"
    file.write_text("secret", "utf-8")
    file.chmod(mode)
    with pytest.raises(SetupError, match="Others may read") as caught:
        password_from(file)
    assert "chmod 600" in caught.value.hint


def test_a_password_file_that_cannot_be_read_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="no password file"):
        password_from(tmp_path / "none")
    with pytest.raises(SetupError, match="cannot be read"):
        password_from(tmp_path)
    file = tmp_path / "pw"
    file.write_bytes(b"\xff\xfe")
    file.chmod(0o600)
    with pytest.raises(SetupError, match="cannot be read"):
        password_from(file)


def test_without_a_file_a_terminal_is_asked_or_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("not a terminal"))
    with pytest.raises(UsageError, match="no terminal") as caught:
        password_from(None)
    assert "--password-file" in caught.value.hint
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda prompt: "typed")
    assert password_from(None) == "typed"
