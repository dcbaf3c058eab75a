"""Which of a project's files a compile reads: asks the compiler, and reads them for sending.

Standard library only, and little of it: part of what starts once for every compile.
"""

from __future__ import annotations

import hashlib
import os
import signal
import stat
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from node import shim_protocol as protocol
from node.compile_command import CompileCommand, content_problem, parse_closure
from node.task_paths import MAX_FILE_BYTES, directory_problem, file_problem

PYTHON_IGNORES = (signal.SIGPIPE, signal.SIGXFSZ)
"""Signals that Python ignores and that a program started from here must not."""

# What a toolchain class covers of /usr; headers elsewhere in it may differ within a class.
_CLASS_HEADERS = ("/usr/include/", "/usr/local/include/", "/usr/lib/gcc/")


class RunHere(Exception):
    """The compile runs on this machine. ``what`` is the kind of note that the node gets."""

    def __init__(self, reason: str, what: str = "local") -> None:
        super().__init__(reason)
        self.what = what


class Closure(NamedTuple):
    """The project's own files that a compile reads, and the directories that must exist."""

    contents: dict[bytes, bytes]
    inputs: tuple[protocol.Input, ...]
    directories: tuple[str, ...]

    def size(self) -> int:
        return sum(file.size for file in self.inputs)


def find_closure(command: CompileCommand, cwd: str, env: Mapping[str, str]) -> Closure:
    """Ask the compiler which files the compile reads, and read those that are the project's own."""
    contents: dict[bytes, bytes] = {}
    inputs: dict[str, protocol.Input] = {}
    directories = {cwd}
    for spelled in parse_closure(_run_closure(command.closure_argv)):
        path = os.path.join(cwd, spelled)
        if _is_class_header(path):
            continue
        name = normalised(path, directories)
        data, mode = _read(path)
        if problem := file_problem(name) or content_problem(data, env):
            raise RunHere(f"{name}: {problem}")
        digest = hashlib.sha256(data).digest()
        contents[digest] = data
        inputs[name] = protocol.Input(name, digest, mode, len(data))
    for path in command.include_dirs:
        if not _is_class_header(path + "/") and os.path.isdir(path):
            directories.add(normalised(path, directories))
    return Closure(contents, tuple(sorted(inputs.values())), tuple(sorted(directories)))


def _is_class_header(path: str) -> bool:
    return os.path.normpath(path).startswith(_CLASS_HEADERS)


def normalised(path: str, directories: set[str]) -> str:
    """The normal form of ``path``; what it passes through on the way is added to ``directories``.

    ``a/b/../c`` needs an ``a/b`` to exist, and means something else than ``a/c`` if b is a link.
    """
    name = os.path.normpath(path)
    if name != path:
        if "/../" in f"{path}/" and os.path.realpath(path) != os.path.realpath(name):
            raise RunHere(f"{path} goes back through a symbolic link")
        here = "/"
        for part in path.split("/"):
            here = os.path.normpath(os.path.join(here, part))
            if part == ".." or here in (name, "/"):
                continue
            if directory_problem(here) is None and not name.startswith(f"{here}/"):
                directories.add(here)
    return name


def _run_closure(argv: Sequence[str]) -> str:
    """Standard output of ``argv``; posix_spawn because importing subprocess costs milliseconds."""
    reading, writing = os.pipe()
    try:
        null = os.open(os.devnull, os.O_RDWR)
        actions = [
            (os.POSIX_SPAWN_DUP2, null, 0),
            (os.POSIX_SPAWN_DUP2, writing, 1),
            (os.POSIX_SPAWN_DUP2, null, 2),
        ]
        try:
            pid = os.posix_spawnp(
                argv[0], list(argv), os.environ, file_actions=actions, setsigdef=PYTHON_IGNORES
            )
        finally:
            os.close(null)
            os.close(writing)
        with open(reading, "rb", closefd=False) as pipe:
            output = pipe.read()
        if os.waitpid(pid, 0)[1] != 0:
            raise RunHere("the compiler could not list the headers")
        return os.fsdecode(output)
    finally:
        os.close(reading)


def _read(path: str) -> tuple[bytes, int]:
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
            raise RunHere(f"{path} is no ordinary file, or larger than {MAX_FILE_BYTES} bytes")
        return file.read(), status.st_mode & 0o777
