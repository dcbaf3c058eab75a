"""Runs one process to its end: collects its streams, and kills it when it takes too much."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from node.staging import ProducedFile, Staging
from node.store import sha256
from node.task import Limits, OutputFile, ResultDescriptor, TaskDescriptor

Killed = Literal["timeout", "cpu", "output"]
T = TypeVar("T")

_SCAN_SECONDS = 0.5
_MAX_PROCESSES = 128
_MAX_OPEN_FILES = 256
# What a killed process may still take until it is gone and its pipes are closed.
_GRACE_SECONDS = 10.0

# Times are reported on what came in as standard input, a pipe; the job itself gets /dev/null there
# and no other descriptor. The shell's own messages ("Killed") are not part of the job's output.
_REPORT_TIMES = (
    "exec 3>&0 4>&2 </dev/null 2>/dev/null; "
    '(exec "$@" 2>&4 3>&- 4>&-); status=$?; times >&3; exit $status'
)
_TIME = re.compile(rb"(\d+)m(\d+\.\d+)s")


@dataclass(frozen=True, slots=True)
class Execution:
    """What a task did. ``killed`` says which limit ended it, if one did."""

    exit_status: int
    stdout: bytes
    stderr: bytes
    outputs: tuple[ProducedFile, ...]
    cpu_seconds: float
    wall_seconds: float
    killed: Killed | None = None

    def result(self) -> ResultDescriptor:
        """What this execution amounts to on the ledger; times are not part of it."""
        return ResultDescriptor(
            exit_status=self.exit_status,
            stdout=sha256(self.stdout),
            stderr=sha256(self.stderr),
            outputs=tuple(OutputFile(o.path, sha256(o.data), o.mode) for o in self.outputs),
        )


class _TooMuchOutput(Exception):
    """The process wrote more than it may."""


@dataclass(slots=True)
class Streams:
    """Standard output and error, which share one budget of bytes."""

    budget: int
    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)

    async def drain(self, stream: asyncio.StreamReader, into: bytearray) -> None:
        while data := await stream.read(65536):
            room = self.budget - len(self.stdout) - len(self.stderr)
            into += data[:room]
            if len(data) > room:
                raise _TooMuchOutput


async def run_job(
    command: Sequence[str],
    task: TaskDescriptor,
    staging: Staging,
    *,
    timeout: float,
    pass_fds: tuple[int, ...] = (),
) -> Execution:
    """Run ``command``, which is a ``limited`` one or leads to it, within the task's limits."""
    budget = task.limits.output_kib * 1024
    streams = Streams(budget)
    times_read, times_write = os.pipe()
    with open(times_read, "rb", buffering=0) as times:
        try:
            process = await _spawn(command, times_write, pass_fds)
        finally:
            os.close(times_write)
        start = time.monotonic()
        # Twice the budget: a job may have temporary files beside its outputs.
        allowed = 2 * budget + staging.input_bytes
        killed = await supervise(
            process, streams, timeout=timeout, over_limit=lambda: staging.over_limit(allowed)
        )
        wall_seconds = time.monotonic() - start
        cpu_seconds = _cpu_seconds(read_now(times.fileno()))
    left = budget - len(streams.stdout) - len(streams.stderr)
    outputs = await finish(asyncio.to_thread(staging.collect, task.outputs, left))
    status = _exit_status(process.returncode)
    if outputs is None:
        killed = "output"
    return Execution(
        exit_status=status,
        stdout=bytes(streams.stdout),
        stderr=bytes(streams.stderr),
        outputs=outputs or (),
        cpu_seconds=cpu_seconds,
        wall_seconds=wall_seconds,
        killed=killed or _killed_by_rlimit(status, cpu_seconds, task.limits),
    )


async def supervise(
    process: asyncio.subprocess.Process,
    streams: Streams,
    *,
    timeout: float,
    over_limit: Callable[[], bool],
) -> Killed | None:
    """Wait for the process and all it started; returns the reason if it had to be killed.

    Also on cancellation nothing of the process is left when this returns.
    """
    try:
        async with asyncio.timeout(timeout):
            await _until_done(process, streams, over_limit)
    except TimeoutError:
        return "timeout"
    except ExceptionGroup as group:
        if group.split(_TooMuchOutput)[1] is not None:
            raise
        return "output"
    finally:
        kill_group(process.pid)
        with suppress(TimeoutError):
            await finish(asyncio.wait_for(_bury(process), _GRACE_SECONDS))
    return None


