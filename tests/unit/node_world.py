"""A test network is a dict: homes and hosts in one process, with real journals, outboxes, vaults
and stores, and a link between them that both sides' messages cross in their wire form."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from coincurve import PrivateKey

from canaries.commitment import ORDINARY, PLANTED, Mark, Place, commitment
from canaries.vault import Vault
from ledger.assets import (
    Accepted,
    Confirmed,
    ConfirmedMigration,
    Migration,
    Request,
    process_name_field,
)
from ledger.eip712 import Domain, digest
from ledger.errors import KudosError
from ledger.keys import Key
from ledger.outbox import MIGRATION, Outbox
from ledger.ports import Entropy
from ledger.types import Address, Digest
from node import wire
from node.admission import Evidence, Strategy
from node.connection import Connection
from node.execution import Execution
from node.handshake import Credentials
from node.home import HomeSide
from node.host import HostSide
from node.journal import Journal
from node.lending import Lending
from node.staging import ProducedFile
from node.store import ContentStore, sha256
from node.strategy.thesis import Thesis
from node.task import InputFile, Limits, TaskDescriptor, encode_task, task_digest

NOW = 1_800_000_000
DOMAIN = Domain(31_337, Address(b"\xaa" * 20))
TOOLCHAIN = "gcc-12-test"
OUTPUT = "/home/me/project/a.o"
SOURCES = (b"int answer(void) { return 42; }\n", b"#define ANSWER 42\n")
TASK = TaskDescriptor(
    argv=("cc", "-c", "a.c", "-o", "a.o"),
    cwd="/home/me/project",
    env=(("LANG", "C.UTF-8"),),
    toolchain=TOOLCHAIN,
    inputs=(
        InputFile("/home/me/project/a.c", sha256(SOURCES[0]), 0o644),
        InputFile("/home/me/project/a.h", sha256(SOURCES[1]), 0o644),
    ),
    directories=(),
    outputs=(OUTPUT,),
    limits=Limits(60, 512, 1024),
)
EXECUTION = Execution(
    0, b"", b"a.c: a warning\n", (ProducedFile(OUTPUT, b"\x7fELF", 0o644),), 0.1, 0.2
)
TRUSTED = Evidence(home_points=50, host_points=100, block=9, age=1.0)

Change = Callable[[wire.Message], wire.Message]


class ManualClock:
    def __init__(self, time: float = NOW) -> None:
        self.time = time

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


def seeded_entropy(seed: int) -> Entropy:
    """A stream that is different for each seed and the same in every run."""
    count = 0

    def draw(size: int) -> bytes:
        nonlocal count
        count += 1
        return hashlib.shake_256(f"{seed}/{count}".encode()).digest(size)

    return draw


def key(number: int) -> Key:
    return Key(PrivateKey(number.to_bytes(32, "big")))


def credentials(number: int, clock: ManualClock) -> Credentials:
    return Credentials(key(number), DOMAIN, clock, seeded_entropy(number))


class FakeRunner:
    """Runs nothing: checks that the inputs are there, and gives the execution that it was told."""

    def __init__(self) -> None:
        self.execution = EXECUTION
        self.error: Exception | None = None
        self.before: Callable[[], Any] | None = None
        self.timeouts: list[float] = []

    async def run(self, task: TaskDescriptor, inputs: ContentStore, *, timeout: float) -> Execution:
        self.timeouts.append(timeout)
        for file in task.inputs:
            inputs.get(file.digest)
        if self.before is not None:
            await self.before()
        if self.error is not None:
            raise self.error
        return self.execution


class FixedSchedule:
    def __init__(self, canary: bool = False) -> None:
        self.canary = canary

    def is_canary(self, host: bytes, seq: int) -> bool:
        return self.canary


@dataclass
class HostNode:
    """A host with what it stands on; the ledger it sees are two collections."""

    side: HostSide
    journal: Journal
    outbox: Outbox
    store: ContentStore
    runner: FakeRunner
    on_ledger: dict[Digest, ConfirmedMigration] = field(default_factory=dict)
    used: set[tuple[Address, int]] = field(default_factory=set)
    evidence: Evidence | None = TRUSTED

    @property
    def address(self) -> Address:
        return self.side.me.key.address

    def migrations(self) -> list[Migration]:
        """What waits for settlement."""
        return [self.outbox.migration(item.key) for item in self.outbox.pending(MIGRATION)]


@dataclass
class HomeNode:
    side: HomeSide
    journal: Journal
    vault: Vault
    store: ContentStore
    schedule: FixedSchedule
    void: set[Digest]

    @property
    def me(self) -> Credentials:
        return self.side.me

    @property
    def address(self) -> Address:
        return self.side.me.key.address


def as_it_arrives(message: wire.Message) -> wire.Message:
    """Encoded and decoded, as the transport would."""
    frame = wire.encode(1, message)
    assert wire.frame_length(frame[:4]) == len(frame) - 4
    return wire.decode(frame[4:])[1]


class Link:
    """Stands for ``node.transport.Connection``: a home's way to one host.

    ``on_request`` and ``on_reply`` see every message and may change it, or raise."""

    def __init__(self, home: Address, host: HostNode) -> None:
        self.peer = host.address
        self.is_open = True
        self.sent: list[wire.Message] = []
        self.on_request: Change = lambda message: message
        self.on_reply: Change = lambda message: message
        self._home, self._host = home, host

    async def call(self, message: wire.Message, timeout: float) -> wire.Message:
        assert timeout > 0
        self.sent.append(message)
        arrived = as_it_arrives(self.on_request(message))
        try:
            reply = await self._serve(arrived)
        except KudosError as error:
            reply = wire.Fault(error.message)
        return as_it_arrives(self.on_reply(reply))

    async def _serve(self, message: wire.Message) -> wire.Message:
        side = self._host.side
        match message:
            case wire.Ask():
                return await side.ask(self._home, message)
            case wire.Confirm():
                return await side.confirm(self._home, message)
            case wire.Open():
                return await side.open(self._home, message)
        raise AssertionError(f"a home does not send {message}")


class World:
    """One home and as many hosts as a test wants; ``close`` closes every file."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, ManualClock()
        self.stack = ExitStack()
        self.links: list[Link] = []
        self.home = self.make_home(1)

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def make_home(self, number: int) -> HomeNode:
        folder = self.folder / f"home-{number}"
        folder.mkdir()
        journal, vault = Journal(folder / "journal.db"), Vault(folder / "vault.db")
        self.stack.callback(journal.close)
        self.stack.callback(vault.close)
        store = ContentStore(folder / "store", clock=self.clock)
        for source in SOURCES:
            store.put(source)
        schedule, void = FixedSchedule(), set[Digest]()
        side = HomeSide(
            me=credentials(number, self.clock),
            journal=journal,
            vault=vault,
            store=store,
            schedule=schedule,
            hosts=lambda: cast("Sequence[Connection]", self.links),
            next_sequence=lambda host: 0,
            is_void=void.__contains__,
        )
        return HomeNode(side, journal, vault, store, schedule, void)

    def make_host(
        self,
        number: int = 2,
        strategy: Strategy | None = None,
        lends: Lending | None = None,
        clock: ManualClock | None = None,
    ) -> HostNode:
        folder = self.folder / f"host-{number}"
        clock = clock or self.clock
        store = ContentStore(folder / "store", clock=clock)
        journal = Journal(folder / "journal.db")
        outbox = Outbox.open(folder / "outbox.db", DOMAIN, clock)
        self.stack.callback(journal.close)
        self.stack.callback(outbox.close)
        runner = FakeRunner()
        side = HostSide(
            me=credentials(number, clock),
            journal=journal,
            outbox=outbox,
            store=store,
            runner=runner,
            strategy=strategy or Thesis(),
            toolchain=TOOLCHAIN,
            evidence=lambda home: node.evidence,
            settled=lambda request_id: node.on_ledger.get(request_id),
            sequence_used=lambda home, seq: (home, seq) in node.used,
            lends=lends or Lending(),
        )
        node = HostNode(side, journal, outbox, store, runner)
        return node

    def link(self, host: HostNode) -> Link:
        link = Link(self.home.address, host)
        self.links.append(link)
        return link


