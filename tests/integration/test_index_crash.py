"""An indexer that is killed in the middle of writing leaves whole blocks behind."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ledger.indexer import Indexer
from ledger.ports import SystemClock
from ledger.store import IndexStore
from ledger.synthetic import SyntheticChain
from ledger.synthetic_actors import Settings

PER_BLOCK = 512
COMMAND = [sys.executable, "-m", "ledger.synthetic", "--migrations", "1000000", "--no-signatures"]


def blocks_in(path: Path) -> int:
    if not path.exists():
        return 0
    try:
        with sqlite3.connect(path) as conn:
            return int(conn.execute("SELECT count(*) FROM blocks").fetchone()[0])
    except sqlite3.OperationalError:  # the tables are not there yet
        return 0
    finally:
        conn.close()


@pytest.mark.parametrize("blocks", [1, 2, 4])
def test_kill_9_while_it_writes(tmp_path: Path, blocks: int) -> None:
    path = tmp_path / "index.db"
    process = subprocess.Popen([*COMMAND, "--out", str(path)], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while blocks_in(path) < blocks and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.03 * blocks)  # into the middle of the next block
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    chain = SyntheticChain(Settings(signatures=False))
    with IndexStore.open(path, chain.deployment) as store:
        cursor = store.cursor()
        assert cursor is not None and store.blocks() >= blocks
        assert store.verify_digests() == []
        # The same ledger goes on where it stopped, and ends as if nothing had happened.
        while chain.blocks[-1].header.number < cursor.number + 3:
            chain.mine(PER_BLOCK)
        assert chain.blocks[cursor.number].header.hash == cursor.hash
        progress = Indexer(chain, store, chain.deployment, SystemClock()).step()
        assert progress.reorganised_from is None and progress.is_caught_up
        assert store.verify_digests() == []
