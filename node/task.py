"""What a task is and what came out of it: two descriptors with one canonical encoding each.

Their Keccak-256 digests are what requests commit to and what results seal, so two machines must
never write the same descriptor differently. A descriptor that breaks a rule cannot be constructed.

Canonical form: UTF-8 JSON, keys sorted, no white space, nothing escaped that need not be, digests
as lower-case hex. Decoding re-encodes and compares, which rejects every other spelling at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

from eth_hash.auto import keccak

from ledger.errors import PeerError
from node import canonical_json
from node.task_paths import (
    ENV_ALLOWED,
    SANDBOX_PATH,
    directory_problem,
    file_problem,
    text_problem,
)
from node.wasm_form import root_problem

VERSION = 1
MAX_DESCRIPTOR_BYTES = 4 * 1024 * 1024
MAX_ARGUMENT_BYTES = 128 * 1024  # Linux refuses a longer single argument (MAX_ARG_STRLEN)
MAX_ARGUMENTS_BYTES = 512 * 1024  # a quarter of what a default stack lets Linux take
MAX_CPU_SECONDS = 24 * 3600
MAX_MEMORY_MIB = 1024 * 1024
MAX_OUTPUT_KIB = 16 * 1024 * 1024
MAX_EXIT_STATUS = 255
DIGEST_BYTES = 32

T = TypeVar("T")


def _refuse(what: str) -> PeerError:
    return PeerError(
        f"The task or result descriptor is not valid: {what}.",
        hint="The sender must build it with the same version of Kudos and send it unchanged.",
    )


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise _refuse(what)


def _require_within(name: str, value: int, low: int, high: int) -> None:
    _require(type(value) is int and low <= value <= high, f"{name} must be {low} to {high}")


def _require_text(name: str, value: str) -> None:
    problem = text_problem(value)
    _require(problem is None, f"{name} {problem}")


def _require_ascending(name: str, values: Sequence[str]) -> None:
    ordered = all(a < b for a, b in pairwise(values))
    _require(ordered, f"{name} must be sorted and without duplicates")


def _require_digest(name: str, digest: bytes) -> None:
    _require(len(digest) == DIGEST_BYTES, f"{name} must have {DIGEST_BYTES} bytes")


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    digest: bytes
    mode: int

    def __post_init__(self) -> None:
        problem = file_problem(self.path)
        _require(problem is None, f"path {self.path!r} {problem}")
        _require_digest(f"the digest of {self.path!r}", self.digest)
        # No set-uid, set-gid or sticky bits: nothing that a host stages may carry them.
        _require_within(f"the mode of {self.path!r}", self.mode, 0, 0o777)


class InputFile(_File):
    __slots__ = ()


class OutputFile(_File):
    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """CPU seconds and memory hold for each process; output counts streams and files together."""

    cpu_seconds: int = 120
    memory_mib: int = 2048
    output_kib: int = 64 * 1024

    def __post_init__(self) -> None:
        _require_within("cpu_seconds", self.cpu_seconds, 1, MAX_CPU_SECONDS)
        _require_within("memory_mib", self.memory_mib, 1, MAX_MEMORY_MIB)
        _require_within("output_kib", self.output_kib, 1, MAX_OUTPUT_KIB)


@dataclass(frozen=True, slots=True)
class TaskDescriptor:
    """One process: what runs, on which files, at which paths, within which limits."""

    argv: tuple[str, ...]
    cwd: str
    env: tuple[tuple[str, str], ...]
    toolchain: str
    inputs: tuple[InputFile, ...]
    directories: tuple[str, ...]
    outputs: tuple[str, ...]
    limits: Limits = Limits()
    root: str = "host"
    version: int = VERSION

    def __post_init__(self) -> None:
        _require_within("version", self.version, VERSION, VERSION)
        problem = root_problem(self.root, self)
        _require(problem is None, problem or "")
        _require_text("toolchain", self.toolchain)
        self._check_command()
        self._check_environment()
        self._check_paths()

    def _check_command(self) -> None:
        _require(bool(self.argv) and bool(self.argv[0]), "argv must name a program")
        for argument in self.argv:
            _require_text("an argument", argument)
            _require(len(argument.encode()) < MAX_ARGUMENT_BYTES, "an argument is too long")
        total = sum(len(argument.encode()) + 1 for argument in self.argv)
        _require(total < MAX_ARGUMENTS_BYTES, "the arguments are too long together")

    def _check_environment(self) -> None:
        _require_ascending("env", [name for name, _ in self.env])
        for name, value in self.env:
            _require(name in ENV_ALLOWED, f"the variable {name!r} may not travel")
            _require_text(f"the variable {name}", value)
            _require(name != "PATH" or value == SANDBOX_PATH, f"PATH must be {SANDBOX_PATH}")
            _require(len(value.encode()) < MAX_ARGUMENT_BYTES - 64, f"{name} is too long")

    def _check_paths(self) -> None:
        for directory in (self.cwd, *self.directories):
            problem = directory_problem(directory)
            _require(problem is None, f"directory {directory!r} {problem}")
        for output in self.outputs:
            problem = file_problem(output)
            _require(problem is None, f"output {output!r} {problem}")
        inputs = [file.path for file in self.inputs]
        _require_ascending("inputs", inputs)
        _require_ascending("directories", self.directories)
        _require_ascending("outputs", self.outputs)
        files = {*inputs, *self.outputs}
        _require(len(files) == len(inputs) + len(self.outputs), "an input is also an output")
        shadowed = files & _with_ancestors(working_directories(self))
        _require(not shadowed, f"{min(shadowed, default='')!r} is both a file and a directory")


@dataclass(frozen=True, slots=True)
class ResultDescriptor:
    """What a task left behind. Outputs that were expected but not written are simply absent."""

    exit_status: int
    stdout: bytes
    stderr: bytes
    outputs: tuple[OutputFile, ...]
    version: int = VERSION

    def __post_init__(self) -> None:
        _require_within("version", self.version, VERSION, VERSION)
        _require_within("exit_status", self.exit_status, 0, MAX_EXIT_STATUS)
        _require_digest("the digest of stdout", self.stdout)
        _require_digest("the digest of stderr", self.stderr)
        _require_ascending("outputs", [file.path for file in self.outputs])


def _with_ancestors(directories: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for path in directories:
        while path and path not in found:
            found.add(path)
            path = path.rpartition("/")[0]
    return found


def working_directories(task: TaskDescriptor) -> set[str]:
    """The directories that must exist before the task can run; their ancestors are implied."""
    files = (*(file.path for file in task.inputs), *task.outputs)
    return {task.cwd, *task.directories, *(path.rpartition("/")[0] for path in files)}


def encode_task(task: TaskDescriptor) -> bytes:
    return canonical_json.encode(
        {
            "argv": task.argv,
            "cwd": task.cwd,
            "directories": task.directories,
            "env": task.env,
            "inputs": [_file_fields(file) for file in task.inputs],
            "limits": {
                "cpu_seconds": task.limits.cpu_seconds,
                "memory_mib": task.limits.memory_mib,
                "output_kib": task.limits.output_kib,
            },
            "outputs": task.outputs,
            "root": task.root,
            "toolchain": task.toolchain,
            "version": task.version,
        }
    )


def encode_result(result: ResultDescriptor) -> bytes:
    return canonical_json.encode(
        {
            "exit_status": result.exit_status,
            "outputs": [_file_fields(file) for file in result.outputs],
            "stderr": result.stderr.hex(),
            "stdout": result.stdout.hex(),
            "version": result.version,
        }
    )


def decode_task(data: bytes) -> TaskDescriptor:
    return _decode(data, _task_from, encode_task)


def decode_result(data: bytes) -> ResultDescriptor:
    return _decode(data, _result_from, encode_result)


def task_digest(task: TaskDescriptor) -> bytes:
    return bytes(keccak(encode_task(task)))


def result_digest(result: ResultDescriptor) -> bytes:
    return bytes(keccak(encode_result(result)))


def _file_fields(file: _File) -> dict[str, Any]:
    return {"digest": file.digest.hex(), "mode": file.mode, "path": file.path}


def _decode(data: bytes, build: Callable[[Any], T], encode: Callable[[T], bytes]) -> T:
    _require(len(data) <= MAX_DESCRIPTOR_BYTES, f"it is larger than {MAX_DESCRIPTOR_BYTES} bytes")
    try:
        value = build(canonical_json.decode(data))
        canonical = encode(value)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _refuse("a field is missing or has the wrong type") from error
    _require(canonical == data, "it is not in canonical form")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text expected, not {type(value).__name__}")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(_text(item) for item in value)


def _file_arguments(value: Any) -> tuple[str, bytes, int]:
    return _text(value["path"]), bytes.fromhex(_text(value["digest"])), value["mode"]


def _task_from(fields: Any) -> TaskDescriptor:
    return TaskDescriptor(
        argv=_texts(fields["argv"]),
        cwd=_text(fields["cwd"]),
        env=tuple((_text(name), _text(value)) for name, value in fields["env"]),
        toolchain=_text(fields["toolchain"]),
        inputs=tuple(InputFile(*_file_arguments(item)) for item in fields["inputs"]),
        directories=_texts(fields["directories"]),
        outputs=_texts(fields["outputs"]),
        limits=Limits(**fields["limits"]),
        root=_text(fields["root"]),
        version=fields["version"],
    )


def _result_from(fields: Any) -> ResultDescriptor:
    return ResultDescriptor(
        exit_status=fields["exit_status"],
        stdout=bytes.fromhex(_text(fields["stdout"])),
        stderr=bytes.fromhex(_text(fields["stderr"])),
        outputs=tuple(OutputFile(*_file_arguments(item)) for item in fields["outputs"]),
        version=fields["version"],
    )
