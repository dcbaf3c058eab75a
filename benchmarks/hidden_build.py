"""A real build with canaries: homes compile redis at a host, over TLS, in the sandbox, on a chain.

Everything is the node's own code, in one process: the shim's questions to ``Front``, ``HomeSide``
with journal, vault and store, the transport, ``HostSide`` in bubblewrap, the settlement in batches
on an embedded chain, the index, and ``Opener``. Only the processes of the shim are left out: what
it would send is worked out once for each source, and sent again in each round of the build.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coincurve import PrivateKey

from benchmarks.hidden_record import Recorder, Seen, Spy
from benchmarks.hidden_tells import Tell, telling
from canaries.schedule import Independent
from canaries.vault import Vault
from ledger.deploying import deploy
from ledger.deployment import Deployment
from ledger.embedded import EmbeddedChain
from ledger.errors import PeerError, SetupError
from ledger.indexer import Indexer
from ledger.keys import Key
from ledger.outbox import Outbox
from ledger.ports import SystemClock, system_entropy
from ledger.reader import Reader
from ledger.rpc import Rpc
from ledger.sender import Sender
from ledger.settler import Settler
from ledger.store import IndexStore
from ledger.types import Address
from node import shim_protocol, wire
from node.closure import RunHere, find_closure
from node.compile_command import CompileCommand, parse
from node.connection import Handler
from node.front import Front
from node.handshake import Credentials
from node.home import HomeSide
from node.host import HostSide
from node.inputs import Runner
from node.journal import Journal
from node.lending import Lending
from node.openings import Opener
from node.service import find_runner
from node.settling import confirmed_migrations
from node.shim import converse, describe
from node.store import ContentStore
from node.strategy.thesis import Anybody
from node.toolchain import Toolchain, detect
from node.transport import connect, listen

ETHER = 10**18
AT_ONCE = 4
"""Homes that build at the same time."""
SETTLE_SECONDS = 0.5
SETTLED_WITHIN = 120.0
TASK_SECONDS = 120.0
FLAGS = ("-std=gnu11", "-O0", "-w", "-I../deps/hiredis", "-I../deps/linenoise", "-I../deps/lua/src",
         "-I../deps/hdr_histogram", "-I.", "-I..")  # fmt: skip
PLACES = ("src", "deps/hiredis", "deps/linenoise", "deps/lua/src", "deps/hdr_histogram")
Compile = tuple[shim_protocol.Task, Mapping[bytes, bytes]]


def compiles(project: Path, count: int) -> list[Compile]:
    """The ``count`` smallest compiles of redis, as the shim would put them to its node."""
    found: list[tuple[int, Compile]] = []
    for place in PLACES:
        here = project / place
        for source in sorted(here.glob("*.c")):
            arguments = (*FLAGS, "-c", source.name, "-o", f"{source.stem}.o")
            command = parse("cc", arguments, str(here), {})
            if not isinstance(command, CompileCommand):
                raise SetupError(f"{source} cannot be sent: {command.reason}.")
            # Some sources need what their Makefile generates, or another system.
            with suppress(RunHere), _in(here):
                closure = find_closure(command, str(here), os.environ)
                task = describe(command, closure, str(here), os.environ)
                found.append((closure.size(), (task, closure.contents)))
    found.sort(key=lambda item: item[0])
    working = (compile_ for _, compile_ in found if _compiles_here(compile_[0]))
    return list(itertools.islice(working, count))


def _compiles_here(task: shim_protocol.Task) -> bool:
    done = subprocess.run(
        task.argv, cwd=task.cwd, capture_output=True, timeout=TASK_SECONDS, check=False
    )
    return done.returncode == 0


class _in:
    """The working directory, for a while; the closure run takes that of its process."""

    def __init__(self, directory: Path) -> None:
        self._directory, self._before = directory, Path.cwd()

    def __enter__(self) -> None:
        os.chdir(self._directory)

    def __exit__(self, *_: object) -> None:
        os.chdir(self._before)


@dataclass(frozen=True, slots=True)
class Ground:
    """What all builds of a run share."""

    folder: Path
    chain: EmbeddedChain
    deployment: Deployment
    toolchain: Toolchain
    runner: Runner
    compiles: Sequence[Compile]


@dataclass(frozen=True, slots=True)
class Plan:
    """One build: how many homes, how many migrations each, and what gives them away."""

    homes: int
    each: int
    tell: Tell | None = None

    @property
    def total(self) -> int:
        return self.homes * self.each


@dataclass(slots=True)
class Outcome:
    """What the host has noted, and what the homes' vaults say."""

    guests: dict[Address, list[Seen]] = field(default_factory=dict)
    planted: dict[bytes, bool] = field(default_factory=dict)


