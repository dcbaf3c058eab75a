"""Content-addressed store: files under their SHA-256, for all processes of one machine.

Layout below the root::

    objects/ab/cdef…   one file per content, named by its digest
    pins/abcdef…       empty; its mtime is the time until which the object must stay
    tmp/               half-written objects, renamed into place when complete
    lock               held while one process prunes

The mtime of an object is the time of its last use, which makes the directory its own LRU list.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from ledger.errors import CorruptData, KudosError
from ledger.ports import Clock, Entropy, SystemClock, system_entropy

DEFAULT_MAX_BYTES = 2 * 1024**3
# Pruning goes below the bound by this share, so that a full store is not scanned at every put.
_PRUNE_TO = 0.9
# Between put (or has) and use, nothing pins an object yet.
_GRACE_SECONDS = 60.0
_DIGEST_BYTES = 32


class MissingContent(KudosError):
    """The store does not hold what was asked for; it was never there, or was pruned."""


class _Object(NamedTuple):
    used: float
    size: int
    digest: bytes


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


class ContentStore:
    """Contents by digest, bounded in size; safe for several processes on one directory."""

    def __init__(
        self,
        root: Path,
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
        durable: bool = False,
        clock: Clock | None = None,
        entropy: Entropy = system_entropy,
    ) -> None:
        self._root = root
        self._max_bytes = max_bytes
        self._durable = durable
        self._clock = clock or SystemClock()
        self._entropy = entropy
        for name in ("objects", "pins", "tmp"):
            (root / name).mkdir(parents=True, exist_ok=True)
        self._bytes_estimate = sum(item.size for item in self._objects())

    def path_of(self, digest: bytes) -> Path:
        """Where the object is, or would be. Read it through ``get``, which checks it."""
        name = _checked(digest).hex()
        return self._root / "objects" / name[:2] / name[2:]

    def has(self, digest: bytes) -> bool:
        """Whether the object is there; marks it as used, so that it outlives the next pruning."""
        return self._touch(self.path_of(digest))

    def put(self, data: bytes) -> bytes:
        digest = sha256(data)
        path = self.path_of(digest)
        if self._touch(path):
            return digest
        path.parent.mkdir(exist_ok=True)
        temporary = self._root / "tmp" / self._entropy(16).hex()
        try:
            self._write(temporary, data, 0o444)
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        self._touch(path)
        self._bytes_estimate += len(data)
        if self._bytes_estimate > self._max_bytes:
            self.prune()
        return digest

    def get(self, digest: bytes) -> bytes:
        path = self.path_of(digest)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise MissingContent(
                f"The content {digest.hex()} is not in the store.",
                hint="Fetch it again from the node that named it.",
            ) from None
        if sha256(data) != digest:
            # Left in place it would be taken for present for ever, and never be replaced.
            path.unlink(missing_ok=True)
            raise CorruptData(
                f"The stored content {digest.hex()} does not match its digest; it was removed.",
                hint="Fetch it again. If this repeats, check the disk.",
            )
        self._touch(path)
        return data

    def link_into(self, digest: bytes, destination: Path, mode: int) -> None:
        """Write a private copy of the object to ``destination``, which must not exist.

        A copy, not a hard link: a sandboxed job owns the files that it is given and could make a
        linked one writable, and with it the store's own.
        """
        self._write(destination, self.get(digest), mode)

    def pin(self, digest: bytes, until: float) -> None:
        """Keep the object at least until that time; a pin is only ever extended."""
        path = self._root / "pins" / _checked(digest).hex()
        with self._lock():
            current = 0.0
            if path.exists():
                current = path.stat().st_mtime
            else:
                path.touch()
            os.utime(path, (max(until, current), max(until, current)))

    def prune(self) -> int:
        """Remove least recently used objects until the store is well within its bound.

        Returns the number of bytes removed. Pinned objects and those used within the last minute
        stay, even if that leaves the store above its bound.
        """
        with self._lock():
            self._drop_stale_temporaries()
            pinned = self._live_pins()
            objects = sorted(self._objects())
            total = sum(item.size for item in objects)
            removed = 0
            if total > self._max_bytes:
                newest = self._clock.now() - _GRACE_SECONDS
                target = total - int(self._max_bytes * _PRUNE_TO)
                removable = (o for o in objects if o.used < newest and o.digest not in pinned)
                removed = self._remove_until(removable, target)
            self._bytes_estimate = total - removed
            return removed

    def _remove_until(self, objects: Iterator[_Object], target: int) -> int:
        removed = 0
        for item in objects:
            if removed >= target:
                break
            self.path_of(item.digest).unlink(missing_ok=True)
            removed += item.size
        return removed

    def _live_pins(self) -> set[bytes]:
        pinned = set()
        for path in (self._root / "pins").iterdir():
            if path.stat().st_mtime > self._clock.now():
                pinned.add(bytes.fromhex(path.name))
            else:
                path.unlink()
        return pinned

    def _drop_stale_temporaries(self) -> None:
        for path in (self._root / "tmp").iterdir():
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < self._clock.now() - 3600:
                    path.unlink()

    def _objects(self) -> Iterator[_Object]:
        for directory in (self._root / "objects").iterdir():
            for path in directory.iterdir():
                with suppress(FileNotFoundError):
                    status = path.stat()
                    name = directory.name + path.name
                    yield _Object(status.st_mtime, status.st_size, bytes.fromhex(name))

    def _touch(self, path: Path) -> bool:
        now = self._clock.now()
        try:
            os.utime(path, (now, now))
        except FileNotFoundError:
            return False
        return True

    def _write(self, path: Path, data: bytes, mode: int) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(descriptor, mode)
            if self._durable:
                os.fdatasync(descriptor)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with open(self._root / "lock", "ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _checked(digest: bytes) -> bytes:
    if len(digest) != _DIGEST_BYTES:
        raise ValueError(f"a digest has {_DIGEST_BYTES} bytes, not {len(digest)}")
    return digest
