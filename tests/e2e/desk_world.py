"""A ledger that grows when told to, and the real service over it, for a browser to look at."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

from ledger.indexer import Indexer
from ledger.ports import SystemClock
from ledger.store import IndexStore
from ledger.synthetic import SyntheticChain
from ledger.synthetic_actors import Settings
from ledger.types import Address, hex_of

ROOT = Path(__file__).resolve().parents[2]
SECONDS_TO_START = 30


class Ledger(Protocol):
    """What the service is started over."""

    @property
    def index(self) -> Path: ...
    def place(self) -> dict[str, object]: ...


@dataclass(frozen=True, slots=True)
class RealLedger:
    """A copy of a ledger that has contracts, and its deployment file."""

    index: Path
    file: Path
    rpc: str | None = None
    """Its chain, where that is running: for proofs."""

    def place(self) -> dict[str, object]:
        """How ``tests.e2e.desk_server`` finds it."""
        return {"index": str(self.index), "ledger": str(self.file), "rpc": self.rpc}


class DeskWorld:
    """An index of a synthetic chain, and how to make it longer."""

    def __init__(self, index: Path, settings: Settings, blocks: int, migrations: int) -> None:
        self.index, self.settings = index, settings
        self.chain = SyntheticChain(settings)
        for _ in range(blocks):
            self.chain.mine(migrations)
        self.catch_up()

    def place(self) -> dict[str, object]:
        """How ``tests.e2e.desk_server`` finds it."""
        return {"index": str(self.index), "settings": asdict(self.settings)}

    def mine(self, migrations: int = 0) -> int:
        """One more block, indexed; its number."""
        number = self.chain.mine(migrations).header.number
        self.catch_up()
        return number

    def catch_up(self) -> None:
        """Indexes what there is, as of now."""
        with IndexStore.open(self.index, self.chain.deployment) as store:
            Indexer(self.chain, store, self.chain.deployment, SystemClock()).step()


class Service:
    """The service as a process over a ledger's copy."""

    def __init__(
        self,
        ledger: Ledger,
        names: Mapping[Address, str],
        stale_after: float = 3600,
        port: int = 0,
    ) -> None:
        self._description = {
            **ledger.place(),
            "names": {hex_of(address): name for address, name in names.items()},
            "stale_after": stale_after,
            "port": port,
        }

    def __enter__(self) -> Service:
        command = [sys.executable, "-m", "tests.e2e.desk_server", json.dumps(self._description)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        if not said:
            self.stop()
            raise AssertionError("the service did not start; what it said stands above")
        self.port = int(said)
        self.url = f"http://127.0.0.1:{self.port}"
        deadline = time.monotonic() + SECONDS_TO_START
        while not self._answers():
            if time.monotonic() > deadline:
                self.stop()
                raise AssertionError("the service does not answer")
            time.sleep(0.1)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends the process, whatever it is doing."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/static/theme.js", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
