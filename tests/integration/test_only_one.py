"""Two daemons on one data directory, with real processes: the second is refused, and says what to
do; after a kill -9 of the first it may."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from eth_account import Account

from ledger.embedded import die_with_parent
from ledger.errors import SetupError
from node.only_one import LOCK_FILE, only_one
from tests.integration.chain_world import World

READY = {"node": "listens on", "agent": "listens on", "validator": "validator 0x"}


class Office:
    """The command line for the daemons of one key on one data directory."""

    def __init__(self, world: World, data: Path) -> None:
        self.data = data
        world.deployment.save(data / "ledger.json")
        key = world.validators[0]
        body = Account.encrypt(key.expose_secret(), "secret", kdf="pbkdf2", iterations=1)
        (data / "key.json").write_text(json.dumps(body), "utf-8")
        (data / "pw").write_text("secret\n", "utf-8")
        for name in ("key.json", "pw"):
            (data / name).chmod(0o600)
        self._common = ["--ledger", str(data / "ledger.json"), "--rpc", world.chain.url]
        self._common += ["--key", str(data / "key.json"), "--password-file", str(data / "pw")]
        self._common += ["--data", str(data / "d")]

    def command(self, daemon: str) -> list[str]:
        words = [sys.executable, "-m", "node.cli", daemon, *self._common]
        return words if daemon == "validator" else [*words, "--listen", "127.0.0.1:0"]

    @contextmanager
    def running(self, daemon: str) -> Iterator[subprocess.Popen[bytes]]:
        """Until the end of the context it is at work."""
        path = self.data / f"{daemon}.log"
        with path.open("wb") as log:
            process = subprocess.Popen(
                self.command(daemon), stdout=log, stderr=log, preexec_fn=die_with_parent()
            )
        try:
            deadline = time.monotonic() + 60
            while READY[daemon] not in path.read_text("utf-8", "replace"):
                assert process.poll() is None, path.read_text("utf-8", "replace")
                assert time.monotonic() < deadline, path.read_text("utf-8", "replace")
                time.sleep(0.1)
            yield process
        finally:
            process.terminate()
            process.wait(20)

    def refused(self, daemon: str) -> str:
        """What it says instead of starting."""
        done = subprocess.run(
            self.command(daemon), capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == SetupError.exit_code, done.stderr
        return done.stderr


@pytest.fixture
def office(world: World) -> Iterator[Office]:
    # Not pytest's tmp_path: a Unix socket's path has to be short.
    with tempfile.TemporaryDirectory(prefix="kudos-") as data:
        yield Office(world, Path(data))


@pytest.mark.parametrize(
    ("first", "second"), [("node", "agent"), ("agent", "node"), ("validator", "node")]
)
def test_the_second_daemon_is_refused_until_the_first_is_gone(
    office: Office, first: str, second: str
) -> None:
    with office.running(first) as process:
        said = office.refused(second)
        assert f"`kudos {first}` (process {process.pid}) works in {office.data / 'd'}" in said
        assert f"Stop it first, or give `kudos {second}` a --data directory" in said
        assert f"`kudos {first}`" in office.refused(first), "two of a kind neither"
        process.kill()
        process.wait(20)
    with office.running(second):
        assert f"`kudos {second}`" in office.refused(first)


def test_a_lock_without_a_name_in_it_is_a_lock(tmp_path: Path) -> None:
    with only_one(tmp_path, "node"):
        (tmp_path / LOCK_FILE).write_text("", "utf-8")
        with (
            pytest.raises(SetupError, match=r"^A daemon works in") as caught,
            only_one(tmp_path, "agent"),
        ):
            pass
    assert "`kudos agent`" in caught.value.hint
    with only_one(tmp_path, "agent"):
        assert (tmp_path / LOCK_FILE).read_text("utf-8").startswith("agent ")
