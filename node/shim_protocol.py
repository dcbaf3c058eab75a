"""What the compile shim and its node say to each other over the node's Unix socket.

    frame  = length of header:4, big-endian | header | blob | blob | …
    header = JSON object: "kind", "blobs" (the length of each blob), and the fields of the message

    shim                                     node
    Task ───────────────────────────────────▶
         ◀───────────────────────────── Need      digests of the inputs it does not have
    Blobs ──────────────────────────────────▶     in that order
         ◀─────────────────── Result or Local     blobs: stdout, stderr, outputs in order

    Note ───────────────────────────────────▶     on a connection of its own, no answer

    Module ─────────────────────────────────▶     blobs: the module and its input
         ◀─────────────────── Result or Local

    Puzzle ─────────────────────────────────▶
         ◀─────────────────── Result or Local     an empty result once it is planted

Need may be left out, and Local may come at any time. Bytes in, messages out; no sockets here.
Standard library only: the shim runs once for every compile.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from ledger.errors import PeerError
from node.shim_fields import digest as _digest
from node.shim_fields import number as _number
from node.shim_fields import text as _text
from node.shim_fields import texts as _texts
from node.task_paths import MAX_FILE_BYTES

MAX_HEADER_BYTES = 4 * 1024 * 1024
MAX_BLOBS = 20_000
MAX_FRAME_BYTES = 256 * 1024 * 1024
_LENGTH_BYTES = 4


class Input(NamedTuple):
    path: str
    digest: bytes
    mode: int
    size: int


class Task(NamedTuple):
    """A compile that wants to run elsewhere; the fields are those of ``node.task``.

    ``compiler`` is the program's real path, so that the node can tell whether it is the one that
    its toolchain class speaks of.
    """

    argv: tuple[str, ...]
    cwd: str
    env: tuple[tuple[str, str], ...]
    directories: tuple[str, ...]
    outputs: tuple[str, ...]
    inputs: tuple[Input, ...]
    source: str
    process_name: str
    compiler: str


class Need(NamedTuple):
    digests: tuple[bytes, ...]


class Blobs(NamedTuple):
    blobs: tuple[bytes, ...]


class ResultFile(NamedTuple):
    path: str
    mode: int
    data: bytes


class Result(NamedTuple):
    exit_status: int
    stdout: bytes
    stderr: bytes
    outputs: tuple[ResultFile, ...]


class Local(NamedTuple):
    """Run it yourself."""

    reason: str


class Note(NamedTuple):
    """The shim ran a compile locally: "not_worth" by its size, or "local" for another reason."""

    what: str
    reason: str
    process_name: str


class Module(NamedTuple):
    """A module for WebAssembly that wants to run on ``data`` within these bounds. With
    ``plant_within`` the node runs it now, and sends it out as a canary whose result it knows, at
    some moment of so many seconds."""

    module: bytes
    data: bytes
    fuel: int
    cpu_seconds: int
    memory_mib: int
    output_kib: int
    process_name: str
    plant_within: int = 0


class Puzzle(NamedTuple):
    """A puzzle of this family and difficulty, to be planted within so many seconds."""

    family: str
    difficulty: int
    within: int


Message = Task | Need | Blobs | Result | Local | Note | Module | Puzzle


class ProtocolError(PeerError):
    """A frame that the protocol does not allow."""

    def __init__(self, message: str) -> None:
        super().__init__(
            f"Malformed frame on the shim's socket: {message}.",
            hint="Use the same version of Kudos for the shim and the node.",
        )


def encode(message: Message) -> bytes:
    """The frame of a message."""
    kind, fields, blobs = _to_fields(message)
    header = json.dumps({"kind": kind, "blobs": [len(blob) for blob in blobs], **fields}).encode()
    _check_sizes(len(header), [len(blob) for blob in blobs])
    return b"".join((len(header).to_bytes(_LENGTH_BYTES, "big"), header, *blobs))


class Decoder:
    """Puts bytes together to messages; raises ProtocolError at the first frame that is wrong."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._header: dict[str, Any] | None = None
        self._blob_sizes: list[int] = []

    def feed(self, data: bytes) -> Iterator[Message]:
        """Take in ``data`` and give the messages that are complete with it."""
        self._buffer += data
        while (message := self._next()) is not None:
            yield message

    def _next(self) -> Message | None:
        if self._header is None and not self._read_header():
            return None
        if len(self._buffer) < sum(self._blob_sizes) or self._header is None:
            return None
        blobs = []
        position = 0
        for size in self._blob_sizes:
            blobs.append(bytes(self._buffer[position : position + size]))
            position += size
        del self._buffer[:position]
        header, self._header = self._header, None
        try:
            return _from_fields(header, tuple(blobs))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ProtocolError("a field is missing or has the wrong type") from error

    def _read_header(self) -> bool:
        if len(self._buffer) < _LENGTH_BYTES:
            return False
        size = int.from_bytes(self._buffer[:_LENGTH_BYTES], "big")
        _check_sizes(size, [])
        if len(self._buffer) < _LENGTH_BYTES + size:
            return False
        text = bytes(self._buffer[_LENGTH_BYTES : _LENGTH_BYTES + size])
        del self._buffer[: _LENGTH_BYTES + size]
        try:
            header = json.loads(text)
            sizes = [_number(size) for size in header["blobs"]]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ProtocolError("the header is not the JSON object expected") from error
        _check_sizes(size, sizes)
        self._header, self._blob_sizes = header, sizes
        return True


