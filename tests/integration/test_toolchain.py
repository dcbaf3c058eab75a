"""The toolchain class of this machine: the same every time, another with another compiler."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from ledger.errors import SetupError
from node import toolchain
from node.task_paths import SANDBOX_PATH


def compiler_with(directory: Path, name: str, body: str) -> str:
    """A compiler of that name that is the real one but for what ``body`` does first."""
    path = directory / name
    path.write_text(f'#!/bin/sh\n{body}\nexec /usr/bin/cc "$@"\n')
    path.chmod(0o755)
    return str(path)


def test_this_machine_has_a_class() -> None:
    found = toolchain.detect()
    assert found.class_id.startswith("gcc-")
    assert found.machine in found.class_id
    assert len(found.class_id.rpartition("-")[2]) == 64
    assert Path(found.compiler_path).is_file()
    assert not Path(found.compiler_path).is_symlink()
    assert found == toolchain.detect()


def test_the_cache_is_fast_and_says_the_same(tmp_path: Path) -> None:
    cache = tmp_path / "new" / "toolchain.json"
    first = toolchain.detect(cache=cache)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        assert toolchain.detect(cache=cache) == first
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.020


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": 1, "toolchain": {}}', "\udcff"])
def test_a_broken_cache_is_replaced(tmp_path: Path, content: str) -> None:
    cache = tmp_path / "toolchain.json"
    cache.write_bytes(content.encode(errors="surrogateescape"))
    found = toolchain.detect(cache=cache)
    assert json.loads(cache.read_text())["toolchain"]["class_id"] == found.class_id


def test_another_compiler_is_another_class(tmp_path: Path) -> None:
    cache = tmp_path / "toolchain.json"
    one = toolchain.detect(compiler_with(tmp_path, "one", ""), cache=cache)
    two = toolchain.detect(compiler_with(tmp_path, "two", "# another"), cache=cache)
    assert one.class_id != two.class_id
    assert one.version == two.version


def test_a_compiler_that_changes_is_examined_again(tmp_path: Path) -> None:
    cache = tmp_path / "toolchain.json"
    path = compiler_with(tmp_path, "cc", "")
    before = toolchain.detect(path, cache=cache)
    compiler_with(tmp_path, "cc", "# patched")
    assert toolchain.detect(path, cache=cache).class_id != before.class_id


def test_headers_belong_to_the_class(tmp_path: Path) -> None:
    headers = tmp_path / "headers"
    headers.mkdir()
    cache = tmp_path / "toolchain.json"
    path = compiler_with(tmp_path, "cc", f'set -- "$@" -isystem {headers}')
    before = toolchain.detect(path, cache=cache)
    (headers / "new.h").write_text("int new;")
    with_header = toolchain.detect(path, cache=cache)
    assert with_header.class_id != before.class_id


def test_a_missing_compiler_is_named_with_its_package(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="apt-get install gcc") as caught:
        toolchain.detect(search_path=str(tmp_path))
    assert "'cc'" in caught.value.message


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("echo broken >&2; exit 1", "broken"),
        ('case "$1" in -print-prog-name=cc1) echo cc1; exit;; esac', "its part 'cc1'"),
        ('case "$1" in -v) exit;; esac', "where its headers are"),
    ],
)
def test_what_is_no_gcc_is_refused(tmp_path: Path, body: str, problem: str) -> None:
    with pytest.raises(SetupError, match=problem) as caught:
        toolchain.detect(compiler_with(tmp_path, "cc", body))
    assert "gcc" in caught.value.hint


def test_it_is_looked_for_where_jobs_look() -> None:
    assert toolchain.detect() == toolchain.detect(search_path=SANDBOX_PATH)
