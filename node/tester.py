"""``kudos test-validators``: a home that makes claims with a host of the same owner whose results
are none.

The host is an ordinary node, which goes on running: it settles, claims, and serves the inputs. Both
sides of the migration are those of every node; only what is sealed is another digest
(``canaries.validator_test``). The task is run all the same: what it takes must not tell a test from
other claims.

That two processes work with the host's files is safe: each change is a transaction or a whole file,
nobody but this home asks under its sequence numbers, and only the node sends with the host's key.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from canaries.family import field_of
from canaries.replay import Replay, parameters_for
from canaries.schedule import Unplanted
from canaries.validator_test import in_its_place
from ledger import schema
from ledger.assets import K3_CANARY
from ledger.errors import KudosError, PeerError, PeerTimeout, SetupError, UsageError
from ledger.outbox import MIGRATION, Outbox
from ledger.types import Address, Digest, address_from_hex, hex_of
from node import wire
from node.closure import RunHere, find_closure
from node.compile_command import NotSendable, parse
from node.front import descriptor_of
from node.handshake import Credentials
from node.home import HomeSide, Local
from node.host import HostSide
from node.identity import password_from, unlock
from node.journal import Journal
from node.marking import KnownCanary
from node.only_one import only_one
from node.openings import Opener
from node.own_tests import OwnTests
from node.service import ADDRESS_FILE, Base, make_data, prepare, stop_signal, supervise
from node.settling import confirmed_migrations, open_vault
from node.shim import describe
from node.store import ContentStore
from node.strategy.thesis import Anybody
from node.task import Limits, TaskDescriptor, task_digest
from node.toolchain import Toolchain

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Made:
    """The compile that a test is made of."""

    task: TaskDescriptor
    process_name: str


def run_tester(options: argparse.Namespace) -> int:
    """Makes a test if a compile is given, and stays until all are shown; 0 if nobody approved."""
    key = unlock(options.host_key, password_from(options.host_password_file))
    check_node(options.host_data, key.address)
    with only_one(make_data(options), "test-validators"):
        base = prepare(options)
        if key.address == base.me.key.address:
            raise UsageError(
                "Home and host of a test are two identities.", hint="Give another key as --key."
            )
        host = Credentials(key, base.deployment.domain, base.me.clock, base.me.entropy)
        made = None
        if options.compile:
            words, here = options.compile, os.getcwd()
            made = compile_task(words, here, os.environ, base.toolchain, base.store)
        tester = Tester(base, host, options.host_data)
        asyncio.run(tester.run(made))
        return tester.report()


def check_node(data: Path, address: Address) -> None:
    """SetupError unless this is the data directory of the node with this address."""
    try:
        found = address_from_hex((data / ADDRESS_FILE).read_text("utf-8").strip())
    except (OSError, ValueError) as error:
        raise SetupError(
            f"{data} is no data directory of a node: {error}.",
            hint="Give as --host-data the directory that the host's `kudos node` runs with.",
        ) from error
    if found != address:
        raise SetupError(
            f"{data} is the data directory of {hex_of(found)}, not of {hex_of(address)}.",
            hint="Give --host-key and --host-data of the same node.",
        )


class OwnHost:
    """The way from the home to the host's side in the same process."""

    is_open = True

    def __init__(self, home: Address, host: HostSide) -> None:
        self._home, self._host = home, host

    @property
    def peer(self) -> Address:
        return self._host.me.key.address

    async def call(self, message: wire.Message, timeout: float) -> wire.Message:
        try:
            async with asyncio.timeout(timeout):
                return await self._answer(message)
        except TimeoutError:
            raise PeerTimeout(f"The task took more than {timeout:.0f} s.") from None

    async def _answer(self, message: wire.Message) -> wire.Message:
        match message:
            case wire.Ask():
                return await self._host.ask(self._home, message)
            case wire.Confirm():
                return await self._host.confirm(self._home, message)
            case wire.Open():
                return await self._host.open(self._home, message)
        raise PeerError(f"{type(message).__name__} is no request to a host.")


