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
from node import connection as connection_module
from node import transport, wire
from node.connection import Connection
from node.handshake import Credentials, server_context
from node.transport import connect, listen

DOMAIN = Domain(31_337, Address(bytes(range(20))))
DIGEST = bytes(range(32))


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
            return await connection.call(wire.Fetch(DIGEST), 5), connection
        finally:
            await connection.close()
    finally:
        await listener.close()


def test_both_ends_learn_the_others_ledger_identity() -> None:
    home, host = credentials(1), credentials(2)
    reply, connection = asyncio.run(talk(home, host))
    assert connection.peer == host.key.address
    assert reply == wire.Inputs(home.key.address, (DIGEST,))


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

    assert asyncio.run(scene(wire.Fetch(DIGEST), 5)) == wire.Fault("not for you")
    with pytest.raises(PeerError, match="did not answer within"):
        asyncio.run(scene(wire.Ack(), 0.2))


async def works(connection: Connection) -> bool:
    try:
        return bool(await connection.call(wire.Fetch(DIGEST), 5))
    except PeerError:
        return False


def test_one_peer_has_only_so_many_connections() -> None:
    """One that it gives up makes room for another, and others have places of their own."""

    async def scene() -> None:
        listener = await listen("127.0.0.1", 0, credentials(2), echo)

        async def another(seed: int = 1) -> Connection:
            return await connect("127.0.0.1", listener.port, credentials(seed), deaf)

        mine = [await another() for _ in range(transport.CONNECTIONS_PER_PEER + 1)]
        theirs = await another(3)
        try:
            assert [await works(each) for each in mine] == [True] * (len(mine) - 1) + [False]
            assert await works(theirs)
            await mine[0].close()
            for _ in range(100):
                mine.append(await another())
                if await works(mine[-1]):
                    break
                await asyncio.sleep(0.02)
            assert await works(mine[-1])
            assert await works(mine[1])
        finally:
            for each in (*mine, theirs):
                await each.close()
            await listener.close()

    asyncio.run(scene())


def test_a_node_has_only_so_many_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_CONNECTIONS", 2)

    async def scene() -> None:
        listener = await listen("127.0.0.1", 0, credentials(2), echo)

        async def another(seed: int) -> Connection:
            return await connect("127.0.0.1", listener.port, credentials(seed), deaf)

        taken = [await another(3), await another(4)]
        try:
            assert [await works(each) for each in taken] == [True, True]
            with pytest.raises(PeerError, match="No node answers"):
                await another(5)
            assert [await works(each) for each in taken] == [True, True]
        finally:
            for each in taken:
                await each.close()
            await listener.close()

    asyncio.run(scene())


def test_large_requests_are_taken_from_those_who_are_expected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection_module, "SMALL_FRAME", 1_000)
    large = wire.Inputs(bytes(5_000), ())

    async def acknowledge(peer: Address, message: wire.Message) -> wire.Message:
        return wire.Ack()

    async def scene() -> list[wire.Message | None]:
        home = credentials(1).key.address
        listener = await listen(
            "127.0.0.1", 0, credentials(2), acknowledge, lambda peer: peer == home
        )
        replies: list[wire.Message | None] = []
        for seed in (1, 3):
            connection = await connect("127.0.0.1", listener.port, credentials(seed), deaf)
            try:
                replies.append(await connection.call(large, 5))
            except PeerError:
                replies.append(None)
            await connection.close()
        await listener.close()
        return replies

    assert asyncio.run(scene()) == [wire.Ack(), None]
