"""The command line as a person meets it: help with examples, errors that say what to do."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ledger.creation import PARTS, Constants
from ledger.deployment import Deployment
from ledger.types import Address, BlockNumber, Digest, address_from_hex

COMMANDS = (
    *("demo", "chain", "deploy", "node", "agent", "validator", "validators"),
    *("test-validators", "cc", "run", "plant", "check", "strategy", "audit"),
    *("prove", "verify", "explore", "serve", "key"),
)
NOBODY = "http://127.0.0.1:1"
"""Nothing listens on port 1."""
ADDRESS = "0x" + "12" * 20


@dataclass
class Answer:
    status: int
    out: str
    err: str


Kudos = Callable[..., Answer]


@pytest.fixture
def kudos(project: Path, tmp_path: Path) -> Kudos:
    """Runs the command in an empty directory, without a terminal."""

    def run(*arguments: str) -> Answer:
        outside = {name: value for name, value in os.environ.items() if name != "KUDOS_SOCKET"}
        environment = {**outside, "PYTHONPATH": str(project), "COLUMNS": "100"}
        done = subprocess.run(
            [sys.executable, "-m", "node.cli", *arguments],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Answer(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "pw"
    file.touch(0o600)
    file.write_text("secret\n", "utf-8")
    return file


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    file = tmp_path / "ledger.json"
    validators = tuple(Address(bytes([n]) * 20) for n in (1, 2, 3))
    where = (31_337, Address(b"\xaa" * 20), BlockNumber(1), (Digest(bytes(32)),) * len(PARTS))
    Deployment(*where, validators, 2, Constants(), 4).save(file)
    return file


def with_hint(answer: Answer, status: int, words: str) -> None:
    """A message and, on a line of its own, what to do."""
    assert answer.status == status, answer.err
    lines = [line for line in answer.err.splitlines() if line.startswith(("kudos: ", "       "))]
    assert words in lines[0]
    assert len(lines) >= 2, f"no hint: {answer.err}"


def test_the_help_names_every_command(kudos: Kudos) -> None:
    answer = kudos("--help")
    assert answer.status == 0
    listed = re.findall(r"^    ([a-z-]+)\b", answer.out, re.MULTILINE)
    assert sorted(listed) == sorted(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(kudos: Kudos, command: str) -> None:
    # --verbose first, as `kudos cc --help` is the compiler's own.
    answer = kudos("--verbose", command, "--help")
    assert answer.status == 0
    assert re.search(rf"^example:\n  .*kudos {command}\b", answer.out, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "required: COMMAND"),
        (["dance"], "invalid choice: 'dance'"),
        (["check", "0x12", "--data", "."], "'0x12' is no address"),
        (["key", "burn", "k.json"], "invalid choice: 'burn'"),
        (["node"], "are required"),
        (["chain", "--data", "x", "--port", "many"], "invalid int value"),
        (["plant", "sudoku", "5"], "Installed are dlog, factor, preimage."),
        (["plant", "dlog", "soon"], "invalid float value: 'soon'"),
        (["node", "--claim-again", "-1"], "'-1' is no number from 0 to 20"),
        (["agent", "--claim-again", "21"], "'21' is no number from 0 to 20"),
        (["plant", "dlog", "nan"], "up to 30 seconds"),
        (["plant", "dlog", "0"], "more than 0"),
        (["plant", "dlog", "31"], "up to 30 seconds"),
        (["plant", "dlog", "5", "--within", "0"], "Give 1 or more"),
        (["plant", "dlog", "5"], "Only a node can plant a puzzle."),
    ],
)
def test_wrong_arguments_are_status_2(kudos: Kudos, arguments: list[str], words: str) -> None:
    answer = kudos(*arguments)
    assert answer.status == 2
    assert words in answer.err
    assert answer.out == ""


def test_validators_are_tested_beside_a_node(
    kudos: Kudos, tmp_path: Path, password: Path, ledger: Path
) -> None:
    assert kudos("key", "new", "k.json", "--password-file", str(password)).status == 0
    signed = ("--key", "k.json", "--password-file", str(password), "--data", "tester")
    host = ("--host-key", "k.json", "--host-password-file", str(password))
    command = ("test-validators", "--ledger", str(ledger), "--rpc", NOBODY, *signed, *host)
    with_hint(kudos(*command, "--host-data", "nowhere"), 3, "no data directory of a node")
    (tmp_path / "node").mkdir()
    (tmp_path / "node" / "address").write_text(ADDRESS + "\n", "utf-8")
    with_hint(kudos(*command, "--host-data", "node"), 3, f"is the data directory of {ADDRESS}")


def test_a_puzzle_that_no_node_takes_is_status_1(tmp_path: Path, project: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(project), "KUDOS_SOCKET": str(tmp_path / "no")}
    done = subprocess.run(
        [sys.executable, "-m", "node.cli", "plant", "dlog", "0.1"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "The puzzle was not planted" in done.stderr
    assert "Traceback" not in done.stderr


def test_half_of_an_external_chain_is_status_2(kudos: Kudos) -> None:
    with_hint(kudos("demo", "--rpc", NOBODY), 2, "--rpc needs more")
    with_hint(kudos("demo", "--chain-id", "5"), 2, "go with --rpc")


def test_without_a_terminal_a_password_file_is_needed(kudos: Kudos) -> None:
    answer = kudos("key", "new", "k.json")
    with_hint(answer, 2, "no terminal")
    assert "--password-file" in answer.err


def test_a_key_is_made_once_and_its_secret_never_shown(
    kudos: Kudos, password: Path, tmp_path: Path
) -> None:
    made = kudos("key", "new", "k.json", "--password-file", str(password))
    assert made.status == 0, made.err
    assert len(address_from_hex(made.out.strip())) == 20
    file = tmp_path / "k.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with_hint(kudos("key", "new", "k.json", "--password-file", str(password)), 2, "already")
    shown = kudos("key", "show", "k.json", "--password-file", str(password))
    assert (shown.status, shown.out, shown.err) == (0, made.out, "")
    password.write_text("guess\n", "utf-8")
    wrong = kudos("key", "show", "k.json", "--password-file", str(password))
    with_hint(wrong, 3, "cannot be opened")
    assert "guess" not in wrong.err


def test_an_empty_password_makes_no_key(kudos: Kudos, password: Path, tmp_path: Path) -> None:
    password.write_text("\n", "utf-8")
    answer = kudos("key", "new", "k.json", "--password-file", str(password))
    with_hint(answer, 2, "password is empty")
    assert not (tmp_path / "k.json").exists()


@pytest.mark.parametrize(("file", "words"), [("none", "no password file"), (".", "cannot be read")])
def test_a_password_file_that_is_none_is_status_3(kudos: Kudos, file: str, words: str) -> None:
    with_hint(kudos("key", "show", "k.json", "--password-file", file), 3, words)


def test_a_keystore_that_is_none_is_status_3(kudos: Kudos, password: Path) -> None:
    for file, words in [("k.json", "no keystore"), (".", "cannot be opened")]:
        with_hint(kudos("key", "show", file, "--password-file", str(password)), 3, words)


def test_a_directory_without_a_node_is_status_3(kudos: Kudos) -> None:
    with_hint(kudos("check", ADDRESS, "--data", "nowhere"), 3, "no node's data directory")


def test_a_missing_or_damaged_ledger_description(kudos: Kudos, tmp_path: Path) -> None:
    with_hint(kudos("audit", "--ledger", "none.json", "--rpc", NOBODY), 2, "no deployment file")
    (tmp_path / "bad.json").write_text("{}", "utf-8")
    with_hint(kudos("audit", "--ledger", "bad.json", "--rpc", NOBODY), 5, "bad.json")


def test_no_chain_at_the_address_is_status_4(kudos: Kudos, ledger: Path) -> None:
    with_hint(kudos("audit", "--ledger", str(ledger), "--rpc", NOBODY), 4, "127.0.0.1:1")


@pytest.mark.parametrize("listen", ["8080", "localhost:", ":80", "host:99999", "host:1²"])
def test_an_address_that_is_none_is_status_2(kudos: Kudos, ledger: Path, listen: str) -> None:
    answer = kudos("serve", "--ledger", str(ledger), "--index", "i.db", "--listen", listen)
    with_hint(answer, 2, "is no address")