async def _bury(process: asyncio.subprocess.Process) -> None:
    """Wait until a killed process is gone, and read its pipes to their end, which closes them."""
    streams = [stream for stream in (process.stdout, process.stderr) if stream is not None]
    await asyncio.gather(process.wait(), *(_discard(stream) for stream in streams))


async def _discard(stream: asyncio.StreamReader) -> None:
    while await stream.read(65536):
        pass


async def _until_done(
    process: asyncio.subprocess.Process, streams: Streams, over_limit: Callable[[], bool]
) -> None:
    assert process.stdout is not None
    assert process.stderr is not None
    async with asyncio.TaskGroup() as group:
        group.create_task(streams.drain(process.stdout, streams.stdout))
        group.create_task(streams.drain(process.stderr, streams.stderr))
        guard = group.create_task(_guard_disk(over_limit))
        await process.wait()
        guard.cancel()
        # Whatever it left in the background would keep the pipes open.
        kill_group(process.pid)


async def _guard_disk(over_limit: Callable[[], bool]) -> None:
    while True:
        await asyncio.sleep(_SCAN_SECONDS)
        if await finish(asyncio.to_thread(over_limit)):
            raise _TooMuchOutput


def kill_group(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


async def finish(work: Coroutine[Any, Any, T], undo: Callable[[T], object] | None = None) -> T:
    """Await ``work`` to its end even when cancelled meanwhile; then ``undo`` it and go on.

    For threads: cancelling the await would leave the thread at work on files about to be removed.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        if not task.cancelled() and task.exception() is None and undo is not None:
            undo(task.result())
        raise


def limited(argv: Sequence[str], limits: Limits, prlimit: str) -> list[str]:
    """A command that runs ``argv`` under its limits and reports times to ``run_job``."""
    # One second between the soft and the hard limit: the signal of the first says what happened.
    options = [
        f"--as={limits.memory_mib * 1024 * 1024}",
        f"--cpu={limits.cpu_seconds}:{limits.cpu_seconds + 1}",
        f"--fsize={limits.output_kib * 1024}",
        f"--nofile={_MAX_OPEN_FILES}",
        f"--nproc={_MAX_PROCESSES}",
        "--core=0",
    ]
    return ["/bin/sh", "-c", _REPORT_TIMES, "sh", prlimit, *options, "--", *argv]


async def _spawn(
    command: Sequence[str], stdin: int, pass_fds: tuple[int, ...]
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        pass_fds=pass_fds,
        start_new_session=True,
        # The modes of outputs are part of the result, whatever this node's own umask is.
        umask=0o022,
    )


def _killed_by_rlimit(status: int, cpu_seconds: float, limits: Limits) -> Killed | None:
    if status == 128 + signal.SIGXFSZ:
        return "output"
    # A compiler driver turns the death of its child into an exit status of its own.
    if status == 128 + signal.SIGXCPU or (status != 0 and cpu_seconds >= limits.cpu_seconds):
        return "cpu"
    return None


def _exit_status(returncode: int | None) -> int:
    """The shell's convention: death by signal n is 128 + n."""
    if returncode is None:
        return 128 + signal.SIGKILL
    return 128 - returncode if returncode < 0 else returncode


def read_now(descriptor: int) -> bytes:
    """What a pipe holds; never waits, as a job may keep the other end open."""
    os.set_blocking(descriptor, False)
    with suppress(BlockingIOError):
        return os.read(descriptor, 65536)
    return b""


def _cpu_seconds(report: bytes) -> float:
    """The second line of the shell's ``times``: user and system time of what it ran."""
    lines = report.splitlines()
    if len(lines) < 2:
        return 0.0
    return sum(60 * int(minutes) + float(seconds) for minutes, seconds in _TIME.findall(lines[1]))
