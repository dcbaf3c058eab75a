"""What every daemon starts with: its key, its ledger, its copy of it, its sandbox, and a proper
end."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol

from ledger.deployment import Deployment
from ledger.errors import ChainError
from ledger.indexer import Indexer
from ledger.ports import Clock, Entropy, SystemClock, system_entropy
from ledger.reader import Reader
from ledger.rpc import Rpc
from ledger.sender import Sender
from ledger.store import IndexStore
from ledger.types import Address, hex_of
from node.connection import Expects, Handler
from node.handshake import Credentials
from node.identity import password_from, unlock
from node.inputs import Runner
from node.ledger_copy import LedgerCopy
from node.peers import Dial
from node.sandbox import Sandbox, UnsandboxedRunner
from node.staging import sweep
from node.store import ContentStore
from node.toolchain import Toolchain, detect
from node.transport import Listener, connect, listen

log = logging.getLogger(__name__)

INDEX = "index.db"
ADDRESS_FILE = "address"
"""Says whose data directory it is."""


class Listen(Protocol):
    """How a node is reached: ``node.transport.listen``, or a network that is a dict."""

    async def __call__(
        self, host: str, port: int, me: Credentials, handler: Handler, is_expected: Expects, /
    ) -> Listener: ...


@dataclass(frozen=True, slots=True)
class Outside:
    """Everything outside of the program: time, chance, the chain, the network, and what runs tasks.
    A simulator passes its own; the disk is a directory among the options."""

    clock: Clock = field(default_factory=SystemClock)
    entropy: Entropy = system_entropy
    open_rpc: Callable[[str], Rpc] = Rpc
    sleep: Callable[[float], None] = time.sleep
    dial: Dial = connect
    listen: Listen = listen
    runner: Runner | None = None
    """None: bubblewrap, or what the options say instead."""


@dataclass(frozen=True, slots=True)
class Footing:
    """What every daemon stands on, whether or not it runs tasks."""

    outside: Outside
    me: Credentials
    deployment: Deployment
    data: Path
    sender: Sender
    copy: LedgerCopy
    reader: Reader
    store: ContentStore

    def is_validator(self, peer: Address) -> bool:
        """Whether this peer is in office, as far as the copy has come."""
        seated = self.reader.validator_set()
        return seated is not None and peer in seated.members


@dataclass(frozen=True, slots=True)
class Base(Footing):
    """A daemon that runs tasks."""

    runner: Runner
    toolchain: Toolchain


def prepare(options: argparse.Namespace, outside: Outside | None = None) -> Base:
    """Everything that can be wrong is found here, before anybody is served."""
    outside = outside or Outside()
    data = make_data(options)
    toolchain = detect(cache=data / "toolchain.json")
    runner = outside.runner or find_runner(data / "scratch", unsandboxed=options.unsandboxed)
    footing = stand(options, outside)
    common = {field.name: getattr(footing, field.name) for field in fields(footing)}
    return Base(**common, runner=runner, toolchain=toolchain)


def make_data(options: argparse.Namespace) -> Path:
    """The data directory, owner-only when it is made here."""
    data: Path = options.data
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    return data


def stand(options: argparse.Namespace, outside: Outside) -> Footing:
    """Key, chain, ledger and the copy of it."""
    clock, data = outside.clock, make_data(options)
    deployment = Deployment.load(options.ledger)
    key = unlock(options.key, password_from(options.password_file))
    rpc = outside.open_rpc(options.rpc)
    wait_for_ledger(rpc, deployment, options.rpc_wait, outside)
    if rpc.balance(key.address) == 0:
        log.warning(
            "%s has no money on this chain: it cannot pay for gas, and settles and votes nothing",
            hex_of(key.address),
        )
    (data / ADDRESS_FILE).write_text(hex_of(key.address) + "\n", "utf-8")
    index = data / INDEX
    store = IndexStore.open(index, deployment)
    # The indexer works in a thread of its own, so it gets an endpoint of its own.
    indexer = Indexer(outside.open_rpc(options.rpc), store, deployment, clock)
    reader = Reader.open(index, deployment)
    log.info("ledger %s on chain %d", hex_of(deployment.contract), deployment.chain_id)
    return Footing(
        outside=outside,
        me=Credentials(key, deployment.domain, clock, outside.entropy),
        deployment=deployment,
        data=data,
        sender=Sender(rpc, key, deployment.chain_id, clock),
        copy=LedgerCopy(indexer, reader, deployment, key.address, clock),
        reader=reader,
        store=ContentStore(data / "store", clock=clock),
    )


def find_runner(scratch: Path, *, unsandboxed: bool) -> Runner:
    """The sandbox; SetupError without one, unless running without was asked for in so many
    words."""
    scratch.mkdir(parents=True, exist_ok=True)
    if unsandboxed:
        log.warning("NO SANDBOX: strangers' code runs with all rights of this user")
        return UnsandboxedRunner(accept_no_sandbox=True, scratch=scratch)
    # Jobs are staged below the system's temporary directory, where they need not be root's: a data
    # directory is closed to the ordinary user that they run as.
    swept = sweep(Path(tempfile.gettempdir()))
    if swept:
        log.info("removed %d scratch directories of nodes that were killed", swept)
    sandbox = Sandbox.detect()
    log.info("sandbox limits in force: %s", ", ".join(sandbox.limits_in_force))
    return sandbox


def wait_for_ledger(rpc: Rpc, deployment: Deployment, seconds: float, outside: Outside) -> None:
    """Checks chain and contract, giving a chain that is just starting a little time."""
    deadline = outside.clock.monotonic() + seconds
    while True:
        try:
            rpc.chain_id()
        except ChainError:
            if outside.clock.monotonic() > deadline:
                raise
            log.info("waiting for the chain")
            outside.sleep(1.0)
            continue
        deployment.verify(rpc)
        return


def stop_signal() -> asyncio.Event:
    """Set by SIGTERM or SIGINT from now on; to be called before anybody is told that we run."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def supervise(jobs: Sequence[Coroutine[Any, Any, object]], stop: asyncio.Event) -> None:
    """Runs the jobs until ``stop`` is set; the first that fails ends them all, with its error. One
    that has nothing to do, like dialling no peers, may come to its end before."""
    tasks = [asyncio.create_task(job) for job in jobs]
    waiter = asyncio.create_task(stop.wait())
    running: set[asyncio.Task[object]] = {*tasks, waiter}
    try:
        while waiter in running:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        for task in (*tasks, waiter):
            task.cancel()
        await asyncio.gather(*tasks, waiter, return_exceptions=True)
        log.info("stopped")
