"""Two nodes over real TLS on loopback: who they are, and who they cannot pretend to be."""

from __future__ import annotations

import asyncio
import os

import pytest
from coincurve import PrivateKey

from ledger.assets import TransportKey
from ledger.eip712 import Domain
from ledger.errors import PeerError
from ledger.keys import Key
from ledger.ports import SystemClock
from ledger.types import Address
from node import wire
from node.handshake import Credentials, server_context
from node.transport import Connection, connect, listen

DOMAIN = Domain(31_337, Address(bytes(range(20))))


def credentials(seed: int, domain: Domain = DOMAIN) -> Credentials:
    key = Key(PrivateKey(seed.to_bytes(32, "big")))
    return Credentials(key, domain, SystemClock(), os.urandom)


async def echo(peer: Address, message: wire.Message) -> wire.Message:
    fetch = wire.expect(message, wire.Fetch)
    return wire.Inputs(peer, (fetch.task_digest,))


async def deaf(peer: Address, message: wire.Message) -> wire.Message:
    raise PeerError("nothing to say")


async def talk(client: Credentials, server: Credentials) -> tuple[wire.Message, Connection]:
    listener = await listen("127.0.0.1", 0, server, echo)
    try:
        connection = await connect("127.0.0.1", listener.port, client, deaf)
        try:
            return await connection.call(wire.Fetch(b"abc"), 5), connection
        finally:
            await connection.close()
    finally:
        await listener.close()


def test_both_ends_learn_the_others_ledger_identity() -> None:
    home, host = credentials(1), credentials(2)
    reply, connection = asyncio.run(talk(home, host))
    assert connection.peer == host.key.address
    assert reply == wire.Inputs(home.key.address, (b"abc",))


def test_identities_of_another_ledger_are_refused() -> None:
    elsewhere = Domain(1, DOMAIN.contract)
    with pytest.raises(PeerError, match="not signed by its ledger key"):
        asyncio.run(talk(credentials(1), credentials(2, elsewhere)))


def test_an_unexpected_peer_is_refused() -> None:
    async def scene() -> None:
        listener = await listen("127.0.0.1", 0, credentials(2), echo)
        try:
            stranger = credentials(3).key.address
            await connect("127.0.0.1", listener.port, credentials(1), deaf, expected=stranger)
        finally:
            await listener.close()

    with pytest.raises(PeerError, match="Expected"):
        asyncio.run(scene())


def test_nobody_logs_in_under_somebody_elses_address() -> None:
    impostor = credentials(4)
    impostor.key.address = credentials(1).key.address
    with pytest.raises(PeerError, match="not signed by the address it names"):
        asyncio.run(talk(impostor, credentials(2)))


def test_a_relayed_hello_does_not_fit_the_relays_certificate() -> None:
    """A man in the middle forwards the true host's word over a TLS connection of its own."""

    async def scene() -> None:
        _, certificate = server_context(credentials(2))
        relayed = credentials(2).key.sign(DOMAIN, binding := TransportKey(certificate, 1 << 40))

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            hello = wire.Hello(credentials(2).key.address, binding, relayed, bytes(32))
            writer.write(wire.encode(0, hello))
            await writer.drain()
            await reader.read()
            writer.close()

        own_context, _ = server_context(credentials(3))
        server = await asyncio.start_server(relay, "127.0.0.1", 0, ssl=own_context)
        try:
            port = server.sockets[0].getsockname()[1]
            await connect("127.0.0.1", port, credentials(1), deaf)
        finally:
            server.close()

    with pytest.raises(PeerError, match="bound to another certificate"):
        asyncio.run(scene())


def test_calls_fail_when_the_peer_goes_away() -> None:
    async def scene() -> None:
        started = asyncio.Event()

        async def never(peer: Address, message: wire.Message) -> wire.Message:
            started.set()
            await asyncio.sleep(60)
            return wire.Ack()

        listener = await listen("127.0.0.1", 0, credentials(2), never)
        connection = await connect("127.0.0.1", listener.port, credentials(1), deaf)
        call = asyncio.create_task(connection.call(wire.Ack(), 30))
        await started.wait()
        await listener.close()
        await call

    with pytest.raises(PeerError, match="went away"):
        asyncio.run(scene())


def test_a_fault_and_a_late_answer_are_peer_errors() -> None:
    async def scene(message: wire.Message, timeout: float) -> wire.Message:
        async def slow(peer: Address, message: wire.Message) -> wire.Message:
            if isinstance(message, wire.Ack):
                await asyncio.sleep(5)
            raise PeerError("not for you")

        listener = await listen("127.0.0.1", 0, credentials(2), slow)
        connection = await connect("127.0.0.1", listener.port, credentials(1), deaf)
        try:
            return await connection.call(message, timeout)
        finally:
            await connection.close()
            await listener.close()

    assert asyncio.run(scene(wire.Fetch(b""), 5)) == wire.Fault("not for you")
    with pytest.raises(PeerError, match="did not answer within"):
        asyncio.run(scene(wire.Ack(), 0.2))
