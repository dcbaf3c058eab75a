"""The host's side: what it answers, what it refuses, what it has on disk when it does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from canaries.commitment import Mark, seal
from ledger.assets import (
    CONFIRM_WITHIN,
    Accepted,
    CanaryOpened,
    ConfirmedMigration,
    Rejected,
    RejectedMigration,
)
from ledger.eip712 import Domain, digest
from ledger.errors import KudosError, PeerError
from ledger.keys import signed_by
from ledger.outbox import CANARY
from ledger.outbox_codec import OpenedCanary
from ledger.reasons import Reason
from ledger.types import Digest
from node import wire
from node.admission import Evidence
from node.handshake import Credentials
from node.host_checks import CLOCK_SKEW
from node.inputs import KEEP_SECONDS
from node.journal import Journal
from node.lending import Lending
from node.store import sha256
from node.strategy.thesis import EachThird
from node.task import Limits, result_digest, task_digest
from node.verification import judge
from tests.unit.node_world import (
    DOMAIN,
    EXECUTION,
    NOW,
    PLANTED_MARK,
    SOURCES,
    TASK,
    HostNode,
    ManualClock,
    World,
    credentials,
    key,
    make_ask,
    make_confirm,
)

STRANGER = key(9)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as world:
        yield world


def ask(world: World, host: HostNode, message: wire.Ask) -> wire.Answer:
    return asyncio.run(host.side.ask(world.home.address, message))


def confirm(world: World, host: HostNode, message: wire.Confirm) -> wire.Done:
    return asyncio.run(host.side.confirm(world.home.address, message))


def accepted(world: World, host: HostNode, seq: int = 0, **how: Any) -> tuple[Any, Any]:
    """An Ask that was accepted, and its answer."""
    message = make_ask(world.home.me, host.address, seq, **how)
    answer = ask(world, host, message)
    assert answer.rejected is None
    return message, answer


def finished(world: World, host: HostNode, seq: int = 0, **how: Any) -> ConfirmedMigration:
    """A migration that ran to its end."""
    message, answer = accepted(world, host, seq, **how)
    confirm(world, host, make_confirm(world.home.me, message, answer))
    (migration,) = (m for m in host.migrations() if m.request == message.request)
    assert isinstance(migration, ConfirmedMigration)
    return migration


# -- the way it should go ------------------------------------------------------------------------


def test_an_acceptance_is_signed_and_names_what_is_missing(world: World) -> None:
    host = world.make_host()
    host.store.put(SOURCES[1])
    message, answer = accepted(world, host)
    assert answer.missing == (sha256(SOURCES[0]),)
    asset = Accepted(digest(DOMAIN, message.request), answer.signed_at)
    assert signed_by(DOMAIN, asset, answer.signature, host.address)
    assert host.side.load == 1
    assert host.migrations() == []


def test_a_result_is_signed_sealed_and_in_the_outbox(world: World) -> None:
    host = world.make_host()
    message, answer = accepted(world, host)
    done = confirm(world, host, make_confirm(world.home.me, message, answer))
    request_id = digest(DOMAIN, message.request)
    assert signed_by(DOMAIN, done.asset, done.signature, host.address)
    (migration,) = host.migrations()
    assert isinstance(migration, ConfirmedMigration)
    assert (migration.request, migration.result) == (message.request, done.asset)
    opens = host.journal.seal(request_id)
    assert opens is not None
    assert opens.result_digest == result_digest(EXECUTION.result())
    assert opens.task_digest == task_digest(TASK)
    sealed = seal(opens.result_digest, opens.salt, host.address, request_id)
    assert done.asset.seal == sealed
    assert done.salt == opens.salt
    assert host.side.load == 0
    assert host.runner.timeouts == [900]
    assert host.journal.task(opens.task_digest) is not None


@pytest.mark.parametrize("ahead", [0, 4, CLOCK_SKEW, -9])
def test_validators_approve_what_is_settled_even_with_skewed_clocks(
    world: World, ahead: int
) -> None:
    host = world.make_host(clock=ManualClock(NOW - ahead))
    migration = finished(world, host)
    assert judge(DOMAIN, migration, int(host.side.me.clock.now())) is Reason.APPROVE
    host.evidence = None
    assert ask(world, host, make_ask(world.home.me, host.address, 1)).rejected
    assert judge(DOMAIN, host.migrations()[1], NOW) is Reason.APPROVE


# -- REQUEST -------------------------------------------------------------------------------------

FORGED = [
    ({"home": STRANGER.address}, "other parties"),
    ({"host": STRANGER.address}, "other parties"),
    ({"signed_at": NOW - 11}, "just now"),
    ({"signed_at": NOW + CLOCK_SKEW + 1}, "just now"),
    ({"result_deadline": NOW}, "deadline is out of bounds"),
    ({"result_deadline": NOW + 7 * 86_400 + 1}, "deadline is out of bounds"),
    ({"commitment": Digest(b"\x01" * 32)}, "commitment does not cover"),
    ({"seq": 1}, "commitment does not cover"),
    ({"cpu_seconds": 59}, "other limits"),
    ({"memory_mib": 511}, "other limits"),
    ({"output_kib": 1023}, "other limits"),
]


def refused_then_usable(world: World, host: HostNode, message: wire.Ask, words: str) -> None:
    """Refused with these words; the sequence number is as free as before."""
    with pytest.raises(PeerError, match=words):
        ask(world, host, message)
    assert host.migrations() == []
    assert host.side.load == 0
    accepted(world, host)


@pytest.mark.parametrize(("changes", "words"), FORGED, ids=lambda value: str(value)[:30])
def test_a_request_that_does_not_hold_is_refused(
    world: World, changes: dict[str, Any], words: str
) -> None:
    host = world.make_host()
    message = make_ask(world.home.me, host.address, changes=changes)
    refused_then_usable(world, host, message, words)


def test_a_node_does_not_host_itself(world: World) -> None:
    host = world.make_host()
    with pytest.raises(PeerError, match="other parties"):
        asyncio.run(host.side.ask(host.address, make_ask(host.side.me, host.address)))


@pytest.mark.parametrize("changes", [{"seq": 1 << 32}, {"commitment": b"short"}, {"seq": -1}])
def test_values_that_fit_no_type_are_the_peers_fault(world: World, changes: Any) -> None:
    host = world.make_host()
    good = make_ask(world.home.me, host.address)
    bad = wire.Ask(replace(good.request, **changes), good.signature, good.mark_hash, good.task)
    refused_then_usable(world, host, bad, "not signed")


def test_only_the_homes_own_signature_for_this_ledger_counts(world: World) -> None:
    host = world.make_host()
    good = make_ask(world.home.me, host.address)
    elsewhere = Domain(DOMAIN.chain_id + 1, DOMAIN.contract)
    for signature in (
        STRANGER.sign(DOMAIN, good.request),
        world.home.me.key.sign(elsewhere, good.request),
        b"",
        bytes(64),
    ):
        bad = wire.Ask(good.request, signature, good.mark_hash, good.task)
        with pytest.raises(PeerError, match="not signed by its home"):
            ask(world, host, bad)
    accepted(world, host)


def test_the_commitment_covers_task_and_mark(world: World) -> None:
    host = world.make_host()
    good = make_ask(world.home.me, host.address)
    other = make_ask(world.home.me, host.address, task=replace(TASK, argv=("cc", "-v")))
    for mark, task in [
        (good.mark_hash, other.task),
        (PLANTED_MARK.hash, good.task),
        (good.mark_hash[:20], good.task),
        (b"", good.task),
    ]:
        bad = wire.Ask(good.request, good.signature, mark, task)
        with pytest.raises(PeerError, match="commitment does not cover"):
            ask(world, host, bad)
    with pytest.raises(PeerError, match="not valid"):
        ask(world, host, wire.Ask(good.request, good.signature, good.mark_hash, b"{}"))
    accepted(world, host)


def test_a_number_that_is_on_the_ledger_is_not_answered_again(world: World) -> None:
    host = world.make_host()
    host.used.add((world.home.address, 0))
    with pytest.raises(PeerError, match="settled before"):
        ask(world, host, make_ask(world.home.me, host.address))
    accepted(world, host, 1)


def test_a_number_is_answered_once_even_over_a_restart(world: World) -> None:
    host = world.make_host()
    message, _ = accepted(world, host)
    other = make_ask(world.home.me, host.address, changes={"process_id": Digest(b"\x06" * 32)})
    for again in (message, other):
        with pytest.raises(PeerError, match="answered before"):
            ask(world, host, again)
    assert host.side.load == 1
    host.journal.close()
    host.side.journal = Journal(world.folder / "host-2" / "journal.db")
    world.stack.callback(host.side.journal.close)
    with pytest.raises(PeerError, match="answered before"):
        ask(world, host, message)


# -- the verdict ---------------------------------------------------------------------------------


def rejection(world: World, host: HostNode, task: Any = TASK) -> Reason:
    """Asks, and checks that the answer is a proper, signed and queued REJECTED."""
    message = make_ask(world.home.me, host.address, task=task)
    answer = ask(world, host, message)
    assert isinstance(answer.rejected, Rejected)
    assert answer.rejected.request_id == digest(DOMAIN, message.request)
    assert signed_by(DOMAIN, answer.rejected, answer.signature, host.address)
    (queued,) = host.migrations()
    assert isinstance(queued, RejectedMigration)
    assert (queued.rejected, queued.home_signature) == (answer.rejected, message.signature)
    assert judge(DOMAIN, queued, NOW) is Reason.APPROVE
    with pytest.raises(PeerError, match="answered before"):
        ask(world, host, message)
    with pytest.raises(PeerError, match="no accepted request"):
        confirm(world, host, make_confirm(world.home.me, message, answer))
    return Reason(answer.rejected.reason)


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        (Evidence(49, 100, 9, 1.0), Reason.REPUTATION),
        (Evidence(50, 100, 9, 31.0), Reason.STALE_LEDGER),
        (None, Reason.STALE_LEDGER),
    ],
)
def test_the_strategys_rejection_is_signed_and_queued(
    world: World, evidence: Evidence | None, reason: Reason
) -> None:
    host = world.make_host()
    host.evidence = evidence
    assert rejection(world, host) is reason


def test_another_toolchain_is_rejected(world: World) -> None:
    host = world.make_host()
    assert rejection(world, host, replace(TASK, toolchain="gcc-13")) is Reason.TOOLCHAIN


@pytest.mark.parametrize("limits", [(601, 1, 1), (1, 4097, 1), (1, 1, 256 * 1024 + 1)])
def test_more_than_is_lent_is_rejected(world: World, limits: tuple[int, int, int]) -> None:
    host = world.make_host()
    assert rejection(world, host, replace(TASK, limits=Limits(*limits))) is Reason.LIMITS


def test_just_what_is_lent_is_accepted(world: World) -> None:
    host = world.make_host()
    accepted(world, host, task=replace(TASK, limits=Limits(600, 4096, 256 * 1024)))


def test_a_full_host_rejects_until_overdue_acceptances_are_dropped(world: World) -> None:
    host = world.make_host(lends=Lending(slots=1, waiting=1))
    first, answer = accepted(world, host, 1)
    accepted(world, host, 2)
    assert rejection(world, host) is Reason.CAPACITY
    world.clock.time += CONFIRM_WITHIN + 1
    accepted(world, host, 3)
    assert host.side.load == 1
    with pytest.raises(PeerError, match="no accepted request"):
        confirm(world, host, make_confirm(world.home.me, first, answer))


def test_machine_bound_rejections_do_not_move_the_strategys_count(world: World) -> None:
    host = world.make_host(strategy=EachThird())
    rejection(world, host, replace(TASK, toolchain="gcc-13"))
    accepted(world, host, 1)
    for seq in (2, 3):
        answer = ask(world, host, make_ask(world.home.me, host.address, seq))
        assert answer.rejected is not None
        assert answer.rejected.reason == Reason.POLICY
    accepted(world, host, 4)


def rejected_by(host: HostNode, home: Credentials, seq: int) -> bool:
    """Whether a request got its signed rejection, recorded or not."""
    message = make_ask(home, host.address, seq)
    answer = asyncio.run(host.side.ask(home.key.address, message))
    assert isinstance(answer.rejected, Rejected)
    return signed_by(DOMAIN, answer.rejected, answer.signature, host.address)


def test_only_so_many_rejections_of_a_home_are_recorded_in_a_day(world: World) -> None:
    """Each costs the host gas: a home must not be able to drain it."""
    host = world.make_host(lends=Lending(rejections_recorded=2))
    host.evidence = None
    one, other = world.home.me, credentials(5, world.clock)
    assert all(rejected_by(host, one, seq) for seq in range(4))
    assert len(host.migrations()) == 2
    assert all(rejected_by(host, other, seq) for seq in range(3))
    assert len(host.migrations()) == 4
    world.clock.time = (NOW // 86_400 + 1) * 86_400
    assert all(rejected_by(host, one, seq) for seq in range(4, 7))
    assert [each.request.seq for each in host.migrations()] == [0, 1, 0, 1, 4, 5]


# -- CONFIRMED -----------------------------------------------------------------------------------


def test_nothing_runs_without_a_request_that_was_accepted(world: World) -> None:
    host = world.make_host()
    message = make_ask(world.home.me, host.address)
    answer = wire.Answer(NOW, b"")
    with pytest.raises(PeerError, match="no accepted request"):
        confirm(world, host, make_confirm(world.home.me, message, answer))
    assert host.runner.timeouts == []


def test_nothing_is_confirmed_twice(world: World) -> None:
    host = world.make_host()
    message, answer = accepted(world, host)
    confirmed = make_confirm(world.home.me, message, answer)

    async def twice_at_once() -> list[Any]:
        started = asyncio.Event()

        async def hold() -> None:
            started.set()
            await asyncio.sleep(0.05)

        host.runner.before = hold
        first = asyncio.create_task(host.side.confirm(world.home.address, confirmed))
        await started.wait()
        second = host.side.confirm(world.home.address, confirmed)
        return list(await asyncio.gather(first, second, return_exceptions=True))

    done, refused = asyncio.run(twice_at_once())
    assert isinstance(done, wire.Done)
    assert isinstance(refused, PeerError)
    assert "cannot confirm" in str(refused)
    with pytest.raises(PeerError, match="no accepted request"):
        confirm(world, host, confirmed)
    assert len(host.runner.timeouts) == len(host.migrations()) == 1


def test_a_confirmation_that_does_not_hold_starts_nothing(world: World) -> None:
    host = world.make_host()
    me = world.home.me
    message, answer = accepted(world, host)
    good = make_confirm(me, message, answer)
    other = make_confirm(me, message, wire.Answer(answer.signed_at + 1, b""))
    forged = STRANGER.sign(DOMAIN, good.confirmed)
    cases = [
        (other, "another acceptance"),
        (wire.Confirm(good.request_id, good.confirmed, forged, SOURCES), "not signed by its home"),
        (wire.Confirm(good.request_id, good.confirmed, b"", SOURCES), "not signed by its home"),
        (make_confirm(me, message, answer, NOW + CONFIRM_WITHIN + 1), "not signed in time"),
        (make_confirm(me, message, answer, NOW - 1), "not signed in time"),
    ]
    for bad, words in cases:
        with pytest.raises(PeerError, match=words):
            confirm(world, host, bad)
    assert host.runner.timeouts == []
    confirm(world, host, good)


def test_a_stranger_cannot_confirm_for_the_home(world: World) -> None:
    host = world.make_host()
    message, answer = accepted(world, host)
    good = make_confirm(world.home.me, message, answer)
    with pytest.raises(PeerError, match="no accepted request of yours"):
        asyncio.run(host.side.confirm(STRANGER.address, good))
    confirm(world, host, good)


# -- running -------------------------------------------------------------------------------------


def nothing_came_of_it(host: HostNode) -> bool:
    return not host.migrations() and host.side.load == 0


@pytest.mark.parametrize("killed", ["timeout", "cpu", "output"])
def test_a_task_stopped_at_its_limit_has_no_result(world: World, killed: Any) -> None:
    host = world.make_host()
    host.runner.execution = replace(EXECUTION, killed=killed)
    message, answer = accepted(world, host)
    with pytest.raises(PeerError, match=f"stopped at its limit: {killed}"):
        confirm(world, host, make_confirm(world.home.me, message, answer))
    assert nothing_came_of_it(host)


def test_a_sandbox_that_fails_frees_the_slot(world: World) -> None:
    host = world.make_host()
    host.runner.error = KudosError("no sandbox")
    message, answer = accepted(world, host)
    with pytest.raises(KudosError, match="no sandbox"):
        confirm(world, host, make_confirm(world.home.me, message, answer))
    assert nothing_came_of_it(host)


UNASKED: list[tuple[bytes, ...]] = [
    (),
    SOURCES[:1],
    (*SOURCES, b"one more"),
    (SOURCES[0], b"another"),
    (b"another", b"yet another"),
]


@pytest.mark.parametrize("blobs", UNASKED, ids=["none", "one", "more", "another", "others"])
def test_inputs_are_just_those_that_were_asked_for(world: World, blobs: tuple[bytes, ...]) -> None:
    """A home must be able neither to fill the host's disk nor to start a task without inputs."""
    host = world.make_host()
    message, answer = accepted(world, host)
    good = make_confirm(world.home.me, message, answer)
    bad = wire.Confirm(good.request_id, good.confirmed, good.signature, blobs)
    with pytest.raises(PeerError, match="other inputs than were asked for"):
        confirm(world, host, bad)
    assert not any(host.store.has(sha256(blob)) for blob in {*blobs, *SOURCES})
    assert host.runner.timeouts == []
    confirm(world, host, good)


