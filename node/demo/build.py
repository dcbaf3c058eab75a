"""Building the project: once plainly, for reference, and once through ``kudos cc`` at all nodes at
the same time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ledger.embedded import die_with_parent
from ledger.errors import SetupError
from ledger.types import Sha256
from node.demo.cluster import Member
from node.demo.project import Project, copy_into
from node.store import sha256

BUILD_SECONDS = 900.0
POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Built:
    """What a build left: the objects by path relative to the tree, and how long it took."""

    objects: dict[str, Sha256]
    seconds: float


@dataclass(frozen=True, slots=True)
class Workplace:
    """A node's tree, always at the same path, because debug information and assertions quote it."""

    member: Member
    tree: Path

    @property
    def log(self) -> Path:
        return self.member.data / "make.log"


_Running = tuple[Workplace, subprocess.Popen[bytes]]


def build_plainly(project: Project, place: Workplace, jobs: int) -> Built:
    """The reference: the compiler alone, in the same path."""
    copy_into(project, place.tree)
    started = time.monotonic()
    make = _make(project, place, jobs, "cc", {})
    try:
        _wait([(place, make)])
    finally:
        _end(make)
    seconds = time.monotonic() - started
    _check_program(project, place)
    return Built(objects_of(place.tree), seconds)


class SharedBuild:
    """All nodes build at the same time; it can be paused."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._running: list[_Running] = []

    def start(self, place: Workplace, jobs: int, extra: dict[str, str]) -> None:
        """Starts a node's build with its number of jobs and extra environment."""
        environment = {"KUDOS_SOCKET": str(place.member.socket), **extra}
        shim = f"{sys.executable} -m node.cli cc"
        kudos = Path(sys.executable).with_name("kudos")
        if kudos.exists():
            shim = f"{kudos} cc"
        self._running.append((place, _make(self._project, place, jobs, shim, environment)))

    def run(self, tick: Callable[[], None], until: Callable[[], bool] = lambda: False) -> float:
        """Lets them build until all are done, or ``until`` holds; the seconds that it took.
        SetupError when one fails."""
        started = time.monotonic()
        _wait(self._running, tick, until)
        return time.monotonic() - started

    def made(self) -> int:
        """How many object files there are by now."""
        return sum(1 for place, _ in self._running for _ in place.tree.rglob("*.o"))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stops whatever the builds run, as a terminal's Ctrl-Z does, and lets it go on.

        Tasks that are with a node go on meanwhile. Should this process be killed, the kernel ends
        what it had stopped (SIGHUP to a process group that is orphaned, POSIX general concepts).
        """
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def end(self) -> None:
        """Ends what still runs."""
        for _, make in self._running:
            _end(make)

    def _signal(self, number: signal.Signals) -> None:
        for _, make in self._running:
            if make.poll() is None:
                os.killpg(make.pid, number)


def objects_of(tree: Path) -> dict[str, Sha256]:
    """Every object file below a tree."""
    return {
        str(path.relative_to(tree)): Sha256(sha256(path.read_bytes()))
        for path in sorted(tree.rglob("*.o"))
    }


def program_runs(project: Project, place: Workplace) -> bool:
    """Whether the linked program starts and says its version."""
    if project.program is None:
        return True
    command = [str(place.tree / project.program), *project.check]
    try:
        ran = subprocess.run(command, capture_output=True, timeout=30, check=False)
    except OSError:
        return False
    return ran.returncode == 0 and bool(ran.stdout)


def _make(
    project: Project, place: Workplace, jobs: int, compiler: str, extra: dict[str, str]
) -> subprocess.Popen[bytes]:
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
        "SOURCE_DATE_EPOCH": "1",
        **extra,
    }
    command = ["make", f"-j{jobs}", *project.make_arguments, f"CC={compiler}"]
    with place.log.open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=place.tree,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            process_group=0,
            preexec_fn=die_with_parent(),
        )


def _wait(
    running: Sequence[_Running],
    tick: Callable[[], None] = lambda: None,
    until: Callable[[], bool] = lambda: False,
) -> None:
    """Waits for all builds or a condition, with a tick now and then."""
    deadline = time.monotonic() + BUILD_SECONDS
    while any(make.poll() is None for _, make in running) and not until():
        if time.monotonic() > deadline:
            raise SetupError(f"The build did not end within {BUILD_SECONDS:.0f} s.")
        tick()
        time.sleep(POLL_SECONDS)
    for place, make in running:
        if make.poll():
            raise SetupError(
                f"make failed at {place.member.name} with status {make.returncode}.",
                hint=f"Its output is in {place.log}.",
            )


def _end(make: subprocess.Popen[bytes]) -> None:
    if make.poll() is None:
        os.killpg(make.pid, signal.SIGTERM)
        make.wait(timeout=30)


def _check_program(project: Project, place: Workplace) -> None:
    if not program_runs(project, place):
        raise SetupError("The plainly built program does not run; the project cannot be the demo.")
