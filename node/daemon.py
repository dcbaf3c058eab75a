"""The node's daemon: both sides of the protocol, the settlement queue, the openings and the shim's
socket."""

from __future__ import annotations

import argparse
import asyncio
import logging
from pathlib import Path

from canaries.family import installed
from ledger.errors import PeerError, SetupError
from ledger.outbox import Outbox
from ledger.types import Address, hex_of
from node import wire
from node.admission import needs_of
from node.front import Front
from node.home import HomeSide
from node.host import HostSide
from node.inputs import InputServer
from node.journal import Journal
from node.lending import Lending
from node.only_one import only_one
from node.openings import Opener
from node.peers import Endpoint, PeerBook
from node.planting import Planting
from node.puzzle_home import Puzzles
from node.service import Base, make_data, prepare, stop_signal, supervise
from node.settling import (
    confirmed_migrations,
    draws_of,
    open_vault,
    schedule_of,
    settle_forever,
)
from node.strategy_file import load_strategy
from node.transport import parse_endpoint
from node.wasm_home import Modules

log = logging.getLogger(__name__)

MAX_SOCKET_PATH = 100


def run_node(options: argparse.Namespace) -> int:
    """Runs a node until it is told to stop."""
    socket = socket_path(options.data)
    with only_one(make_data(options), "node"):
        base = prepare(options)
        asyncio.run(Node(base, options, socket).run())
    return 0


class Node:
    """One running node; its parts and how they hang together."""

    def __init__(self, base: Base, options: argparse.Namespace, socket: Path) -> None:
        self._base, self._socket = base, socket
        self._claim_again: int = options.claim_again
        self._endpoint = parse_endpoint(options.listen)
        data = base.data
        self._journal = Journal(data / "journal.db")
        self._vault = open_vault(data / "vault.db")
        self._outbox = Outbox.open(data / "outbox.db", base.me.domain, base.me.clock)
        peers = [Endpoint.parse(text) for text in options.peer]
        self._peers = PeerBook(base.me, peers, self._serve, base.outside.dial)
        self._home = HomeSide(
            me=base.me,
            journal=self._journal,
            vault=self._vault,
            store=base.store,
            schedule=schedule_of(options, base.me, base.deployment),
            hosts=self._peers.live,
            next_sequence=lambda host: base.reader.next_free_sequence(base.me.key.address, host),
            is_void=base.reader.is_void,
        )
        strategy = load_strategy(options.strategy, base.me.clock)
        self._host = HostSide(
            me=base.me,
            journal=self._journal,
            outbox=self._outbox,
            store=base.store,
            runner=base.runner,
            strategy=strategy,
            toolchain=base.toolchain.class_id,
            evidence=lambda home: base.copy.evidence(home, needs_of(strategy)),
            settled=confirmed_migrations(base.reader),
            sequence_used=lambda home, seq: base.reader.is_sequence_used(
                home, base.me.key.address, seq
            ),
            lends=Lending(slots=options.slots, waiting=options.waiting),
            families=installed(),
        )
        self._inputs = InputServer(base.store, self._journal, base.is_validator)
        self._draws = draws_of(base, self._journal, self._outbox)

    async def run(self) -> None:
        """Serves until SIGTERM or SIGINT."""
        base, stop = self._base, stop_signal()
        await base.copy.catch_up()
        host, port = self._endpoint
        listener = await base.outside.listen(host, port, base.me, self._serve, self._host.expects)
        families = self._host.families
        planting = Planting(base.me, self._home, self._journal, base.store, families)
        front = self._front(planting)
        server = await front.serve(self._socket)
        opener = Opener(base.me, self._vault, base.reader, self._peers.of)
        log.info("node %s listens on %s:%d", hex_of(base.me.key.address), host, listener.port)
        try:
            jobs = [
                base.copy.follow(),
                self._peers.run(),
                opener.run(),
                planting.run(),
                self._draws.run(),
                settle_forever(base, self._outbox, self._journal, self._claim_again),
            ]
            await supervise(jobs, stop)
        finally:
            server.close()
            self._socket.unlink(missing_ok=True)
            await listener.close()

    def _front(self, planting: Planting) -> Front:
        base = self._base
        return Front(
            self._home,
            self._journal,
            base.store,
            base.toolchain,
            modules=Modules(self._home, base.runner, base.store, planting),
            puzzles=Puzzles(base.me.entropy, self._host.families, base.store, planting),
        )

    async def _serve(self, peer: Address, message: wire.Message) -> wire.Message:
        """Every request of a peer, whichever side opened the connection."""
        match message:
            case wire.Ask():
                return await self._host.ask(peer, message)
            case wire.Confirm():
                return await self._host.confirm(peer, message)
            case wire.Open():
                return await self._host.open(peer, message)
            case wire.Fetch():
                return self._inputs.fetch(peer, message)
        raise PeerError(f"{type(message).__name__} is no request.")


def socket_path(data: Path) -> Path:
    """Where the shim's socket goes; SetupError when the system cannot bind so long a path."""
    path = (data / "socket").absolute()
    if len(str(path)) > MAX_SOCKET_PATH:
        raise SetupError(
            f"The path {path} is too long for a Unix socket.",
            hint="Choose a --data directory with a shorter path.",
        )
    return path
