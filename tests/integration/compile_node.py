"""The least that can stand for a node: answers the shim, runs tasks in the real sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from node import shim_protocol as protocol
from node.execution import Execution
from node.sandbox import Runner
from node.store import ContentStore
from node.task import InputFile, Limits, TaskDescriptor
from node.toolchain import Toolchain


class CompileNode:
    """Remembers what it was asked and told, and what came out."""

    def __init__(self, runner: Runner, store: ContentStore, toolchain: Toolchain) -> None:
        self._runner = runner
        self._store = store
        self._toolchain = toolchain
        self.sent: list[str] = []
        self.notes: list[protocol.Note] = []
        self.executions: list[Execution] = []
        self.missing_bytes = 0

    @asynccontextmanager
    async def listening(self, address: Path) -> AsyncIterator[None]:
        server = await asyncio.start_unix_server(self._serve, str(address))
        async with server:
            yield

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        decoder = protocol.Decoder()
        task: protocol.Task | None = None
        try:
            while data := await reader.read(1 << 16):
                for message in decoder.feed(data):
                    match message:
                        case protocol.Note():
                            self.notes.append(message)
                        case protocol.Task():
                            task = message
                            digests = {item.digest for item in task.inputs}
                            missing = sorted(d for d in digests if not self._store.has(d))
                            writer.write(protocol.encode(protocol.Need(tuple(missing))))
                        case protocol.Blobs() if task is not None:
                            self.missing_bytes += sum(map(len, message.blobs))
                            for blob in message.blobs:
                                self._store.put(blob)
                            writer.write(protocol.encode(await self._run(task)))
                        case _:
                            raise AssertionError(f"the shim sent {message}")
                    await writer.drain()
        finally:
            writer.close()

    async def _run(self, task: protocol.Task) -> protocol.Result | protocol.Local:
        if task.compiler != self._toolchain.compiler_path:
            return protocol.Local("another compiler")
        self.sent.append(task.source)
        descriptor = TaskDescriptor(
            argv=task.argv,
            cwd=task.cwd,
            env=task.env,
            toolchain=self._toolchain.class_id,
            inputs=tuple(InputFile(i.path, i.digest, i.mode) for i in task.inputs),
            directories=task.directories,
            outputs=task.outputs,
            limits=Limits(),
        )
        execution = await self._runner.run(descriptor, self._store, timeout=120)
        self.executions.append(execution)
        files = tuple(protocol.ResultFile(o.path, o.mode, o.data) for o in execution.outputs)
        return protocol.Result(execution.exit_status, execution.stdout, execution.stderr, files)
