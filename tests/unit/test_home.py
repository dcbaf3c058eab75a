"""The home's side: what it sends, what it believes, and where it turns when a host fails it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from canaries.commitment import PLANTED, Place, commitment, seal
from canaries.family import field_of
from canaries.replay import parameters_for
from ledger.assets import Accepted, ConfirmedMigration, Rejected, RejectedMigration
from ledger.eip712 import digest
from ledger.errors import PeerError
from ledger.keys import signed_by
from ledger.reasons import Reason
from ledger.types import Digest
from node import wire
from node.home import REST_SECONDS, REST_SECONDS_MAX, Local, Remote
from node.inputs import KEEP_SECONDS, InputServer, keep_longer, read_inputs
from node.placement import RoundRobin
from node.store import MissingContent, sha256
from node.task import (
    OutputFile,
    ResultDescriptor,
    encode_result,
    result_digest,
    task_digest,
)
from tests.unit.node_world import (
    DOMAIN,
    EXECUTION,
    NOW,
    SOURCES,
    TASK,
    TOOLCHAIN,
    Link,
    ManualClock,
    World,
    key,
)

STRANGER = key(9)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as world:
        yield world


def run(world: World, task: Any = TASK) -> Remote | Local:
    return asyncio.run(world.home.side.run(task, "cc a.c"))


def ran(world: World) -> Remote:
    outcome = run(world)
    assert isinstance(outcome, Remote)
    return outcome


def asks(link: Link) -> list[wire.Ask]:
    return [message for message in link.sent if isinstance(message, wire.Ask)]


def confirms(link: Link) -> list[wire.Confirm]:
    return [message for message in link.sent if isinstance(message, wire.Confirm)]


# -- the way it should go ------------------------------------------------------------------------


def test_a_task_runs_at_the_host_and_its_contents_come_home(world: World) -> None:
    host = world.make_host()
    link = world.link(host)
    outcome = ran(world)
    assert outcome.host == host.address
    assert outcome.result == EXECUTION.result()
    assert outcome.contents[sha256(b"\x7fELF")] == b"\x7fELF"
    assert outcome.contents[outcome.result.stderr] == EXECUTION.stderr
    (migration,) = host.migrations()
    assert isinstance(migration, ConfirmedMigration)
    request = asks(link)[0].request
    assert migration.request == request
    assert outcome.request_id == digest(DOMAIN, request)
    assert signed_by(DOMAIN, migration.confirmed, migration.home_signature, world.home.address)
    assert world.home.journal.counters() == {"sent": 1}
    assert host.store.get(sha256(SOURCES[0])) == SOURCES[0]


def test_the_request_says_what_the_task_says(world: World) -> None:
    link = world.link(world.make_host())
    ran(world)
    (ask,) = asks(link)
    request = ask.request
    limits = TASK.limits
    assert (request.cpu_seconds, request.memory_mib, request.output_kib) == (
        limits.cpu_seconds,
        limits.memory_mib,
        limits.output_kib,
    )
    assert (request.signed_at, request.result_deadline) == (NOW, NOW + 900)
    assert request.process_name.rstrip(b"\0") == b"cc a.c"
    place = Place(DOMAIN.chain_id, DOMAIN.contract, world.home.address, link.peer, request.seq)
    assert request.commitment == commitment(place, task_digest(TASK), ask.mark_hash)


def test_a_rejection_is_proper_and_its_mark_is_forgotten(world: World) -> None:
    host = world.make_host()
    host.evidence = None
    world.home.schedule.canary = True
    link = world.link(host)
    assert run(world) == Local(Reason.NO_HOST)
    (migration,) = host.migrations()
    assert isinstance(migration, RejectedMigration)
    assert migration.rejected.reason == Reason.STALE_LEDGER
    assert world.home.vault.canary(digest(DOMAIN, asks(link)[0].request)) is None
    assert world.home.journal.counters() == {}


def test_without_hosts_the_task_stays_at_home(world: World) -> None:
    assert run(world) == Local(Reason.NO_HOST)


def test_a_host_that_runs_behind_gets_a_confirmation_in_order(world: World) -> None:
    host = world.make_host(clock=ManualClock(NOW + 5))
    world.link(host)
    ran(world)
    (migration,) = host.migrations()
    assert isinstance(migration, ConfirmedMigration)
    assert migration.confirmed.signed_at == migration.accepted.signed_at == NOW + 5


# -- marks and numbers ---------------------------------------------------------------------------


@pytest.mark.parametrize("canary", [True, False])
def test_number_and_mark_are_on_disk_before_the_request_leaves(world: World, canary: bool) -> None:
    world.home.schedule.canary = canary
    link = world.link(world.make_host())
    seen = []

    def look(message: wire.Message) -> wire.Message:
        if isinstance(message, wire.Ask):
            sealed = world.home.vault.canary(digest(DOMAIN, message.request))
            seen.append(sealed)
            if sealed is not None:
                assert sealed.mark.hash == message.mark_hash
                assert sealed.task_digest == task_digest(TASK)
                assert sealed.host == link.peer
            assert world.home.journal.take_sequence(link.peer, 0) > message.request.seq
        return message

    link.on_request = look
    ran(world)
    assert [sealed is not None for sealed in seen] == [canary]


def test_a_planted_mark_is_a_replay_of_this_toolchain(world: World) -> None:
    world.home.schedule.canary = True
    world.link(world.make_host())
    sealed = world.home.vault.canary(ran(world).request_id)
    assert sealed is not None
    mark = sealed.mark
    assert mark.kind == PLANTED
    assert (mark.family, mark.parameters) == (field_of("replay"), parameters_for(TOOLCHAIN))


def test_a_task_whose_runs_differed_is_no_canary_again(world: World) -> None:
    link = world.link(world.make_host())
    world.home.schedule.canary = True
    run(world)
    world.home.void.add(Digest(task_digest(TASK)))
    run(world)
    marked = [
        world.home.vault.canary(digest(DOMAIN, message.request)) is not None
        for message in link.sent
        if isinstance(message, wire.Ask)
    ]
    assert marked == [True, False]


def test_a_canary_and_an_ordinary_request_look_the_same(world: World) -> None:
    link = world.link(world.make_host())
    for canary in (False, True):
        world.home.schedule.canary = canary
        ran(world)
    ordinary, planted = asks(link)
    assert len(wire.encode(1, ordinary)) == len(wire.encode(1, planted))
    assert ordinary.mark_hash != planted.mark_hash
    assert ordinary.request.commitment != planted.request.commitment


def test_numbers_go_on_from_what_the_ledger_allows(world: World) -> None:
    link = world.link(world.make_host())
    ran(world)
    ran(world)
    world.home.side.next_sequence = lambda host: 70
    ran(world)
    ran(world)
    assert [ask.request.seq for ask in asks(link)] == [0, 1, 70, 71]


def test_hosts_take_turns(world: World) -> None:
    links = [world.link(world.make_host(number)) for number in (2, 3, 4)]
    world.home.side.placement = RoundRobin()
    hosts = [ran(world).host for _ in range(6)]
    assert sorted(hosts[:3]) == sorted(link.peer for link in links)
    assert hosts[:3] == hosts[3:]


# -- what a host may do wrong --------------------------------------------------------------------


def vanish(message: wire.Message) -> wire.Message:
    raise PeerError("gone")


def forge_answer(message: wire.Message) -> wire.Message:
    assert isinstance(message, wire.Answer)
    return structs.replace(message, signature=STRANGER.sign_digest(Digest(b"\x01" * 32)))


def on_answer(change: Any) -> Any:
    return lambda m: change(m) if isinstance(m, wire.Answer) else m


def on_done(change: Any) -> Any:
    return lambda m: change(m) if isinstance(m, wire.Done) else m


def resigned(done: wire.Done, **changes: Any) -> wire.Done:
    """The host of ``key(2)`` signs another RESULT."""
    asset = replace(done.asset, **changes)
    return structs.replace(done, asset=asset, signature=key(2).sign(DOMAIN, asset))


def resealed(done: wire.Done, result: ResultDescriptor) -> wire.Done:
    """The host of ``key(2)`` seals another result than it got."""
    salt, request_id = done.salt, done.asset.request_id
    sealed = seal(result_digest(result), salt, key(2).address, request_id)
    return structs.replace(resigned(done, seal=Digest(sealed)), result=encode_result(result))


ELSEWHERE = replace(
    EXECUTION.result(), outputs=(OutputFile("/home/me/.profile", sha256(b"\x7fELF"), 0o644),)
)
"""A result with an output where nobody asked for one."""
LIE = replace(EXECUTION.result(), exit_status=1, outputs=())
"""A result that came of no run."""


def stolen_seal(done: wire.Done) -> Digest:
    """A seal of the right result, but another host's."""
    digest_of = result_digest(EXECUTION.result())
    return Digest(seal(digest_of, done.salt, STRANGER.address, done.asset.request_id))