def test_an_input_that_the_host_has_is_not_taken_again(world: World) -> None:
    host = world.make_host()
    host.store.put(SOURCES[0])
    message, answer = accepted(world, host)
    good = make_confirm(world.home.me, message, answer)
    assert good.blobs == SOURCES[1:]
    everything = wire.Confirm(good.request_id, good.confirmed, good.signature, SOURCES)
    with pytest.raises(PeerError, match="other inputs than were asked for"):
        confirm(world, host, everything)
    confirm(world, host, good)


def test_large_requests_are_expected_of_a_home_while_its_task_is_accepted(world: World) -> None:
    host = world.make_host()
    home = world.home.address
    assert not host.side.expects(home)
    message, answer = accepted(world, host)
    assert host.side.expects(home)
    assert not host.side.expects(STRANGER.address)
    confirm(world, host, make_confirm(world.home.me, message, answer))
    assert not host.side.expects(home)


def test_no_task_runs_longer_than_is_lent(world: World) -> None:
    host = world.make_host(lends=Lending(wall_seconds=100.0))
    message, answer = accepted(world, host)
    confirm(world, host, make_confirm(world.home.me, message, answer))
    assert host.runner.timeouts == [100]


def test_no_task_runs_longer_than_its_deadline(world: World) -> None:
    host = world.make_host(lends=Lending(wall_seconds=900.0))
    message, answer = accepted(world, host)
    good = make_confirm(world.home.me, message, answer)
    world.clock.time += 860
    confirm(world, host, good)
    assert host.runner.timeouts == [40]


