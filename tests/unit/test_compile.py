"""The contract build without a compiler: what counts as stale, what counts as an error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ledger import compile as build
from ledger.errors import SetupError, UsageError


def lay_out(root: Path) -> None:
    for name in ("A.sol", "types/t.json", "test/A.t.sol"):
        path = root / "contracts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, "utf-8")


def test_contracts_are_read_and_their_tests_are_not(tmp_path: Path) -> None:
    lay_out(tmp_path)
    assert build.read_sources(tmp_path) == {"contracts/A.sol": "A.sol"}


def test_a_directory_without_contracts_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--root"):
        build.read_sources(tmp_path)


def test_a_missing_compiler_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="make setup"):
        build.compile_sources({"A.sol": ""}, tmp_path / "solc")


def test_a_compiler_that_does_not_start_says_what_to_do(tmp_path: Path) -> None:
    broken = tmp_path / "solc"
    broken.write_text("#!/bin/sh\nexit 127\n", "utf-8")
    broken.chmod(0o755)
    with pytest.raises(SetupError, match="cannot be started"):
        build.compile_sources({"A.sol": ""}, broken)


def compiled(*places: str, code: str = "00") -> dict[str, Any]:
    """An answer of the compiler: ``path:Name`` for each contract."""
    contracts: dict[str, Any] = {}
    for place in places:
        path, name = place.split(":")
        contracts.setdefault(path, {})[name] = {"evm": {"bytecode": {"object": code}}}
    return {"contracts": contracts}


def test_what_can_be_deployed_gets_an_artifact() -> None:
    answer = compiled("a/A.sol:A", "a/A.sol:Helper", "a/libraries/L.sol:L", "b/B.sol:B")
    assert set(build.deployable(answer)) == {"A", "B"}
    assert build.deployable(compiled("a/IA.sol:IA", code="")) == {}


def test_two_contracts_of_one_name_are_an_error() -> None:
    with pytest.raises(build.ContractError, match="Two contracts are called C"):
        build.deployable(compiled("a/C.sol:C", "b/C.sol:C"))


def test_the_digest_depends_on_names_and_contents() -> None:
    digests = {build.digest_sources(s) for s in ({"a": "b"}, {"a": "c"}, {"b": "b"}, {"ab": ""})}
    assert len(digests) == 4


def test_writing_touches_only_what_differs(tmp_path: Path) -> None:
    built = {"A.json": "1", "B.json": "2"}
    assert build.write(built, tmp_path / "new") == ["A.json", "B.json"]
    assert build.stale(built, tmp_path / "new") == []
    (tmp_path / "new" / "A.json").write_text("0", "utf-8")
    assert build.write(built, tmp_path / "new") == ["A.json"]


def test_check_fails_on_stale_artifacts_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = {"KudosLedger.json": json.dumps({"abi": []})}
    monkeypatch.setattr(build, "build_artifacts", lambda *_: dict(built))
    lay_out(tmp_path)
    target = tmp_path / "artifacts"
    with pytest.raises(build.ContractError, match="make contracts"):
        build.run(tmp_path, target, check=True)
    assert not target.exists()
    assert "KudosLedger.json" in build.run(tmp_path, target, check=False)
    assert build.run(tmp_path, target, check=True) == "The artifacts are what the contracts give."
    assert (target / "t.json").read_text("utf-8") == "types/t.json"
    (target / "Gone.json").write_text("{}", "utf-8")
    with pytest.raises(build.ContractError, match=r"Gone\.json"):
        build.run(tmp_path, target, check=True)
    build.run(tmp_path, target, check=False)
    assert not (target / "Gone.json").exists(), "an artifact of no contract any more"
