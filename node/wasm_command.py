"""``kudos run``: one WebAssembly module, at another node or here. The task is never lost: where no
node takes it, it runs in a process of its own on this machine, under the same rules."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from canaries import wasm
from ledger.errors import KudosError, UsageError
from ledger.ports import Entropy, system_entropy
from node import shim_protocol as shim
from node.closure import RunHere
from node.sandbox import UnsandboxedRunner
from node.shim import converse, settings_from
from node.store import sha256
from node.task import Limits, TaskDescriptor
from node.task_paths import MAX_FILE_BYTES
from node.wasm_form import DEFAULT_FUEL
from node.wasm_task import describe, read_report

MADE_SPAN = 60.0
"""A made-up module takes no longer than this many seconds."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What is to be told of a run, wherever it was."""

    stdout: bytes
    stderr: bytes
    where: str


class _Blobs:
    """Inputs from memory (``node.staging.InputSource``)."""

    def __init__(self, *blobs: bytes) -> None:
        self._blobs = {sha256(blob): blob for blob in blobs}

    def link_into(self, digest: bytes, destination: Path, mode: int) -> None:
        destination.write_bytes(self._blobs[digest])
        destination.chmod(mode)


def run_module(options: argparse.Namespace) -> int:
    """0 when the module came to its end, 1 when it trapped or was refused."""
    settings = settings_from(os.environ)
    if options.within < 1:
        raise UsageError("--within is a number of seconds.", hint="Give 1 or more.")
    if options.plant and settings.socket is None:
        raise UsageError(
            "Only a node can plant a canary.", hint="Name its socket in KUDOS_SOCKET: DATA/socket."
        )
    asked = _asked(options, system_entropy)
    limits = Limits(asked.cpu_seconds, asked.memory_mib, asked.output_kib)
    task = describe(asked.module, asked.data, asked.fuel, limits)
    ended = None
    if settings.socket is not None:
        ended = _elsewhere(settings.socket, asked, settings.timeout)
    return _tell(ended or run_here(task, asked.module, asked.data), options.out)


def _asked(options: argparse.Namespace, entropy: Entropy) -> shim.Module:
    """The module with its input and bounds."""
    module, data, fuel, name = _wanted(options, entropy)
    return shim.Module(
        module,
        data,
        fuel=fuel,
        cpu_seconds=options.cpu_seconds,
        memory_mib=options.memory_mib,
        output_kib=options.output_kib,
        process_name=name,
        plant_within=options.within if options.plant else 0,
    )


def _wanted(options: argparse.Namespace, entropy: Entropy) -> tuple[bytes, bytes, int, str]:
    if options.made is None:
        data = _read(options.input) if options.input else b""
        return _read(options.wasm), data, options.fuel, options.wasm.name
    if options.input is not None or options.fuel != DEFAULT_FUEL:
        raise UsageError(
            "--made brings its own input and fuel.", hint="Leave INPUT and --fuel out."
        )
    if not 0 < options.made <= MADE_SPAN:
        raise UsageError(f"--made takes up to {MADE_SPAN:.0f} seconds.", hint="Ask for fewer.")
    seed = entropy(32)
    rate = wasm.calibrate(wasm.module_of(seed), fuel_taken, _cpu_seconds)
    made = wasm.generate(seed, wasm.fuel_for(options.made, rate))
    return made.module, made.data, made.bound, f"{made.name}.wasm"


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}.", hint="Name a file that is there."
        ) from error
    if len(data) > MAX_FILE_BYTES:
        raise UsageError(
            f"{path} has {len(data)} bytes; a task's file may have {MAX_FILE_BYTES}.",
            hint="Split the work into smaller tasks.",
        )
    return data


def _elsewhere(socket: str, asked: shim.Module, timeout: float) -> Ended | None:
    """None when the node has nobody for it, or is not there; a canary is for nobody else."""
    try:
        result = converse(socket, asked, {}, timeout)
    except (RunHere, OSError, KudosError) as error:
        if asked.plant_within:
            raise KudosError(
                f"The canary was not planted: {error}.", hint="The node's log says more."
            ) from error
        print(f"kudos: it runs here: {error}", file=sys.stderr)
        return None
    where = "run by the node, and planted" if asked.plant_within else "run by another node"
    return Ended(result.stdout, result.stderr, where)


def run_here(task: TaskDescriptor, module: bytes, data: bytes) -> Ended:
    """Runs one's own module: it sees nothing but its input, so there is no sandbox around it."""
    runner = UnsandboxedRunner(accept_no_sandbox=True)
    # A process that takes its CPU seconds at half the speed of one core still comes to its end.
    timeout = 2.0 * task.limits.cpu_seconds + 10
    execution = asyncio.run(runner.run(task, _Blobs(module, data), timeout=timeout))
    if execution.killed:
        raise KudosError(
            f"The module was stopped at its limit: {execution.killed}.",
            hint="Allow it more with --cpu-seconds, or find the loop.",
        )
    return Ended(execution.stdout, execution.stderr, "run here")


def fuel_taken(made: wasm.MadeTask) -> int:
    """What a made-up task takes, for its calibration."""
    task = describe(made.module, made.data, made.bound, Limits(cpu_seconds=600, memory_mib=64))
    report = read_report(run_here(task, made.module, made.data).stderr)
    return report.fuel if report else 0


def _cpu_seconds() -> float:
    """Of the processes that ran here: what else the machine does must not count."""
    spent = os.times()
    return spent.children_user + spent.children_system


def _tell(ended: Ended, out: Path | None) -> int:
    report = read_report(ended.stderr)
    if report is None:
        raise KudosError(
            "The result has no report of a run.", hint="Send the task again, to another node."
        )
    say = partial(print, file=sys.stderr)
    say(f"kudos: {report.ending}, fuel {report.fuel}, {ended.where}")
    if report.advice:
        say(f"       {report.advice}")
        return 1
    if out is not None:
        out.write_bytes(ended.stdout)
        return 0
    sys.stdout.buffer.write(ended.stdout)
    sys.stdout.flush()
    return 0
