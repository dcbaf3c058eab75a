"""The demo's shared build with real makes, stopped half-way: nothing is compiled meanwhile, all of
it afterwards, and nothing stays behind stopped when the demo is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.errors import SetupError
from node.demo.build import SharedBuild, Workplace
from node.demo.cluster import Member
from node.demo.project import copy_into, from_directory
from tests.integration.chain_world import key_of

UNITS = 24
JOBS = 2
MAKEFILE = """\
all: $(patsubst %.c,%.o,$(wildcard *.c))
%.o: %.c
\t$(CC) -c $< -o $@
"""


def a_build(directory: Path) -> tuple[SharedBuild, Workplace]:
    """Under way at one node that is not there, so that everything is compiled on the spot."""
    source = directory / "units"
    source.mkdir()
    (source / "Makefile").write_text(MAKEFILE, "utf-8")
    for unit in range(UNITS):
        (source / f"unit_{unit}.c").write_text(f"int f{unit};\n", "utf-8")
    project = from_directory(source)
    place = Workplace(Member("node", "fair", key_of("builder"), directory), directory / "tree")
    copy_into(project, place.tree)
    build = SharedBuild(project)
    build.start(place, JOBS, {})
    return build, place


def stop_half_way(directory: Path) -> None:
    """For a process of its own: says who runs, stopped, and waits to be killed."""
    build, _ = a_build(directory)
    build.run(lambda: None, lambda: build.made() > 0)
    with build.paused():
        print("stopped", flush=True)
        time.sleep(60)


def wait_until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def working_in(tree: Path) -> dict[int, str]:
    """The processes whose directory this is: pid to state, as in proc(5)."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if Path(os.readlink(process / "cwd")) == tree:
                found[int(process.name)] = (process / "stat").read_text().rpartition(") ")[2][0]
        except OSError:
            continue  # gone, or somebody else's
    return found


def test_nothing_is_compiled_while_it_is_paused(tmp_path: Path) -> None:
    build, place = a_build(tmp_path)
    try:
        build.run(lambda: None, lambda: build.made() >= UNITS // 3)
        with build.paused():
            wait_until(lambda: set(working_in(place.tree).values()) == {"T"})
            before = build.made()
            assert UNITS // 3 <= before < UNITS
            time.sleep(1.0)  # in which a running build makes several
            assert build.made() == before
        build.run(lambda: None)
        assert build.made() == UNITS
    finally:
        build.end()


def test_it_can_be_ended_when_the_pause_is_broken_off(tmp_path: Path) -> None:
    build, place = a_build(tmp_path)
    build.run(lambda: None, lambda: build.made() > 0)
    with pytest.raises(KeyboardInterrupt), build.paused():
        raise KeyboardInterrupt
    build.end()
    wait_until(lambda: not working_in(place.tree))
    assert build.made() < UNITS


def test_nothing_stays_behind_stopped_when_the_demo_is_killed(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path; from tests.integration import test_demo_build as it;"
        f" it.stop_half_way(Path({str(tmp_path)!r}))"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as demo:
        assert demo.stdout is not None and demo.stdout.readline() == b"stopped\n"
        tree = tmp_path / "tree"
        wait_until(lambda: set(working_in(tree).values()) == {"T"})
        demo.send_signal(signal.SIGKILL)
    wait_until(lambda: not working_in(tree))


def test_a_build_that_fails_is_an_error_that_names_its_log(tmp_path: Path) -> None:
    build, place = a_build(tmp_path)
    (place.tree / f"unit_{UNITS - 1}.c").write_text("no C at all\n", "utf-8")
    try:
        with pytest.raises(SetupError, match="make failed at node") as caught:
            build.run(lambda: None)
    finally:
        build.end()
    assert str(place.log) in str(caught.value.hint)
    assert b"no C at all" in place.log.read_bytes()
