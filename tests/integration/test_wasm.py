"""Modules in the real sandbox, and `kudos run` as a user has it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from node import wasm_runtime
from node.execution import Execution
from node.sandbox import Runner, Sandbox, UnsandboxedRunner
from node.store import ContentStore
from node.task import Limits, result_digest
from node.wasm_runtime import Undecided, WasmRuntime
from tests.unit.wasm_modules import (
    DATA,
    EATS_MEMORY,
    ECHO,
    ECHO_FUEL,
    FOR_EVER,
    LIMITS,
    RECURSION,
    RIGHT,
    counting,
    module,
    task_of,
)

ROOT = Path(__file__).resolve().parents[2]
LONG = 10**18
"""More fuel than anybody has seconds."""


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    # Not below pytest's own directories, which are closed to the user that jobs run as.
    return Sandbox.detect()


@pytest.fixture(params=["sandbox", "unsandboxed"])
def runner(request: pytest.FixtureRequest, sandbox: Sandbox) -> Runner:
    if request.param == "sandbox":
        return sandbox
    return UnsandboxedRunner(accept_no_sandbox=True)


def run(
    runner: Runner, folder: Path, code: bytes, fuel: int = 10**9, limits: Limits = LIMITS,
    timeout: float = 30,
) -> Execution:  # fmt: skip
    store = ContentStore(folder / "store")
    for blob in (code, DATA):
        store.put(blob)
    return asyncio.run(runner.run(task_of(code, fuel, limits), store, timeout=timeout))


def test_every_way_of_running_it_gives_the_same_result(runner: Runner, tmp_path: Path) -> None:
    done = run(runner, tmp_path, ECHO, 1_000_000)
    assert (done.stdout, done.stderr) == (DATA, f"done, fuel {ECHO_FUEL}\n".encode())
    assert result_digest(done.result()) == RIGHT
    again = run(runner, tmp_path, ECHO, 1_000_000)
    assert again.result() == done.result()


def test_a_loop_ends_with_its_fuel(runner: Runner, tmp_path: Path) -> None:
    ended = run(runner, tmp_path, FOR_EVER, 10**7)
    assert (ended.exit_status, ended.stderr) == (1, b"trap out of fuel, fuel 10000000\n")
    assert ended.killed is None


def test_a_loop_with_fuel_for_ever_ends_with_its_seconds(runner: Runner, tmp_path: Path) -> None:
    limits = replace(LIMITS, cpu_seconds=1)
    assert run(runner, tmp_path, FOR_EVER, LONG, limits).killed == "cpu"
    assert run(runner, tmp_path, FOR_EVER, LONG, timeout=1.5).killed == "timeout"


def test_what_eats_memory_is_told_that_there_is_no_more(runner: Runner, tmp_path: Path) -> None:
    """And gets the same answer on a machine with more memory."""
    started = time.monotonic()
    ended = run(runner, tmp_path, EATS_MEMORY, limits=replace(LIMITS, memory_mib=256))
    assert ended.stderr.startswith(b"trap unreachable, fuel ")
    assert time.monotonic() - started < 20


def test_all_of_the_memory_can_be_used(runner: Runner, tmp_path: Path) -> None:
    fill = """(memory.fill (i32.const 0) (i32.const 7) (i32.const 0x10000000))
        (i64.or (i64.const 0x0fffffff00000000) (i64.const 1))"""
    code = module(fill, memory="4096")
    done = run(runner, tmp_path, code, limits=replace(LIMITS, memory_mib=256))
    assert (done.stdout, done.stderr[:5]) == (b"\x07", b"done,")


def test_outputs_are_bounded(runner: Runner, tmp_path: Path) -> None:
    fits, too_large = (16 * 1024 - 128, 16 * 1024)
    assert len(run(runner, tmp_path, module(f"(i64.const {fits})")).stdout) == fits
    ended = run(runner, tmp_path, module(f"(i64.const {too_large})"))
    assert (ended.stdout, ended.stderr.partition(b",")[0]) == (b"", b"refused output size")
    assert ended.killed is None


def test_what_is_no_module_is_refused(runner: Runner, tmp_path: Path) -> None:
    ended = run(runner, tmp_path, b"\x7fELF")
    assert (ended.exit_status, ended.stderr) == (2, b"refused module, fuel 0\n")


def test_a_stack_that_ends_is_no_result(runner: Runner, tmp_path: Path) -> None:
    with pytest.raises(Undecided, match="stack"):
        run(runner, tmp_path, RECURSION, LONG)


def test_the_copy_goes_with_its_runner(tmp_path: Path) -> None:
    runtime = WasmRuntime(tmp_path)
    program = runtime.program(task_of(), wasm_runtime.RUNTIME)
    ((folder, place),) = program.shown
    assert (Path(folder).parent, place) == (tmp_path, "/wasm")
    assert runtime.program(task_of(), wasm_runtime.RUNTIME) == program, "it is made once"
    assert {path.name for path in Path(folder).iterdir()} == {"wasm_run.py", "wasmtime"}
    del runtime
    assert list(tmp_path.iterdir()) == []


# -- kudos run ------------------------------------------------------------------------------------


def kudos_run(
    folder: Path, *arguments: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    outside = {name: value for name, value in os.environ.items() if name != "KUDOS_SOCKET"}
    environment = {**outside, "PYTHONPATH": str(ROOT), **(env or {})}
    command = [sys.executable, "-m", "node.cli", "run", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, timeout=60, check=False
    )
    assert b"Traceback" not in done.stderr
    return done


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "echo.wasm").write_bytes(ECHO)
    (tmp_path / "loop.wasm").write_bytes(FOR_EVER)
    (tmp_path / "count.wasm").write_bytes(module(counting(100)))
    (tmp_path / "words").write_bytes(DATA)
    return tmp_path


def test_without_a_node_it_runs_here(files: Path) -> None:
    done = kudos_run(files, "--wasm", "echo.wasm", "words")
    assert (done.returncode, done.stdout) == (0, DATA)
    assert f"done, fuel {ECHO_FUEL}, run here".encode() in done.stderr
    done = kudos_run(files, "--wasm", "echo.wasm", "words", "--out", "copy")
    assert (done.stdout, (files / "copy").read_bytes()) == (b"", DATA)


def test_a_node_that_is_not_there_costs_no_task(files: Path) -> None:
    socket = {"KUDOS_SOCKET": str(files / "none")}
    done = kudos_run(files, "--wasm", "count.wasm", "words", env=socket)
    assert (done.returncode, done.stdout) == (0, DATA)
    assert b"it runs here" in done.stderr
    planted = kudos_run(files, "--wasm", "count.wasm", "--plant", env=socket)
    assert planted.returncode == 1
    assert b"was not planted" in planted.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--wasm", "loop.wasm", "--fuel", "1000"], 1, "trap out of fuel, fuel 1000"),
        (["--wasm", "loop.wasm", "--fuel", str(LONG), "--cpu-seconds", "1"], 1, "its limit: cpu"),
        (["--wasm", "words"], 1, "refused module"),
        (["--wasm", "gone.wasm"], 2, "gone.wasm cannot be read"),
        (["--wasm", "echo.wasm", "gone"], 2, "gone cannot be read"),
        (["--wasm", "echo.wasm", "--fuel", "0"], 2, "fuel must be"),
        (["--wasm", "echo.wasm", "--memory-mib", "9999"], 2, "memory_mib must be"),
        (["--wasm", "echo.wasm", "--plant"], 2, "Only a node"),
        (["--made", "9999"], 2, "up to 60 seconds"),
        (["--made", "1", "words"], 2, "its own input"),
        ([], 2, "required"),
    ],
)
def test_what_goes_wrong_is_said_with_a_status(
    files: Path, arguments: list[str], status: int, words: str
) -> None:
    done = kudos_run(files, *arguments)
    assert (done.returncode, done.stdout) == (status, b"")
    assert words in done.stderr.decode()


def test_a_made_up_module_takes_about_its_seconds(files: Path) -> None:
    before = os.times().children_user
    done = kudos_run(files, "--made", "0.5")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) == 32
    # The calibration takes up to three times its half second, beside the module itself.
    assert 0.5 < os.times().children_user - before < 6
