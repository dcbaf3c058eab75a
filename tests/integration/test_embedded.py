"""The embedded chain as a real process: accidents, its state file, and who outlives whom."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ledger.chain_state import good_copy
from ledger.embedded import EmbeddedChain, find_anvil
from ledger.errors import ChainError, CorruptData, SetupError
from ledger.types import Address

SOMEBODY = Address(b"\x11" * 20)
WITH_SPILL = 700
"""More blocks than anvil keeps in memory."""


def is_gone(pid: int, within: float = 5.0) -> bool:
    """Whether the process ends in time; a zombie that nobody waits for has ended."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def reaches(chain: EmbeddedChain, height: int, within: float = 5.0) -> bool:
    """Whether the chain gets there in time: a transaction is taken before it is mined."""
    deadline = time.monotonic() + within
    while chain.rpc.block_number() < height:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_its_pid_is_the_chain_and_stop_ends_it(tmp_path: Path) -> None:
    with EmbeddedChain(tmp_path / "state.json", chain_id=4242) as chain:
        assert Path(f"/proc/{chain.pid}/exe").resolve().name == "anvil"
        assert chain.rpc.chain_id() == 4242
        pid = chain.pid
    assert is_gone(pid)
    assert not chain.alive()


def test_blocks_come_by_the_clock(tmp_path: Path) -> None:
    with EmbeddedChain(tmp_path / "state.json", block_time=1) as chain:
        before = chain.rpc.block_number()
        time.sleep(2.2)
        assert 1 <= chain.rpc.block_number() - before <= 4


def test_after_sigterm_it_comes_back_with_everything(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    with EmbeddedChain(state, block_time=0) as chain:
        (rich, *_) = chain.rpc.raw("eth_accounts", [])
        for height in range(1, 4):
            gift = {"from": rich, "to": "0x" + SOMEBODY.hex(), "value": "0x5"}
            chain.rpc.raw("eth_sendTransaction", [gift])
            assert reaches(chain, height)
        blocks = chain.rpc.headers(range(4))
    with EmbeddedChain(state, block_time=0) as chain:
        assert chain.rpc.headers(range(4)) == blocks
        assert [chain.rpc.balance(SOMEBODY, number) for number in range(4)] == [0, 5, 10, 15]


def test_after_kill_9_it_comes_back_with_what_was_saved(tmp_path: Path) -> None:
    chain = EmbeddedChain(tmp_path / "state.json", block_time=0)
    chain.start()
    chain.mine(5)
    chain.save()
    chain.mine(2)
    chain.kill()
    chain.start()
    try:
        assert chain.rpc.block_number() in (5, 7)
        chain.mine()
    finally:
        chain.stop()


@pytest.mark.parametrize("left", [0, 1, 1000], ids=["empty", "a byte", "half"])
def test_a_state_that_breaks_off_is_replaced_by_the_good_copy(tmp_path: Path, left: int) -> None:
    state = tmp_path / "state.json"
    with EmbeddedChain(state, block_time=0) as chain:
        chain.mine(3)
        chain.save()
    state.write_bytes(state.read_bytes()[:left])
    with EmbeddedChain(state, block_time=0) as chain:
        assert chain.rpc.block_number() == 3


def test_a_young_chain_has_a_good_copy_soon(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    with EmbeddedChain(state, block_time=0, backup_seconds=600.0):
        deadline = time.monotonic() + 10.0
        while not good_copy(state).exists():
            assert time.monotonic() < deadline, (
                "else a kill -9 in a dump leaves nothing to begin with"
            )
            time.sleep(0.05)
    state.write_bytes(state.read_bytes()[:1000])
    with EmbeddedChain(state, block_time=0) as chain:
        assert chain.rpc.block_number() == 0


def test_a_broken_state_without_a_copy_is_an_error_and_stays(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    state.write_bytes(b'{"block":')
    with pytest.raises(CorruptData, match="breaks off"):
        EmbeddedChain(state).start()
    assert state.read_bytes() == b'{"block":'


def test_a_state_that_was_removed_means_a_fresh_chain(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    with EmbeddedChain(state, block_time=0) as chain:
        chain.mine(3)
        chain.save()
    state.unlink()
    with EmbeddedChain(state, block_time=0) as chain:
        assert chain.rpc.block_number() == 0


def test_a_taken_port_is_an_error_at_once(tmp_path: Path) -> None:
    with EmbeddedChain(tmp_path / "one.json") as chain:
        other = EmbeddedChain(tmp_path / "two.json", port=chain.port, chain_id=2)
        with pytest.raises(ChainError, match="embedded chain"):
            other.start(within=5)
        assert not other.alive()
        assert chain.alive()


def test_a_missing_anvil_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match="make setup"):
        find_anvil(tmp_path, environment={})
    with pytest.raises(SetupError, match="KUDOS_ANVIL"):
        find_anvil(environment={"KUDOS_ANVIL": str(tmp_path / "nothing")})


def test_a_reorganisation_replaces_blocks_and_drops_what_they_held(tmp_path: Path) -> None:
    with EmbeddedChain(tmp_path / "state.json", block_time=0) as chain:
        chain.mine(5)
        old = chain.rpc.headers(range(6))
        chain.reorganise(3)
        new = chain.rpc.headers(range(6))
        assert new[:3] == old[:3]
        assert all(now != before for now, before in zip(new[3:], old[3:], strict=True))


def test_it_ends_with_a_parent_that_is_killed(tmp_path: Path, project: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path\n"
        "from ledger.embedded import EmbeddedChain\n"
        "chain = EmbeddedChain(Path(sys.argv[1])); chain.start()\n"
        "print(chain.pid, flush=True); time.sleep(60)\n"
    )
    arguments = [sys.executable, "-c", script, str(tmp_path / "state.json")]
    with subprocess.Popen(arguments, cwd=project, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        os.kill(parent.pid, signal.SIGKILL)
    assert is_gone(pid)
    assert "block" in json.loads((tmp_path / "state.json").read_bytes()), "it dumped its state"


def test_what_does_not_fit_into_memory_lies_beside_the_state_and_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    chain = EmbeddedChain(tmp_path / "state.json", block_time=0)
    spilled = tmp_path / "state.json.blocks"
    chain.start()
    chain.fund(SOMEBODY, 1)
    for _ in range(WITH_SPILL):
        chain.mine()
    kept = [path for path in spilled.rglob("*") if path.is_file()]
    assert kept, "else this test shows nothing"
    chain.save()
    chain.kill()
    assert not spilled.exists()
    # As after an accident to both processes, which clears nothing up.
    left = spilled / "anvil-state" / "left.json"
    left.parent.mkdir(parents=True)
    left.write_text("{}")
    chain.start()
    assert not left.exists()
    chain.stop()
    assert not spilled.exists()
    assert [path for path in home.rglob("*") if path.is_file()] == []
