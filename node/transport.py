"""Connections between nodes: TLS 1.3 over TCP, each bound to the ledger keys at both ends
(``node.handshake``).

The peer's identity is its address on the ledger; where it listens is only a hint.
"""

from __future__ import annotations

import asyncio
import logging

from ledger.errors import KudosError, PeerError, UsageError
from ledger.types import Address, short
from node.connection import Connection, Expects, Handler
from node.handshake import Credentials, client_context, greet, log_in, server_context

log = logging.getLogger(__name__)

HANDSHAKE_SECONDS = 10.0
MAX_CONNECTIONS, CONNECTIONS_PER_PEER = 512, 8


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


class Listener:
    """A node's TLS server; ``port`` is the real one when 0 was asked for."""

    def __init__(self, server: asyncio.Server, connections: set[Connection]) -> None:
        self._server, self._connections = server, connections
        self.port: int = server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        self._server.close()
        for connection in list(self._connections):
            await connection.close()


async def listen(
    host: str,
    port: int,
    credentials: Credentials,
    handler: Handler,
    is_expected: Expects = lambda _: False,
) -> Listener:
    """Starts serving; UsageError when the address cannot be had."""
    context, certificate = server_context(credentials)
    connections: set[Connection] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(connections) >= MAX_CONNECTIONS:
            writer.close()
            return
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                peer = await greet(credentials, certificate, reader, writer)
        except (KudosError, OSError, EOFError, TimeoutError) as error:
            log.warning("no login from %s: %s", writer.get_extra_info("peername"), error)
            writer.close()
            return
        if sum(other.peer == peer for other in connections) >= CONNECTIONS_PER_PEER:
            log.warning("%s has too many connections", short(peer))
            writer.close()
            return
        connection = Connection(peer, reader, writer, handler, is_expected)
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
    except (OSError, EOFError, TimeoutError, ValueError, OverflowError) as error:
        # The last two: whoever answers there may send values that no signature is over.
        why = str(error) or type(error).__name__
        raise PeerError(f"No node answers at {host}:{port} ({why}).") from error
    return Connection(peer, reader, writer, handler)