def test_inputs_are_pinned_from_the_deadline_on(world: World) -> None:
    """Validators may ask until nothing can be claimed on a result that came at the last moment."""
    host = world.make_host()
    migration = finished(world, host)
    pins = list((world.folder / "host-2/store/pins").iterdir())
    assert {sha256(source).hex() for source in SOURCES} < {pin.name for pin in pins}
    until = migration.request.result_deadline + KEEP_SECONDS
    assert {pin.stat().st_mtime for pin in pins} == {until}


def test_a_task_whose_deadline_passed_in_the_queue_is_not_run(world: World) -> None:
    host = world.make_host()
    message, answer = accepted(world, host)
    world.clock.time = message.request.result_deadline
    with pytest.raises(PeerError, match="deadline passed"):
        confirm(world, host, make_confirm(world.home.me, message, answer))
    assert nothing_came_of_it(host)
    assert host.runner.timeouts == []


def test_what_the_outbox_refuses_is_not_told_as_a_result(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = world.make_host()
    message, answer = accepted(world, host)

    def refuse(migration: object) -> bool:
        raise PeerError("does not fit")

    monkeypatch.setattr(host.outbox, "append_migration", refuse)
    with pytest.raises(PeerError, match="does not fit"):
        confirm(world, host, make_confirm(world.home.me, message, answer))
    assert nothing_came_of_it(host)


def test_no_more_tasks_run_at_once_than_slots(world: World) -> None:
    host = world.make_host(lends=Lending(slots=2))
    running = peak = 0

    async def watch() -> None:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(0.01)
        running -= 1

    host.runner.before = watch
    pairs = [accepted(world, host, seq) for seq in range(5)]

    async def all_at_once() -> None:
        confirms = [make_confirm(world.home.me, *pair) for pair in pairs]
        await asyncio.gather(*(host.side.confirm(world.home.address, c) for c in confirms))

    asyncio.run(all_at_once())
    assert peak == 2
    assert len(host.migrations()) == 5


# -- CANARY_OPENED -------------------------------------------------------------------------------


def opening(migration: ConfirmedMigration, mark: Mark = PLANTED_MARK) -> CanaryOpened:
    return CanaryOpened(
        request_id=digest(DOMAIN, migration.request),
        result_id=digest(DOMAIN, migration.result),
        task_digest=Digest(task_digest(TASK)),
        family=Digest(mark.family),
        parameters=Digest(mark.parameters),
        salt=Digest(mark.salt),
        signed_at=NOW,
    )


def settled_canary(world: World, host: HostNode) -> ConfirmedMigration:
    migration = finished(world, host, mark=PLANTED_MARK)
    host.on_ledger[digest(DOMAIN, migration.request)] = migration
    return migration


def send_opening(
    world: World, host: HostNode, asset: CanaryOpened, signer: int = 1, peer: int | None = None
) -> wire.Ack:
    message = wire.Open(asset, key(signer).sign(DOMAIN, asset))
    return asyncio.run(host.side.open(key(peer or signer).address, message))


def test_an_opening_becomes_a_claim_with_the_seals_opening(world: World) -> None:
    host = world.make_host()
    migration = settled_canary(world, host)
    for _ in range(2):  # the home repeats it until it hears the Ack
        assert send_opening(world, host, opening(migration)) == wire.Ack()
    (item,) = host.outbox.pending(CANARY)
    claim = host.outbox.canary(item.key)
    assert isinstance(claim, OpenedCanary)
    assert (claim.migration, claim.opened) == (migration, opening(migration))
    assert claim.result_digest == result_digest(EXECUTION.result())
    request_id = digest(DOMAIN, migration.request)
    resealed = seal(claim.result_digest, claim.seal_salt, host.address, request_id)
    assert resealed == migration.result.seal


def test_an_opening_that_does_not_hold_is_refused_and_bars_nothing(world: World) -> None:
    host = world.make_host()
    migration = settled_canary(world, host)
    good = opening(migration)
    other_salt = replace(PLANTED_MARK, salt=b"\x03" * 32)
    cases: list[tuple[CanaryOpened, dict[str, int], str]] = [
        (good, {"signer": 9, "peer": 1}, "not signed by its home"),
        (good, {"signer": 9}, "another node than the home"),
        (replace(good, request_id=Digest(b"\x01" * 32)), {}, "no settled result"),
        (replace(good, task_digest=Digest(b"\x01" * 32)), {}, "no settled result"),
        (replace(good, result_id=Digest(b"\x01" * 32)), {}, "not that of this migration"),
        (replace(good, salt=Digest(bytes(32))), {}, "no salt"),
        (replace(good, family=Digest(b"\x01" * 32)), {}, "does not open the commitment"),
        (opening(migration, other_salt), {}, "does not open the commitment"),
    ]
    for asset, who, words in cases:
        with pytest.raises(PeerError, match=words):
            send_opening(world, host, asset, **who)
    assert host.outbox.pending(CANARY) == []
    send_opening(world, host, good)


def test_an_opening_before_the_result_is_settled_is_refused(world: World) -> None:
    host = world.make_host()
    migration = finished(world, host, mark=PLANTED_MARK)
    with pytest.raises(PeerError, match="or not yet"):
        send_opening(world, host, opening(migration))


def test_an_ordinary_request_cannot_be_opened_as_a_canary(world: World) -> None:
    host = world.make_host()
    migration = finished(world, host)
    host.on_ledger[digest(DOMAIN, migration.request)] = migration
    ordinary = Mark(0, bytes(32), bytes(32), b"\x01" * 32)
    with pytest.raises(PeerError, match="does not open the commitment"):
        send_opening(world, host, opening(migration, ordinary))
