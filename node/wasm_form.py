"""The one form that a descriptor with the root image ``wasm`` has. Pure; for ``node.task``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

WASM = "wasm"
ROOTS = ("host", WASM)
FOLDER = "/task"
INPUT, MODULE = f"{FOLDER}/input", f"{FOLDER}/module.wasm"
COMMAND = ("wasm", "module.wasm", "input")
TOOLCHAIN_PREFIX = "wasm-"
MAX_FUEL = 10**18
DEFAULT_FUEL = 20_000_000_000
MAX_MEMORY_MIB = 4_096
"""All that a module can address."""


class _Named(Protocol):
    @property
    def path(self) -> str: ...


class _Bounds(Protocol):
    @property
    def memory_mib(self) -> int: ...


class _Form(Protocol):
    """What of a descriptor is looked at."""

    @property
    def argv(self) -> tuple[str, ...]: ...
    @property
    def toolchain(self) -> str: ...
    @property
    def cwd(self) -> str: ...
    @property
    def env(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def inputs(self) -> Sequence[_Named]: ...
    @property
    def directories(self) -> tuple[str, ...]: ...
    @property
    def outputs(self) -> tuple[str, ...]: ...
    @property
    def limits(self) -> _Bounds: ...


def root_problem(root: str, task: _Form) -> str | None:
    """Why a task cannot have this root image, or None if it can."""
    if root not in ROOTS:
        return f"the root image must be one of {', '.join(ROOTS)}"
    return _wasm_problem(task) if root == WASM else None


def _wasm_problem(task: _Form) -> str | None:
    if not task.toolchain.startswith(TOOLCHAIN_PREFIX):
        return f"the toolchain of a task for wasm begins with {TOOLCHAIN_PREFIX}"
    *command, fuel = task.argv or ("",)
    if tuple(command) != COMMAND:
        return f"a task for wasm has the command {' '.join(COMMAND)} FUEL"
    # One spelling of each number: two descriptors of one task would have two digests.
    if not fuel.isascii() or not fuel.isdigit() or fuel != str(int(fuel[:20])):
        return "fuel is no whole number"
    if not 1 <= int(fuel) <= MAX_FUEL:
        return f"fuel must be 1 to {MAX_FUEL}"
    if task.cwd != FOLDER or [file.path for file in task.inputs] != [INPUT, MODULE]:
        return f"a task for wasm has {INPUT} and {MODULE}, and no other files"
    if task.env or task.directories or task.outputs:
        return "a task for wasm has no environment, directories or output files"
    if task.limits.memory_mib > MAX_MEMORY_MIB:
        return f"memory_mib must be 1 to {MAX_MEMORY_MIB} for wasm"
    return None