ORDINARY_MARK = Mark(ORDINARY, bytes(32), bytes(32), b"\x01" * 32)
PLANTED_MARK = Mark(PLANTED, b"replay".ljust(32, b"\0"), b"\x07" * 32, b"\x02" * 32)


def make_request(
    home: Credentials,
    host: Address,
    seq: int = 0,
    task: TaskDescriptor = TASK,
    mark: Mark = ORDINARY_MARK,
) -> Request:
    """A REQUEST as an honest home makes it."""
    place = Place(DOMAIN.chain_id, DOMAIN.contract, home.key.address, host, seq)
    now = int(home.clock.now())
    return Request(
        home=home.key.address,
        host=host,
        process_id=Digest(b"\x05" * 32),
        process_name=process_name_field("cc a.c"),
        commitment=Digest(commitment(place, task_digest(task), mark.hash)),
        cpu_seconds=task.limits.cpu_seconds,
        memory_mib=task.limits.memory_mib,
        output_kib=task.limits.output_kib,
        seq=seq,
        result_deadline=now + 900,
        signed_at=now,
    )


def make_ask(
    home: Credentials,
    host: Address,
    seq: int = 0,
    task: TaskDescriptor = TASK,
    mark: Mark = ORDINARY_MARK,
    changes: Mapping[str, Any] | None = None,
) -> wire.Ask:
    """A signed Ask; ``changes`` are made to its REQUEST before it is signed."""
    request = replace(make_request(home, host, seq, task, mark), **(changes or {}))
    return wire.Ask(request, home.key.sign(DOMAIN, request), mark.hash, encode_task(task))


def make_confirm(
    home: Credentials, ask: wire.Ask, answer: wire.Answer, signed_at: int | None = None
) -> wire.Confirm:
    """CONFIRMED of this answer, with the sources that it asks for."""
    request_id = digest(DOMAIN, ask.request)
    acceptance_id = digest(DOMAIN, Accepted(request_id, answer.signed_at))
    confirmed = Confirmed(acceptance_id, answer.signed_at if signed_at is None else signed_at)
    blobs = tuple(source for source in SOURCES if sha256(source) in answer.missing)
    return wire.Confirm(request_id, confirmed, home.key.sign(DOMAIN, confirmed), blobs)
