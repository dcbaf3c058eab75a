"""What a task for WebAssembly looks like: one module, one input, a bound on its fuel.

The descriptor is an ordinary one with the root image ``wasm``. Its command is

    wasm module.wasm input FUEL

in the directory ``/task``, which holds those two files and nothing else. Standard output is what
the module gives back, standard error a report of one line: how it ended, and the fuel it took. So
the result digest covers all three, and whoever runs the task again compares them at once.

Memory and output are bounded by the limits of every task. Only the same release series of wasmtime
counts the same fuel, so the toolchain names it.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import version
from typing import NamedTuple

from ledger.errors import PeerError, UsageError
from node.store import sha256
from node.task import InputFile, Limits, TaskDescriptor
from node.wasm_form import COMMAND, FOLDER, INPUT, MODULE, TOOLCHAIN_PREFIX, WASM

ANY_TOOLCHAIN = "any"
"""Of a task whose result does not depend on a compiler."""
ABI = 1
PAGES_PER_MIB = 16
MAX_REPORT_BYTES = 128

_REPORT = re.compile(rb"(done|trap [a-z ]+|refused [a-z ]+), fuel (\d+)\n")


class Report(NamedTuple):
    """The report, read. ``ending`` is "done", or begins with "trap" or "refused"."""

    ending: str
    fuel: int

    @property
    def advice(self) -> str:
        """What to do about it; empty when it is done."""
        return next((text for start, text in _ADVICE if self.ending.startswith(start)), "")


_ADVICE = (
    ("trap out of fuel", "Give it more with --fuel, or find the loop."),
    ("trap memory out of bounds", "It reads or writes outside of its memory."),
    ("trap", "The module ended itself: an error in it, or in its input."),
    ("refused module", "It is no WebAssembly module, or one that needs a feature that is off."),
    ("refused imports", "It wants to be given functions; a task gets none, and no WASI either."),
    ("refused exports", "It must export memory, reserve(i32) -> i32 and run(i32, i32) -> i64."),
    ("refused memory", "It begins with more memory than --memory-mib allows."),
    ("refused input place", "reserve gave a place that its memory does not reach to."),
    ("refused output place", "run gave a place that its memory does not reach to."),
    ("refused output size", "Allow it more with --output-kib."),
)


@cache
def wasm_class() -> str:
    """The toolchain of tasks that this machine can run: fuel is counted by the compiler in
    wasmtime, which may count otherwise with each major version, and with no other."""
    return f"{TOOLCHAIN_PREFIX}{ABI}-wasmtime-{version('wasmtime').partition('.')[0]}"


def is_for(task: TaskDescriptor, toolchain: str) -> bool:
    """Whether a machine with this C toolchain gets the result that any of its class gets."""
    if task.root == WASM:
        return task.toolchain == wasm_class()
    return task.toolchain in (ANY_TOOLCHAIN, toolchain)


def describe(module: bytes, data: bytes, fuel: int, limits: Limits) -> TaskDescriptor:
    """The task of this module on this input; UsageError for bounds that no task may have."""
    try:
        return TaskDescriptor(
            argv=(*COMMAND, str(fuel)),
            cwd=FOLDER,
            env=(),
            toolchain=wasm_class(),
            inputs=(
                InputFile(INPUT, sha256(data), 0o644),
                InputFile(MODULE, sha256(module), 0o644),
            ),
            directories=(),
            outputs=(),
            limits=limits,
            root=WASM,
        )
    except PeerError as error:
        raise UsageError(error.message, hint="Choose other bounds for the task.") from error


def run_arguments(task: TaskDescriptor) -> list[str]:
    """What ``node.wasm_run`` is to be given for it, in the task's own directory."""
    output_bytes = task.limits.output_kib * 1024 - MAX_REPORT_BYTES
    return [*task.argv[1:], str(task.limits.memory_mib * PAGES_PER_MIB), str(output_bytes)]


def read_report(stderr: bytes) -> Report | None:
    """None for anything that no run of a module leaves behind."""
    match = _REPORT.fullmatch(stderr)
    return Report(match[1].decode("ascii"), int(match[2])) if match else None
