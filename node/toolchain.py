"""Which compiler a machine has, as an id that is equal where compiles come out equal.

The id covers the programs that turn C into objects, by content, and the system headers, by name
and size: reading thousands of headers would take too long, and a header that changed and kept its
size is what audits of results are for. Nothing is run when a cached answer still fits the files
that it rests on.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ledger.errors import SetupError
from node.task_paths import SANDBOX_PATH

_CACHE_VERSION = 1
_INCLUDE_LIST = re.compile(
    r'#include "\.\.\." search starts here:\n(.*?)End of search list', re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Toolchain:
    """``compiler_path`` is the program itself, behind all links."""

    class_id: str
    compiler_path: str
    version: str
    machine: str


def detect(
    compiler: str = "cc", *, cache: Path | None = None, search_path: str = SANDBOX_PATH
) -> Toolchain:
    """Identify ``compiler``. ``cache`` is a file that makes the next call fast; it need not exist.

    Looks where a sandboxed job would look, not in the caller's PATH: what counts is what jobs use.
    """
    found = shutil.which(compiler, path=search_path)
    if found is None:
        raise SetupError(
            f"There is no C compiler '{compiler}' in {search_path}.",
            hint="Install gcc, on Debian or Ubuntu with 'apt-get install gcc libc6-dev'.",
        )
    path = os.path.realpath(found)
    if cache is not None and (known := _from_cache(cache, path)) is not None:
        return known
    toolchain, witnesses = _examine(path)
    if cache is not None:
        _to_cache(cache, toolchain, witnesses)
    return toolchain


def _examine(path: str) -> tuple[Toolchain, list[str]]:
    """The toolchain, and the files and directories that the answer rests on."""
    version = _ask(path, "--version").splitlines()[0]
    version = re.sub(r"^\S+ ", "", version)  # begins with the name that it was called by
    machine = _ask(path, "-dumpmachine").strip()
    programs = [_program(path, name) for name in ("cc1", "as", "collect2", "ld")]
    directories, listing = _list_headers(_include_directories(path))
    digest = hashlib.sha256()
    for text in (version, machine, *map(_file_digest, [path, *programs]), *listing):
        encoded = text.encode(errors="surrogateescape")
        digest.update(len(encoded).to_bytes(4, "big") + encoded)
    number = _ask(path, "-dumpfullversion", "-dumpversion").strip()
    class_id = f"gcc-{number}-{machine}-{digest.hexdigest()}"
    return Toolchain(class_id, path, version, machine), [path, *programs, *directories]


def _ask(*command: str, errors: bool = False) -> str:
    # The language of the answer must not depend on who asks.
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={"PATH": SANDBOX_PATH, "LC_ALL": "C"},
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        raise SetupError(
            f"'{' '.join(command)}' failed: {done.stderr.strip() or done.returncode}.",
            hint="A working gcc is needed; try to compile something with it by hand.",
        )
    return done.stderr if errors else done.stdout


def _program(compiler: str, name: str) -> str:
    answer = _ask(compiler, f"-print-prog-name={name}").strip()
    found = shutil.which(answer, path=SANDBOX_PATH)
    if found is None:
        raise SetupError(
            f"The compiler {compiler} does not lead to its part '{name}'.",
            hint="Only gcc with binutils is supported: 'apt-get install gcc binutils'.",
        )
    return os.path.realpath(found)


def _include_directories(compiler: str) -> list[str]:
    report = _ask(compiler, "-v", "-E", "-x", "c", "/dev/null", errors=True)
    match = _INCLUDE_LIST.search(report)
    if match is None:
        raise SetupError(
            f"The compiler {compiler} does not say where its headers are.",
            hint="Only gcc is supported: 'apt-get install gcc'.",
        )
    lines = [line.strip() for line in match[1].splitlines() if line.startswith(" ")]
    return [os.path.realpath(line) for line in lines]


def _list_headers(roots: Iterable[str]) -> tuple[list[str], list[str]]:
    """All directories below ``roots``, and a line with path and size for each file in them."""
    directories: set[str] = set()
    listing: set[str] = set()
    for root in roots:
        for directory, _, names in os.walk(root):
            directories.add(directory)
            for name in names:
                path = os.path.join(directory, name)
                with suppress(OSError):
                    listing.add(f"{path} {os.stat(path).st_size}")
    return sorted(directories), sorted(listing)


def _file_digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _witness(path: str) -> list[int] | None:
    """Changes when the file is written to, or when an entry of the directory comes or goes."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return [status.st_mtime_ns, status.st_size, status.st_ino]


def _from_cache(cache: Path, path: str) -> Toolchain | None:
    """The cached answer, if it is about this compiler and nothing that it rests on has changed."""
    try:
        record: dict[str, Any] = json.loads(cache.read_bytes())
        fields = record["toolchain"]
        fits = record["version"] == _CACHE_VERSION and fields["compiler_path"] == path
        if fits and all(_witness(name) == seen for name, seen in record["witnesses"].items()):
            return Toolchain(**fields)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        pass  # a cache that cannot be read is one that does not exist
    return None


def _to_cache(cache: Path, toolchain: Toolchain, witnesses: Sequence[str]) -> None:
    record = {
        "version": _CACHE_VERSION,
        "toolchain": asdict(toolchain),
        "witnesses": {path: _witness(path) for path in witnesses},
    }
    cache.parent.mkdir(parents=True, exist_ok=True)
    temporary = cache.with_name(f"{cache.name}.{os.getpid()}")
    temporary.write_text(json.dumps(record))
    os.replace(temporary, cache)
