"""The contract build over the real compiler."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger import compile as build

CONTRACT = """// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;
contract KudosLedger {
    uint256 public immutable limit;
    constructor(uint256 limit_) { limit = %s; }
}
"""
Layout = Callable[[str], Path]


@pytest.fixture
def layout(tmp_path: Path, project: Path) -> Layout:
    """Writes a project around one contract, with the real compiler."""

    def write(text: str) -> Path:
        (tmp_path / "contracts").mkdir(exist_ok=True)
        (tmp_path / "contracts" / "KudosLedger.sol").write_text(text, "utf-8")
        if not (tmp_path / "tools").exists():
            (tmp_path / "tools").symlink_to(project / "tools")
        return tmp_path

    return write


def test_two_builds_give_the_same_bytes(layout: Layout) -> None:
    root = layout(CONTRACT % "limit_")
    first = build.build(root)
    assert build.build(root) == first
    artifact = json.loads(first["KudosLedger.json"])
    assert artifact["bytecode"].startswith("0x60")
    assert artifact["compiler"]["version"].startswith("0.8.37+commit.")
    assert len(artifact["immutableReferences"]) == 1


def test_a_comment_changes_the_digest_but_not_the_code(layout: Layout) -> None:
    plain = json.loads(build.build(layout(CONTRACT % "limit_"))["KudosLedger.json"])
    commented = json.loads(build.build(layout(CONTRACT % "limit_ /* ! */"))["KudosLedger.json"])
    assert plain["bytecode"] == commented["bytecode"]
    assert plain["sources_digest"] != commented["sources_digest"]


def test_an_error_shows_the_line(layout: Layout) -> None:
    with pytest.raises(build.ContractError, match=r"Undeclared identifier[\s\S]*KudosLedger.sol:5"):
        build.build(layout(CONTRACT % "nothing"))


def test_a_warning_is_an_error(layout: Layout) -> None:
    with pytest.raises(build.ContractError, match=r"warnings are errors[\s\S]*Unused function"):
        build.build(layout(CONTRACT % "3"))


def test_the_command_reports_and_exits(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    root = layout(CONTRACT % "limit_")
    where = ["--root", str(root), "--artifacts", str(root / "artifacts")]
    assert build.main([*where, "--check"]) == 1
    assert "make contracts" in capsys.readouterr().err
    assert build.main(where) == 0
    assert build.main([*where, "--check"]) == 0
