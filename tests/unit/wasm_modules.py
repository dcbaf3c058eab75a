"""Small modules for the tests, from text."""

from __future__ import annotations

from wasmtime import wat2wasm

from ledger.types import Digest
from node.execution import Execution
from node.task import Limits, TaskDescriptor, result_digest
from node.wasm_run import Bounds, run
from node.wasm_task import describe

RESERVE = '(func (export "reserve") (param i32) (result i32) (i32.const 16))'
SAME = """(i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32))
                  (i64.extend_i32_u (local.get 1)))"""
"""Of ``run``: gives back what it was given."""


def module(body: str, *, memory: str = "1", reserve: str = RESERVE, more: str = "") -> bytes:
    """A module whose ``run`` has this body."""
    text = f"""(module {more} (memory (export "memory") {memory}) {reserve}
        (func (export "run") (param i32 i32) (result i64) (local i32) {body}))"""
    return bytes(wat2wasm(text))


def counting(turns: int) -> str:
    """A body that turns so often, for 8 of fuel each, and then gives back what it was given."""
    return f"""(loop $turn (local.set 2 (i32.add (local.get 2) (i32.const 1)))
        (br_if $turn (i32.lt_u (local.get 2) (i32.const {turns})))) {SAME}"""


ECHO = module(SAME)
ECHO_FUEL = 10
"""One for each of the two calls, one for each of nine instructions but ``end``, which is free; the
constant in ``reserve`` is one of them."""
FOR_EVER = module("(loop $turn (br $turn)) unreachable")
EATS_MEMORY = module(
    "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable"
)
RECURSION = bytes(
    wat2wasm(f"""(module (memory (export "memory") 1) {RESERVE}
        (func $run (export "run") (param i32 i32) (result i64)
            (i64.add (call $run (local.get 0) (local.get 1)) (i64.const 1))))""")
)

LIMITS = Limits(cpu_seconds=20, memory_mib=4, output_kib=16)
DATA = b"some input"


def task_of(code: bytes = ECHO, fuel: int = 1_000_000, limits: Limits = LIMITS) -> TaskDescriptor:
    return describe(code, DATA, fuel, limits)


def execution_of(code: bytes = ECHO, fuel: int = 1_000_000) -> Execution:
    """What a machine makes of it, run inside of this process."""
    ended = run(code, DATA, Bounds(fuel, 64, 16_000))
    return Execution(ended.status, ended.output, ended.report, (), 0.1, 0.1)


ECHOED = execution_of()
RIGHT = Digest(result_digest(ECHOED.result()))
