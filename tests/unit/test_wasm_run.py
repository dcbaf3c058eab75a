"""One run of a module: what it gives back, what it takes, and every way in which it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from wasmtime import wat2wasm

from node import wasm_run
from node.wasm_run import DONE, NO_VERDICT, REFUSED, TRAPPED, Bounds, Ending, NoVerdict
from tests.unit.wasm_modules import (
    EATS_MEMORY,
    ECHO,
    ECHO_FUEL,
    FOR_EVER,
    RECURSION,
    RESERVE,
    SAME,
    counting,
    module,
)

BOUNDS = Bounds(fuel=1_000_000, pages=4, output_bytes=100)


def run(code: bytes, data: bytes = b"in", bounds: Bounds = BOUNDS) -> Ending:
    return wasm_run.run(code, data, bounds)


def test_output_and_fuel_are_the_answer() -> None:
    assert run(ECHO, b"hello") == Ending(DONE, "done", ECHO_FUEL, b"hello")
    assert run(ECHO, b"").output == b""


@pytest.mark.parametrize("turns", [1, 2, 1000])
def test_fuel_is_counted_by_the_instruction(turns: int) -> None:
    assert run(module(counting(turns))).fuel == ECHO_FUEL + 8 * turns


def test_the_last_drop_of_fuel_decides() -> None:
    """Also where the module comes to its end before wasmtime looks at the fuel again."""
    code = module(counting(1000))
    needs = run(code).fuel
    enough = run(code, bounds=BOUNDS._replace(fuel=needs))
    assert (enough.how, enough.fuel) == ("done", needs)
    for missing in (1, 2, 8, 100):
        short = run(code, bounds=BOUNDS._replace(fuel=needs - missing))
        assert (short.how, short.fuel) == ("trap out of fuel", needs - missing)
        assert (short.status, short.output) == (TRAPPED, b"")


def test_what_fails_beyond_its_fuel_has_run_out_of_it() -> None:
    for code in (TRAPS["unreachable"], module("(i64.const 101)")):
        assert run(code).fuel > 2
        short = run(code, bounds=BOUNDS._replace(fuel=2))
        assert (short.status, short.how) == (TRAPPED, "trap out of fuel")


TRAPS = {
    "out of fuel": FOR_EVER,
    "unreachable": module("unreachable"),
    "memory out of bounds": module("(i64.load (i32.const 65536))"),
    "integer division by zero": module("(i64.div_u (i64.const 1) (i64.const 0))"),
    "integer overflow": module("(i64.div_s (i64.const 0x8000000000000000) (i64.const -1))"),
    "bad conversion to integer": module("(i64.trunc_f64_s (f64.const nan))"),
    "indirect call to null": bytes(
        wat2wasm(f"""(module (memory (export "memory") 1) {RESERVE} (table 1 funcref)
            (type $none (func)) (func (export "run") (param i32 i32) (result i64)
            (call_indirect (type $none) (i32.const 0)) (i64.const 0)))""")
    ),
}


@pytest.mark.parametrize("kind", TRAPS)
def test_a_trap_says_its_kind_and_its_fuel(kind: str) -> None:
    ended = run(TRAPS[kind])
    assert (ended.status, ended.how, ended.output) == (TRAPPED, f"trap {kind}", b"")
    assert ended == run(TRAPS[kind])


def test_memory_grows_up_to_its_bound_and_no_further() -> None:
    grown = module("(drop (memory.grow (i32.const 3))) (i64.const 4)")
    assert run(grown).how == "done"
    assert run(EATS_MEMORY).how == "trap unreachable", "the module is told that there is no more"


def needs(feature: str) -> bytes:
    return module(feature + SAME)


REFUSED_MODULES = {
    "no module": ("module", b"\0asm" + bytes(20)),
    "nothing": ("module", b""),
    "text": ("module", b"(module)"),
    "cut off": ("module", ECHO[:-5]),
    "an import": ("imports", module(SAME, more='(import "env" "f" (func))')),
    "wasi": (
        "imports",
        module(SAME, more='(import "wasi_snapshot_preview1" "random_get" (func (param i32 i32)))'),
    ),
    "no memory": ("exports", bytes(wat2wasm("(module)"))),
    "no run": ("exports", bytes(wat2wasm(f'(module (memory (export "memory") 1) {RESERVE})'))),
    "another reserve": (
        "exports",
        module(SAME, reserve='(func (export "reserve") (result i32) (i32.const 0))'),
    ),
    "reserve is no function": (
        "exports",
        module(SAME, reserve='(global (export "reserve") i32 (i32.const 0))'),
    ),
    "much memory": ("memory", module(SAME, memory="5")),
    "an output outside": ("output place", module("(i64.const 0x0001000000000001)")),
    "a large output": ("output size", module("(i64.const 101)")),
    "an input outside": (
        "input place",
        module(SAME, reserve='(func (export "reserve") (param i32) (result i32) (i32.const -1))'),
    ),
    "threads": ("module", module(SAME, memory="1 1 shared")),
    "relaxed simd": (
        "module",
        needs("""(drop (f32x4.relaxed_madd (v128.const i64x2 0 0) (v128.const i64x2 0 0)
            (v128.const i64x2 0 0)))"""),
    ),
    "memory64": ("module", module("(i64.const 0)", memory="i64 1")),
    "two memories": ("module", module(SAME, more="(memory 1)")),
}


@pytest.mark.parametrize("what", REFUSED_MODULES)
def test_what_the_rules_do_not_allow_is_refused_by_name(what: str) -> None:
    kind, code = REFUSED_MODULES[what]
    ended = run(code)
    assert (ended.status, ended.how, ended.output) == (REFUSED, f"refused {kind}", b"")


def test_an_output_as_large_as_allowed_is_an_output() -> None:
    assert len(run(module("(i64.const 100)")).output) == 100


def test_the_stack_is_the_machines_and_no_verdict() -> None:
    with pytest.raises(NoVerdict, match="stack"):
        run(RECURSION, bounds=BOUNDS._replace(fuel=10**9))


def test_nans_have_one_form() -> None:
    """A processor's own would be the negative one here, and the positive one elsewhere."""
    body = """(f32.store (i32.const 0) (f32.div (f32.const 0) (f32.convert_i32_u (local.get 2))))
        (i64.const 4)"""
    assert run(module(body)).output == bytes.fromhex("0000c07f")


def test_another_process_gives_the_same(tmp_path: Path) -> None:
    (tmp_path / "m.wasm").write_bytes(module(counting(500)))
    (tmp_path / "input").write_bytes(b"in")
    program = [sys.executable, wasm_run.__file__]
    command = [*program, "m.wasm", "input", *map(str, BOUNDS)]
    done = [
        subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=True)
        for _ in range(2)
    ]
    here = run((tmp_path / "m.wasm").read_bytes())
    assert {(d.stdout, d.stderr) for d in done} == {(here.output, here.report)}
    (tmp_path / "m.wasm").write_bytes(RECURSION)
    deep = [*program, "m.wasm", "input", "1000000000", "4", "100"]
    fell = subprocess.run(deep, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert (fell.returncode, fell.stdout) == (NO_VERDICT, b"")
    assert b"no verdict" in fell.stderr
