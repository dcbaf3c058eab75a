"""``kudos cc`` in a real build: the same objects as with plain cc, whatever happens on the way."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from node import shim_protocol as protocol
from node import toolchain
from node.sandbox import Sandbox
from node.store import ContentStore
from tests.integration.compile_node import CompileNode

SHIM = f"{sys.executable} -m node.shim"


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, as a socket's address must be, and open to the ordinary user that jobs run as."""
    with tempfile.TemporaryDirectory(prefix="kudos-test-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


@pytest.fixture
def source(folder: Path, project: Path) -> Path:
    copy = folder / "source"
    shutil.copytree(project / "tests" / "fixtures" / "small_project", copy)
    return copy


@pytest.fixture
def environment(folder: Path, project: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(project),
        "KUDOS_SOCKET": str(folder / "socket"),
        "KUDOS_MIN_BYTES": "0",
        "KUDOS_DEBUG": "1",
    }


@pytest.fixture
def node(folder: Path) -> CompileNode:
    return CompileNode(Sandbox.detect(), ContentStore(folder / "store"), toolchain.detect())


def make(source: Path, compiler: str, env: Mapping[str, str]) -> dict[str, tuple[bytes, int]]:
    """Build from scratch; the files that came out, with their modes."""
    subprocess.run(["make", "-s", "clean"], cwd=source, check=True, env=env)
    done = subprocess.run(
        ["make", "-j2", f"CC={compiler}"], cwd=source, env=env, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    built = [p for p in source.rglob("*") if p.suffix in (".o", ".d") or p.name == "program"]
    return {
        str(path.relative_to(source)): (path.read_bytes(), path.stat().st_mode) for path in built
    }


def with_node(node: CompileNode, env: Mapping[str, str], work: Callable[[], object]) -> None:
    """Do ``work`` in a thread while the node listens."""

    async def serve() -> None:
        async with node.listening(Path(env["KUDOS_SOCKET"])):
            await asyncio.to_thread(work)

    asyncio.run(serve())


def compile_one(
    source: Path, env: Mapping[str, str], *arguments: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*SHIM.split(), *arguments], cwd=source, env=env, capture_output=True, check=False,
        timeout=60,
    )  # fmt: skip


def test_a_build_is_the_same_as_without(
    source: Path, environment: dict[str, str], node: CompileNode
) -> None:
    plain = make(source, "cc", environment)
    assert len(plain) == 9
    shared: dict[str, tuple[bytes, int]] = {}
    with_node(node, environment, lambda: shared.update(make(source, SHIM, environment)))
    assert sorted(Path(path).name for path in node.sent) == [
        "count.c", "main.c", "reverse.c", "table.c",
    ]  # fmt: skip
    assert shared == plain
    assert node.notes == []
    ran = subprocess.run([source / "program"], capture_output=True, check=True)
    assert ran.stdout == b"kedos 1 144 src/main.c\n"


def test_what_the_node_has_is_not_sent_again(
    source: Path, environment: dict[str, str], node: CompileNode
) -> None:
    with_node(node, environment, lambda: make(source, SHIM, environment))
    moved = node.missing_bytes
    assert moved > 0
    with_node(node, environment, lambda: make(source, SHIM, environment))
    assert node.missing_bytes == moved
    assert len(node.sent) == 8


def test_warnings_come_home(source: Path, environment: dict[str, str], node: CompileNode) -> None:
    arguments = ("-Wall", "-Iinclude", "-c", "src/text/count.c")
    local = subprocess.run(
        ["cc", *arguments], cwd=source, env=environment, capture_output=True, check=True
    )
    answers: list[subprocess.CompletedProcess[bytes]] = []
    with_node(
        node, environment, lambda: answers.append(compile_one(source, environment, *arguments))
    )
    assert b"unused_on_purpose" in local.stderr
    assert answers[0].stderr == local.stderr
    assert len(node.sent) == 1


def test_links_on_the_way_give_the_same_object(
    source: Path, environment: dict[str, str], node: CompileNode
) -> None:
    (source / "linked").symlink_to("include")
    (source / "src" / "alias.h").symlink_to("../include/text.h")
    (source / "src" / "links.c").write_text('#include "alias.h"\n#include <table.h>\nint x;\n')
    arguments = ("-g", "-Ilinked", "-c", "src/links.c", "-o", "links.o")
    subprocess.run(["cc", *arguments], cwd=source, check=True)
    plain = (source / "links.o").read_bytes()
    (source / "links.o").unlink()
    with_node(node, environment, lambda: compile_one(source, environment, *arguments))
    assert len(node.sent) == 1
    assert (source / "links.o").read_bytes() == plain


def test_going_back_through_a_link_stays_here(
    source: Path, environment: dict[str, str], node: CompileNode
) -> None:
    (source / "deep").symlink_to("src/text")
    (source / "src" / "odd.h").write_text("int odd;\n")
    (source / "odd.c").write_text('#include "deep/../odd.h"\n')
    with_node(node, environment, lambda: compile_one(source, environment, "-c", "odd.c"))
    assert node.sent == []
    assert "symbolic link" in node.notes[0].reason
    assert (source / "odd.o").exists()


def test_the_umask_of_home_decides_about_modes(
    source: Path, environment: dict[str, str], node: CompileNode
) -> None:
    arguments = ("sh", "-c", f"umask 077; exec {SHIM} -Iinclude -c src/text/reverse.c")

    def work() -> None:
        subprocess.run(arguments, cwd=source, env=environment, check=True)

    with_node(node, environment, work)
    assert len(node.sent) == 1
    assert (source / "reverse.o").stat().st_mode & 0o777 == 0o600


def test_small_ones_are_compiled_here_and_counted(
    source: Path, environment: dict[str, str], node: CompileNode
) -> None:
    environment["KUDOS_MIN_BYTES"] = "100000"
    arguments = ("-Iinclude", "-c", "src/text/reverse.c")
    with_node(node, environment, lambda: compile_one(source, environment, *arguments))
    assert node.sent == []
    assert [note.what for note in node.notes] == ["not_worth"]
    assert node.notes[0].process_name == "cc"
    assert (source / "reverse.o").exists()


@pytest.mark.parametrize(
    ("option", "notes"), [("-march=native", ["local"]), ("-DX=__TIME__", ["local"]), ("-E", [])]
)
def test_what_cannot_be_sent_is_compiled_here(
    source: Path, environment: dict[str, str], node: CompileNode, option: str, notes: list[str]
) -> None:
    compiles = [] if option == "-E" else ["-c"]
    arguments = (option, "-Iinclude", *compiles, "src/text/reverse.c", "-o", "out.o")
    with_node(node, environment, lambda: compile_one(source, environment, *arguments))
    assert node.sent == []
    assert [note.what for note in node.notes] == notes
    assert (source / "out.o").exists()


def test_an_error_in_the_source_looks_as_with_cc(
    source: Path, environment: dict[str, str], node: CompileNode
) -> None:
    (source / "bad.c").write_text("int main(void) { return undeclared; }\n")
    del environment["KUDOS_DEBUG"]
    local = subprocess.run(
        ["cc", "-c", "bad.c"], cwd=source, env=environment, capture_output=True, check=False
    )
    answers: list[subprocess.CompletedProcess[bytes]] = []
    with_node(
        node, environment, lambda: answers.append(compile_one(source, environment, "-c", "bad.c"))
    )
    assert len(node.sent) == 1
    assert answers[0].returncode == local.returncode != 0
    assert answers[0].stderr == local.stderr
    assert "exit status" in node.notes[0].reason


ARGUMENTS = ("-Iinclude", "-MMD", "-c", "src/text/reverse.c", "-o", "out.o")


def compiled_here(source: Path, env: Mapping[str, str], because: str) -> None:
    done = compile_one(source, env, *ARGUMENTS)
    assert done.returncode == 0, done.stderr
    assert because.encode() in done.stderr
    assert (source / "out.o").exists()
    assert (source / "out.d").exists()
    assert not list(source.rglob("*.kudos-*"))


def test_without_a_node(source: Path, environment: dict[str, str]) -> None:
    compiled_here(source, environment, "No such file")
    del environment["KUDOS_SOCKET"]
    compiled_here(source, environment, "KUDOS_SOCKET is not set")


def answering(address: str, answer: bytes, *, close: bool) -> threading.Thread:
    """A node that gives one answer, however wrong, to the first to connect."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(address)
    server.listen(8)

    def serve() -> None:
        with server:
            connection, _ = server.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(answer)
                if not close:
                    connection.settimeout(20)
                    while connection.recv(1 << 16):
                        pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread


FILE = protocol.ResultFile("/tmp/kudos-not-asked-for", 0o644, b"evil")


@pytest.mark.parametrize(
    ("answer", "because"),
    [
        (b"", "closed the connection"),
        (b"\xff\xff\xff\xff", "Malformed frame"),
        (protocol.encode(protocol.Local("no host accepts")), "no host accepts"),
        (protocol.encode(protocol.Need((bytes(32),))), "compiling here"),
        (protocol.encode(protocol.Blobs(())), "a wrong reply"),
        (protocol.encode(protocol.Result(1, b"", b"", ())), "exit status is 1"),
        (protocol.encode(protocol.Result(0, b"", b"", ())), "did not write"),
        (protocol.encode(protocol.Result(0, b"", b"", (FILE,))), "did not write"),
    ],
)
def test_whatever_the_node_answers(
    source: Path, environment: dict[str, str], answer: bytes, because: str
) -> None:
    thread = answering(environment["KUDOS_SOCKET"], answer, close=True)
    compiled_here(source, environment, because)
    thread.join(20)
    assert not Path(FILE.path).exists()


def test_a_node_that_never_answers(source: Path, environment: dict[str, str]) -> None:
    environment["KUDOS_TIMEOUT"] = "0.5"
    thread = answering(environment["KUDOS_SOCKET"], b"", close=False)
    compiled_here(source, environment, "timed out")
    thread.join(20)


def test_settings_that_make_no_sense(source: Path, environment: dict[str, str]) -> None:
    environment["KUDOS_MIN_BYTES"] = "many"
    environment["KUDOS_TIMEOUT"] = ""
    compiled_here(source, environment, "compiling here")


def test_another_compiler(source: Path, environment: dict[str, str], folder: Path) -> None:
    environment["KUDOS_CC"] = str(folder / "missing-cc")
    done = compile_one(source, environment, *ARGUMENTS)
    assert done.returncode == 127
    assert b"cannot run the compiler" in done.stderr
    wrapper = folder / "my-cc"
    wrapper.write_text('#!/bin/sh\necho mine >&2\nexec cc "$@"\n')
    wrapper.chmod(0o755)
    environment["KUDOS_CC"] = str(wrapper)
    compiled_here(source, environment, "mine")


def test_the_compiler_is_not_left_with_pythons_signals(
    source: Path, environment: dict[str, str], folder: Path
) -> None:
    wrapper = folder / "show-cc"
    wrapper.write_text("#!/bin/sh\nexec grep SigIgn /proc/self/status\n")
    wrapper.chmod(0o755)
    environment["KUDOS_CC"] = str(wrapper)
    done = compile_one(source, environment, "--version")
    assert int(done.stdout.split()[1], 16) & (1 << 12) == 0  # SIGPIPE is 13


def test_it_imports_nothing_heavy(environment: dict[str, str]) -> None:
    heavy = {"msgspec", "web3", "rich", "asyncio", "subprocess", "dataclasses", "eth_hash", "ssl"}
    program = "import sys, node.shim; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], env=environment, capture_output=True, check=True
    )
    loaded = set(done.stdout.decode().split())
    assert "node.shim" in loaded
    assert not loaded & heavy
