"""`kudos validators`: the validators change who they are, on a real chain and with real daemons."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from eth_account import Account

from ledger import calls
from ledger.creation import Constants
from ledger.embedded import EmbeddedChain, die_with_parent
from ledger.event_types import BatchSettled
from ledger.events import decode
from ledger.keys import Key
from ledger.types import Digest, hex_of
from node.commands import run
from tests.integration.chain_world import ETHER, World, key_of

DELAY = 3
WAIT_SECONDS = 60.0


@dataclass
class Office:
    """The command line, with a keystore for everybody."""

    world: World
    folder: Path
    capsys: pytest.CaptureFixture[str]
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def place(self) -> list[str]:
        return ["--ledger", str(self.folder / "ledger.json"), "--rpc", self.world.chain.url]

    def keystore(self, key: Key) -> list[str]:
        path = self.folder / f"{key.address.hex()}.json"
        password = path.with_suffix(".pw")
        if not path.exists():
            body = Account.encrypt(key.expose_secret(), "secret", kdf="pbkdf2", iterations=1)
            path.write_text(json.dumps(body), "utf-8")
            password.write_text("secret\n", "utf-8")
            for file in (path, password):
                file.chmod(0o600)
        return ["--key", str(path), "--password-file", str(password)]

    def asks(self, *words: str) -> str:
        """A look at the chain, which anybody may take."""
        return self._run([*words, *self.place()], 0)

    def does(self, key: Key, *words: str, status: int = 0) -> str:
        """What the command says to this validator."""
        return self._run([*words, *self.place(), *self.keystore(key)], status)

    def _run(self, words: list[str], status: int) -> str:
        found = run(["validators", *words])
        said = self.capsys.readouterr()
        assert found == status, said
        return said.out + said.err

    def wait_out_the_delay(self) -> None:
        self.world.rpc.raw("evm_increaseTime", [DELAY])
        self.world.chain.mine(1)

    def in_the_same_second(self) -> None:
        """The next block has the time of the last one."""
        self.world.rpc.raw("evm_setNextBlockTimestamp", [self.time()])

    def time(self) -> int:
        header = self.world.rpc.header("latest")
        assert header is not None
        return header.timestamp

    def settle(self) -> Digest:
        """A batch of the host; its root."""
        self.world.outbox.append_migration(self.world.migration(confirmed=True))
        assert self.world.step().settled == 1
        head = self.world.rpc.block_number()
        logs = self.world.rpc.logs([self.world.deployment.contract], head, head)
        (event,) = [each for each in map(decode, logs) if isinstance(each, BatchSettled)]
        return event.root

    def has_voted(self, validator: Key, root: Digest) -> bool:
        view = calls.ballot(self.world.host.address, root, validator.address)
        return view.decode(self.world.rpc.call(self.world.deployment.contract, view.data)).voted

    def start(self, key: Key) -> subprocess.Popen[bytes]:
        """A validator's daemon; its log is beside its data."""
        words = ["validator", *self.place(), *self.keystore(key), "--data", str(self.data(key))]
        with self.log(key).open("wb") as log:
            daemon = subprocess.Popen(
                [sys.executable, "-m", "node.cli", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(),
            )
        self.daemons.append(daemon)
        return daemon

    def data(self, key: Key) -> Path:
        return self.folder / f"validator {key.address.hex()}"

    def log(self, key: Key) -> Path:
        return self.folder / f"{key.address.hex()}.log"

    def says(self, key: Key, words: str) -> bool:
        return words in self.log(key).read_text("utf-8", "replace")

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Ends the daemons, by their own process."""
        try:
            yield
        finally:
            for daemon in self.daemons:
                if daemon.poll() is None:
                    daemon.terminate()
                    daemon.wait(20)


@pytest.fixture
def office(
    chain: EmbeddedChain, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[Office]:
    folder = tmp_path / "office"
    folder.mkdir()
    with World(chain, tmp_path, Constants(queue_delay_seconds=DELAY)) as world:
        world.deployment.save(folder / "ledger.json")
        office = Office(world, folder, capsys)
        with office.ending():
            yield office


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)


def test_two_of_three_rotate_the_third(office: Office) -> None:
    world = office.world
    first, second, third = world.validators
    new = key_of("validator 3")
    world.chain.fund(new.address, ETHER)
    before = office.settle()
    old_daemon = office.start(third)
    until(lambda: office.has_voted(third, before))

    said = office.does(first, "propose", "rotate", hex_of(third.address), hex_of(new.address))
    change = f"seat 2: {hex_of(third.address)} -> {hex_of(new.address)}; threshold 2 of 3"
    assert f"proposal 1: {change}" in said
    assert "open; 1 approve, 0 withdraw" in said
    assert "waiting; 2 approve" in office.does(second, "approve", "1")
    assert "waiting for its delay" in office.does(first, "execute", "1", status=4)
    assert hex_of(third.address) in office.asks("list")
    office.wait_out_the_delay()
    assert "ready" in office.asks("status", "1")
    said = office.does(new, "execute", "1")
    assert f"seat  2  {hex_of(new.address)}" in said
    assert "threshold 2 of 3" in said and "set 2" in said
    assert "executed" in office.asks("status")
    seated = office.time()
    office.in_the_same_second()
    same = office.settle()
    assert office.time() == seated

    assert old_daemon.wait(WAIT_SECONDS) == 2
    assert office.says(third, "is no validator of this ledger any more")
    office.start(new)
    office.wait_out_the_delay()
    after = office.settle()
    until(lambda: office.has_voted(new, after))
    for root in (before, same):
        assert not office.has_voted(new, root), "it was no validator when that was claimed"
    assert not office.says(new, "waits"), "it tried all the same"
    assert office.start(third).wait(WAIT_SECONDS) == 2
    assert office.says(third, "is not a validator of this ledger")


def test_what_cannot_be_is_said_clearly(office: Office) -> None:
    first, second, third = office.world.validators
    stranger = key_of("stranger")
    office.world.chain.fund(stranger.address, ETHER)
    assert "no proposals" in office.asks("status")
    refusals = {
        ("propose", "threshold", "1"): "3 validators cannot have a threshold of 1",
        ("propose", "threshold", "2"): "changes nothing",
        ("propose", "add", hex_of(second.address)): "is a validator already",
        ("propose", "remove", hex_of(stranger.address)): "is no validator",
        ("propose", "add", hex_of(bytes(20))): "The zero address is nobody",
        ("propose", "remove", hex_of(third.address), "--threshold", "1"): "threshold of 1",
    }
    for words, says in refusals.items():
        assert says in office.does(first, *words, status=4), words
    for words in (("approve", "1"), ("withdraw", "0"), ("execute", "9")):
        assert "There is no proposal" in office.does(first, *words, status=2)
    adding = ("propose", "add", hex_of(stranger.address))
    assert "not a registered validator" in office.does(stranger, *adding, status=4)
    assert "threshold 3 of 4" in office.does(first, *adding)
    assert "voted on this before" in office.does(first, "approve", "1", status=4)
    assert "not a registered validator" in office.does(stranger, "approve", "1", status=4)
    assert "The proposal is open" in office.does(first, "execute", "1", status=4)
    office.does(second, "withdraw", "1")
    assert "withdrawn" in office.does(third, "withdraw", "1")
    office.wait_out_the_delay()
    assert "The proposal is withdrawn" in office.does(first, "execute", "1", status=4)


def test_the_set_grows_shrinks_and_makes_older_proposals_stale(office: Office) -> None:
    first, second, third = office.world.validators
    fourth = key_of("validator 3")
    office.does(first, "propose", "threshold", "3")
    office.does(first, "propose", "add", hex_of(fourth.address))
    office.does(second, "approve", "2")
    office.wait_out_the_delay()
    assert "threshold 3 of 4" in office.does(first, "execute", "2")
    assert "stale" in office.asks("status", "1")
    assert "stale" in office.does(second, "approve", "1", status=4)
    said = office.does(first, "propose", "remove", hex_of(third.address), "--threshold", "2")
    assert "threshold 2 of 3" in said