def lay_ground(folder: Path, chain: EmbeddedChain, compiles_: Sequence[Compile]) -> Ground:
    """A contract on the chain, the toolchain, and the sandbox; SetupError when one is missing."""
    key = _funded(chain)
    validators = [Key(PrivateKey()).address for _ in range(3)]
    ledger = deploy(
        chain.rpc, key, SystemClock(), validators=validators, threshold=2, finality_depth=2
    )
    runner = find_runner(folder / "scratch", unsandboxed=False)
    return Ground(folder, chain, ledger, detect(), runner, compiles_)


async def build(ground: Ground, plan: Plan, progress: Callable[[], None]) -> Outcome:
    """Carries the plan out: all homes at one host, ``AT_ONCE`` at a time."""
    async with AsyncExitStack() as stack:
        host = await stack.enter_async_context(_host(ground, plan.tell or "honest"))
        # All of them before the first task: a front changes the umask of the process for a moment.
        homes = [
            await stack.enter_async_context(_home(ground, host, plan.tell, number))
            for number in range(plan.homes)
        ]
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(home: _Home) -> None:
            async with turns:
                for task, contents in itertools.islice(itertools.cycle(ground.compiles), plan.each):
                    await asyncio.to_thread(_compile, home.socket, task, contents)
                    progress()

        async with asyncio.TaskGroup() as group:
            for home in homes:
                group.create_task(one(home))
        await host.settled()
        return _outcome(host, [home.vault for home in homes])


def _compile(socket: Path, task: shim_protocol.Task, contents: Mapping[bytes, bytes]) -> None:
    result = converse(str(socket), task, contents, TASK_SECONDS)
    if result.exit_status != 0 or not all(file.data for file in result.outputs):
        raise RunHere(f"{task.source} did not compile")


def _outcome(host: _Host, vaults: Sequence[Vault]) -> Outcome:
    outcome = Outcome({home: guest.seen for home, guest in host.recorder.guests.items()})
    for seen in itertools.chain.from_iterable(outcome.guests.values()):
        identity = seen.request_id
        outcome.planted[identity] = any(
            vault.canary(identity) is not None or vault.opening(identity) is not None
            for vault in vaults
        )
        settled = host.reader.migration(identity)
        if settled is not None and settled.batch_index is not None:
            seen.block, seen.batch_index = settled.place.block, settled.batch_index
            seen.settled_after = settled.place.timestamp - seen.request.signed_at
    _note_batches(outcome)
    return outcome


def _note_batches(outcome: Outcome) -> None:
    everything = list(itertools.chain.from_iterable(outcome.guests.values()))
    last: dict[float, float] = {}
    for seen in everything:
        last[seen.block] = max(last.get(seen.block, 0.0), seen.batch_index)
    for seen in everything:
        seen.batch_size = last[seen.block] + 1


@dataclass(slots=True)
class _Host:
    recorder: Recorder
    address: Address
    reader: Reader
    indexer: Indexer
    settler: Settler
    port: int = 0

    async def settle_forever(self) -> None:
        while True:
            await asyncio.to_thread(self._settle)
            await asyncio.sleep(SETTLE_SECONDS)

    def _settle(self) -> None:
        while not self.indexer.step().is_caught_up:
            pass
        error = self.settler.step().error
        if error is not None:
            raise error

    async def settled(self) -> None:
        """Waits until every migration stands on the ledger."""
        deadline = time.monotonic() + SETTLED_WITHIN
        wanted = [s for guest in self.recorder.guests.values() for s in guest.seen if s.is_done]
        while not all(self.reader.is_settled(seen.request_id) for seen in wanted):
            if time.monotonic() > deadline:
                raise SetupError("The migrations were not settled in time.")
            await asyncio.sleep(SETTLE_SECONDS)


