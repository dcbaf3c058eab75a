"""The embedded chain: anvil on this machine, its state in a file, its process our child.

anvil rewrites its state file in place about once a second. A kill -9 between two dumps throws the
chain back to the last one; a kill -9 inside a dump leaves half a file, with which anvil refuses to
start. So a second, complete copy (``.good``) is kept beside the state, and ``start`` falls back to
it. Both mean a chain that comes back some blocks younger, which its users must survive anyway. If
neither can be read that is an error and never a silent fresh start: it would be another chain under
the same name. No state file at all does mean a fresh chain.

What old blocks looked like, anvil writes to disk when it does not fit into memory, and leaves it
there when it is killed. That goes into a directory beside the state (``.blocks``), which holds
nothing that is needed again, and is emptied at every start and at the end.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from ledger.chain_state import choose_state, copy_complete
from ledger.errors import ChainError, SetupError
from ledger.rpc import Rpc
from ledger.types import Address, hex_of

CHAIN_ID = 31_337
_FIRST_COPY_SECONDS = 0.1
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def find_anvil(project: Path | None = None, *, environment: Mapping[str, str] = os.environ) -> Path:
    """The native anvil: ``KUDOS_ANVIL``, or the one of the npm package below the project.

    Not the package's ``anvil`` command: that is a Node script, whose pid is not the chain's.
    """
    if override := environment.get("KUDOS_ANVIL"):
        return _executable(Path(override), "KUDOS_ANVIL names")
    root = project or Path(__file__).resolve().parents[1]
    found = sorted((root / "node_modules" / "@foundry-rs").glob("anvil-*/bin/anvil"))
    if found:
        return _executable(found[0], "npm installed")
    if on_path := shutil.which("anvil"):
        return Path(on_path)
    raise SetupError(
        "The embedded chain needs anvil, which is not installed.",
        hint="Run `make setup`, or name the program in KUDOS_ANVIL, or use another chain by --rpc.",
    )


class EmbeddedChain:
    """One anvil process. Also a context manager: started on entry, stopped on exit."""

    def __init__(
        self,
        state: Path,
        *,
        anvil: Path | None = None,
        port: int = 0,
        chain_id: int = CHAIN_ID,
        block_time: float = 1.0,
        historical_states: bool = True,
        backup_seconds: float = 5.0,
    ) -> None:
        """``port`` 0 takes a free one. ``historical_states`` lets old blocks be asked after a
        restart, at about 75 kB per block in a file that is rewritten every second: good for hours,
        not for weeks. ``block_time`` 0 mines a block per transaction."""
        self.state = state
        self.log = state.with_suffix(".log")
        self._spilled = state.with_name(state.name + ".blocks")
        self.chain_id = chain_id
        self.port = port
        self._anvil = anvil
        self._block_time = block_time
        self._historical_states = historical_states
        self._backup_seconds = backup_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._rpc: Rpc | None = None
        self._ended = threading.Event()
        self._keeper: threading.Thread | None = None
        self._copying = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The chain's own process id."""
        if self._process is None:
            raise ChainError("The embedded chain does not run.", hint="Start it first.")
        return self._process.pid

    @property
    def rpc(self) -> Rpc:
        """A connection of the chain's own, for its special methods."""
        if self._rpc is None:
            raise ChainError("The embedded chain does not run.", hint="Start it first.")
        return self._rpc

    def start(self, *, within: float = 20.0) -> None:
        """Starts the process and waits until it answers; ChainError when it does not in time."""
        anvil = self._anvil or find_anvil()
        self.state.parent.mkdir(parents=True, exist_ok=True)
        choose_state(self.state)
        shutil.rmtree(self._spilled, ignore_errors=True)
        self._spilled.mkdir()
        self.port = self.port or _free_port()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(anvil),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A session of its own: Ctrl-C reaches the parent alone, which then stops the chain
                # last, after those who still write to it.
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )
        self._rpc = Rpc(self.url, timeout=5.0)
        try:
            self._wait_until_it_answers(within)
        except BaseException:
            self.kill()
            raise
        self._ended.clear()
        self._keeper = threading.Thread(target=self._keep_copy, daemon=True)
        self._keeper.start()

    def stop(self, *, within: float = 10.0) -> None:
        """SIGTERM, so that the state is dumped; SIGKILL when that takes too long."""
        self._end(signal.SIGTERM, within)

    def kill(self) -> None:
        """SIGKILL: what an accident does. The state falls back to the last dump."""
        self._end(signal.SIGKILL, 10.0)

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def save(self, *, within: float = 10.0) -> None:
        """Waits until what is mined by now is on disk, where a kill -9 cannot take it back.

        For what must not be lost, such as a deployment: a chain killed before its first dump
        begins again at its first block.
        """
        height, deadline = self.rpc.block_number(), time.monotonic() + within
        while (saved := self._copy()) is None or saved < height:
            if time.monotonic() >= deadline:
                raise self._failed(f"did not save its state within {within:g} s")
            time.sleep(0.05)

    def fund(self, address: Address, wei: int) -> None:
        """Sets an account's balance; only an embedded chain can."""
        self.rpc.raw("anvil_setBalance", [hex_of(address), hex(wei)])

    def mine(self, blocks: int = 1) -> None:
        """Mines at once, without waiting for the block time."""
        self.rpc.raw("anvil_mine", [hex(blocks)])

    def reorganise(self, depth: int) -> None:
        """Replaces the last ``depth`` blocks by empty ones; their transactions are dropped."""
        self.rpc.raw("anvil_reorg", [depth, []])

    def __enter__(self) -> EmbeddedChain:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _command(self, anvil: Path) -> list[str]:
        mining = ["--block-time", f"{self._block_time:g}"] if self._block_time else []
        history = ["--preserve-historical-states"] if self._historical_states else []
        return [
            *(str(anvil), "--host", "127.0.0.1", "--port", str(self.port)),
            *("--chain-id", str(self.chain_id), "--hardfork", "prague", "--silent"),
            *("--state", str(self.state), "--state-interval", "1", *mining, *history),
            *("--cache-path", str(self._spilled)),
        ]

    def _wait_until_it_answers(self, within: float) -> None:
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if not self.alive():
                raise self._failed("ended at once")
            try:
                found = self.rpc.chain_id()
            except ChainError:
                time.sleep(0.05)
                continue
            if found != self.chain_id:
                raise self._failed(f"has chain id {found}, not {self.chain_id}")
            return
        raise self._failed(f"did not answer within {within:g} s")

    def _failed(self, what: str) -> ChainError:
        last = self.log.read_bytes()[-500:].decode("utf-8", "replace").strip()
        return ChainError(
            f"The embedded chain {what}. {last}".rstrip(),
            hint=f"Its log is {self.log}; port {self.port} may be taken.",
        )

    def _keep_copy(self) -> None:
        """The first copy as soon as there is a dump: until then a kill -9 inside one leaves nothing
        to fall back to."""
        while self._copy() is None:
            if self._ended.wait(min(_FIRST_COPY_SECONDS, self._backup_seconds)):
                return
        while not self._ended.wait(self._backup_seconds):
            self._copy()

    def _copy(self) -> int | None:
        with self._copying:
            return copy_complete(self.state)

    def _end(self, number: signal.Signals, within: float) -> None:
        self._ended.set()
        if self._keeper is not None:
            self._keeper.join(within)
            self._keeper = None
        if self._process is not None:
            self._process.send_signal(number)
            try:
                self._process.wait(within)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(within)
            self._process = None
            shutil.rmtree(self._spilled, ignore_errors=True)
        if self._rpc is not None:
            self._rpc.close()
            self._rpc = None


def die_with_parent() -> Callable[[], None] | None:
    """Has the kernel stop a child (as ``preexec_fn``) when its parent is gone, however that died.

    The signal is tied to the thread that forks, so a child started from any other than the main
    thread goes without: it would end together with that thread.
    """
    if threading.current_thread() is not threading.main_thread():
        return None
    parent = os.getpid()

    def ask_kernel() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return ask_kernel


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _executable(path: Path, origin: str) -> Path:
    if not (path.is_file() and os.access(path, os.X_OK)):
        raise SetupError(
            f"{origin} {path}, which is no program.", hint="Run `make setup`, or correct it."
        )
    return path
