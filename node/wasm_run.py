"""Runs one WebAssembly module to its end: a program of its own, started once for every task.

    wasm_run.py MODULE INPUT FUEL PAGES OUTPUT_BYTES

Standard output is the module's output. Standard error is the report, one line: how it ended, and
the fuel it took. The exit status says the same: 0 done, 1 trapped, 2 refused; anything else is no
statement about the module, but about this machine, and no result is made of it.

What could differ between two machines is off: no imports and so no clock, no randomness and no
files, no threads, no relaxed SIMD, NaNs in one form. Standard library and wasmtime only, for
whatever Python a sandbox has.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import NamedTuple

from wasmtime import (
    Config,
    Engine,
    Func,
    FuncType,
    Instance,
    Memory,
    MemoryType,
    Module,
    Store,
    Trap,
    TrapCode,
    ValType,
    WasmtimeError,
)

DONE, TRAPPED, REFUSED, NO_VERDICT = 0, 1, 2, 70
PAGE_BYTES = 65_536
TABLE_ELEMENTS = 65_536
STACK_BYTES = 1024 * 1024
THREAD_BYTES = 16 * STACK_BYTES
"""The module's frames get the first, which wasmtime bounds; the second is for everything."""

OUT_OF_FUEL = "out of fuel"

_OFF = (
    "wasm_threads",
    "wasm_relaxed_simd",
    "wasm_memory64",
    "wasm_multi_memory",
    "wasm_tail_call",
    "wasm_gc",
    "wasm_function_references",
    "wasm_exceptions",
    "wasm_stack_switching",
    "wasm_custom_page_sizes",
    "wasm_wide_arithmetic",
    "shared_memory",
    "gc_support",
    "parallel_compilation",
    "native_unwind_info",
    "memory_init_cow",
    "memory_may_move",
)
"""Set where this version of wasmtime knows it. The last four are no matter of results."""

_I32, _I64 = ValType.i32, ValType.i64


class Refused(Exception):
    """The module is none that the rules allow, or its output is larger than allowed."""


class NoVerdict(Exception):
    """The run ended for a reason that another machine may not have."""


class Bounds(NamedTuple):
    fuel: int
    pages: int
    output_bytes: int


class Ending(NamedTuple):
    """``how`` is "done", "trap KIND" or "refused KIND"; a module that was refused took no fuel
    worth counting."""

    status: int
    how: str
    fuel: int
    output: bytes = b""

    @property
    def report(self) -> bytes:
        return f"{self.how}, fuel {self.fuel}\n".encode("ascii")


def engine(pages: int) -> Engine:
    """wasmtime with everything fixed that has to do with results."""
    config = Config()
    config.consume_fuel = True
    config.cranelift_nan_canonicalization = True
    for name in _OFF:
        # A setter for what this version cannot do at all is missing, or refuses.
        if hasattr(Config, name):
            setattr(config, name, False)
    # The whole memory at once, so that growing within the bound never fails on one machine only.
    config.memory_reservation = pages * PAGE_BYTES
    config.memory_reservation_for_growth = 0
    config.memory_guard_size = PAGE_BYTES
    config.max_wasm_stack = STACK_BYTES
    return Engine(config)


def run(module: bytes, data: bytes, bounds: Bounds) -> Ending:
    """The ending of one run; NoVerdict when this machine is what ended it."""
    store = Store(engine(bounds.pages))
    store.set_limits(
        memory_size=bounds.pages * PAGE_BYTES, table_elements=TABLE_ELEMENTS, instances=1
    )
    # wasmtime looks at the fuel when a function or a turn of a loop begins, so a module may come to
    # its end beyond the bound. One more than it may take tells that, whatever it did meanwhile.
    store.set_fuel(bounds.fuel + 1)
    status, how, output = DONE, "done", b""
    try:
        output = _call(store, _admit(store, module, bounds), data, bounds)
    except Refused as refused:
        status, how = REFUSED, f"refused {refused}"
    except Trap as trap:
        status, how = TRAPPED, f"trap {_kind(trap)}"
    left = store.get_fuel()
    if left == 0:
        return Ending(TRAPPED, f"trap {OUT_OF_FUEL}", bounds.fuel)
    return Ending(status, how, bounds.fuel + 1 - left, output)


