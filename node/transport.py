"""Connections between nodes: TLS 1.3 over TCP, each bound to the ledger keys at both ends
(``node.handshake``).

The peer's identity is its address on the ledger; where it listens is only a hint.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ledger.errors import KudosError, PeerError, PeerTimeout, UsageError
from ledger.types import Address, short
from node import wire
from node.handshake import (
    Credentials,
    client_context,
    greet,
    log_in,
    read_frame,
    server_context,
)

log = logging.getLogger(__name__)

HANDSHAKE_SECONDS = 10.0

Handler = Callable[[Address, wire.Message], Awaitable[wire.Message]]
"""From the peer's proven address and its request to the reply; a KudosError becomes a Fault."""


def parse_endpoint(text: str) -> tuple[str, int]:
    """HOST:PORT, IPv6 hosts in brackets; UsageError otherwise."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise UsageError(
            f"{text!r} is no address.",
            hint="Write HOST:PORT, for example 127.0.0.1:7701.",
        )
    return host, int(port)


class Connection:
    """An authenticated connection; requests and replies of both directions share it."""

    def __init__(
        self,
        peer: Address,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        handler: Handler,
    ) -> None:
        self.peer = peer
        self._reader, self._writer, self._handler = reader, writer, handler
        self._waiting: dict[int, asyncio.Future[wire.Message]] = {}
        self._serving: set[asyncio.Task[None]] = set()
        self._next = 1
        self._pump = asyncio.create_task(self._read_forever(), name=f"read {short(peer)}")

    @property
    def is_open(self) -> bool:
        return not self._pump.done()

    async def call(self, message: wire.Message, timeout: float) -> wire.Message:
        """Sends a request and waits for its reply; PeerError when the peer is gone,
        PeerTimeout when it is late."""
        identifier, self._next = self._next, self._next + 1
        future: asyncio.Future[wire.Message] = asyncio.get_running_loop().create_future()
        self._waiting[identifier] = future
        try:
            await self._send(identifier, message)
            return await asyncio.wait_for(future, timeout)
        except TimeoutError:
            raise PeerTimeout(
                f"{short(self.peer)} did not answer within {timeout:.0f} s."
            ) from None
        except OSError as error:
            raise PeerError(f"The connection to {short(self.peer)} broke: {error}.") from error
        finally:
            self._waiting.pop(identifier, None)

    async def close(self) -> None:
        self._pump.cancel()
        await asyncio.gather(self._pump, return_exceptions=True)

    async def wait_closed(self) -> None:
        await asyncio.wait([self._pump])

    async def _send(self, identifier: int, message: wire.Message) -> None:
        if not self.is_open:
            raise PeerError(f"The connection to {short(self.peer)} is closed.")
        self._writer.write(wire.encode(identifier, message))
        await self._writer.drain()

    async def _read_forever(self) -> None:
        try:
            while True:
                self._dispatch(*await read_frame(self._reader))
        except (asyncio.IncompleteReadError, OSError):
            pass
        except PeerError as error:
            log.warning("dropping %s: %s", short(self.peer), error)
        finally:
            self._end()

    def _dispatch(self, identifier: int, message: wire.Message) -> None:
        """Positive ids are the sender's own requests; a reply carries the negated id."""
        if identifier < 0:
            future = self._waiting.pop(-identifier, None)
            if future is not None and not future.done():
                future.set_result(message)
            return
        task = asyncio.create_task(self._serve(identifier, message))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, identifier: int, message: wire.Message) -> None:
        try:
            reply = await self._handler(self.peer, message)
        except KudosError as error:
            log.warning("refusing %s of %s: %s", type(message).__name__, short(self.peer), error)
            reply = wire.Fault(error.message)
        except Exception:
            log.exception("cannot serve %s of %s", type(message).__name__, short(self.peer))
            reply = wire.Fault("an error of its own")
        try:
            await self._send(-identifier, reply)
        except (KudosError, OSError) as error:
            log.info("the reply to %s is lost: %s", short(self.peer), error)

    def _end(self) -> None:
        self._writer.close()
        for task in self._serving:
            task.cancel()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(PeerError(f"{short(self.peer)} went away."))


class Listener:
    """A node's TLS server; ``port`` is the real one when 0 was asked for."""

    def __init__(self, server: asyncio.Server, connections: set[Connection]) -> None:
        self._server, self._connections = server, connections
        self.port: int = server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        self._server.close()
        for connection in list(self._connections):
            await connection.close()


async def listen(host: str, port: int, credentials: Credentials, handler: Handler) -> Listener:
    """Starts serving; UsageError when the address cannot be had."""
    context, certificate = server_context(credentials)
    connections: set[Connection] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                peer = await greet(credentials, certificate, reader, writer)
        except (KudosError, OSError, EOFError, TimeoutError) as error:
            log.warning("no login from %s: %s", writer.get_extra_info("peername"), error)
            writer.close()
            return
        connection = Connection(peer, reader, writer, handler)
        connections.add(connection)
        await connection.wait_closed()
        connections.discard(connection)

    try:
        server = await asyncio.start_server(accept, host, port, ssl=context)
    except OSError as error:
        raise UsageError(
            f"Cannot listen on {host}:{port}: {error.strerror}.",
            hint="Choose another --listen address.",
        ) from error
    return Listener(server, connections)


async def connect(
    host: str,
    port: int,
    credentials: Credentials,
    handler: Handler,
    expected: Address | None = None,
) -> Connection:
    """Connects and logs in; PeerError when nobody answers or the peer is not who it should be."""
    try:
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            reader, writer = await asyncio.open_connection(host, port, ssl=client_context())
            try:
                peer = await log_in(credentials, reader, writer, expected)
            except BaseException:
                writer.close()
                raise
    except (OSError, EOFError, TimeoutError) as error:
        why = str(error) or type(error).__name__
        raise PeerError(f"No node answers at {host}:{port} ({why}).") from error
    return Connection(peer, reader, writer, handler)