OTHER = Rejected(Digest(b"\x01" * 32), Reason.POLICY, NOW)
"""A rejection of another request."""
BAD_ANSWERS = {
    "vanishes when asked": vanish,
    "faults when asked": on_answer(lambda m: wire.Fault("out of order")),
    "answers with something else": on_answer(lambda m: wire.Ack()),
    "answers unsigned": on_answer(forge_answer),
    "answers at another time than signed": on_answer(
        lambda m: structs.replace(m, signed_at=m.signed_at + 1)
    ),
    "answers at no time at all": on_answer(lambda m: structs.replace(m, signed_at=-1)),
    "rejects another request": on_answer(
        lambda m: structs.replace(m, rejected=OTHER, signature=key(2).sign(DOMAIN, OTHER))
    ),
    "rejects unsigned": on_answer(
        lambda m: structs.replace(m, rejected=Rejected(Digest(b""), 1, NOW))
    ),
}
BAD_RESULTS = {
    "vanishes at work": on_done(vanish),
    "faults at work": on_done(lambda m: wire.Fault("no sandbox")),
    "gives something else": on_done(lambda m: wire.Ack()),
    "signs nothing": on_done(lambda m: structs.replace(m, signature=b"")),
    "signs another seal": on_done(
        lambda m: structs.replace(m, asset=replace(m.asset, seal=Digest(b"\x01" * 32)))
    ),
    "signs what is no seal": on_done(
        lambda m: structs.replace(m, asset=replace(m.asset, seal=Digest(b"")))
    ),
    "seals another result than it hands out": on_done(
        lambda m: structs.replace(m, result=encode_result(LIE))
    ),
    "seals with another salt": on_done(lambda m: structs.replace(m, salt=b"\x01" * 32)),
    "seals under another name": on_done(lambda m: resigned(m, seal=stolen_seal(m))),
    "signs for another request": on_done(lambda m: resigned(m, request_id=Digest(b"\x01" * 32))),
    "keeps the contents": on_done(lambda m: structs.replace(m, blobs=())),
    "keeps the object": on_done(lambda m: structs.replace(m, blobs=m.blobs[:2])),
    "sends another object": on_done(
        lambda m: structs.replace(m, blobs=(*m.blobs[:2], b"\x7fEVIL"))
    ),
    "writes where nobody asked": on_done(lambda m: resealed(m, ELSEWHERE)),
    "describes nothing": on_done(lambda m: structs.replace(m, result=b"{}")),
}


