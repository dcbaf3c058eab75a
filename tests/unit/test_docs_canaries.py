"""docs/canaries.md: its module does what it says, and what it lists is what there is."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest
from wasmtime import wat2wasm

from canaries.family import installed
from node.parser_run import add_plant, add_run
from node.wasm_form import DEFAULT_FUEL
from node.wasm_run import Bounds, run
from node.wasm_task import read_report, wasm_class


@pytest.fixture
def text(project: Path) -> str:
    return (project / "docs/canaries.md").read_text("utf-8")


def test_the_example_turns_letters_to_capitals(text: str) -> None:
    (example,) = re.findall(r"```wat\n(.*?)```", text, re.DOTALL)
    ended = run(bytes(wat2wasm(example)), b"Kudos, z{a`!", Bounds(10_000, 16, 100))
    assert (ended.how, ended.output) == ("done", b"KUDOS, Z{A`!")


def test_its_reports_are_reports(text: str) -> None:
    lines = re.findall(r"^    ((?:done|trap|refused).*)$", text, re.MULTILINE)
    assert len(lines) == 3
    assert all(read_report(f"{line}\n".encode()) for line in lines)


def test_it_names_every_option_and_family(text: str) -> None:
    commands = argparse.ArgumentParser().add_subparsers()
    add_run(commands)
    add_plant(commands)
    helps = "".join(command.format_help() for command in commands.choices.values())
    options = set(re.findall(r"--[a-z-]+", helps)) - {"--help"}
    assert len(options) > 7
    assert {option for option in options if option not in text} == set()
    assert f"{DEFAULT_FUEL:,}" in text
    assert {name for name in installed() if f"`{name.rstrip(bytes(1)).decode()}`" not in text} == (
        set()
    )


def test_its_class_has_the_form_of_a_class(text: str) -> None:
    (named,) = set(re.findall(r"`(wasm-\d+-wasmtime-\d+)`", text))
    assert named.rpartition("-")[0] == wasm_class().rpartition("-")[0]
