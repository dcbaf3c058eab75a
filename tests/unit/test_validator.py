"""A validator's rounds over K1 and K2: what it votes, what it leaves to others, what it repeats."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest

from ledger import calls, claim_calls, record
from ledger.abi import ContractReverted
from ledger.assets import ConfirmedMigration, Kudos, Migration
from ledger.contracts import contracts_of
from ledger.eip712 import digest
from ledger.errors import ChainError, PeerError
from ledger.event_types import BatchSettled
from ledger.reader import Reader
from ledger.reasons import Reason
from ledger.rows import KudosRow, SettledMigration, UnvotedBatch, UnvotedSingle
from ledger.schema import CLAIMED
from ledger.sender import Sender
from ledger.types import Address, Digest, Signature
from node import validator as module
from node import wire
from node.home import Remote
from node.jury import Jury
from node.validator import Validator
from node.vote_sender import REST_SECONDS
from tests.unit.canary_claims import SETTLED, ZERO
from tests.unit.node_world import DOMAIN, NOW, TASK, HostNode, World, credentials, key
from tests.unit.validator_fakes import ME, FakeReader, FakeSender

LEDGER, CLAIMS = contracts_of(DOMAIN.contract).ledger, contracts_of(DOMAIN.contract).claims


@dataclass
class FakeJury:
    """A round of K3 votes: does what the test has put in."""

    rounds: int = 0
    does: Callable[[], object] | None = None
    waits: asyncio.Event | None = None

    async def round(self) -> int:
        self.rounds += 1
        if self.waits is not None:
            await self.waits.wait()
        if self.does is not None:
            self.does()
        return 0


@dataclass
class Scene:
    world: World
    host: HostNode
    reader: FakeReader
    sender: FakeSender
    validator: Validator
    jury: FakeJury = field(default_factory=FakeJury)

    def judge_batches(self) -> int:
        return asyncio.run(self.validator.batch_round())

    def finish(self) -> ConfirmedMigration:
        outcome = asyncio.run(self.world.home.side.run(TASK, "cc"))
        assert isinstance(outcome, Remote)
        migration = self.host.migrations()[-1]
        assert isinstance(migration, ConfirmedMigration)
        return migration

    def settle(self, migrations: list[Migration], claims: int = (1 << 128) - 1) -> UnvotedBatch:
        packed = record.encode_batch(migrations)
        root = Digest(bytes([len(self.reader.batches) + 1]) * 32)
        event = BatchSettled(self.host.address, root, claims, (), packed)
        self.reader.batches.append(UnvotedBatch(event, SETTLED))
        return self.reader.batches[-1]

    def single(self, migration: ConfirmedMigration, *, by_step: bool) -> UnvotedSingle:
        """A K2 claim that stands alone, in the ledger or in the claims contract."""
        request, result = migration.request, migration.result
        request_id, result_id = digest(DOMAIN, request), digest(DOMAIN, result)
        ids = (request_id, ZERO, ZERO, result_id, None, None)
        kudos_id, none = digest(DOMAIN, Kudos(2, result_id)), (None, None, None)
        kudos = KudosRow(
            *(kudos_id, 2, request.host, request.home, result_id, request_id, *none),
            *(0, CLAIMED, None, 0, SETTLED, None),
        )
        found = UnvotedSingle(kudos, SettledMigration(migration, *ids, SETTLED), by_step)
        self.reader.singles.append(found)
        return found

    @property
    def calldata(self) -> list[bytes]:
        assert all(to == LEDGER for to, _ in self.sender.sent)
        return [data for _, data in self.sender.sent]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with World(tmp_path) as world:
        host = world.make_host()
        world.link(host)
        reader, sender, jury = FakeReader(), FakeSender(), FakeJury()
        validator = Validator(
            me=credentials(11, world.clock),
            reader=cast(Reader, reader),
            sender=cast(Sender, sender),
            jury=cast(Jury, jury),
        )
        yield Scene(world, host, reader, sender, validator, jury)


def test_a_batch_is_voted_on_record_by_record(scene: Scene) -> None:
    good = [scene.finish() for _ in range(3)]
    forged = replace(good[1], home_signature=Signature(key(9).sign(DOMAIN, good[1].confirmed)))
    late = replace(good[2], result=replace(good[2].result, signed_at=NOW + 901))
    batch = scene.settle([good[0], forged, late])
    assert scene.judge_batches() == 1
    doubts = ((1, Reason.REFUSE_SIGNATURE), (2, Reason.REFUSE_ORDER))
    expected = calls.BatchVote(scene.host.address, batch.event.root, 0b001, 0b110, doubts)
    assert scene.calldata == [calls.vote([expected], [])]


def test_only_records_with_a_claim_are_voted_on(scene: Scene) -> None:
    batch = scene.settle([scene.finish() for _ in range(3)], claims=0b101)
    scene.judge_batches()
    expected = calls.BatchVote(scene.host.address, batch.event.root, 0b101, 0, ())
    assert scene.calldata == [calls.vote([expected], [])]


def test_a_round_without_claims_sends_nothing(scene: Scene) -> None:
    assert scene.judge_batches() == 0
    assert scene.sender.sent == []


def test_a_vote_is_given_once_until_the_index_shows_that_it_was_lost(scene: Scene) -> None:
    scene.settle([scene.finish()])
    assert scene.judge_batches() == 1
    assert scene.judge_batches() == 0
    scene.reader.number = 7
    assert scene.judge_batches() == 0
    scene.reader.number = 8  # the block of the vote is indexed, and the batch is still open
    assert scene.judge_batches() == 1
    assert scene.calldata[0] == scene.calldata[1]


def test_a_vote_that_would_be_refused_is_not_paid_for(scene: Scene) -> None:
    scene.settle([scene.finish()])
    scene.sender.refuse = ChainError("refused")
    with pytest.raises(ChainError):
        scene.judge_batches()
    assert scene.sender.sent == []
    scene.sender.refuse = None
    assert scene.judge_batches() == 1


def test_a_vote_that_would_be_refused_holds_up_no_other(scene: Scene) -> None:
    migrations = [scene.finish() for _ in range(3)]
    bad, good = (bytes(scene.settle([each]).event.root) for each in migrations[:2])
    scene.single(migrations[2], by_step=True)
    scene.sender.poisoned[bad] = ContractReverted("no seat at that time", error="NotEligible")
    scene.judge_batches()
    (sent,) = scene.calldata
    result = bytes(digest(DOMAIN, migrations[2].result))
    assert good in sent and result in sent and bad not in sent
    scene.reader.batches.pop()
    scene.reader.singles.clear()
    scene.sender.poisoned.clear()
    assert scene.judge_batches() == 0, "it rests"
    scene.world.clock.time += REST_SECONDS
    assert scene.judge_batches() == 1
    assert bad in scene.calldata[1]


def test_refused_votes_do_not_hide_what_came_later(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BATCHES", 2)
    first, second, third = (bytes(scene.settle([scene.finish()]).event.root) for _ in range(3))
    for root in (first, second):
        scene.sender.poisoned[root] = ContractReverted("no", error="NotEligible")
    scene.judge_batches()
    assert scene.sender.sent == []
    scene.judge_batches()
    assert len(scene.calldata) == 1 and third in scene.calldata[0]


def test_votes_that_hold_alone_but_not_together_are_not_paid_for(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (bytes(scene.settle([scene.finish()]).event.root) for _ in range(2))
    sender, alone = scene.sender, scene.sender.dry_run

    def both_are_too_many(to: Address, data: bytes) -> None:
        alone(to, data)
        if first in data and second in data:
            raise ContractReverted("too many", error="")

    monkeypatch.setattr(sender, "dry_run", both_are_too_many)
    with pytest.raises(ContractReverted):
        scene.judge_batches()
    assert sender.sent == []


def test_an_unreachable_chain_is_waited_for(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.001)
    scene.settle([scene.finish()])
    scene.sender.refuse = ChainError("away")

    async def comes_back() -> None:
        running = asyncio.create_task(scene.validator.run())
        await asyncio.sleep(0.05)
        assert not running.done()
        scene.sender.refuse = None
        for _ in range(200):
            if scene.sender.sent:
                break
            await asyncio.sleep(0.01)
        running.cancel()

    asyncio.run(comes_back())
    assert len(scene.sender.sent) == 1


def until(scene: Scene, done: Callable[[], bool]) -> None:
    """Lets both kinds of rounds run until something has happened, and checks that they still do."""

    async def watch() -> None:
        running = asyncio.create_task(scene.validator.run())
        for _ in range(300):
            if done():
                break
            await asyncio.sleep(0.01)
        assert not running.done()
        running.cancel()

    asyncio.run(watch())
    assert done()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(module, "FAILED_SECONDS", 0.001)


@pytest.mark.usefixtures("hasty")
def test_a_canary_that_takes_its_time_holds_up_no_batch(scene: Scene) -> None:
    scene.jury.waits = asyncio.Event()
    batch = scene.settle([scene.finish()])
    vote = calls.BatchVote(scene.host.address, batch.event.root, 1, 0, ())
    until(scene, lambda: bool(scene.jury.rounds and scene.sender.sent))
    assert scene.calldata == [calls.vote([vote], [])]


@pytest.mark.usefixtures("hasty")
def test_a_batch_that_cannot_be_judged_holds_up_no_canary(scene: Scene) -> None:
    batch = scene.settle([scene.finish()])
    broken = replace(batch, event=replace(batch.event, batch=b"no batch"))
    scene.reader.batches = [broken]
    until(scene, lambda: scene.jury.rounds > 2)
    scene.reader.batches = [batch]
    until(scene, lambda: len(scene.sender.sent) == 1)


def break_it() -> None:
    raise RuntimeError("no such thing")


@pytest.mark.usefixtures("hasty")
def test_a_round_of_canaries_that_fails_is_tried_again(scene: Scene) -> None:
    scene.jury.does = break_it
    until(scene, lambda: scene.jury.rounds > 2)


# -- parties and single claims -------------------------------------------------------------------


def test_a_party_says_nothing_of_its_own_records(scene: Scene) -> None:
    own = scene.finish()
    mine = replace(own, request=replace(own.request, home=ME))
    batch = scene.settle([own, mine])
    scene.judge_batches()
    migrations = record.decode_batch(DOMAIN, scene.host.address, batch.event.batch)
    places = [index for index, each in enumerate(migrations) if each.request.home != ME]
    expected = calls.BatchVote(scene.host.address, batch.event.root, 1 << places[0], 0, ())
    assert scene.calldata == [calls.vote([expected], [])]


def test_claims_that_stand_alone_are_voted_on_where_they_are_kept(scene: Scene) -> None:
    good = scene.finish()
    late = replace(scene.finish(), result=replace(good.result, signed_at=NOW + 901))
    step = scene.single(good, by_step=True)
    claim = scene.single(late, by_step=False)
    assert scene.judge_batches() == 2
    request = good.request
    place = (request.home, request.host, request.seq)
    vote = calls.StepVote(*place, digest(DOMAIN, good.result), Reason.APPROVE)
    refusal = claim_calls.ClaimVote(claim.kudos.kudos_id, Reason.REFUSE_ORDER)
    assert scene.sender.sent == [
        (LEDGER, calls.vote([], [vote])),
        (CLAIMS, claim_calls.vote([refusal])),
    ]
    assert step.settled.result_id == vote.id
    assert scene.judge_batches() == 0, "they are voted on once"
    scene.reader.number = 8
    assert scene.judge_batches() == 2


def test_batches_and_single_steps_share_a_transaction(scene: Scene) -> None:
    batch = scene.settle([scene.finish()])
    step = scene.single(scene.finish(), by_step=True)
    assert scene.judge_batches() == 2
    request, result_id = step.settled.request, step.settled.result_id
    assert result_id is not None
    expected = calls.BatchVote(scene.host.address, batch.event.root, 1, 0, ())
    vote = calls.StepVote(request.home, request.host, request.seq, result_id, Reason.APPROVE)
    assert scene.calldata == [calls.vote([expected], [vote])]


def test_a_validator_takes_no_requests() -> None:
    with pytest.raises(PeerError, match="takes no requests"):
        asyncio.run(module._serve_nothing(ME, wire.Ack()))
