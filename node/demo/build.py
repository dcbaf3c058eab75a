"""Building the project: once plainly, for reference, and once through ``kudos cc`` at all nodes at
the same time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
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


def build_plainly(project: Project, place: Workplace, jobs: int) -> Built:
    """The reference: the compiler alone, in the same path."""
    copy_into(project, place.tree)
    started = time.monotonic()
    make = _make(project, place, jobs, "cc", {})
    _wait([(place, make)], lambda: None)
    seconds = time.monotonic() - started
    _check_program(project, place)
    return Built(objects_of(place.tree), seconds)


def build_together(
    project: Project,
    places: Iterable[tuple[Workplace, int, dict[str, str]]],
    tick: Callable[[], None],
) -> float:
    """All nodes build at the same time, each with its number of jobs and extra environment;
    seconds."""
    started = time.monotonic()
    running = []
    for place, jobs, extra in places:
        environment = {"KUDOS_SOCKET": str(place.member.socket), **extra}
        shim = f"{sys.executable} -m node.cli cc"
        kudos = Path(sys.executable).with_name("kudos")
        if kudos.exists():
            shim = f"{kudos} cc"
        running.append((place, _make(project, place, jobs, shim, environment)))
    _wait(running, tick)
    return time.monotonic() - started


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
            start_new_session=True,
            preexec_fn=die_with_parent(),
        )


def _wait(
    running: list[tuple[Workplace, subprocess.Popen[bytes]]], tick: Callable[[], None]
) -> None:
    """Waits for all builds, with a tick now and then; SetupError when one fails."""
    deadline = time.monotonic() + BUILD_SECONDS
    try:
        while any(make.poll() is None for _, make in running):
            if time.monotonic() > deadline:
                raise SetupError(f"The build did not end within {BUILD_SECONDS:.0f} s.")
            tick()
            time.sleep(POLL_SECONDS)
    finally:
        for _, make in running:
            _end(make)
    for place, make in running:
        if make.returncode != 0:
            raise SetupError(
                f"make failed at {place.member.name} with status {make.returncode}.",
                hint=f"Its output is in {place.log}.",
            )


def _end(make: subprocess.Popen[bytes]) -> None:
    if make.poll() is None:
        os.killpg(make.pid, 15)
        make.wait(timeout=30)


def _check_program(project: Project, place: Workplace) -> None:
    if not program_runs(project, place):
        raise SetupError("The plainly built program does not run; the project cannot be the demo.")
