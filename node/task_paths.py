"""Which paths, variables and sizes a task may have.

The shim, the node and the sandbox share these rules. Standard library only and cheap to import: the
shim runs once for every compile.
"""

from __future__ import annotations

SANDBOX_PATH = "/usr/bin:/bin"
"""``PATH`` inside of every sandbox, and where a node looks for its compiler."""

ENV_ALLOWED = frozenset({"LANG", "LC_ALL", "PATH", "SOURCE_DATE_EPOCH", "TZ"})
"""Everything else stays at home, so that a secret in an environment never travels."""

ENV_SHIPPED = tuple(sorted(ENV_ALLOWED - {"PATH"}))

MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_PATH_BYTES, MAX_NAME_BYTES = 2_048, 255
"""Less than what Linux takes (PATH_MAX, NAME_MAX): a host stages the path below one of its own."""

_SYSTEM_DIRECTORIES = frozenset({"bin", "boot", "dev", "etc", "proc", "run", "sbin", "sys", "usr"})


def text_problem(text: str) -> str | None:
    """What keeps ``text`` out of a descriptor: a NUL, or bytes that are not UTF-8."""
    if "\0" in text:
        return "holds a NUL"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "is not UTF-8"
    return None


def is_system_path(path: str) -> bool:
    """Whether an absolute path lies where the sandbox mounts its own root."""
    first = path[1:].split("/", 1)[0]
    return first in _SYSTEM_DIRECTORIES or first.startswith("lib")


def directory_problem(path: str) -> str | None:
    """Why ``path`` cannot be a directory of a task, or None if it can."""
    if problem := text_problem(path):
        return problem
    if not path.startswith("/"):
        return "is not absolute"
    if path == "/":
        return "is the root directory, which the sandbox keeps for itself"
    if len(path.encode()) > MAX_PATH_BYTES:
        return f"is longer than {MAX_PATH_BYTES} bytes"
    parts = path[1:].split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "is not normalised"
    if any(len(part.encode()) > MAX_NAME_BYTES for part in parts):
        return f"has a name of more than {MAX_NAME_BYTES} bytes"
    return "is a system directory" if is_system_path(path) else None


def file_problem(path: str) -> str | None:
    """Why ``path`` cannot be a file of a task, or None if it can."""
    if problem := directory_problem(path):
        return problem
    if path.count("/") < 2:
        return "lies directly in the root directory, which the sandbox keeps for itself"
    return None
