"""The files of one task on the host's disk: staged before it runs, collected after, removed always.

What a job leaves behind is hostile: links that point out of the tree, pipes that never answer,
trees too deep to walk. So outputs are opened component by component without following links,
only regular files count, and removal copes with trees that no path can name.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ledger.errors import CorruptData
from node.store import sha256
from node.task import TaskDescriptor, working_directories

SCRATCH_PREFIX = "kudos-job-"
# A job that makes more entries than this beside its inputs is taken for one that wants the disk.
_MAX_NEW_ENTRIES = 10_000
# Fixed, so that what a job can see of its inputs is the same on every host.
_INPUT_TIME = (1_000_000_000, 1_000_000_000)


class InputSource(Protocol):
    """Where staged inputs come from; ``node.store.ContentStore`` is one."""

    def link_into(self, digest: bytes, destination: Path, mode: int) -> None: ...


class PathInputs:
    """Inputs taken from ordinary files, by digest."""

    def __init__(self, paths: Mapping[bytes, Path]) -> None:
        self._paths = paths

    def link_into(self, digest: bytes, destination: Path, mode: int) -> None:
        data = self._paths[digest].read_bytes()
        if sha256(data) != digest:
            raise CorruptData(
                f"The file {self._paths[digest]} does not match its digest any more.",
                hint="Run the task again: the file changed while it was being sent.",
            )
        destination.write_bytes(data)
        destination.chmod(mode)


@dataclass(frozen=True, slots=True)
class ProducedFile:
    path: str
    data: bytes
    mode: int


def bind_roots(directories: set[str]) -> list[str]:
    """For each top-level directory in use, the deepest directory that covers what is used of it."""
    groups: dict[str, list[str]] = {}
    for path in directories:
        groups.setdefault(path.split("/", 2)[1], []).append(path)
    return sorted(os.path.commonpath(group) for group in groups.values())


@dataclass(frozen=True, slots=True)
class Staging:
    """A scratch directory that mirrors the task's absolute paths below ``tree``."""

    scratch: Path
    roots: tuple[str, ...]
    entries: int = 0
    input_bytes: int = 0

    @property
    def tree(self) -> Path:
        return self.scratch / "tree"

    def staged(self, path: str) -> Path:
        return self.tree / path[1:]

    def over_limit(self, max_bytes: int) -> bool:
        """Whether what is on disk now is more than the job may have there.

        Entries that cannot be looked at count as too many: only a job that hides something makes
        them.
        """
        count = size = 0
        waiting = [self.tree]
        try:
            while waiting:
                with os.scandir(waiting.pop()) as entries:
                    for entry in entries:
                        count += 1
                        size += _disk_bytes(entry)
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(Path(entry.path))
                if size > max_bytes or count > self.entries + _MAX_NEW_ENTRIES:
                    return True
        except OSError as error:
            return error.errno != errno.ENOENT
        return False

    def collect(self, outputs: tuple[str, ...], max_bytes: int) -> tuple[ProducedFile, ...] | None:
        """The expected outputs that are regular files, or None if together they are too large."""
        produced = []
        left = max_bytes
        for path in outputs:
            with suppress(OSError):
                file = self._read(path, left)
                if file is None:
                    continue
                left -= len(file.data)
                if left < 0:
                    return None
                produced.append(file)
        return tuple(produced)

    def _read(self, path: str, limit: int) -> ProducedFile | None:
        with open(_open_beneath(self.tree, path), "rb") as file:
            status = os.fstat(file.fileno())
            # A root host could read what its own owner may not; others could not.
            if not stat.S_ISREG(status.st_mode) or not status.st_mode & stat.S_IRUSR:
                return None
            return ProducedFile(path, file.read(limit + 1), status.st_mode & 0o777)

    def remove(self) -> None:
        _remove_tree(self.scratch)


def stage(task: TaskDescriptor, inputs: InputSource, base: Path, owner: int | None) -> Staging:
    """Write the task's inputs and directories below a new directory in ``base``.

    With ``owner``, everything belongs to that user, who is to run the job.
    """
    directories = working_directories(task)
    scratch = Path(tempfile.mkdtemp(prefix=f"{SCRATCH_PREFIX}{os.getpid()}-", dir=base))
    try:
        staging = Staging(scratch, tuple(bind_roots(directories)))
        staging.tree.mkdir()
        for directory in sorted(directories):
            staging.staged(directory).mkdir(parents=True, exist_ok=True)
        for file in task.inputs:
            destination = staging.staged(file.path)
            inputs.link_into(file.digest, destination, file.mode)
            os.utime(destination, _INPUT_TIME)
        entries, size = _give_to(scratch, owner)
        return Staging(scratch, staging.roots, entries, size)
    except BaseException:
        _remove_tree(scratch)
        raise


def sweep(base: Path) -> int:
    """Remove what processes that were killed left in ``base``; returns how many directories."""
    removed = 0
    for path in base.glob(f"{SCRATCH_PREFIX}*"):
        pid = path.name.removeprefix(SCRATCH_PREFIX).partition("-")[0]
        if pid.isdigit() and not Path("/proc", pid).exists():
            _remove_tree(path)
            removed += 1
    return removed


def _disk_bytes(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_blocks * 512
    except FileNotFoundError:
        return 0


def _give_to(scratch: Path, owner: int | None) -> tuple[int, int]:
    """Hand everything to ``owner``; returns how many entries and how many bytes of disk it is."""
    entries = size = 0
    for directory, _, files in os.walk(scratch):
        for path in (directory, *(os.path.join(directory, name) for name in files)):
            entries += 1
            size += os.lstat(path).st_blocks * 512
            if owner is not None:
                os.chown(path, owner, owner)
    return entries, size


def _open_beneath(tree: Path, path: str) -> int:
    """Open a file below ``tree`` without following a single link; the job is no longer running."""
    *parents, name = path[1:].split("/")
    current = os.open(tree, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parents:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            following = os.open(part, flags, dir_fd=current)
            os.close(current)
            current = following
        # Non-blocking: opening a pipe that nobody writes to would wait for ever.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        return os.open(name, flags, dir_fd=current)
    finally:
        os.close(current)


def _remove_tree(path: Path) -> None:
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        return
    except (OSError, RecursionError):
        _remove_hostile(path)


def _remove_hostile(path: Path) -> None:
    """Remove directories without permissions, or nested more deeply than a path can name.

    Each directory is moved next to the others before it is emptied, so that no path grows.
    """
    grave = path.with_name(f"{path.name}.gone")
    grave.mkdir()
    os.rename(path, grave / "0")
    waiting = [grave / "0"]
    moved = 0
    while waiting:
        directory = waiting.pop()
        directory.chmod(0o700)
        for entry in list(os.scandir(directory)):
            if entry.is_dir(follow_symlinks=False):
                moved += 1
                os.chmod(entry.path, 0o700)  # moving a directory writes to it, too
                os.rename(entry.path, grave / str(moved))
                waiting.append(grave / str(moved))
            else:
                os.unlink(entry.path)
        directory.rmdir()
    grave.rmdir()
