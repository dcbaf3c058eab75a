"""Frames between nodes: what is sent arrives, what is malformed is the peer's fault."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.assets import CanaryOpened, Confirmed, Rejected, Request, Result, TransportKey
from ledger.errors import PeerError
from ledger.types import Digest
from node import wire
from node.handshake import MAX_LOGIN_FRAME, greet, read_frame
from tests.unit.node_world import ManualClock, credentials, make_request

data = st.binary(max_size=40)


def of(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


times = st.integers(0, (1 << 64) - 1)
digests = st.lists(of(32), max_size=3).map(tuple)
blobs = st.lists(data, max_size=3).map(tuple)
requests = st.builds(Request, *[data] * 5, *[times] * 6)
results = st.builds(Result, data, data, times)
rejections = st.builds(Rejected, data, times, times)

messages: st.SearchStrategy[wire.Message] = st.one_of(
    st.builds(wire.Hello, of(20), st.builds(TransportKey, data, times), of(64), of(32)),
    st.builds(wire.Login, of(20), of(64)),
    st.builds(wire.Welcome),
    st.builds(wire.Ask, requests, of(64), of(32), data),
    st.builds(wire.Answer, times, of(64), st.none() | rejections, digests),
    st.builds(wire.Confirm, of(32), st.builds(Confirmed, data, times), of(64), blobs),
    st.builds(wire.Done, data, blobs, results, of(64), of(32)),
    st.builds(wire.Open, st.builds(CanaryOpened, *[data] * 6, times), of(64)),
    st.builds(wire.Ack),
    st.builds(wire.Fetch, of(32)),
    st.builds(wire.Inputs, data, blobs),
    st.builds(wire.Fault, st.text(max_size=20)),
)
identifiers = st.integers(-(1 << 63), (1 << 63) - 1)


@given(identifiers, messages)
def test_a_message_survives_its_frame(identifier: int, message: wire.Message) -> None:
    frame = wire.encode(identifier, message)
    assert wire.frame_length(frame[:4]) == len(frame) - 4
    assert wire.decode(frame[4:]) == (identifier, message)
    assert type(wire.decode(frame[4:])[1]) is type(message)


@given(st.binary(max_size=200))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(PeerError, match="no message"):
        wire.decode(noise)


@given(messages, st.data())
def test_a_damaged_message_is_a_message_or_refused(
    message: wire.Message, draw: st.DataObject
) -> None:
    body = bytearray(wire.encode(1, message)[4:])
    place = draw.draw(st.integers(0, len(body) - 1))
    body[place] ^= draw.draw(st.integers(1, 255))
    try:
        identifier, decoded = wire.decode(bytes(body))
    except PeerError:
        return
    assert wire.decode(wire.encode(identifier, decoded)[4:]) == (identifier, decoded)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        msgspec.msgpack.encode((1, {"type": "Unheard"})),
        msgspec.msgpack.encode((1, {"type": "Ack", "more": 1})),
        msgspec.msgpack.encode((1, {"type": "Fetch"})),
        msgspec.msgpack.encode((1, {"type": "Fetch", "task_digest": 5})),
        msgspec.msgpack.encode((1.5, {"type": "Ack"})),
        msgspec.msgpack.encode(("1", {"type": "Ack"})),
        msgspec.msgpack.encode((1,)),
        msgspec.msgpack.encode((1, {"type": "Ack"}, 3)),
        wire.encode(1, wire.Ack())[4:] + b"x",
        b"\x92\x01\x81\xa4type\xa3\xff\xff\xff",
        b"\x92\x01\x82\xa1x" + b"\x91" * 100_000 + b"\x01\xa4type\xa3Ack",
    ],
)
def test_what_is_no_message_is_the_peers_fault(body: bytes) -> None:
    with pytest.raises(PeerError, match="no message"):
        wire.decode(body)


ADDRESS, DIGEST, SIGNATURE = bytes(20), bytes(32), bytes(64)
KEY, RESULT = TransportKey(Digest(DIGEST), 0), Result(Digest(DIGEST), Digest(DIGEST), 0)
REQUEST = make_request(credentials(1, ManualClock()), credentials(2, ManualClock()).key.address)
ZERO = Digest(DIGEST)
OPENED = CanaryOpened(ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, 0)
SIZED: dict[str, tuple[Callable[[bytes], wire.Message], int]] = {
    "Hello.address": (lambda b: wire.Hello(b, KEY, SIGNATURE, DIGEST), 20),
    "Hello.signature": (lambda b: wire.Hello(ADDRESS, KEY, b, DIGEST), 64),
    "Hello.nonce": (lambda b: wire.Hello(ADDRESS, KEY, SIGNATURE, b), 32),
    "Login.address": (lambda b: wire.Login(b, SIGNATURE), 20),
    "Login.signature": (lambda b: wire.Login(ADDRESS, b), 64),
    "Ask.signature": (lambda b: wire.Ask(REQUEST, b, DIGEST, b""), 64),
    "Ask.mark_hash": (lambda b: wire.Ask(REQUEST, SIGNATURE, b, b""), 32),
    "Answer.signature": (lambda b: wire.Answer(0, b), 64),
    "Answer.missing": (lambda b: wire.Answer(0, SIGNATURE, missing=(DIGEST, b)), 32),
    "Confirm.request_id": (
        lambda b: wire.Confirm(b, Confirmed(Digest(DIGEST), 0), SIGNATURE, ()),
        32,
    ),
    "Confirm.signature": (
        lambda b: wire.Confirm(DIGEST, Confirmed(Digest(DIGEST), 0), b, ()),
        64,
    ),
    "Done.signature": (lambda b: wire.Done(b"", (), RESULT, b, DIGEST), 64),
    "Open.signature": (lambda b: wire.Open(OPENED, b), 64),
    "Done.salt": (lambda b: wire.Done(b"", (), RESULT, SIGNATURE, b), 32),
    "Fetch.task_digest": (lambda b: wire.Fetch(b), 32),
}


@pytest.mark.parametrize("field", SIZED)
def test_lengths_are_checked_before_anybody_looks_inside(field: str) -> None:
    make, size = SIZED[field]
    good = make(b"\x01" * size)
    assert wire.decode(wire.encode(1, good)[4:]) == (1, good)
    for wrong in (0, size - 1, size + 1, 10_000):
        with pytest.raises(PeerError, match=f"length [<>]= {size}"):
            wire.decode(wire.encode(1, make(b"\x01" * wrong))[4:])


def test_a_result_without_the_salt_of_its_seal_is_no_message() -> None:
    done = wire.Done(b"", (), RESULT, SIGNATURE, DIGEST)
    fields = msgspec.msgpack.decode(wire.encode(1, done)[4:])[1]
    del fields["salt"]
    with pytest.raises(PeerError, match="missing required field `salt`"):
        wire.decode(msgspec.msgpack.encode((1, fields)))


def test_a_limit_may_be_lower_than_the_largest() -> None:
    assert wire.frame_length((100).to_bytes(4, "big"), 100) == 100
    with pytest.raises(PeerError, match="over the limit of 100"):
        wire.frame_length((101).to_bytes(4, "big"), 100)


def test_a_frame_has_a_limit_in_both_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wire.frame_length(wire.MAX_FRAME.to_bytes(4, "big")) == wire.MAX_FRAME
    with pytest.raises(PeerError, match="over the limit"):
        wire.frame_length((wire.MAX_FRAME + 1).to_bytes(4, "big"))
    monkeypatch.setattr(wire, "MAX_FRAME", 100)
    with pytest.raises(PeerError, match="over the limit"):
        wire.encode(1, wire.Fetch(bytes(100)))


def test_what_was_expected_is_passed_on_and_a_fault_in_the_peers_words() -> None:
    ack = wire.Ack()
    assert wire.expect(ack, wire.Ack) is ack
    with pytest.raises(PeerError, match="could not do it: no sandbox"):
        wire.expect(wire.Fault("no sandbox"), wire.Done)
    with pytest.raises(PeerError, match="answered Ack where Done was due"):
        wire.expect(ack, wire.Done)


def test_a_frame_is_read_whole() -> None:
    async def read() -> tuple[int, wire.Message]:
        reader = asyncio.StreamReader()
        frame = wire.encode(7, wire.Fetch(bytes(range(32))))
        for byte in frame:
            reader.feed_data(bytes([byte]))
        return await read_frame(reader)

    assert asyncio.run(read()) == (7, wire.Fetch(bytes(range(32))))


class Sink:
    """Stands for a StreamWriter: takes what is written."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data


def test_a_stranger_gets_little_memory_before_it_has_logged_in() -> None:
    async def meet() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data((MAX_LOGIN_FRAME + 1).to_bytes(4, "big"))
        me = credentials(1, ManualClock())
        writer = cast("asyncio.StreamWriter", Sink())
        await greet(me, Digest(me.entropy(32)), reader, writer)

    with pytest.raises(PeerError, match=f"limit of {MAX_LOGIN_FRAME}"):
        asyncio.run(meet())