@asynccontextmanager
async def _host(ground: Ground, name: str) -> AsyncIterator[_Host]:
    folder, clock, ledger = ground.folder / name, SystemClock(), ground.deployment
    folder.mkdir()
    key, index = _funded(ground.chain), folder / "index.db"
    me = Credentials(key, ledger.domain, clock, system_entropy)
    async with AsyncExitStack() as stack:
        store = stack.enter_context(IndexStore.open(index, ledger))
        reader = stack.enter_context(Reader.open(index, ledger))
        outbox = Outbox.open(folder / "outbox.db", ledger.domain, clock)
        stack.enter_context(closing(outbox))
        indexing, sending = (stack.enter_context(closing(Rpc(ground.chain.url))) for _ in range(2))
        journal = stack.enter_context(closing(Journal(folder / "journal.db")))
        side = _host_side(ground, me, journal, outbox, reader)
        sender = Sender(sending, key, ledger.chain_id, clock)
        host = _Host(
            recorder=Recorder(_handler(side), ledger.domain, time.perf_counter, clock.now),
            address=key.address,
            reader=reader,
            indexer=Indexer(indexing, store, ledger, clock),
            settler=Settler(outbox, lambda: Reader.open(index, ledger), sender, ledger, clock),
        )
        listener = await listen("127.0.0.1", 0, me, host.recorder.serve, side.expects)
        stack.push_async_callback(listener.close)
        host.port = listener.port
        await stack.enter_async_context(_background(host.settle_forever()))
        yield host


def _host_side(
    ground: Ground, me: Credentials, journal: Journal, outbox: Outbox, reader: Reader
) -> HostSide:
    return HostSide(
        me=me,
        journal=journal,
        outbox=outbox,
        store=ContentStore(ground.folder / f"store {me.key.address.hex()}", clock=me.clock),
        runner=Spy(ground.runner),
        strategy=Anybody(),
        toolchain=ground.toolchain.class_id,
        evidence=lambda home: None,
        settled=confirmed_migrations(reader),
        sequence_used=lambda home, seq: reader.is_sequence_used(home, me.key.address, seq),
        lends=Lending(slots=AT_ONCE),
    )


def _handler(side: HostSide) -> Handler:
    """What ``node.daemon`` serves to homes."""

    async def serve(peer: Address, message: wire.Message) -> wire.Message:
        match message:
            case wire.Ask():
                return await side.ask(peer, message)
            case wire.Confirm():
                return await side.confirm(peer, message)
            case wire.Open():
                return await side.open(peer, message)
        raise PeerError(f"{type(message).__name__} is no request.")

    return serve


@dataclass(frozen=True, slots=True)
class _Home:
    vault: Vault
    socket: Path


@asynccontextmanager
async def _home(
    ground: Ground, host: _Host, tell: Tell | None, number: int
) -> AsyncIterator[_Home]:
    folder, clock = ground.folder / f"{tell or 'honest'} {number}", SystemClock()
    folder.mkdir()
    me = Credentials(Key(PrivateKey()), ground.deployment.domain, clock, system_entropy)
    async with AsyncExitStack() as stack:
        journal = stack.enter_context(closing(Journal(folder / "journal.db")))
        vault = stack.enter_context(closing(Vault(folder / "vault.db")))
        connection = await connect("127.0.0.1", host.port, me, _refuse, host.address)
        stack.push_async_callback(connection.close)
        side = HomeSide(
            me=me,
            journal=journal,
            vault=vault,
            store=ContentStore(folder / "store", clock=clock),
            schedule=Independent(me.entropy(32)),
            hosts=lambda: [connection],
            next_sequence=lambda peer: host.reader.next_free_sequence(me.key.address, peer),
            is_void=host.reader.is_void,
        )
        if tell is not None:
            side = telling(side, tell, number)
        socket = folder / "socket"
        server = await Front(side, journal, side.store, ground.toolchain).serve(socket)
        stack.callback(server.close)
        opener = Opener(me, vault, host.reader, lambda peer: connection)
        await stack.enter_async_context(_background(opener.run()))
        yield _Home(vault, socket)


async def _refuse(peer: Address, message: wire.Message) -> wire.Message:
    raise PeerError("A home takes no requests.")


@asynccontextmanager
async def _background(job: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs ``job`` beside the block; its error, if it fails, comes out at the end."""
    task = asyncio.create_task(job)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _funded(chain: EmbeddedChain) -> Key:
    key = Key(PrivateKey())
    chain.fund(key.address, 1_000 * ETHER)
    return key