@pytest.mark.parametrize("what", [*BAD_ANSWERS, *BAD_RESULTS])
def test_a_host_that_fails_is_left_for_the_next(world: World, what: str) -> None:
    bad, good = world.link(world.make_host(2)), world.link(world.make_host(3))
    bad.on_reply = {**BAD_ANSWERS, **BAD_RESULTS}[what]
    world.home.side.placement = RoundRobin(0 if bad.peer < good.peer else 1)
    outcome = ran(world)
    assert len(asks(bad)) == 1, "the bad host was not even asked"
    assert outcome.host == good.peer
    assert outcome.contents[sha256(b"\x7fELF")] == b"\x7fELF"
    assert world.home.journal.counters() == {"sent": 1}


@pytest.mark.parametrize("what", [*BAD_ANSWERS, *BAD_RESULTS])
def test_a_lone_host_that_fails_sends_the_task_home(world: World, what: str) -> None:
    link = world.link(world.make_host())
    link.on_reply = {**BAD_ANSWERS, **BAD_RESULTS}[what]
    assert run(world) == Local(Reason.PEER_LOST)
    assert bool(confirms(link)) == (what in BAD_RESULTS)
    assert "sent" not in world.home.journal.counters()


def tries(world: World, link: Link) -> bool:
    """Whether a task of now is put to this host at all."""
    before = len(asks(link))
    run(world)
    return len(asks(link)) > before


