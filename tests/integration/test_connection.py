"""What a peer can make a connection hold, over real sockets on loopback. One end is a Connection,
the other speaks in bytes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from ledger.errors import PeerError, PeerTimeout
from ledger.types import Address
from node import connection as module
from node import wire
from node.connection import REQUESTS_AT_ONCE, Connection, Expects, Handler

PEER = Address(b"\x01" * 20)
DIGEST = b"\x02" * 32
SMALL = 1_000
"""The small frame of these tests."""
LARGE = wire.Inputs(bytes(5 * SMALL), ())


@dataclass
class Stranger:
    """The other end of a connection."""

    connection: Connection
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, identifier: int, message: wire.Message) -> None:
        self.writer.write(wire.encode(identifier, message))
        await self.writer.drain()

    async def hear(self) -> tuple[int, wire.Message]:
        async with asyncio.timeout(5):
            length = int.from_bytes(await self.reader.readexactly(4), "big")
            return wire.decode(await self.reader.readexactly(length))

    async def was_dropped(self, within: float = 5) -> bool:
        try:
            async with asyncio.timeout(within):
                await self.connection.wait_closed()
                return await self.reader.read() == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False


async def acknowledge(peer: Address, message: wire.Message) -> wire.Message:
    return wire.Ack()


@asynccontextmanager
async def met(
    handler: Handler = acknowledge, is_expected: Expects = lambda _: False
) -> AsyncIterator[Stranger]:
    """A stranger that is connected to a Connection of ours."""
    ours: asyncio.Queue[Connection] = asyncio.Queue()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(PEER, reader, writer, handler, is_expected)
        ours.put_nowait(connection)
        await connection.wait_closed()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        stranger = Stranger(await ours.get(), reader, writer)
        try:
            yield stranger
        finally:
            await stranger.connection.close()
            writer.transport.abort()
    finally:
        server.close()


def scene(
    play: Callable[[Stranger], Awaitable[None]],
    handler: Handler = acknowledge,
    is_expected: Expects = lambda _: False,
) -> None:
    async def whole() -> None:
        async with met(handler, is_expected) as stranger:
            await play(stranger)

    asyncio.run(whole())


@pytest.fixture(autouse=True)
def small_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SMALL_FRAME", SMALL)


# -- how large ------------------------------------------------------------------------------------


def test_a_small_frame_is_served() -> None:
    frame = wire.encode(1, wire.Inputs(bytes(SMALL - 60), ()))
    assert SMALL - 60 < len(frame) - 4 <= SMALL

    async def play(stranger: Stranger) -> None:
        stranger.writer.write(frame)
        assert await stranger.hear() == (-1, wire.Ack())

    scene(play)


def test_nobody_sends_large_frames_unasked() -> None:
    """Dropped at the length already: not one byte of the frame is waited for."""

    async def play(stranger: Stranger) -> None:
        stranger.writer.write((SMALL + 1).to_bytes(4, "big"))
        assert await stranger.was_dropped()

    scene(play)


def test_a_large_reply_may_come_while_it_is_awaited() -> None:
    async def play(stranger: Stranger) -> None:
        call = asyncio.create_task(stranger.connection.call(wire.Fetch(DIGEST), 5))
        assert await stranger.hear() == (1, wire.Fetch(DIGEST))
        await stranger.say(-1, LARGE)
        assert await call == LARGE
        await stranger.say(-1, LARGE)
        assert await stranger.was_dropped(), "nothing is awaited any more"

    scene(play)


@pytest.mark.parametrize("expected", [True, False])
def test_a_large_request_may_come_where_one_is_expected(expected: bool) -> None:
    asked: list[Address] = []

    def is_expected(peer: Address) -> bool:
        asked.append(peer)
        return expected

    async def play(stranger: Stranger) -> None:
        await stranger.say(1, LARGE)
        if expected:
            assert await stranger.hear() == (-1, wire.Ack())
        else:
            assert await stranger.was_dropped()

    scene(play, is_expected=is_expected)
    assert set(asked) == {PEER}


def test_nothing_is_larger_than_the_largest_frame() -> None:
    async def play(stranger: Stranger) -> None:
        stranger.writer.write((wire.MAX_FRAME + 1).to_bytes(4, "big"))
        assert await stranger.was_dropped()

    scene(play, is_expected=lambda _: True)


# -- how many -------------------------------------------------------------------------------------


def test_a_peer_asks_only_so_many_things_at_once() -> None:
    started = 0

    async def never(peer: Address, message: wire.Message) -> wire.Message:
        nonlocal started
        started += 1
        await asyncio.Event().wait()
        raise AssertionError("nobody sets the event")

    async def play(stranger: Stranger) -> None:
        for number in range(1, REQUESTS_AT_ONCE + 1):
            await stranger.say(number, wire.Ack())
        assert not await stranger.was_dropped(within=0.2)
        assert started == REQUESTS_AT_ONCE
        await stranger.say(REQUESTS_AT_ONCE + 1, wire.Ack())
        assert await stranger.was_dropped()
        assert started == REQUESTS_AT_ONCE

    scene(play, never)


def test_one_after_another_there_may_be_any_number() -> None:
    async def play(stranger: Stranger) -> None:
        for number in range(1, 3 * REQUESTS_AT_ONCE):
            await stranger.say(number, wire.Ack())
            assert await stranger.hear() == (-number, wire.Ack())

    scene(play)


# -- how long -------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [0, 1, 5])
def test_a_frame_that_stops_halfway_is_not_waited_for(
    sent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FRAME_SECONDS", 0.1)
    body = wire.encode(1, wire.Ack())[4:]

    async def play(stranger: Stranger) -> None:
        stranger.writer.write(len(body).to_bytes(4, "big") + body[:sent])
        assert await stranger.was_dropped(within=2)

    scene(play)


def test_a_silent_peer_between_frames_is_left_in_peace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FRAME_SECONDS", 0.05)

    async def play(stranger: Stranger) -> None:
        assert not await stranger.was_dropped(within=0.3)
        await stranger.say(1, wire.Ack())
        assert await stranger.hear() == (-1, wire.Ack())

    scene(play)


HUGE = wire.Inputs(bytes(32 << 20), ())
"""More than the kernel's buffers of a loopback connection take."""