class Tester:
    """One home, and what becomes of its tests; ``data`` is the host's directory."""

    def __init__(self, base: Base, host: Credentials, data: Path) -> None:
        self._base = base
        self._outbox = Outbox.open(data / "outbox.db", base.me.domain, base.me.clock)
        self._vault = open_vault(base.data / "vault.db")
        seals = in_its_place(base.me.key.expose_secret())
        home, reader = base.me.key.address, base.reader
        side = HostSide(
            me=host,
            journal=Journal(data / "journal.db"),
            outbox=self._outbox,
            store=ContentStore(data / "store", clock=base.me.clock),
            runner=base.runner,
            strategy=Anybody(),
            toolchain=base.toolchain.class_id,
            evidence=lambda _: None,
            settled=confirmed_migrations(reader),
            sequence_used=lambda who, seq: reader.is_sequence_used(who, host.key.address, seq),
            seals=seals,
        )
        way = OwnHost(home, side)
        self._home = HomeSide(
            me=base.me,
            journal=Journal(base.data / "journal.db"),
            vault=self._vault,
            store=base.store,
            schedule=Unplanted(),
            hosts=lambda: [way],
            next_sequence=lambda who: reader.next_free_sequence(home, who),
            is_void=reader.is_void,
            seals=seals,
        )
        self._opener = Opener(base.me, self._vault, reader, lambda _: way)
        self._tests = OwnTests(
            me=base.me,
            host=host.key.address,
            reader=reader,
            sender=base.sender,
            round_seconds=base.deployment.round_seconds,
            planted=self._is_planted,
        )
        self._seen: dict[Digest, None] = {}

    async def run(self, made: Made | None) -> None:
        """Until every test is shown for good, or SIGTERM or SIGINT."""
        stop = stop_signal()
        await self._base.copy.catch_up()
        jobs = [
            self._base.copy.follow(),
            self._opener.run(),
            self._tests.run(),
            self._work(made, stop),
        ]
        await supervise(jobs, stop)

    def report(self) -> int:
        """Prints what validators said of the tests that this run has seen; 0 if all were shown, and
        nobody approved one."""
        if not self._seen:
            print("no test of this home and this host waits to be shown")
        good = [self._report(request_id) for request_id in self._seen]
        return 0 if all(good) else 1

    def _report(self, request_id: Digest) -> bool:
        reader, test = self._base.reader, hex_of(request_id)
        if reader.validator_test(request_id) is None:
            settled = reader.migration(request_id) is not None
            print(f"{test}: {_NOT_SHOWN if settled else _NOT_SETTLED}")
            return False
        claims = [claim for claim in reader.claims_of(request_id) if claim.level == K3_CANARY]
        votes = [vote for claim in claims for vote in reader.votes(claim.kudos_id)]
        for vote in votes:
            print(f"{test}: {hex_of(vote.validator)} {_SAID[vote.verdict]}")
        return all(vote.verdict != schema.APPROVE for vote in votes)

    async def _work(self, made: Made | None, stop: asyncio.Event) -> None:
        if made is not None:
            await self._make(made)
        while self._is_busy():
            await asyncio.sleep(POLL_SECONDS)
        stop.set()

    async def _make(self, made: Made) -> None:
        if self._base.reader.is_void(Digest(task_digest(made.task))):
            raise UsageError(
                "Runs of this compile were found to differ: it tells nothing about validators.",
                hint="Give another one.",
            )
        replay = KnownCanary(field_of(Replay.name), parameters_for(made.task.toolchain))
        outcome = await self._home.run(made.task, made.process_name, replay)
        if isinstance(outcome, Local):
            raise KudosError(
                f"The test was not made: {outcome.reason.name}.", hint="The log says more."
            )
        self._seen[outcome.request_id] = None
        print(f"{hex_of(outcome.request_id)}: made; this waits until it is decided", flush=True)

    def _is_planted(self, request_id: Digest) -> bool:
        vault = self._vault
        return vault.canary(request_id) is not None or vault.opening(request_id) is not None

    def _is_busy(self) -> bool:
        """Whether anything of ours is on its way to the ledger, or not shown there for good."""
        unfinished = [settled.request_id for settled in self._tests.unfinished()]
        self._seen |= dict.fromkeys(unfinished)
        queued = (self._vault.canary(item.key) for item in self._outbox.pending(MIGRATION))
        return bool(unfinished) or any(queued)


def compile_task(
    words: Sequence[str],
    cwd: str,
    env: Mapping[str, str],
    toolchain: Toolchain,
    store: ContentStore,
) -> Made:
    """A compile as ``kudos cc`` would send it, its inputs in the store."""
    command = parse(words[0], words[1:], cwd, env)
    if isinstance(command, NotSendable):
        raise UsageError(f"This compile cannot be sent: {command.reason}.", hint=_HINT)
    try:
        closure = find_closure(command, cwd, env)
        asked = describe(command, closure, cwd, env)
    except (RunHere, OSError) as error:
        raise UsageError(f"This compile cannot be sent: {error}.", hint=_HINT) from error
    if asked.compiler != str(toolchain.compiler_path):
        raise UsageError(f"{asked.compiler} is not this node's compiler.", hint=_HINT)
    for blob in closure.contents.values():
        store.put(blob)
    return Made(descriptor_of(asked, toolchain, Limits()), asked.process_name)


_HINT = "Give a compile that `kudos cc` sends to other nodes, for example: cc -O2 -c main.c"
_NOT_SHOWN = "not shown yet; run this again without a compile"
_NOT_SETTLED = "not settled; the log of the host's node says why"
_SAID = {
    schema.APPROVE: "APPROVED it, and so cannot have looked",
    schema.REFUSE: "refused it",
    schema.ABSTAIN: "abstained",
}
