"""What nodes say to each other: msgpack in length-prefixed frames. Bytes in, messages out; no
sockets here.

    frame = length:4, big-endian | msgpack of [id, message]

A request's id is chosen by its sender and comes back on the reply. The dialogue of a migration:

    home: Ask ─────▶ host: Answer (accepted, which blobs are missing | rejected)
    home: Confirm ─▶ host: Done   (result, outputs, signed RESULT)
    home: Open ────▶ host: Ack    (after the RESULT is settled)
    validator: Fetch ─▶ home or host: Inputs

Between agents, whose schedulers move and run the task themselves (``node.agent``), the host may
take its time, and the home asks again:

    home: Offer | Confirm | Inquire ─▶ host: Answer | Report, or Ack while there is nothing new
"""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec

from ledger.assets import (
    CanaryOpened,
    Confirmed,
    Rejected,
    Request,
    Result,
    TransportKey,
)
from ledger.errors import PeerError

MAX_FRAME = 256 << 20
"""Bytes; a task whose inputs or outputs exceed this is run at home."""


Bytes20 = Annotated[bytes, msgspec.Meta(min_length=20, max_length=20)]
Bytes32 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Bytes64 = Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]


class _Message(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    pass


class Hello(_Message, frozen=True):
    """The server's first word: its ledger identity, bound to the certificate of this connection."""

    address: Bytes20
    key: TransportKey
    signature: Bytes64
    nonce: Bytes32


class Login(_Message, frozen=True):
    """The client's first word: its ledger identity, proved for this certificate and nonce."""

    address: Bytes20
    signature: Bytes64


class Welcome(_Message, frozen=True):
    """The server has checked the login; requests may follow."""


class Ask(_Message, frozen=True):
    """A signed REQUEST with the task's canonical descriptor and the hash of the mark."""

    request: Request
    signature: Bytes64
    mark_hash: Bytes32
    task: bytes


class Answer(_Message, frozen=True):
    """ACCEPTED at ``signed_at`` with the digests of missing blobs, or ``rejected``; signed either
    way."""

    signed_at: int
    signature: Bytes64
    rejected: Rejected | None = None
    missing: tuple[Bytes32, ...] = ()


class Confirm(_Message, frozen=True):
    """The signed CONFIRMED, and the blobs that the host asked for."""

    request_id: Bytes32
    confirmed: Confirmed
    signature: Bytes64
    blobs: tuple[bytes, ...]


class Done(_Message, frozen=True):
    """The canonical result descriptor, its blobs, the signed RESULT, and the salt of its seal: what
    the home is handed must be what the host has sealed."""

    result: bytes
    blobs: tuple[bytes, ...]
    asset: Result
    signature: Bytes64
    salt: Bytes32


class Open(_Message, frozen=True):
    """The signed CANARY_OPENED of a settled request."""

    opened: CanaryOpened
    signature: Bytes64


class Ack(_Message, frozen=True):
    """What came before this is on disk here."""


class Fetch(_Message, frozen=True):
    """A validator asks for everything that a task needs."""

    task_digest: Bytes32


class Inputs(_Message, frozen=True):
    """The canonical descriptor and its input blobs."""

    task: bytes
    blobs: tuple[bytes, ...]


class Offer(_Message, frozen=True):
    """A signed REQUEST for a task that travels elsewhere: its digest, the hash of the mark, and the
    canonical descriptor if it has one (empty otherwise)."""

    request: Request
    signature: Bytes64
    mark_hash: Bytes32
    task_digest: Bytes32
    task: bytes = b""


class Inquire(_Message, frozen=True):
    """What became of this request?"""

    request_id: Bytes32


class Report(_Message, frozen=True):
    """The signed RESULT and what it seals; the outputs travel elsewhere."""

    asset: Result
    signature: Bytes64
    result_digest: Bytes32
    salt: Bytes32


class Fault(_Message, frozen=True):
    """The request could not be served; ``text`` names whose fault it is and nothing secret."""

    text: str


Message = (
    Hello
    | Login
    | Welcome
    | Ask
    | Answer
    | Confirm
    | Done
    | Open
    | Ack
    | Fetch
    | Inputs
    | Offer
    | Inquire
    | Report
    | Fault
)

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[tuple[int, Message]] = msgspec.msgpack.Decoder(
    tuple[int, Message], strict=True
)


def encode(identifier: int, message: Message) -> bytes:
    """One frame; PeerError when the message is larger than a frame may be."""
    body: bytes = _encoder.encode((identifier, message))
    if len(body) > MAX_FRAME:
        raise PeerError(f"A message of {len(body)} bytes is over the limit of {MAX_FRAME}.")
    return len(body).to_bytes(4, "big") + body


def decode(body: bytes) -> tuple[int, Message]:
    """The message of a frame without its length; PeerError when it is none of ours."""
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise PeerError(f"The peer sent something that is no message: {error}.") from error


def frame_length(prefix: bytes, limit: int = MAX_FRAME) -> int:
    """The length in a frame's first four bytes; PeerError over the limit."""
    length = int.from_bytes(prefix, "big")
    if length > limit:
        raise PeerError(f"A frame of {length} bytes is over the limit of {limit}.")
    return length


Expected = TypeVar("Expected", bound=_Message)


def expect(message: Message, kind: type[Expected]) -> Expected:
    """The message if it is of this kind; PeerError with the peer's own words for a Fault."""
    if isinstance(message, kind):
        return message
    if isinstance(message, Fault):
        raise PeerError(f"The peer could not do it: {message.text}")
    raise PeerError(f"The peer answered {type(message).__name__} where {kind.__name__} was due.")
