"""The node's Unix socket: compiles come in from ``kudos cc``, modules from ``kudos run``,
puzzles from ``kudos plant``, and results go back.

Only the socket's owner can connect (the directory is owner-only). Whatever goes wrong, the shim is
told to run the compile itself: a build never fails because of us.
"""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from pathlib import Path

from ledger.errors import KudosError, PeerError
from ledger.reasons import Reason
from node import shim_protocol as shim
from node.home import HomeSide, Local, Remote
from node.journal import Journal
from node.puzzle_home import Puzzles
from node.store import ContentStore
from node.task import InputFile, Limits, TaskDescriptor
from node.toolchain import Toolchain
from node.wasm_home import Modules

log = logging.getLogger(__name__)

READ_SIZE = 1 << 18


class Front:
    """Serves shims. ``home`` sends their tasks out, ``modules`` those for WebAssembly, ``puzzles``
    plants; ``journal`` counts what shims did themselves."""

    def __init__(
        self,
        home: HomeSide,
        journal: Journal,
        store: ContentStore,
        toolchain: Toolchain,
        limits: Limits | None = None,
        modules: Modules | None = None,
        puzzles: Puzzles | None = None,
    ) -> None:
        self._home, self._journal, self._store = home, journal, store
        self._toolchain, self._limits = toolchain, limits or Limits()
        self._modules, self._puzzles = modules, puzzles

    async def serve(self, path: Path) -> asyncio.Server:
        """Listens on ``path``, an owner-only socket; a stale one is replaced."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.unlink(missing_ok=True)
        # Closed to others from the first moment: a chmod afterwards would come too late.
        before = os.umask(0o177)
        try:
            return await asyncio.start_unix_server(self._accept, path)
        finally:
            os.umask(before)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        messages = _Messages(reader)
        try:
            first = await messages.next()
            if isinstance(first, shim.Note):
                self._journal.count("not_worth" if first.what == "not_worth" else "local")
                log.info("local %s: %s", first.process_name, first.reason)
            elif isinstance(first, shim.Task):
                await _reply(writer, await self._answer(first, messages, writer))
            elif isinstance(first, shim.Module) and self._modules is not None:
                await _reply(writer, await self._modules.answer(first))
            elif isinstance(first, shim.Puzzle) and self._puzzles is not None:
                await _reply(writer, await self._puzzles.answer(first))
        except (KudosError, OSError, EOFError) as error:
            log.info("a shim went away: %s", error)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _answer(
        self, asked: shim.Task, messages: _Messages, writer: asyncio.StreamWriter
    ) -> shim.Result | shim.Local:
        try:
            if asked.compiler != str(self._toolchain.compiler_path):
                return shim.Local(Reason.NOT_SENDABLE.name)
            await self._take_inputs(asked, messages, writer)
            task = descriptor_of(asked, self._toolchain, self._limits)
            outcome = await self._home.run(task, asked.process_name)
        except KudosError as error:
            log.warning("%s runs at home: %s", asked.process_name, error)
            return shim.Local(Reason.NOT_SENDABLE.name)
        if isinstance(outcome, Local):
            return shim.Local(outcome.reason.name)
        return self._result(outcome)

    async def _take_inputs(
        self, asked: shim.Task, messages: _Messages, writer: asyncio.StreamWriter
    ) -> None:
        wanted = sorted({i.digest for i in asked.inputs if not self._store.has(i.digest)})
        if not wanted:
            return
        writer.write(shim.encode(shim.Need(tuple(wanted))))
        await writer.drain()
        reply = await messages.next()
        if not isinstance(reply, shim.Blobs):
            raise PeerError("The shim sent something else than the inputs it was asked for.")
        if {self._store.put(blob) for blob in reply.blobs} != set(wanted):
            raise PeerError("The shim sent other inputs than it was asked for.")

    def _result(self, remote: Remote) -> shim.Result | shim.Local:
        result, contents = remote.result, remote.contents
        if result.exit_status != 0:
            # Either the source is wrong, and the user should see it from the compiler itself, or
            # the host is; running it at home settles which.
            return shim.Local(Reason.REMOTE_FAILED.name)
        outputs = tuple(
            shim.ResultFile(file.path, file.mode, contents[file.digest]) for file in result.outputs
        )
        return shim.Result(0, contents[result.stdout], contents[result.stderr], outputs)


def descriptor_of(asked: shim.Task, toolchain: Toolchain, limits: Limits) -> TaskDescriptor:
    """A shim's compile as the task that goes out."""
    files = sorted(asked.inputs, key=lambda item: item.path)
    return TaskDescriptor(
        argv=asked.argv,
        cwd=asked.cwd,
        env=tuple(sorted(asked.env)),
        toolchain=toolchain.class_id,
        inputs=tuple(InputFile(item.path, item.digest, item.mode) for item in files),
        directories=tuple(sorted(set(asked.directories))),
        outputs=tuple(sorted(asked.outputs)),
        limits=limits,
    )


async def _reply(writer: asyncio.StreamWriter, message: shim.Message) -> None:
    writer.write(shim.encode(message))
    await writer.drain()


class _Messages:
    """The messages that arrive on one connection, one at a time."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader, self._decoder = reader, shim.Decoder()
        self._ready: list[shim.Message] = []

    async def next(self) -> shim.Message:
        """EOFError when the shim closed before its message was whole."""
        while not self._ready:
            data = await self._reader.read(READ_SIZE)
            if not data:
                raise EOFError("closed in the middle of a message")
            self._ready.extend(self._decoder.feed(data))
        return self._ready.pop(0)
