"""Descriptors for WebAssembly: one form, and machines that know which they can run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ledger.errors import KudosError, PeerError, UsageError
from node.execution import Execution, Killed
from node.task import InputFile, Limits, decode_task, encode_task, task_digest
from node.wasm_runtime import Program, Undecided, WasmRuntime, decided
from node.wasm_task import (
    ANY_TOOLCHAIN,
    Report,
    describe,
    is_for,
    read_report,
    run_arguments,
    wasm_class,
)
from tests.unit.node_world import TASK, TOOLCHAIN
from tests.unit.wasm_modules import DATA, ECHO, LIMITS, task_of


def test_it_is_a_descriptor_like_others() -> None:
    task = task_of()
    assert decode_task(encode_task(task)) == task
    assert task_digest(task) != task_digest(task_of(fuel=1_000_001))
    assert task.toolchain == wasm_class()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"argv": ("sh", "module.wasm", "input", "5")}, "has the command"),
        ({"argv": ("wasm", "module.wasm", "5")}, "has the command"),
        ({"argv": ("wasm", "module.wasm", "input", "05")}, "whole number"),
        ({"argv": ("wasm", "module.wasm", "input", "\u0665")}, "whole number"),
        ({"argv": ("wasm", "module.wasm", "input", "-5")}, "whole number"),
        ({"argv": ("wasm", "module.wasm", "input", "9" * 5000)}, "whole number"),
        ({"argv": ("wasm", "module.wasm", "input", "0")}, "fuel must be"),
        ({"argv": ("wasm", "module.wasm", "input", str(10**18 + 1))}, "fuel must be"),
        ({"cwd": "/other"}, "no other files"),
        ({"inputs": ()}, "no other files"),
        ({"env": (("LANG", "C"),)}, "no environment"),
        ({"directories": ("/more",)}, "no environment"),
        ({"outputs": ("/task/out",)}, "no environment"),
        ({"toolchain": "any"}, "begins with"),
        ({"limits": replace(LIMITS, memory_mib=4097)}, "for wasm"),
        ({"root": "alpine"}, "host, wasm"),
    ],
)
def test_it_has_one_form(change: dict[str, Any], words: str) -> None:
    with pytest.raises(PeerError, match=words):
        replace(task_of(), **change)


def test_a_third_file_is_one_too_many() -> None:
    task = task_of()
    more = InputFile("/task/zebra", b"\x01" * 32, 0o644)
    with pytest.raises(PeerError, match="no other files"):
        replace(task, inputs=(*task.inputs, more))


@pytest.mark.parametrize("fuel", [0, -1, 10**18 + 1])
def test_who_asks_for_the_impossible_is_told_so(fuel: int) -> None:
    with pytest.raises(UsageError, match="fuel"):
        describe(ECHO, DATA, fuel, LIMITS)


def test_a_machine_knows_what_it_can_run() -> None:
    assert is_for(TASK, TOOLCHAIN)
    assert is_for(replace(TASK, toolchain=ANY_TOOLCHAIN), TOOLCHAIN)
    assert not is_for(TASK, "gcc-13")
    assert is_for(task_of(), "gcc-13"), "no C compiler is needed"
    assert not is_for(replace(task_of(), toolchain="wasm-1-wasmtime-1"), TOOLCHAIN)
    assert not is_for(replace(TASK, toolchain=wasm_class()), TOOLCHAIN)


def test_bounds_travel_in_the_limits() -> None:
    task = task_of(fuel=77, limits=Limits(10, 3, 2))
    assert run_arguments(task) == ["module.wasm", "input", "77", "48", "1920"]


def test_reports_are_read_and_nothing_else_is() -> None:
    assert read_report(b"done, fuel 5\n") == Report("done", 5)
    trapped = read_report(b"trap out of fuel, fuel 9\n")
    assert trapped is not None
    assert trapped.advice.startswith("Give it more")
    for other in (b"", b"done, fuel 5", b"x\ndone, fuel 5\n", b"no verdict: stack\n", b"\xff"):
        assert read_report(other) is None


def ended(stderr: bytes, killed: Killed | None = None) -> Execution:
    return Execution(70, b"", stderr, (), 0.0, 0.0, killed)


def test_a_run_without_a_report_is_no_result() -> None:
    with pytest.raises(Undecided, match="stack was used up") as error:
        decided(task_of(), ended(b"noise\nthe stack was used up\n"))
    assert isinstance(error.value, KudosError)
    with pytest.raises(Undecided, match="no word"):
        decided(task_of(), ended(b""))
    for execution in (ended(b"done, fuel 5\n"), ended(b"", killed="cpu")):
        assert decided(task_of(), execution) is execution
    assert decided(TASK, ended(b"error\n")).stderr == b"error\n", "a compile may say anything"


def test_other_tasks_start_what_they_name(tmp_path: Any) -> None:
    assert WasmRuntime(tmp_path).program(TASK) == Program(TASK.argv, TASK.limits)
    assert list(tmp_path.iterdir()) == [], "and nothing is copied for them"
