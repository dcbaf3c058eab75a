"""The node's socket for shims: whatever goes wrong, the shim is told to compile by itself."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from ledger.errors import KudosError
from ledger.reasons import Reason
from ledger.types import Digest
from node import shim_protocol as shim
from node.front import Front
from node.home import HomeSide, Local, Remote
from node.journal import Journal
from node.puzzle_home import Puzzles
from node.store import ContentStore, MissingContent, sha256
from node.task import TaskDescriptor
from node.toolchain import Toolchain
from node.wasm_home import Modules
from tests.unit.node_world import EXECUTION, OUTPUT, SOURCES, TASK, TOOLCHAIN, key

COMPILER = "/usr/bin/gcc-12"
RESULT = EXECUTION.result()
CONTENTS = {sha256(data): data for data in (b"", EXECUTION.stderr, b"\x7fELF")}
REMOTE = Remote(Digest(b"\x01" * 32), key(2).address, RESULT, CONTENTS)
ASKED = shim.Task(
    argv=TASK.argv,
    cwd=TASK.cwd,
    env=(("TZ", "UTC"), ("LANG", "C.UTF-8")),
    directories=("/home/me/project/sub", "/home/me/project", "/home/me/project/sub"),
    outputs=(OUTPUT,),
    inputs=tuple(
        shim.Input(file.path, file.digest, file.mode, len(source))
        for file, source in reversed(list(zip(TASK.inputs, SOURCES, strict=True)))
    ),
    source="a.c",
    process_name="cc a.c",
    compiler=COMPILER,
)


class FakeHome:
    """Stands for HomeSide: gives what it was told, or raises it."""

    def __init__(self) -> None:
        self.outcome: Remote | Local | Exception = REMOTE
        self.tasks: list[tuple[TaskDescriptor, str]] = []

    async def run(self, task: TaskDescriptor, process_name: str) -> Remote | Local:
        self.tasks.append((task, process_name))
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


class FakeModules:
    """Stands for Modules: says back what it was asked."""

    async def answer(self, asked: shim.Module) -> shim.Result | shim.Local:
        return shim.Result(asked.fuel, asked.module, asked.data, ())


class FakePuzzles:
    """Stands for Puzzles: refuses with what it was asked."""

    async def answer(self, asked: shim.Puzzle) -> shim.Result | shim.Local:
        return shim.Local(f"{asked.family} {asked.difficulty} {asked.within}")


class Node:
    """A front on a socket, and what stands behind it."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "run" / "socket"
        self.home, self.journal = FakeHome(), Journal(folder / "journal.db")
        self.store = ContentStore(folder / "store")
        toolchain = Toolchain(TOOLCHAIN, COMPILER, "12", "x86_64")
        self.modules = FakeModules()
        self.front = Front(
            cast(HomeSide, self.home),
            self.journal,
            self.store,
            toolchain,
            modules=cast(Modules, self.modules),
            puzzles=cast(Puzzles, FakePuzzles()),
        )

    def talk(self, dialogue: Callable[[Shim], Awaitable[None]]) -> None:
        """Serves while a shim has its say."""

        async def both() -> None:
            server = await self.front.serve(self.socket)
            async with server:
                reader, writer = await asyncio.open_unix_connection(self.socket)
                client = Shim(reader, writer)
                try:
                    await asyncio.wait_for(dialogue(client), 10)
                finally:
                    writer.close()
                    await writer.wait_closed()
                    await asyncio.sleep(0.01)

        asyncio.run(both())