def test_a_host_that_fails_rests_ever_longer_and_not_for_ever(world: World) -> None:
    link = world.link(world.make_host())
    link.on_reply = on_answer(lambda m: wire.Fault("out of order"))
    rest = REST_SECONDS
    for _ in range(2_000):
        assert tries(world, link)
        world.clock.time += rest - 0.5
        assert not tries(world, link)
        world.clock.time += 0.5
        if rest == REST_SECONDS_MAX:
            break
        rest = min(2 * rest, REST_SECONDS_MAX)
    assert rest == REST_SECONDS_MAX
    assert tries(world, link)


def test_weeks_of_failures_are_no_error_of_the_home(world: World) -> None:
    side, host = world.home.side, key(2).address
    for _ in range(3_000):
        side._give_rest(host)
    assert side._failures[host] == (3_000, NOW + REST_SECONDS_MAX)


def test_a_task_that_comes_back_ends_the_rests(world: World) -> None:
    link = world.link(world.make_host())
    for _ in range(3):
        link.on_reply = vanish
        assert run(world) == Local(Reason.PEER_LOST)
        assert run(world) == Local(Reason.NO_HOST)
        world.clock.time += REST_SECONDS
        link.on_reply = lambda message: message
        ran(world)


def test_a_host_that_only_rejects_does_not_rest(world: World) -> None:
    host = world.make_host()
    host.evidence = None
    link = world.link(host)
    assert tries(world, link)
    assert tries(world, link)


def test_a_host_whose_connection_broke_is_asked_as_soon_as_it_is_back(world: World) -> None:
    link = world.link(world.make_host())
    link.on_request, link.is_open = vanish, False
    assert run(world) == Local(Reason.PEER_LOST)
    link.on_request, link.is_open = lambda message: message, True
    ran(world)


def test_while_one_rests_another_is_asked_at_once(world: World) -> None:
    bad, good = world.link(world.make_host(2)), world.link(world.make_host(3))
    bad.on_reply = vanish
    assert [ran(world).host for _ in range(4)] == [good.peer] * 4
    assert len(asks(bad)) == 1


def test_a_closed_connection_sends_the_task_home(world: World) -> None:
    world.link(world.make_host()).on_request = vanish
    assert run(world) == Local(Reason.PEER_LOST)


def test_a_mark_outlives_a_host_that_vanished_with_a_confirmation(world: World) -> None:
    """It may still settle the result, and then the canary has to be opened."""
    world.home.schedule.canary = True
    host = world.make_host()
    link = world.link(host)
    link.on_reply = BAD_RESULTS["vanishes at work"]
    assert run(world) == Local(Reason.PEER_LOST)
    (migration,) = host.migrations()
    assert world.home.vault.canary(digest(DOMAIN, migration.request)) is not None


def test_a_replayed_request_changes_nothing(world: World) -> None:
    host = world.make_host()
    link = world.link(host)
    ran(world)
    (ask,) = asks(link)
    reply = asyncio.run(link.call(ask, 1))
    assert isinstance(reply, wire.Fault)
    assert "answered before" in reply.text
    assert len(host.migrations()) == 1


def test_only_inputs_of_the_task_leave_the_home(world: World) -> None:
    """A host may name any digest as missing; it gets what the task gives it and nothing else."""
    secret = world.home.store.put(b"a private key")
    link = world.link(world.make_host())

    def curious(answer: wire.Message) -> wire.Message:
        if isinstance(answer, wire.Answer):
            return structs.replace(answer, missing=(secret, *answer.missing, *answer.missing))
        return answer

    link.on_reply = curious
    ran(world)
    (confirm,) = confirms(link)
    assert sorted(confirm.blobs) == sorted(SOURCES)


