"""The configured peers: one outgoing connection to each, kept up as long as the node runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ledger.errors import PeerError, UsageError
from ledger.types import Address, address_from_hex, short
from node.connection import Connection, Handler
from node.handshake import Credentials
from node.transport import connect, parse_endpoint

log = logging.getLogger(__name__)

RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)


class Dial(Protocol):
    """How a connection is made: ``node.transport.connect``, or a network that is a dict."""

    async def __call__(
        self, host: str, port: int, me: Credentials, handler: Handler, expected: Address | None, /
    ) -> Connection: ...


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a peer listens, and who it must be if that is known."""

    host: str
    port: int
    address: Address | None = None

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """``HOST:PORT`` or ``0xADDRESS@HOST:PORT``; UsageError otherwise."""
        who, at, where = text.rpartition("@")
        host, port = parse_endpoint(where)
        try:
            return cls(host, port, address_from_hex(who) if at else None)
        except ValueError as error:
            raise UsageError(
                f"{text!r} is no peer: {error}.", hint="Write 0xADDRESS@HOST:PORT."
            ) from None


class PeerBook:
    """Connects to every endpoint, again and again; ``live`` are the connections that stand."""

    def __init__(
        self,
        me: Credentials,
        endpoints: Sequence[Endpoint],
        handler: Handler,
        dial: Dial = connect,
    ) -> None:
        self._dial = dial
        self._me, self._endpoints, self._handler = me, endpoints, handler
        self._live: dict[Address, Connection] = {}

    def live(self) -> list[Connection]:
        """The open connections, in no particular order."""
        return [connection for connection in self._live.values() if connection.is_open]

    def of(self, address: Address) -> Connection | None:
        connection = self._live.get(address)
        return connection if connection is not None and connection.is_open else None

    async def run(self) -> None:
        """Keeps the connections up until cancelled, and closes them then."""
        try:
            async with asyncio.TaskGroup() as group:
                for endpoint in self._endpoints:
                    group.create_task(self._keep(endpoint))
        finally:
            for connection in self._live.values():
                await connection.close()

    async def _keep(self, endpoint: Endpoint) -> None:
        failures = 0
        while True:
            try:
                connection = await self._dial(
                    endpoint.host, endpoint.port, self._me, self._handler, endpoint.address
                )
            except PeerError as error:
                if failures == 0:
                    log.info("%s Trying again.", error)
                await asyncio.sleep(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
                failures += 1
                continue
            failures = 0
            await self._hold(connection)

    async def _hold(self, connection: Connection) -> None:
        peer = connection.peer
        if peer == self._me.key.address:
            log.warning("a peer's address leads to this node itself; it is left alone")
            await connection.close()
            await asyncio.sleep(RETRY_SECONDS[-1])
            return
        self._live[peer] = connection
        log.info("connected to %s", short(peer))
        await connection.wait_closed()
        log.info("lost %s", short(peer))
        if self._live.get(peer) is connection:
            del self._live[peer]
