"""``kudos agent``: a node whose tasks are scheduled, moved and run by another program.

It holds the node's key, keeps a copy of the ledger, talks to the other nodes' agents and settles;
the other program asks it over a Unix socket or loopback HTTP (docs/agent.md).
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
from contextlib import AsyncExitStack
from pathlib import Path

from ledger.errors import PeerError, SetupError
from ledger.outbox import Outbox
from ledger.types import Address, hex_of
from node import wire
from node.agent_answers import Answers
from node.agent_book import Book
from node.agent_home import AgentHome
from node.agent_host import AgentHost
from node.agent_intake import Intake
from node.agent_server import check_place, http_door, make_app, unix_door
from node.daemon import MAX_SOCKET_PATH, socket_path
from node.inputs import InputServer
from node.journal import Journal
from node.only_one import only_one
from node.openings import Opener
from node.peers import Endpoint, PeerBook
from node.plugin import AsyncReputation, Reputation
from node.service import INDEX, Footing, Outside, make_data, stand, stop_signal, supervise
from node.settling import (
    confirmed_migrations,
    draws_of,
    open_vault,
    schedule_of,
    settle_forever,
)
from node.transport import parse_endpoint

log = logging.getLogger(__name__)

SOCKET, TOKEN_FILE, HTTP_FILE = "agent.sock", "agent-token", "agent-http"
SWEEP_SECONDS, PRUNE_EVERY = 1.0, 3_600


def run_agent(options: argparse.Namespace) -> int:
    """Runs an agent until it is told to stop."""
    data = make_data(options)
    with only_one(data, "agent"):
        path = agent_socket(data)
        base = stand(options, Outside())
        asyncio.run(Agent(base, options, path).run())
    return 0


def agent_socket(data: Path) -> Path:
    """Where the agent's socket goes; SetupError when it cannot go there."""
    path = socket_path(data).with_name(SOCKET)
    if len(str(path)) > MAX_SOCKET_PATH:
        raise SetupError(
            f"The path {path} is too long for a Unix socket.",
            hint="Choose a --data directory with a shorter path.",
        )
    check_place(path)
    return path


class Agent:
    """One running agent; its parts and how they hang together."""

    def __init__(self, base: Footing, options: argparse.Namespace, path: Path) -> None:
        self._base, self._options, self._path = base, options, path
        data, me = base.data, base.me
        self._journal = Journal(data / "journal.db")
        self._outbox = Outbox.open(data / "outbox.db", me.domain, me.clock)
        self._book = Book(data / "agent.db")
        peers = [Endpoint.parse(text) for text in options.peer]
        self._peers = PeerBook(me, peers, self._serve, base.outside.dial)
        self._home = AgentHome(
            me=me,
            journal=self._journal,
            vault=open_vault(data / "vault.db"),
            store=base.store,
            book=self._book,
            schedule=schedule_of(options, me, base.deployment),
            connection=self._peers.of,
            next_sequence=lambda host: base.reader.next_free_sequence(me.key.address, host),
        )
        kept = (me, self._journal, self._outbox, base.store, self._book)
        self._intake = Intake(
            *kept,
            settled=confirmed_migrations(base.reader),
            sequence_used=lambda home, seq: base.reader.is_sequence_used(home, me.key.address, seq),
        )
        self._host = AgentHost(*kept)
        self._opener = Opener(me, self._home.vault, base.reader, self._peers.of)
        self._inputs = InputServer(base.store, self._journal, base.is_validator)
        self._draws = draws_of(base, self._journal, self._outbox)

    async def run(self) -> None:
        """Serves until SIGTERM or SIGINT."""
        base, stop = self._base, stop_signal()
        await base.copy.catch_up()
        host, port = parse_endpoint(self._options.listen)
        async with AsyncExitStack() as stack:
            answer = (await self._answers(stack)).answer
            listener = await base.outside.listen(
                host, port, base.me, self._serve, self._intake.expects
            )
            stack.push_async_callback(listener.close)
            stack.push_async_callback(self._home.close)
            token = _token(base.data / TOKEN_FILE, base.me.entropy(32))
            app, address_file = make_app(answer, token), base.data / HTTP_FILE
            url = await stack.enter_async_context(http_door(self._options.http, app, address_file))
            await stack.enter_async_context(unix_door(self._path, answer))
            self._host.resume()
            self._home.resume()
            me = hex_of(base.me.key.address)
            log.info("agent %s answers on %s and %s", me, self._path, url)
            log.info("node %s listens on %s:%d", me, host, listener.port)
            await supervise(
                [
                    base.copy.follow(),
                    self._peers.run(),
                    self._opener.run(),
                    self._draws.run(),
                    settle_forever(base, self._outbox, self._journal, self._options.claim_again),
                    self._sweep(),
                ],
                stop,
            )

    async def _answers(self, stack: AsyncExitStack) -> Answers:
        base, strategy = self._base, self._options.strategy
        index, me = base.data / INDEX, base.me.key.address
        quick = Reputation.open(
            index, me=me, strategy=strategy, deployment=base.deployment, clock=base.me.clock
        )
        stack.callback(quick.close)
        slow = await AsyncReputation.open(
            index, me=me, strategy=strategy, deployment=base.deployment, clock=base.me.clock
        )
        await stack.enter_async_context(slow)
        return Answers(
            me=base.me,
            reputation=quick,
            slow=slow,
            reader=base.reader,
            book=self._book,
            store=base.store,
            home=self._home,
            host=self._host,
            opener=self._opener,
            connected=lambda: [connection.peer for connection in self._peers.live()],
        )

    async def _sweep(self) -> None:
        pruned = float("-inf")
        while True:
            self._host.sweep()
            self._home.sweep()
            now = self._base.me.clock.monotonic()
            if now - pruned >= PRUNE_EVERY:
                pruned = now
                self._book.prune(self._base.me.clock.now())
            await asyncio.sleep(SWEEP_SECONDS)

    async def _serve(self, peer: Address, message: wire.Message) -> wire.Message:
        """Every request of a peer, whichever side opened the connection."""
        match message:
            case wire.Offer():
                return await self._intake.offer(peer, message)
            case wire.Confirm():
                return await self._intake.confirm(peer, message)
            case wire.Inquire():
                return await self._intake.inquire(peer, message)
            case wire.Open():
                return self._intake.open(peer, message)
            case wire.Fetch():
                return self._inputs.fetch(peer, message)
        raise PeerError(f"{type(message).__name__} is nothing that an agent does.")


def _token(path: Path, fresh: bytes) -> str:
    """The secret that HTTP callers show, in an owner-only file; made anew at every start."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(fresh.hex() + "\n")
    return fresh.hex()
