"""A validator's rounds: what it votes, when it waits, and whose turn it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canaries.family import Finding, Opened, RunAgain, field_of, installed
from ledger import calls, record
from ledger.assets import ConfirmedMigration, Migration
from ledger.errors import ChainError, KudosError, PeerError
from ledger.events import BatchSettled
from ledger.reader import Reader
from ledger.reasons import Reason
from ledger.rows import (
    IndexHead,
    UnvotedBatch,
    UnvotedCanary,
)
from ledger.sender import Sender
from ledger.types import Address, BlockHash, BlockNumber, Digest, Signature, UnixSeconds
from node import validator as module
from node import wire
from node.home import Remote
from node.inputs import InputServer, keep
from node.lending import Lending
from node.peers import PeerBook
from node.store import ContentStore
from node.task import TaskDescriptor, encode_task
from node.validator import PATIENCE, RETRY_SECONDS_MAX, TURN_SECONDS, Validator, is_in_turn
from tests.unit.canary_claims import KUDOS, SETTLED, ZERO, make_claim, planted
from tests.unit.node_world import (
    DOMAIN,
    EXECUTION,
    NOW,
    SOURCES,
    TASK,
    TOOLCHAIN,
    FakeRunner,
    HostNode,
    World,
    credentials,
    key,
)

ME = key(11).address


@dataclass
class FakeReader:
    batches: list[UnvotedBatch] = field(default_factory=list)
    canaries: list[UnvotedCanary] = field(default_factory=list)
    number: int = 5

    def head(self) -> IndexHead | None:
        now, number = UnixSeconds(NOW), BlockNumber(self.number)
        return IndexHead(number, BlockHash(ZERO), now, now, number, number)

    def batches_unvoted(self, validator: Address, limit: int) -> list[UnvotedBatch]:
        assert validator == ME
        return self.batches[:limit]

    def canary_claims_unvoted(self, validator: Address) -> list[UnvotedCanary]:
        assert validator == ME
        return self.canaries


@dataclass
class Receipt:
    block_number: BlockNumber
    gas_used: int = 1


@dataclass
class FakeSender:
    """Remembers the calldata; ``refuse`` is raised by the dry run."""

    sent: list[bytes] = field(default_factory=list)
    refuse: ChainError | None = None

    def dry_run(self, to: Address, data: bytes) -> None:
        assert to == DOMAIN.contract
        if self.refuse is not None:
            raise self.refuse

    def send(self, to: Address, data: bytes, *, gas: int) -> Receipt:
        assert 0 < gas < 16_777_216
        self.sent.append(data)
        return Receipt(BlockNumber(8))


class BrokenFamily:
    """Code of somebody else that fails in a way of its own."""

    name = "broken"

    async def check(self, opened: Opened, run_again: RunAgain) -> Finding:
        raise RuntimeError("no such thing")


class Party:
    """A connection to a home or a host that serves what ``answer`` gives."""

    def __init__(self, answer: Callable[[wire.Fetch], wire.Message]) -> None:
        self.answer, self.asked = answer, 0

    async def call(self, message: wire.Message, timeout: float) -> wire.Message:
        assert isinstance(message, wire.Fetch)
        self.asked += 1
        return self.answer(message)


class FakePeers:
    def __init__(self) -> None:
        self.parties: dict[Address, Party] = {}

    def of(self, address: Address) -> Party | None:
        return self.parties.get(address)


@dataclass
class Scene:
    world: World
    host: HostNode
    reader: FakeReader
    sender: FakeSender
    peers: FakePeers
    runner: FakeRunner
    validator: Validator

    def judge_batches(self) -> int:
        return asyncio.run(self.validator.batch_round())

    def judge_canaries(self) -> int:
        return asyncio.run(self.validator.canary_round())

    def lose_votes(self) -> None:
        """The block of the votes is indexed, and the claims are as open as before."""
        self.reader.number = 8
        assert self.judge_batches() == 0

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

    def claim(self, kudos: Digest = KUDOS, task: TaskDescriptor = TASK, **how: Any) -> None:
        """A K3 claim on a canary whose task both parties have kept."""
        home = self.world.home
        seq = len(self.reader.canaries)
        claim = make_claim(home.me, self.host.address, seq, kudos, task, **how)
        self.reader.canaries.append(claim)
        for party in (home, self.host):
            for source in SOURCES:
                party.store.put(source)
            keep(party.store, party.journal, task, NOW + 900)

    def age(self, seconds: float) -> None:
        self.world.clock.time = NOW + seconds

    def serve(self, party: HostNode | Any) -> Party:
        """Lets a party give its inputs to this validator, as its own InputServer does."""
        server = InputServer(party.store, party.journal, lambda peer: peer == ME)

        def answer(message: wire.Fetch) -> wire.Message:
            try:
                return server.fetch(ME, message)
            except KudosError as error:
                return wire.Fault(error.message)

        self.peers.parties[party.address] = Party(answer)
        return self.peers.parties[party.address]

    def voted(self) -> list[Reason]:
        """The reasons of all canary votes that were sent."""
        return [
            reason
            for data in self.sender.sent
            for reason in Reason
            for row in self.reader.canaries
            if data == calls.vote([], [calls.CanaryVote(row.kudos.kudos_id, reason)])
        ]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with World(tmp_path) as world:
        host = world.make_host()
        world.link(host)
        reader, sender, peers, runner = FakeReader(), FakeSender(), FakePeers(), FakeRunner()
        validator = Validator(
            me=credentials(11, world.clock),
            reader=cast(Reader, reader),
            sender=cast(Sender, sender),
            contract=DOMAIN.contract,
            validators=(ME, key(12).address, key(13).address),
            threshold=3,
            families=installed(),
            toolchain=TOOLCHAIN,
            runner=runner,
            store=ContentStore(tmp_path / "validator", clock=world.clock),
            peers=cast(PeerBook, peers),
        )
        yield Scene(world, host, reader, sender, peers, runner, validator)


# -- K1 and K2 -----------------------------------------------------------------------------------


def test_a_batch_is_voted_on_record_by_record(scene: Scene) -> None:
    good = [scene.finish() for _ in range(3)]
    forged = replace(good[1], home_signature=Signature(key(9).sign(DOMAIN, good[1].confirmed)))
    late = replace(good[2], result=replace(good[2].result, signed_at=NOW + 901))
    batch = scene.settle([good[0], forged, late])
    assert scene.judge_batches() == 1
    doubts = ((1, Reason.REFUSE_SIGNATURE), (2, Reason.REFUSE_ORDER))
    expected = calls.BatchVote(scene.host.address, batch.event.root, 0b001, 0b110, doubts)
    assert scene.sender.sent == [calls.vote([expected], [])]


def test_only_records_with_a_claim_are_voted_on(scene: Scene) -> None:
    batch = scene.settle([scene.finish() for _ in range(3)], claims=0b101)
    scene.judge_batches()
    expected = calls.BatchVote(scene.host.address, batch.event.root, 0b101, 0, ())
    assert scene.sender.sent == [calls.vote([expected], [])]


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
    assert scene.sender.sent[0] == scene.sender.sent[1]


def test_a_vote_that_would_be_refused_is_not_paid_for(scene: Scene) -> None:
    scene.settle([scene.finish()])
    scene.sender.refuse = ChainError("refused")
    with pytest.raises(ChainError):
        scene.judge_batches()
    assert scene.sender.sent == []
    scene.sender.refuse = None
    assert scene.judge_batches() == 1


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
    async def hang() -> None:
        await asyncio.Event().wait()

    scene.claim()
    scene.serve(scene.host)
    scene.runner.before = hang
    batch = scene.settle([scene.finish()])
    vote = calls.BatchVote(scene.host.address, batch.event.root, 1, 0, ())
    until(scene, lambda: bool(scene.runner.timeouts and scene.sender.sent))
    assert scene.sender.sent == [calls.vote([vote], [])]


@pytest.mark.usefixtures("hasty")
def test_a_batch_that_cannot_be_judged_holds_up_no_canary(scene: Scene) -> None:
    scene.claim()
    scene.serve(scene.host)
    batch = scene.settle([scene.finish()])
    broken = replace(batch, event=replace(batch.event, batch=b"no batch"))
    scene.reader.batches = [broken]
    until(scene, lambda: bool(scene.sender.sent))
    assert scene.voted() == [Reason.APPROVE]
    scene.reader.batches = [batch]
    until(scene, lambda: len(scene.sender.sent) == 2)


# -- K3 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["host", "home"])
def test_a_right_answer_is_approved_with_the_inputs_of_either_party(scene: Scene, who: str) -> None:
    scene.claim()
    scene.serve(scene.host if who == "host" else scene.world.home)
    assert scene.judge_canaries() == 1
    assert scene.voted() == [Reason.APPROVE]
    assert len(scene.runner.timeouts) == 1


def test_a_wrong_answer_is_refused(scene: Scene) -> None:
    scene.claim(answer=Digest(b"\x01" * 32))
    scene.serve(scene.host)
    scene.judge_canaries()
    assert scene.voted() == [Reason.REFUSE_RESULT]
    assert len(scene.runner.timeouts) == 1, "it was refused without a run"


@pytest.mark.parametrize(
    ("row", "opening", "reason"),
    [
        ({"result_digest": ZERO}, {}, Reason.REFUSE_RESULT),
        ({"seal_salt": ZERO}, {}, Reason.REFUSE_RESULT),
        ({"result_digest": None}, {}, Reason.REFUSE_RESULT),
        ({}, {"signature": bytes(64)}, Reason.REFUSE_SIGNATURE),
    ],
)
def test_a_claim_that_does_not_hold_on_paper_is_refused_unrun(
    scene: Scene, row: dict[str, Any], opening: dict[str, Any], reason: Reason
) -> None:
    scene.claim()
    party = scene.serve(scene.host)
    (claim,) = scene.reader.canaries
    forged = replace(
        claim, kudos=replace(claim.kudos, **row), opening=replace(claim.opening, **opening)
    )
    scene.reader.canaries = [forged]
    assert scene.judge_canaries() == 1
    assert scene.voted() == [reason]
    assert (party.asked, scene.runner.timeouts) == (0, [])


@pytest.mark.parametrize("limit", ["cpu_seconds", "memory_mib", "output_kib"])
def test_limits_that_the_request_did_not_state_are_refused(scene: Scene, limit: str) -> None:
    """Otherwise the run would be another one than the host was asked for."""
    stated = getattr(TASK.limits, limit)
    scene.claim(changes={limit: stated - 1})
    scene.serve(scene.host)
    scene.judge_canaries()
    assert scene.voted() == [Reason.REFUSE_OPENING]
    assert scene.runner.timeouts == []


@pytest.mark.parametrize("lends", [(59, 512, 1024), (60, 511, 1024), (60, 512, 1023)])
def test_a_validator_runs_no_more_than_it_lends(scene: Scene, lends: tuple[int, int, int]) -> None:
    cpu_seconds, memory_mib, output_kib = lends
    scene.validator.lends = Lending(
        cpu_seconds=cpu_seconds, memory_mib=memory_mib, output_kib=output_kib
    )
    scene.claim()
    scene.serve(scene.host)
    scene.judge_canaries()
    assert scene.voted() == [Reason.ABSTAIN_SANDBOX]
    assert scene.runner.timeouts == []


def test_a_run_is_bounded_by_what_the_validator_lends(scene: Scene) -> None:
    scene.validator.lends = Lending(wall_seconds=77.0)
    scene.claim()
    scene.serve(scene.host)
    assert scene.judge_canaries() == 1
    assert scene.runner.timeouts == [77.0]


def test_another_run_that_differs_refuses(scene: Scene) -> None:
    scene.claim()
    scene.serve(scene.host)
    scene.runner.execution = replace(EXECUTION, stderr=b"other")
    scene.judge_canaries()
    assert scene.voted() == [Reason.REFUSE_RESULT]


def test_a_canary_of_another_toolchain_is_left_to_others(scene: Scene) -> None:
    scene.validator.toolchain = "gcc-13"
    scene.claim()
    party = scene.serve(scene.host)
    scene.judge_canaries()
    assert scene.voted() == [Reason.ABSTAIN_TOOLCHAIN]
    assert party.asked == 0


def test_a_mark_that_names_another_toolchain_than_its_task_is_refused(scene: Scene) -> None:
    scene.claim(mark=planted("gcc-13"))
    scene.serve(scene.host)
    scene.validator.toolchain = "gcc-13"
    scene.judge_canaries()
    assert scene.voted() == [Reason.REFUSE_OPENING]
    assert scene.runner.timeouts == []


def test_an_unknown_family_is_left_to_others(scene: Scene) -> None:
    scene.claim(mark=planted(family="unheard"))
    party = scene.serve(scene.host)
    scene.judge_canaries()
    assert scene.voted() == [Reason.ABSTAIN_SANDBOX]
    assert party.asked == 0


def test_missing_inputs_are_asked_for_again_before_the_validator_abstains(scene: Scene) -> None:
    scene.claim()
    assert scene.judge_canaries() == 0
    scene.age(PATIENCE - RETRY_SECONDS_MAX - 2)
    assert scene.judge_canaries() == 0
    scene.serve(scene.host)
    scene.age(PATIENCE - 1)
    assert scene.judge_canaries() == 1
    assert scene.voted() == [Reason.APPROVE]


@pytest.mark.parametrize(
    ("age", "pause"), [(0, 0.7), (2, 0.7), (400, 100), (2_400, 600), (80_000, 600)]
)
def test_pauses_between_questions_grow(scene: Scene, age: float, pause: float) -> None:
    """A fetch may be large, and the parties may be gone for good."""
    scene.claim()
    party = scene.peers.parties[scene.host.address] = Party(lambda fetch: wire.Fault("gone"))
    for seconds, asked in [(0, 1), (pause - 0.1, 1), (pause + 0.1, 2)]:
        scene.age(age + seconds)
        assert scene.judge_canaries() == 0
        assert party.asked == asked


def test_inputs_that_never_come_end_in_an_abstention(scene: Scene) -> None:
    scene.claim()
    scene.age(PATIENCE)
    assert scene.judge_canaries() == 1
    assert scene.voted() == [Reason.ABSTAIN_INPUTS]


def raise_(error: Exception) -> wire.Message:
    raise error


BAD_PARTIES: dict[str, Callable[[wire.Fetch], wire.Message]] = {
    "vanishes": lambda fetch: raise_(PeerError("gone")),
    "faults": lambda fetch: wire.Fault("not here"),
    "says something else": lambda fetch: wire.Ack(),
    "sends another task": lambda fetch: wire.Inputs(
        encode_task(replace(TASK, argv=("cc", "-v"))), SOURCES
    ),
    "sends no task": lambda fetch: wire.Inputs(b"{}", SOURCES),
    "keeps an input": lambda fetch: wire.Inputs(encode_task(TASK), SOURCES[:1]),
    "sends another input": lambda fetch: wire.Inputs(encode_task(TASK), (SOURCES[0], b"evil")),
}


@pytest.mark.parametrize("what", BAD_PARTIES)
def test_a_party_that_gives_nothing_usable_is_passed_over(scene: Scene, what: str) -> None:
    bad = scene.peers.parties[scene.host.address] = Party(BAD_PARTIES[what])
    scene.claim()
    assert scene.judge_canaries() == 0
    assert bad.asked == 1
    assert scene.runner.timeouts == []
    scene.serve(scene.world.home)
    scene.age(1)
    assert scene.judge_canaries() == 1
    assert scene.voted() == [Reason.APPROVE]


def test_a_sandbox_that_fails_is_no_verdict_on_the_host(scene: Scene) -> None:
    scene.claim()
    scene.serve(scene.host)
    scene.runner.error = KudosError("no sandbox")
    scene.judge_canaries()
    assert scene.voted() == [Reason.ABSTAIN_SANDBOX]


def test_a_run_that_was_stopped_is_no_verdict_on_the_host(scene: Scene) -> None:
    scene.claim()
    scene.serve(scene.host)
    scene.runner.execution = replace(EXECUTION, killed="timeout")
    scene.judge_canaries()
    assert scene.voted() == [Reason.ABSTAIN_SANDBOX]


def test_a_claim_that_breaks_something_stands_in_nobodys_way(scene: Scene) -> None:
    other = Digest(b"\x0d" * 32)
    scene.claim(mark=planted(family="broken"))
    scene.claim(other)
    scene.serve(scene.host)
    scene.validator.families = {**installed(), field_of("broken"): BrokenFamily()}
    assert scene.judge_canaries() == 2
    votes = [
        calls.CanaryVote(KUDOS, Reason.ABSTAIN_SANDBOX),
        calls.CanaryVote(other, Reason.APPROVE),
    ]
    assert scene.sender.sent == [calls.vote([], votes)]
    scene.lose_votes()
    assert scene.judge_canaries() == 2
    assert len(scene.runner.timeouts) == 1


def test_a_canary_is_run_once_and_few_at_a_time(scene: Scene) -> None:
    for number in range(6):
        scene.claim(Digest(bytes([0x20 + number]) * 32))
    scene.serve(scene.host)
    assert scene.judge_canaries() == 4
    assert scene.judge_canaries() == 2
    assert scene.judge_canaries() == 0
    assert len(scene.runner.timeouts) == 6


def test_a_lost_vote_is_given_again_without_running_again(scene: Scene) -> None:
    scene.claim()
    scene.serve(scene.host)
    assert scene.judge_canaries() == 1
    scene.lose_votes()
    assert scene.judge_canaries() == 1
    assert scene.voted() == [Reason.APPROVE] * 2
    assert len(scene.runner.timeouts) == 1


def test_whoever_is_not_in_turn_waits_for_a_decision_first(scene: Scene) -> None:
    scene.validator.threshold = 0
    scene.claim()
    scene.serve(scene.host)
    assert scene.judge_canaries() == 0
    scene.age(TURN_SECONDS)
    assert scene.judge_canaries() == 1


def test_a_validator_takes_no_requests() -> None:
    with pytest.raises(PeerError, match="takes no requests"):
        asyncio.run(module._serve_nothing(ME, wire.Ack()))


# -- turns ---------------------------------------------------------------------------------------

addresses = st.lists(
    st.binary(min_size=20, max_size=20).map(Address), min_size=1, max_size=9, unique=True
)


@given(st.binary(min_size=32, max_size=32).map(Digest), addresses, st.data())
def test_exactly_the_threshold_is_in_turn_and_everybody_after_the_wait(
    claim: Digest, validators: list[Address], data: st.DataObject
) -> None:
    threshold = data.draw(st.integers(1, len(validators)))

    def chosen(seen: list[Address], age: float) -> set[Address]:
        return {me for me in validators if is_in_turn(claim, me, seen, threshold, age)}

    early = chosen(validators, TURN_SECONDS - 0.1)
    assert len(early) == threshold
    assert chosen(sorted(validators), 0) == early, "validators disagree about whose turn it is"
    assert chosen(validators, TURN_SECONDS) == set(validators)


def test_turns_go_round() -> None:
    validators = [key(n).address for n in range(1, 4)]
    claims = [Digest(bytes([n]) * 32) for n in range(60)]
    for me in validators:
        turns = sum(is_in_turn(claim, me, validators, 2, 0) for claim in claims)
        assert 25 <= turns <= 55, "somebody does all the work, or none"
