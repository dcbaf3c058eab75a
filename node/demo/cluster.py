"""The demo's processes: each node and validator with its own key, data directory and log, as a
stranger would start them. Secrets pass through owner-only files; nothing secret is on a command
line."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ledger.embedded import die_with_parent
from ledger.errors import SetupError
from ledger.keys import Key
from ledger.ports import Entropy
from ledger.types import Address, hex_of
from node.identity import create

SCRYPT_N = 1 << 12
"""Cheap on purpose: the demo's keys live for one run, and seven of them are unlocked on two
cores."""
START_SECONDS = 30.0
STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Member:
    """One participant: who it is and where its things are."""

    name: str
    role: str
    key: Key
    data: Path

    @property
    def address(self) -> Address:
        return self.key.address

    @property
    def keystore(self) -> Path:
        return self.data / "key.json"

    @property
    def password_file(self) -> Path:
        return self.data / "password"

    @property
    def index(self) -> Path:
        return self.data / "index.db"

    @property
    def socket(self) -> Path:
        return self.data / "socket"

    @property
    def log(self) -> Path:
        return self.data / "log"


def enrol(root: Path, name: str, role: str, entropy: Entropy) -> Member:
    """Makes a participant's directory, password and key."""
    data = root / name
    data.mkdir(parents=True, mode=0o700)
    password = entropy(16).hex()
    file = data / "password"
    file.touch(0o600)
    file.write_text(password + "\n", "utf-8")
    key = create(data / "key.json", password, entropy, scrypt_n=SCRYPT_N)
    return Member(name, role, key, data)


class Daemon:
    """One process of ours, by its id."""

    def __init__(self, member: Member, arguments: Sequence[str]) -> None:
        self.member, self._arguments = member, list(arguments)
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = False

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        """Whether it was started and not killed or stopped by us."""
        return self._process is not None and not self._ended

    def start(self) -> None:
        self._ended = False
        command = [sys.executable, "-m", "node.cli", *self._arguments]
        with self.member.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )

    def check(self) -> None:
        """SetupError with the end of its log when the process is gone."""
        if self._process is None or self._process.poll() is None:
            return
        tail = "\n".join(self.member.log.read_text("utf-8", "replace").splitlines()[-8:])
        raise SetupError(
            f"{self.member.name} ended with status {self._process.returncode}:\n{tail}",
            hint=f"The whole log is {self.member.log}.",
        )

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self._ended = True
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL when that is ignored."""
        self._ended = True
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()


def node_arguments(
    member: Member, ledger: Path, rpc: str, listen: str, peers: Sequence[str], extra: Sequence[str]
) -> list[str]:
    return ["node", *_common(member, ledger, rpc, peers), "--listen", listen, *extra]


def validator_arguments(member: Member, ledger: Path, rpc: str, peers: Sequence[str]) -> list[str]:
    return ["validator", *_common(member, ledger, rpc, peers)]


def _common(member: Member, ledger: Path, rpc: str, peers: Sequence[str]) -> list[str]:
    arguments = ["--ledger", str(ledger), "--rpc", rpc, "--key", str(member.keystore)]
    arguments += ["--password-file", str(member.password_file), "--data", str(member.data)]
    for peer in peers:
        arguments += ["--peer", peer]
    return arguments


def peer_of(member: Member, endpoint: str) -> str:
    """A peer as the others are told of it: identity and place."""
    return f"{hex_of(member.address)}@{endpoint}"


def free_endpoints(count: int) -> list[str]:
    """Addresses on loopback where nobody listens at the moment."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    endpoints = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    return endpoints


def wait_for_sockets(daemons: Sequence[Daemon]) -> None:
    """Waits until every node serves its Unix socket; SetupError after half a minute."""
    deadline = time.monotonic() + START_SECONDS
    waiting = [daemon for daemon in daemons if daemon.member.role != "validator"]
    while waiting:
        for daemon in waiting:
            daemon.check()
        waiting = [daemon for daemon in waiting if not _answers(daemon.member.socket)]
        if waiting and time.monotonic() > deadline:
            late = ", ".join(daemon.member.name for daemon in waiting)
            raise SetupError(f"{late} did not start within {START_SECONDS:.0f} s.")
        time.sleep(0.1)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(os.fspath(path))
        except OSError:
            return False
    return True
