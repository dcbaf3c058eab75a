"""How a machine runs tasks for WebAssembly: ``node.wasm_run`` under the system's own Python, in the
same sandbox and under the same limits as every other task.

A sandbox sees ``/usr`` and the task's files. So the program and the wasmtime package are copied,
once for each process of ours, to where the user that jobs run as can read them.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from ledger.errors import KudosError, SetupError
from node.execution import Execution
from node.staging import SCRATCH_PREFIX
from node.task import Limits, TaskDescriptor
from node.task_paths import SANDBOX_PATH
from node.wasm_form import WASM
from node.wasm_task import read_report, run_arguments

RUNTIME = "/wasm"
"""Where a sandbox shows it."""
OVERHEAD_MIB = 512
"""What Python, wasmtime and the compilation may take beside the module's own memory."""

# The script's own directory is where wasmtime is found; nothing else is looked at or written.
_PYTHON_OPTIONS = ("-E", "-s", "-S", "-B")
_PROGRAM = "wasm_run.py"


class Undecided(KudosError):
    """A run that says nothing about the module: it ended for a reason of this machine."""


class Program(NamedTuple):
    """What to start for a task, within which limits, and what it has to see beside its files."""

    argv: Sequence[str]
    limits: Limits
    shown: tuple[tuple[str, str], ...] = ()
    """Pairs of a directory here and its place in the sandbox."""


class WasmRuntime:
    """The copy below ``base``; made when it is first needed, gone with this object or at exit."""

    def __init__(self, base: Path) -> None:
        self._base, self._folder = base, ""
        self._lock = threading.Lock()

    def program(self, task: TaskDescriptor, place: str | None = None) -> Program:
        """The program of any task. ``place`` is where it will see the copy: where it is, if
        None."""
        if task.root != WASM:
            return Program(task.argv, task.limits)
        folder = self._copy()
        script = f"{place or folder}/{_PROGRAM}"
        limits = Limits(
            task.limits.cpu_seconds,
            task.limits.memory_mib + OVERHEAD_MIB,
            task.limits.output_kib,
        )
        argv = [_python(), *_PYTHON_OPTIONS, script, *run_arguments(task)]
        return Program(argv, limits, ((folder, place),) if place else ())

    def _copy(self) -> str:
        with self._lock:
            if not self._folder:
                # With the prefix of jobs, so that the next start sweeps what a kill left behind.
                prefix = f"{SCRATCH_PREFIX}{os.getpid()}-wasm-"
                folder = tempfile.mkdtemp(prefix=prefix, dir=self._base)
                weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
                _fill(Path(folder))
                self._folder = folder
            return self._folder


def decided(task: TaskDescriptor, execution: Execution) -> Execution:
    """The execution, if it was stopped at a limit or says something about the task; Undecided
    otherwise."""
    if task.root != WASM or execution.killed or read_report(execution.stderr) is not None:
        return execution
    said = execution.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
    raise Undecided(
        f"The run of the module ended without a verdict: {' '.join(said) or 'no word'}"
        f" (status {execution.exit_status}).",
        hint="Its stack or memory did not suffice, or python3 is too old: wasmtime wants 3.9.",
    )


def _python() -> str:
    found = shutil.which("python3", path=SANDBOX_PATH)
    if found is None:
        raise SetupError(
            f"There is no python3 in {SANDBOX_PATH}, and a sandbox sees no other.",
            hint="Install it, on Debian or Ubuntu with 'apt-get install python3'.",
        )
    return found


def _fill(folder: Path) -> None:
    """The program and the package, for everybody to read and nobody to write."""
    spec = find_spec("wasmtime")
    if spec is None or spec.origin is None:
        raise SetupError(
            "The Python package wasmtime is missing.", hint="Install it: 'pip install wasmtime'."
        )
    unneeded = shutil.ignore_patterns("__pycache__", "component")
    shutil.copytree(Path(spec.origin).parent, folder / "wasmtime", ignore=unneeded)
    shutil.copy(Path(__file__).with_name(_PROGRAM), folder)
    for directory, _, files in os.walk(folder):
        os.chmod(directory, 0o755)
        for name in files:
            os.chmod(os.path.join(directory, name), 0o444)