def test_a_reply_that_nobody_reads_drops_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FRAME_SECONDS", 0.2)

    async def huge(peer: Address, message: wire.Message) -> wire.Message:
        return HUGE

    async def play(stranger: Stranger) -> None:
        await stranger.say(1, wire.Ack())
        async with asyncio.timeout(5):
            await stranger.connection.wait_closed()

    scene(play, huge)


def test_a_reply_that_is_read_slowly_but_in_time_arrives() -> None:
    async def huge(peer: Address, message: wire.Message) -> wire.Message:
        return HUGE

    async def play(stranger: Stranger) -> None:
        await stranger.say(1, wire.Ack())
        await asyncio.sleep(0.3)
        assert await stranger.hear() == (-1, HUGE)
        assert stranger.connection.is_open

    scene(play, huge)


def test_a_call_to_a_peer_that_does_not_read_ends_in_time() -> None:
    async def play(stranger: Stranger) -> None:
        before = time.monotonic()
        with pytest.raises(PeerTimeout, match="did not answer within"):
            async with asyncio.timeout(10):
                await stranger.connection.call(HUGE, 0.3)
        assert 0.2 < time.monotonic() - before < 5

    scene(play)


def test_a_call_on_a_closed_connection_is_the_peers_fault() -> None:
    async def play(stranger: Stranger) -> None:
        stranger.writer.transport.abort()
        async with asyncio.timeout(5):
            await stranger.connection.wait_closed()
        with pytest.raises(PeerError, match="is closed"):
            await stranger.connection.call(wire.Ack(), 1)

    scene(play)


def test_noise_drops_the_connection() -> None:
    async def play(stranger: Stranger) -> None:
        stranger.writer.write((5).to_bytes(4, "big") + b"noise")
        assert await stranger.was_dropped()

    scene(play)