def _admit(store: Store, code: bytes, bounds: Bounds) -> Module:
    """The compiled module, if it has the right exports and no imports."""
    try:
        # The text format is for people; what travels is the binary one.
        if not code.startswith(b"\0asm"):
            raise Refused("module")
        module = Module(store.engine, code)
    except WasmtimeError as error:
        raise Refused("module") from error
    if module.imports:
        raise Refused("imports")
    exports = {export.name: export.type for export in module.exports}
    memory = exports.get("memory")
    reserve, main = (exports.get(name) for name in ("reserve", "run"))
    if not (
        isinstance(memory, MemoryType)
        and _is_function(reserve, [_I32()], [_I32()])
        and _is_function(main, [_I32(), _I32()], [_I64()])
    ):
        raise Refused("exports")
    if memory.limits.min > bounds.pages:
        raise Refused("memory")
    return module


def _is_function(kind: object, params: list[ValType], results: list[ValType]) -> bool:
    return isinstance(kind, FuncType) and kind.params == params and kind.results == results


def _call(store: Store, module: Module, data: bytes, bounds: Bounds) -> bytes:
    """Has the module reserve room for its input, and run on it."""
    try:
        exports = Instance(store, module, []).exports(store)
    except WasmtimeError as error:
        raise NoVerdict(f"it cannot be instantiated: {error}") from error
    memory, reserve, main = exports["memory"], exports["reserve"], exports["run"]
    assert isinstance(memory, Memory)
    assert isinstance(reserve, Func)
    assert isinstance(main, Func)
    start = _word(reserve(store, len(data)))
    if start + len(data) > memory.data_len(store):
        raise Refused("input place")
    memory.write(store, data, start)
    answer = main(store, _signed(start), len(data)) & (1 << 64) - 1
    place, size = answer >> 32, answer & (1 << 32) - 1
    if place + size > memory.data_len(store):
        raise Refused("output place")
    if size > bounds.output_bytes:
        raise Refused("output size")
    return bytes(memory.read(store, place, place + size))


def _word(value: int) -> int:
    return value & (1 << 32) - 1


def _signed(word: int) -> int:
    """Python's wasmtime takes an i32 in its signed reading."""
    return word - (1 << 32) if word >> 31 else word


def _kind(trap: Trap) -> str:
    code = trap.trap_code
    if code is None or code is TrapCode.STACK_OVERFLOW:
        # How many calls fit on a stack depends on the processor.
        raise NoVerdict("it used up the stack" if code else f"{trap.message}")
    return code.name.lower().replace("_", " ")


def main(arguments: list[str]) -> int:
    """Runs what the command line names; prints output and report."""
    files, numbers = arguments[:2], arguments[2:]
    module, data = (_read(path) for path in files)
    try:
        ending = run(module, data, Bounds(*map(int, numbers)))
    except NoVerdict as reason:
        print(f"no verdict: {reason}", file=sys.stderr)
        return NO_VERDICT
    sys.stdout.buffer.write(ending.output)
    sys.stdout.buffer.flush()
    sys.stderr.buffer.write(ending.report)
    return ending.status


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _with_a_large_stack(arguments: list[str]) -> int:
    """The main thread's stack is the system's choice; that of another thread is ours."""
    status = [NO_VERDICT]
    threading.stack_size(THREAD_BYTES)
    thread = threading.Thread(target=lambda: status.append(main(arguments)))
    thread.start()
    thread.join()
    return status[-1]


if __name__ == "__main__":
    ended = _with_a_large_stack(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Past the interpreter's own tidying up: a big memory need not be handed back piece by piece.
    os._exit(ended)
