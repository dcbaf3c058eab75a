"""Starting a node where something is missing: a clear error and its own exit status, or a recovery;
never a hang."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from ledger.embedded import EmbeddedChain
from node.demo import ground
from node.demo.cluster import free_endpoints, node_arguments

SETUP, CHAIN, USAGE = 3, 4, 2
QUICK = 30.0


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ground.Ground]:
    """A ledger on a chain, and a node that was never started."""
    with ExitStack() as stack:
        yield ground.prepare(tmp_path_factory.mktemp("g"), ("fair",), 1, 1, None, None, stack)


def command(place: ground.Ground, *extra: str, rpc: str | None = None) -> list[str]:
    node = place.nodes[0]
    (endpoint,) = free_endpoints(1)
    url = rpc or place.rpc_url
    arguments = node_arguments(node, place.ledger_file, url, endpoint, [], extra)
    return [sys.executable, "-m", "node.cli", *arguments]


def fails(words: Sequence[str], *, path: str | None = None) -> tuple[int, str]:
    """Exit status and standard error of a command that must end by itself."""
    environment = {**os.environ, **({"PATH": path} if path is not None else {})}
    ended = subprocess.run(
        words, env=environment, capture_output=True, text=True, timeout=QUICK, check=False
    )
    assert "Traceback" not in ended.stderr
    return ended.returncode, ended.stderr


def test_without_bubblewrap(place: ground.Ground, tmp_path: Path) -> None:
    status, said = fails(command(place), path=str(tmp_path))
    assert status == SETUP
    assert "bubblewrap" in said


def test_without_bubblewrap_only_when_told_so(place: ground.Ground, tmp_path: Path) -> None:
    (tmp_path / "prlimit").symlink_to(str(shutil.which("prlimit")))
    words = command(
        place, "--i-accept-running-strangers-code-unsandboxed", "--rpc-wait", "0",
        rpc="http://127.0.0.1:1",
    )  # fmt: skip
    status, said = fails(words, path=str(tmp_path))
    assert status == CHAIN, "it got past the sandbox to the chain, which is not there"
    assert "NO SANDBOX" in said


def test_without_a_compiler(place: ground.Ground) -> None:
    # Debian's cc is a link through /etc/alternatives, which is empty in this namespace.
    hidden = ["bwrap", "--dev-bind", "/", "/", "--tmpfs", "/etc/alternatives"]
    status, said = fails([*hidden, *command(place)])
    assert status == SETUP
    assert "gcc" in said


def test_without_a_chain(place: ground.Ground) -> None:
    began = time.monotonic()
    status, said = fails(command(place, "--rpc-wait", "2", rpc="http://127.0.0.1:1"))
    assert status == CHAIN
    assert "127.0.0.1:1" in said
    assert time.monotonic() - began < QUICK / 2


def test_a_chain_without_the_ledger(place: ground.Ground, tmp_path: Path) -> None:
    with EmbeddedChain(tmp_path / "other" / "state.json") as other:
        status, said = fails(command(place, rpc=other.url))
    assert status == CHAIN
    assert "holds no contract" in said


def test_a_chain_that_comes_later(place: ground.Ground) -> None:
    assert place.chain is not None
    place.chain.stop()
    node = subprocess.Popen(command(place), stderr=subprocess.PIPE, text=True)
    try:
        time.sleep(1.5)
        assert node.poll() is None, "it waits"
        place.chain.start()
        assert node.stderr is not None
        lines = iter(node.stderr.readline, "")
        assert any("listens on" in line for line in lines)
    finally:
        node.terminate()
        node.communicate(timeout=QUICK)
    assert node.returncode == 0


def test_a_wrong_password(place: ground.Ground, tmp_path: Path) -> None:
    wrong = tmp_path / "password"
    wrong.touch(0o600)
    wrong.write_text("not this one\n")
    words = command(place)
    words[words.index("--password-file") + 1] = str(wrong)
    status, said = fails(words)
    assert status == SETUP
    assert "password" in said
    assert "not this one" not in said