class Shim:
    """The other end: sends messages and waits for one."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer, self._decoder = reader, writer, shim.Decoder()

    def send(self, message: shim.Message) -> None:
        self._writer.write(shim.encode(message))

    def send_bytes(self, data: bytes) -> None:
        self._writer.write(data)

    async def receive(self) -> shim.Message | None:
        """None when the node closed."""
        while data := await self._reader.read(1 << 16):
            for message in self._decoder.feed(data):
                return message
        return None


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path)
    yield node
    node.journal.close()


def compile_once(node: Node, asked: shim.Task = ASKED) -> list[shim.Message | None]:
    """The whole dialogue of an honest shim; what the node said."""
    said: list[shim.Message | None] = []

    async def dialogue(client: Shim) -> None:
        client.send(asked)
        said.append(await client.receive())
        if isinstance(said[-1], shim.Need):
            by_digest = {sha256(source): source for source in SOURCES}
            client.send(shim.Blobs(tuple(by_digest[d] for d in said[-1].digests)))
            said.append(await client.receive())

    node.talk(dialogue)
    return said


def test_a_compile_goes_out_and_its_object_comes_back(node: Node) -> None:
    need, result = compile_once(node)
    assert need == shim.Need(tuple(sorted(sha256(source) for source in SOURCES)))
    outputs = (shim.ResultFile(OUTPUT, 0o644, b"\x7fELF"),)
    assert result == shim.Result(0, b"", EXECUTION.stderr, outputs)
    assert node.store.get(sha256(SOURCES[0])) == SOURCES[0]


def test_the_task_is_described_canonically(node: Node) -> None:
    compile_once(node)
    ((task, name),) = node.home.tasks
    assert name == "cc a.c"
    assert task == replace(
        TASK,
        env=(("LANG", "C.UTF-8"), ("TZ", "UTC")),
        directories=("/home/me/project", "/home/me/project/sub"),
        limits=task.limits,
    )


def test_inputs_that_are_there_are_not_asked_for(node: Node) -> None:
    node.store.put(SOURCES[0])
    need, _ = compile_once(node)
    assert need == shim.Need((sha256(SOURCES[1]),))
    (result,) = compile_once(node)
    assert isinstance(result, shim.Result)


@pytest.mark.parametrize("reason", [Reason.NO_HOST, Reason.PEER_LOST])
def test_what_nobody_takes_runs_at_home_and_says_why(node: Node, reason: Reason) -> None:
    node.home.outcome = Local(reason)
    assert compile_once(node)[-1] == shim.Local(reason.name)


def test_a_remote_failure_is_settled_at_home(node: Node) -> None:
    failed = replace(EXECUTION, exit_status=1, outputs=()).result()
    node.home.outcome = replace(REMOTE, result=failed)
    assert compile_once(node)[-1] == shim.Local(Reason.REMOTE_FAILED.name)


@pytest.mark.parametrize("error", [KudosError("trouble"), MissingContent("pruned meanwhile")])
def test_trouble_at_home_runs_at_home(node: Node, error: Exception) -> None:
    node.home.outcome = error
    assert compile_once(node)[-1] == shim.Local(Reason.NOT_SENDABLE.name)


@pytest.mark.parametrize(
    "asked",
    [
        ASKED._replace(compiler="/opt/other/cc"),
        ASKED._replace(cwd="relative", inputs=()),
        ASKED._replace(outputs=("/etc/passwd",), inputs=()),
        ASKED._replace(env=(("AWS_SECRET_ACCESS_KEY", "x"),), inputs=()),
        ASKED._replace(argv=(), inputs=()),
        ASKED._replace(cwd="/home/" + "a" * 256, inputs=()),
        ASKED._replace(argv=("cc", *["x" * 99_999] * 6), inputs=()),
        ASKED._replace(inputs=ASKED.inputs * 2),
    ],
)
def test_what_cannot_be_sent_is_never_sent(node: Node, asked: shim.Task) -> None:
    assert compile_once(node, asked)[-1] == shim.Local(Reason.NOT_SENDABLE.name)
    assert node.home.tasks == []


@pytest.mark.parametrize(
    "reply",
    [
        shim.Blobs(()),
        shim.Blobs(SOURCES[:1]),
        shim.Blobs((SOURCES[0], b"another")),
        shim.Blobs((*SOURCES, b"one more")),
        shim.Note("local", "confused", "cc"),
    ],
)
def test_other_inputs_than_were_asked_for_are_not_sent(node: Node, reply: shim.Message) -> None:
    said: list[shim.Message | None] = []

    async def dialogue(client: Shim) -> None:
        client.send(ASKED)
        await client.receive()
        client.send(reply)
        said.append(await client.receive())

    node.talk(dialogue)
    assert said == [shim.Local(Reason.NOT_SENDABLE.name)]
    assert node.home.tasks == []


@pytest.mark.parametrize(("what", "counter"), [("not_worth", "not_worth"), ("local", "local")])
def test_what_the_shim_did_itself_is_counted(node: Node, what: str, counter: str) -> None:
    async def dialogue(client: Shim) -> None:
        client.send(shim.Note(what, "too small", "cc a.c"))
        assert await client.receive() is None

    node.talk(dialogue)
    assert node.journal.counters() == {counter: 1}


@pytest.mark.parametrize("data", [b"", b"\0\0", b"\0\0\0\2no", b"\xff" * 64])
def test_a_shim_that_goes_away_or_babbles_harms_nobody(node: Node, data: bytes) -> None:
    async def babble(client: Shim) -> None:
        client.send_bytes(data)
        client._writer.write_eof()
        assert await client.receive() is None

    node.talk(babble)
    assert isinstance(compile_once(node)[-1], shim.Result)


def test_a_reply_where_a_request_belongs_is_left_unanswered(node: Node) -> None:
    async def dialogue(client: Shim) -> None:
        client.send(shim.Local("no"))
        assert await client.receive() is None

    node.talk(dialogue)
    assert node.home.tasks == []


def test_the_socket_is_the_owners_alone_and_a_stale_one_is_replaced(node: Node) -> None:
    node.socket.parent.mkdir()
    node.socket.write_text("stale", "utf-8")
    modes: list[int] = []

    async def look(client: Shim) -> None:
        modes.append(os.stat(node.socket).st_mode & 0o777)

    node.talk(look)
    assert modes == [0o600]


def test_modules_are_for_those_who_run_them(node: Node) -> None:
    said: list[shim.Message | None] = []

    async def dialogue(client: Shim) -> None:
        client.send(shim.Module(b"code", b"data", 5, 1, 1, 1, "a.wasm"))
        said.append(await client.receive())

    node.talk(dialogue)
    assert said == [shim.Result(5, b"code", b"data", ())]
    assert node.home.tasks == []


def test_puzzles_are_for_whoever_plants_them(node: Node) -> None:
    said: list[shim.Message | None] = []

    async def dialogue(client: Shim) -> None:
        client.send(shim.Puzzle("dlog", 30, 600))
        said.append(await client.receive())

    node.talk(dialogue)
    assert said == [shim.Local("dlog 30 600")]
    assert node.home.tasks == []