def test_what_the_host_has_is_not_sent_again(world: World) -> None:
    link = world.link(world.make_host())
    ran(world)
    ran(world)
    assert [len(confirm.blobs) for confirm in confirms(link)] == [2, 0]


def test_results_are_bound_to_the_host_that_was_asked(world: World) -> None:
    """Another host's signature of the right RESULT is not good enough."""
    link = world.link(world.make_host(2))

    def by_another(done: wire.Done) -> Any:
        return structs.replace(done, signature=key(3).sign(DOMAIN, done.asset))

    link.on_reply = on_done(by_another)
    assert run(world) == Local(Reason.PEER_LOST)


def test_answers_are_bound_to_the_host_that_was_asked(world: World) -> None:
    link = world.link(world.make_host(2))

    def by_another(answer: wire.Answer) -> Any:
        request_id = digest(DOMAIN, asks(link)[0].request)
        asset = Accepted(request_id, answer.signed_at)
        return structs.replace(answer, signature=key(3).sign(DOMAIN, asset))

    link.on_reply = on_answer(by_another)
    assert run(world) == Local(Reason.PEER_LOST)
    assert confirms(link) == []


def test_a_result_may_leave_outputs_out(world: World) -> None:
    host = world.make_host()
    host.runner.execution = replace(EXECUTION, exit_status=1, outputs=())
    world.link(host)
    assert ran(world).result.exit_status == 1


# -- inputs for validators -----------------------------------------------------------------------


def test_both_parties_keep_the_inputs_for_validators_alone(world: World) -> None:
    host = world.make_host()
    world.link(host)
    ran(world)
    fetch = wire.Fetch(task_digest(TASK))
    for store, journal in [
        (world.home.store, world.home.journal),
        (host.store, host.journal),
    ]:
        server = InputServer(store, journal, lambda peer: peer == STRANGER.address)
        inputs = server.fetch(STRANGER.address, fetch)
        assert sorted(inputs.blobs) == sorted(SOURCES)
        with pytest.raises(PeerError, match="Only registered validators"):
            server.fetch(key(8).address, fetch)
        with pytest.raises(PeerError, match="not here"):
            server.fetch(STRANGER.address, wire.Fetch(b"\x01" * 32))


def test_inputs_that_are_gone_are_said_to_be(world: World) -> None:
    world.link(world.make_host())
    ran(world)
    store, journal = world.home.store, world.home.journal
    store.path_of(sha256(SOURCES[0])).unlink()
    descriptor = journal.task(Digest(task_digest(TASK)))
    assert descriptor is not None
    with pytest.raises(MissingContent):
        read_inputs(store, descriptor)
    server = InputServer(store, journal, lambda peer: True)
    with pytest.raises(PeerError, match="gone"):
        server.fetch(STRANGER.address, wire.Fetch(task_digest(TASK)))


def test_inputs_are_pinned_until_claims_are_closed(world: World) -> None:
    world.link(world.make_host())
    ran(world)
    folder = world.folder / "home-1/store/pins"
    pins = {path.name: path.stat().st_mtime for path in folder.iterdir()}
    assert {sha256(source).hex() for source in SOURCES} <= pins.keys()
    assert set(pins.values()) == {NOW + 900 + KEEP_SECONDS}


def test_inputs_are_pinned_longer_for_a_claim_that_is_made_again(world: World) -> None:
    host = world.make_host()
    world.link(host)
    ran(world)
    until = NOW + 30 * 86_400
    task = Digest(task_digest(TASK))
    keep_longer(host.store, host.journal, task, until)
    pins = {path.name: path.stat().st_mtime for path in (host.store._root / "pins").iterdir()}
    descriptor = host.journal.task(task)
    assert descriptor is not None
    kept = {descriptor.hex(), *(sha256(source).hex() for source in SOURCES)}
    assert all(pins[name] == until for name in kept)
    # Of what is gone, or was never here, there is nothing to keep, and nothing to complain about.
    host.store.path_of(descriptor).unlink()
    keep_longer(host.store, host.journal, task, until)
    keep_longer(host.store, host.journal, Digest(bytes(32)), until)