def _check_sizes(header: int, blobs: list[int]) -> None:
    if not 0 < header <= MAX_HEADER_BYTES:
        raise ProtocolError(f"a header of {header} bytes")
    if len(blobs) > MAX_BLOBS:
        raise ProtocolError(f"{len(blobs)} blobs")
    if any(not 0 <= size <= MAX_FILE_BYTES for size in blobs) or sum(blobs) > MAX_FRAME_BYTES:
        raise ProtocolError(f"{sum(blobs)} bytes of blobs")


def _to_fields(message: Message) -> tuple[str, dict[str, Any], tuple[bytes, ...]]:
    match message:
        case Task():
            inputs = [[i.path, i.digest.hex(), i.mode, i.size] for i in message.inputs]
            return "task", {**message._asdict(), "inputs": inputs}, ()
        case Need():
            return "need", {"digests": [digest.hex() for digest in message.digests]}, ()
        case Blobs():
            return "blobs", {}, message.blobs
        case Result():
            outputs = [[file.path, file.mode] for file in message.outputs]
            blobs = (message.stdout, message.stderr, *(file.data for file in message.outputs))
            return "result", {"exit_status": message.exit_status, "outputs": outputs}, blobs
        case Local():
            return "local", {"reason": message.reason}, ()
        case Note():
            what, reason, process_name = message
            return "note", {"what": what, "reason": reason, "process_name": process_name}, ()
        case Module():
            module, data, *bounds = message
            return "module", dict(zip(Module._fields[2:], bounds, strict=True)), (module, data)
        case Puzzle():
            return "puzzle", message._asdict(), ()


def _from_fields(header: dict[str, Any], blobs: tuple[bytes, ...]) -> Message:
    kind = header["kind"]
    if blobs and kind not in ("blobs", "result", "module"):
        raise ValueError("blobs where none belong")
    match kind:
        case "task":
            return _task(header)
        case "need":
            return Need(tuple(_digest(item) for item in header["digests"]))
        case "blobs":
            return Blobs(blobs)
        case "result":
            return _result(header, blobs)
        case "local":
            return Local(_text(header["reason"]))
        case "note":
            return Note(*(_text(header[name]) for name in ("what", "reason", "process_name")))
        case "module":
            return _module(header, blobs)
        case "puzzle":
            bounds = (_number(header["difficulty"]), _number(header["within"]))
            return Puzzle(_text(header["family"]), *bounds)
    raise ValueError("an unknown kind of message")


def _task(header: dict[str, Any]) -> Task:
    return Task(
        argv=_texts(header["argv"]),
        cwd=_text(header["cwd"]),
        env=tuple((_text(name), _text(value)) for name, value in header["env"]),
        directories=_texts(header["directories"]),
        outputs=_texts(header["outputs"]),
        inputs=tuple(
            Input(_text(path), _digest(digest), _number(mode), _number(size))
            for path, digest, mode, size in header["inputs"]
        ),
        source=_text(header["source"]),
        process_name=_text(header["process_name"]),
        compiler=_text(header["compiler"]),
    )


def _module(header: dict[str, Any], blobs: tuple[bytes, ...]) -> Module:
    module, data = blobs
    return Module(
        module,
        data,
        fuel=_number(header["fuel"]),
        cpu_seconds=_number(header["cpu_seconds"]),
        memory_mib=_number(header["memory_mib"]),
        output_kib=_number(header["output_kib"]),
        process_name=_text(header["process_name"]),
        plant_within=_number(header["plant_within"]),
    )


def _result(header: dict[str, Any], blobs: tuple[bytes, ...]) -> Result:
    stdout, stderr, *contents = blobs
    outputs = tuple(
        ResultFile(_text(path), _number(mode), data)
        for (path, mode), data in zip(header["outputs"], contents, strict=True)
    )
    return Result(_number(header["exit_status"]), stdout, stderr, outputs)
