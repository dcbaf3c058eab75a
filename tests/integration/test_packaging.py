"""What a user gets: a wheel with all that running needs, and locks that are what they claim."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

OURS = ("ledger", "node", "canaries")
DATA = ("canaries/modules", "ledger/artifacts", "ledger/desk/templates", "ledger/desk/static")


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", target, cwd=project)
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel unpacked into a directory of its own, far from the checkout."""
    target = tmp_path_factory.mktemp("installed")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index")
    run(*pip, "--target", target, wheel, cwd=target)
    return target


def python(code: str, installed: Path) -> str:
    """Runs ``code`` against the installed copy; the checkout comes after it on the path."""
    prelude = f"import sys; sys.path.insert(0, {str(installed)!r})\n"
    return run(sys.executable, "-c", prelude + code, cwd=installed)


def test_the_wheel_holds_every_module_and_all_data(wheel: Path, project: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {p.relative_to(project).as_posix() for d in OURS for p in (project / d).rglob("*.py")}
    data = {
        path.relative_to(project).as_posix()
        for folder in DATA
        for path in (project / folder).rglob("*")
        if path.is_file()
    }
    assert modules <= names
    assert data <= names
    assert {"ledger/artifacts/KudosLedger.json", "ledger/artifacts/eip712.json"} <= names


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    tops = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert tops == {*OURS, "kudos-0.1.0.dist-info"}


def test_the_installed_copy_finds_its_artifact(installed: Path) -> None:
    code = (
        "import json, importlib.resources as r, ledger\n"
        "path = r.files('ledger') / 'artifacts' / 'KudosLedger.json'\n"
        "print(json.dumps([ledger.__file__, json.loads(path.read_text())['contractName']]))"
    )
    where, name = json.loads(python(code, installed))
    assert Path(where).is_relative_to(installed)
    assert name == "KudosLedger"


@pytest.mark.parametrize(
    ("group", "name"),
    [("console_scripts", "kudos"), ("kudos.canaries", "replay"), ("kudos.strategies", "thesis")],
)
def test_entry_points_load(installed: Path, group: str, name: str) -> None:
    code = (
        "from importlib.metadata import distribution\n"
        f"(point,) = distribution('kudos').entry_points.select(group={group!r}, name={name!r})\n"
        "loaded = point.load(); print(sys.modules[loaded.__module__].__file__)"
    )
    where = Path(python(code, installed).strip())
    assert where.is_relative_to(installed)


def test_the_command_answers(project: Path, tmp_path: Path) -> None:
    assert "demo" in run(Path(sys.executable).parent / "kudos", "--help", cwd=tmp_path)


def test_every_locked_requirement_has_a_hash_and_none_an_address(project: Path) -> None:
    lock = (project / "requirements.lock").read_text("utf-8")
    entries = re.split(r"\n(?=\S)", lock.strip())
    assert len(entries) > 20
    for entry in entries:
        assert re.match(r"[a-z0-9-]+==\S+ ", entry), entry[:80]
        assert "--hash=sha256:" in entry
    assert "://" not in lock


def names_of(requirements: Iterable[str], groups: Mapping[str, list[str]]) -> set[str]:
    """The projects that are asked for; `kudos[a,b]` stands for what these groups of ours ask."""
    found: set[str] = set()
    for requirement in requirements:
        own = re.fullmatch(r"kudos\[([a-z,]+)\]", requirement)
        if own:
            found |= names_of((r for group in own[1].split(",") for r in groups[group]), groups)
        else:
            found.add(re.split(r"[\[<>=]", requirement)[0])
    return found


def test_every_requirement_is_locked(project: Path) -> None:
    about = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
    groups = about["project"]["optional-dependencies"]
    asked = (*about["project"]["dependencies"], *about["build-system"]["requires"])
    wanted = names_of(asked, groups) | names_of(groups["dev"], groups)
    assert "datasette" in wanted and about["project"]["name"] not in wanted
    lock = (project / "requirements.lock").read_text("utf-8")
    assert wanted <= set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE))


def test_npm_versions_are_exact_and_the_lock_names_no_address(project: Path) -> None:
    package = json.loads((project / "package.json").read_text("utf-8"))
    lock = json.loads((project / "package-lock.json").read_text("utf-8"))
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", v) for v in package["devDependencies"].values())
    locked = {name: entry for name, entry in lock["packages"].items() if name}
    assert len(locked) > 20
    assert all(entry["integrity"].startswith("sha512-") for entry in locked.values())
    assert not any("resolved" in entry for entry in locked.values())


def test_the_shim_starts_fast(project: Path, tmp_path: Path) -> None:
    """`kudos cc` runs once per compile: what it imports is part of every build."""
    heavy = "{'web3', 'fastapi', 'matplotlib', 'sqlite_utils', 'eth_account', 'solcx'}"
    code = f"import sys, node.cli; print(sorted({heavy} & set(sys.modules)))"
    assert run(sys.executable, "-c", code, cwd=tmp_path).strip() == "[]"
