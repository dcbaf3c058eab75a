"""Making tests of the validators, and showing them: what is sealed in place of a result, and when
it is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from canaries.commitment import seal
from canaries.validator_test import digest_of, in_its_place, salt_of
from ledger import schema
from ledger.abi import ContractReverted
from ledger.assets import CLAIM_WITHIN, ConfirmedMigration
from ledger.claim_calls import open_test
from ledger.errors import PeerError, PeerTimeout, SetupError, UsageError
from ledger.reader import Reader
from ledger.rows import IndexHead, KudosRow, Place, SettledMigration, ValidatorTest
from ledger.sender import Sender
from ledger.types import Address, BlockHash, BlockNumber, Digest, TxHash, UnixSeconds, hex_of
from node import wire
from node.home import Local, Remote
from node.own_tests import ROUNDS, OwnTests
from node.service import ADDRESS_FILE
from node.store import ContentStore
from node.task import result_digest
from node.tester import OwnHost, check_node, compile_task
from node.toolchain import Toolchain, detect
from tests.unit.node_world import EXECUTION, NOW, TASK, HostNode, ManualClock, World, credentials

ROUND = 60
HOST, OTHER = (credentials(number, ManualClock()).key.address for number in (2, 3))
ZERO = Digest(bytes(32))
SECRET = b"s" * 32


# -- what is sealed -----------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as made:
        yield made


def both(world: World) -> HostNode:
    """A home and a host of one owner, in one process."""
    host, home = world.make_host(), world.home
    way = OwnHost(home.address, host.side)
    home.side.hosts = lambda: [way]
    return host


def test_a_test_is_sealed_and_the_task_was_run_all_the_same(world: World) -> None:
    host = both(world)
    world.home.side.seals = host.side.seals = in_its_place(SECRET)
    outcome = asyncio.run(world.home.side.run(TASK, "cc"))
    assert isinstance(outcome, Remote) and outcome.result == EXECUTION.result()
    (migration,) = host.migrations()
    kept = host.journal.seal(outcome.request_id)
    assert isinstance(migration, ConfirmedMigration) and kept is not None
    expected = digest_of(outcome.request_id, salt_of(SECRET, outcome.request_id))
    assert kept.result_digest == expected != result_digest(outcome.result)
    assert migration.result.seal == seal(expected, kept.salt, host.address, outcome.request_id)


def test_a_home_that_wants_a_result_does_not_take_it(world: World) -> None:
    host = both(world)
    host.side.seals = in_its_place(SECRET)
    assert isinstance(asyncio.run(world.home.side.run(TASK, "cc")), Local)


def test_the_way_to_the_own_host_has_its_bounds(world: World) -> None:
    host = both(world)
    way = OwnHost(world.home.address, host.side)
    with pytest.raises(PeerError, match="no request to a host"):
        asyncio.run(way.call(wire.Ack(), 1.0))

    async def never() -> None:
        await asyncio.Event().wait()

    host.runner.before = never
    world.home.side.patience = replace(world.home.side.patience, result=0.01)
    assert isinstance(asyncio.run(world.home.side.run(TASK, "cc")), Local)

    async def too_long(*_: object) -> None:
        await asyncio.Event().wait()

    host.side = cast(Any, type("Slow", (), {"me": host.side.me, "ask": too_long}))
    ask = wire.Ask(cast(Any, None), b"", b"", b"")
    with pytest.raises(PeerTimeout):
        asyncio.run(OwnHost(world.home.address, host.side).call(ask, 0.01))


# -- when it is shown ---------------------------------------------------------------------------


@dataclass
class FakeReader:
    """One settled migration, its claim, and whether it was shown."""

    settled: list[SettledMigration] = field(default_factory=list)
    claims: dict[Digest, KudosRow] = field(default_factory=dict)
    shown: dict[Digest, ValidatorTest] = field(default_factory=dict)
    number: int = 100

    def head(self) -> IndexHead:
        number, when = BlockNumber(self.number), UnixSeconds(NOW)
        return IndexHead(number, BlockHash(ZERO), when, when, number, number)

    def results(self, home: bytes, since: BlockNumber) -> list[SettledMigration]:
        mine = [each for each in self.settled if each.request.home == home]
        return [each for each in mine if each.place.block > since]

    def claims_of(self, request_id: Digest) -> list[KudosRow]:
        return [self.claims[request_id]] if request_id in self.claims else []

    def validator_test(self, request_id: Digest) -> ValidatorTest | None:
        return self.shown.get(request_id)


@dataclass
class FakeSender:
    sent: list[bytes] = field(default_factory=list)
    error: ContractReverted | None = None
    block: int = 101

    def send(self, to: bytes, data: bytes) -> Any:
        if self.error is not None:
            raise self.error
        self.sent.append(data)
        return type("Receipt", (), {"block_number": BlockNumber(self.block)})


def at(block: int, timestamp: float = NOW, *, final: bool = True) -> Place:
    return Place(BlockNumber(block), 0, TxHash(ZERO), UnixSeconds(int(timestamp)), final)


class Scene:
    def __init__(self, world: World) -> None:
        self.world, self.reader, self.sender = world, FakeReader(), FakeSender()
        self.me, self.ordinary = world.home.me, set[Digest]()
        self.tests = OwnTests(
            *(self.me, world.make_host().address, cast(Reader, self.reader)),
            *(cast(Sender, self.sender), ROUND, lambda request_id: request_id not in self.ordinary),
        )

    def claimed(
        self, block: int = 50, host: Address | None = None, test: bool = True
    ) -> SettledMigration:
        """A migration whose K3 was claimed now and is open."""
        host_node = self.world.make_host(number=10 + len(self.reader.settled))
        self.world.links[:] = []
        self.world.link(host_node)
        outcome = asyncio.run(self.world.home.side.run(TASK, "cc"))
        assert isinstance(outcome, Remote)
        (migration,) = host_node.migrations()
        asked = replace(migration.request, host=host or self.tests.host)
        migration = replace(cast(ConfirmedMigration, migration), request=asked)
        ids = (outcome.request_id, ZERO, ZERO, Digest(b"\x07" * 32))
        settled = SettledMigration(migration, *ids, ZERO, 0, at(block))
        self.reader.settled.append(settled)
        salt = salt_of(self.me.key.expose_secret(), outcome.request_id)
        answer = Digest(digest_of(outcome.request_id, salt)) if test else ZERO
        self.reader.claims[outcome.request_id] = KudosRow(
            *(Digest(b"\x01" * 32), 3, asked.host, asked.home, ids[3] or ZERO),
            *(outcome.request_id, "planted", answer, Digest(b"\x05" * 32), 0),
            *(schema.CLAIMED, None, 0, at(block + 1, self.world.clock.time), None),
        )
        return settled

    def becomes(self, settled: SettledMigration, state: int) -> None:
        claim = self.reader.claims[settled.request_id]
        self.reader.claims[settled.request_id] = replace(claim, state=state)

    def wait(self, seconds: float) -> None:
        self.world.clock.time += seconds

    def show(self) -> int:
        return asyncio.run(self.tests.show_due())

    def was_shown(self, settled: SettledMigration, *, final: bool) -> None:
        ids = (Digest(b"\x01" * 32), settled.request_id, Digest(b"\x07" * 32))
        place = at(101, final=final)
        self.reader.shown[settled.request_id] = ValidatorTest(*ids, ZERO, ZERO, place)


@pytest.fixture
def scene(world: World) -> Scene:
    return Scene(world)


@pytest.mark.parametrize("state", [schema.REFUSED, schema.VERIFIED, schema.VOID])
def test_it_is_shown_when_it_is_decided_and_no_vote_can_be_hidden(scene: Scene, state: int) -> None:
    settled = scene.claimed()
    scene.wait(ROUNDS * ROUND)
    assert scene.show() == 0, "it is open"
    scene.becomes(settled, state)
    scene.wait(-ROUND)
    assert scene.show() == 0, "its votes can be hidden"
    scene.wait(ROUND)
    assert scene.show() == 1
    salt = Digest(salt_of(scene.me.key.expose_secret(), settled.request_id))
    seal_salt = Digest(b"\x05" * 32)
    expected = open_test(settled.request_id, Digest(b"\x07" * 32), seal_salt, salt)
    assert scene.sender.sent == [expected]


def test_it_is_shown_when_it_timed_out(scene: Scene) -> None:
    scene.claimed()
    scene.wait(CLAIM_WITHIN)
    assert scene.show() == 0
    scene.wait(1)
    assert scene.show() == 1


def test_only_what_is_a_test_of_these_two_is_shown(scene: Scene) -> None:
    others = [scene.claimed(test=False), scene.claimed(host=OTHER)]
    scene.wait(ROUNDS * ROUND)
    for settled in others:
        scene.becomes(settled, schema.VERIFIED)
    assert (scene.show(), scene.tests.unfinished()) == (0, [])


def test_it_is_shown_again_only_when_a_reorganisation_took_it_back(scene: Scene) -> None:
    settled = scene.claimed()
    scene.becomes(settled, schema.REFUSED)
    scene.wait(ROUNDS * ROUND)
    assert (scene.show(), scene.show()) == (1, 0), "the index has not seen it yet"
    scene.reader.number = 101
    scene.was_shown(settled, final=False)
    assert (scene.show(), scene.tests.unfinished()) == (0, [settled])
    scene.reader.shown.clear()
    assert scene.show() == 1
    scene.was_shown(settled, final=True)
    assert (scene.show(), scene.tests.unfinished()) == (0, [])


def test_a_contract_that_finds_it_too_early_is_asked_again(scene: Scene) -> None:
    settled = scene.claimed()
    scene.becomes(settled, schema.REFUSED)
    scene.wait(ROUNDS * ROUND)
    scene.sender.error = ContractReverted("not yet", error="TestTooEarly")
    assert scene.show() == 0
    scene.sender.error = ContractReverted("no", error="NotATest")
    with pytest.raises(ContractReverted):
        scene.show()
    scene.sender.error = None
    assert scene.show() == 1


def test_what_may_still_be_claimed_is_waited_for_and_no_longer(scene: Scene) -> None:
    first, second = scene.claimed(block=50), scene.claimed(block=60)
    scene.reader.claims.clear()
    assert scene.tests.unfinished() == [first, second] and scene.show() == 0
    scene.wait(CLAIM_WITHIN + 1)
    assert scene.tests.unfinished() == []
    third = scene.claimed(block=70)
    assert scene.tests.unfinished() == [third]


def test_ordinary_work_of_the_home_is_not_waited_for(scene: Scene) -> None:
    settled = scene.claimed()
    scene.reader.claims.clear()
    scene.ordinary.add(settled.request_id)
    assert scene.tests.unfinished() == []


# -- what it is made of -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def toolchain(tmp_path_factory: pytest.TempPathFactory) -> Toolchain:
    return detect(cache=tmp_path_factory.mktemp("toolchain") / "toolchain.json")


@pytest.fixture
def store(tmp_path: Path) -> ContentStore:
    return ContentStore(tmp_path / "store")


def test_a_compile_is_what_the_shim_would_send(
    tmp_path: Path, toolchain: Toolchain, store: ContentStore
) -> None:
    (tmp_path / "a.h").write_text("#define ANSWER 42\n")
    (tmp_path / "a.c").write_text('#include "a.h"\nint answer(void) { return ANSWER; }\n')
    words = ["cc", "-c", "a.c", "-o", "a.o"]
    # The closure is listed by the compiler where this process runs, so it is named in full.
    words[2:3] = [str(tmp_path / "a.c")]
    made = compile_task(words, str(tmp_path), {"PATH": "/usr/bin:/bin"}, toolchain, store)
    assert made.process_name == "cc" and made.task.toolchain == toolchain.class_id
    names = [Path(file.path).name for file in made.task.inputs]
    assert names == ["a.c", "a.h"] and all(store.has(file.digest) for file in made.task.inputs)


@pytest.mark.parametrize("words", [["cc", "--version"], ["cc", "-c", "missing.c", "-o", "m.o"]])
def test_what_cannot_be_sent_is_refused(
    words: list[str], tmp_path: Path, toolchain: Toolchain, store: ContentStore
) -> None:
    with pytest.raises(UsageError, match="cannot be sent"):
        compile_task(words, str(tmp_path), {"PATH": "/usr/bin:/bin"}, toolchain, store)


def test_another_compiler_is_refused(
    tmp_path: Path, toolchain: Toolchain, store: ContentStore
) -> None:
    (tmp_path / "a.c").write_text("int a;\n")
    other = replace(toolchain, compiler_path="/usr/bin/other")
    words = ["cc", "-c", str(tmp_path / "a.c"), "-o", str(tmp_path / "a.o")]
    with pytest.raises(UsageError, match="not this node's compiler"):
        compile_task(words, str(tmp_path), {"PATH": "/usr/bin:/bin"}, other, store)


def test_the_host_s_data_and_key_belong_together(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="no data directory"):
        check_node(tmp_path, HOST)
    (tmp_path / ADDRESS_FILE).write_text(hex_of(OTHER) + "\n", "utf-8")
    with pytest.raises(SetupError, match="not of"):
        check_node(tmp_path, HOST)
    check_node(tmp_path, OTHER)
