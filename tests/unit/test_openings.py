"""Openings: after the result is final, one per canary, delivered until the host has it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from ledger.assets import CLAIM_WITHIN, ConfirmedMigration
from ledger.eip712 import digest
from ledger.errors import PeerError
from ledger.keys import signed_by
from ledger.outbox import CANARY
from ledger.reader import Reader
from ledger.rows import IndexHead, Place, SettledMigration
from ledger.types import (
    Address,
    BlockHash,
    BlockNumber,
    Digest,
    TxHash,
    UnixSeconds,
)
from node import openings, wire
from node.connection import Connection
from node.home import Remote
from node.openings import RETRY_SECONDS_MAX, Opener
from tests.unit.node_world import DOMAIN, NOW, TASK, HostNode, Link, World

ZERO = Digest(bytes(32))


@dataclass
class FakeReader:
    """What the index says: a head, and settled migrations by block."""

    final: int | None = None
    settled: list[SettledMigration] = field(default_factory=list)

    def head(self) -> IndexHead | None:
        if self.final is None:
            return None
        final = BlockNumber(self.final)
        when = UnixSeconds(NOW)
        return IndexHead(BlockNumber(final + 4), BlockHash(ZERO), when, when, final, final)

    def results(self, home: Address, since_block: BlockNumber) -> list[SettledMigration]:
        mine = [each for each in self.settled if each.request.home == home]
        return sorted(
            (each for each in mine if each.place.block > since_block),
            key=lambda each: each.place.block,
        )


class Silent:
    """A link that takes everything and never answers."""

    async def call(self, message: wire.Message, timeout: float) -> wire.Message:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets the event")


@dataclass
class Scene:
    world: World
    host: HostNode
    link: Link
    reader: FakeReader
    opener: Opener
    connected: bool = True

    def migrate(self, block: int, canary: bool) -> Digest:
        """One task sent out and settled in this block; its request id."""
        return self.migrate_at(self.host, block, canary)

    def migrate_at(self, host: HostNode, block: int, canary: bool = True) -> Digest:
        home = self.world.home
        home.schedule.canary = canary
        outcome = asyncio.run(home.side.run(TASK, "cc"))
        assert isinstance(outcome, Remote)
        (migration,) = (
            each for each in host.migrations() if digest(DOMAIN, each.request) == outcome.request_id
        )
        assert isinstance(migration, ConfirmedMigration)
        host.on_ledger[outcome.request_id] = migration
        place = Place(BlockNumber(block), 0, TxHash(ZERO), UnixSeconds(NOW), False)
        result_id = digest(DOMAIN, migration.result)
        ids = (outcome.request_id, ZERO, ZERO, result_id)
        self.reader.settled.append(SettledMigration(migration, *ids, ZERO, 0, place))
        return outcome.request_id

    def deliver(self) -> None:
        """Lets the opener run until it has gone round a few times."""

        async def some_rounds() -> None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.opener.run(), 0.05)

        asyncio.run(some_rounds())

    def deliver_once(self) -> int:
        """One round; how often an opening was put to the host in it."""
        before = len(self.opens)
        asyncio.run(self.opener.deliver_due())
        return len(self.opens) - before

    @property
    def opens(self) -> list[wire.Open]:
        return [message for message in self.link.sent if isinstance(message, wire.Open)]

    @property
    def claims(self) -> int:
        return len(self.host.outbox.pending(CANARY))


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setattr(openings, "POLL_SECONDS", 0.002)
    with World(tmp_path) as world:
        host = world.make_host()
        reader = FakeReader()
        link = world.link(host)

        def connection(address: Address) -> Connection | None:
            found = opened.connected and address == host.address
            return cast(Connection, link) if found else None

        me, vault = world.home.me, world.home.vault
        opener = Opener(me, vault, cast(Reader, reader), connection)
        opened = Scene(world, host, link, reader, opener)
        yield opened


def test_nothing_is_opened_before_the_result_is_final(scene: Scene) -> None:
    request_id = scene.migrate(block=10, canary=True)
    assert scene.opener.open_settled() == 0
    scene.reader.final = 9
    assert scene.opener.open_settled() == 0
    scene.deliver()
    assert scene.world.home.vault.canary(request_id) is not None
    assert not any(isinstance(message, wire.Open) for message in scene.link.sent)
    scene.reader.final = 10
    assert scene.opener.open_settled() == 1
    assert scene.world.home.vault.canary(request_id) is None


def test_only_canaries_are_opened_and_each_once(scene: Scene) -> None:
    scene.reader.final = 100
    for block, canary in [(10, True), (10, False), (11, True), (12, False)]:
        scene.migrate(block, canary)
    assert scene.opener.open_settled() == 2
    assert scene.opener.open_settled() == 0
    scene.migrate(12, True)
    assert scene.opener.open_settled() == 1


def test_a_restarted_opener_opens_nothing_twice(scene: Scene) -> None:
    scene.reader.final = 100
    scene.migrate(10, True)
    assert scene.opener.open_settled() == 1
    home = scene.world.home
    again = Opener(home.me, home.vault, cast(Reader, scene.reader), lambda address: None)
    assert again.open_settled() == 0
    assert len(home.vault.undelivered()) == 1


def test_the_host_gets_a_signed_opening_that_it_can_claim_with(scene: Scene) -> None:
    scene.reader.final = 100
    request_id = scene.migrate(10, True)
    scene.deliver()
    (sent,) = (message for message in scene.link.sent if isinstance(message, wire.Open))
    assert sent.opened.request_id == request_id
    assert sent.opened.result_id == scene.reader.settled[0].result_id
    assert signed_by(DOMAIN, sent.opened, sent.signature, scene.world.home.address)
    assert scene.claims == 1
    assert scene.world.home.vault.undelivered() == []


def fault(message: wire.Message) -> wire.Message:
    return wire.Fault("not settled here yet")


def vanish(message: wire.Message) -> wire.Message:
    raise PeerError("gone")


@pytest.mark.parametrize("trouble", [fault, vanish])
def test_an_opening_is_delivered_again_after_a_failure(
    scene: Scene, trouble: Callable[[wire.Message], wire.Message]
) -> None:
    scene.reader.final = 100
    scene.migrate(10, True)
    scene.link.on_reply = trouble
    scene.deliver()
    scene.world.clock.time += RETRY_SECONDS_MAX
    scene.deliver()
    first, second = scene.opens
    assert first == second, "one canary was opened in two ways"
    assert len(scene.world.home.vault.undelivered()) == 1
    scene.link.on_reply = lambda message: message
    scene.world.clock.time += RETRY_SECONDS_MAX
    scene.deliver()
    assert scene.world.home.vault.undelivered() == []
    assert scene.claims == 1


def test_pauses_between_deliveries_grow(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openings, "POLL_SECONDS", 0.5)
    scene.reader.final = 100
    scene.migrate(10, True)
    scene.opener.open_settled()
    scene.link.on_reply = fault
    for pause in (1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300):
        assert scene.deliver_once() == 1
        scene.world.clock.time += pause - 0.1
        assert scene.deliver_once() == 0
        scene.world.clock.time += 0.1
    scene.link.on_reply = lambda message: message
    assert scene.deliver_once() == 1
    assert scene.claims == 1


def test_days_of_refusals_are_no_error_of_the_home(scene: Scene) -> None:
    for _ in range(3_000):
        scene.opener._postpone(ZERO)
    assert scene.opener._retry[ZERO] == (3_000, NOW + RETRY_SECONDS_MAX)


def test_a_host_that_refuses_one_is_offered_the_rest_at_once(scene: Scene) -> None:
    """The pause is the opening's, not the host's."""
    scene.reader.final = 100
    lost = scene.migrate(10, True)
    for block in (11, 12):
        scene.migrate(block, True)
    del scene.host.on_ledger[lost]
    scene.opener.open_settled()
    for _ in range(2):
        scene.deliver_once()
    assert scene.claims == 2
    assert [each.sealed.request_id for each in scene.world.home.vault.undelivered()] == [lost]


def test_an_opening_that_came_too_late_is_dropped(scene: Scene) -> None:
    scene.reader.final = 100
    scene.connected = False
    scene.migrate(10, True)
    scene.opener.open_settled()
    scene.world.clock.time += CLAIM_WITHIN
    assert scene.deliver_once() == 0
    assert len(scene.world.home.vault.undelivered()) == 1
    scene.world.clock.time += 1
    assert scene.deliver_once() == 0
    assert scene.world.home.vault.undelivered() == []


def test_a_silent_host_holds_up_its_own_openings_alone(scene: Scene) -> None:
    other = scene.world.make_host(3)
    links = {scene.host.address: scene.link, other.address: Link(scene.world.home.address, other)}
    me, vault = scene.world.home.me, scene.world.home.vault
    for host, link in [(scene.host, Silent()), (other, links[other.address])]:
        scene.world.links[:] = [links[host.address]]
        scene.migrate_at(host, 10)
        links[host.address] = cast(Link, link)
    scene.reader.final = 100
    opener = Opener(
        me,
        vault,
        cast(Reader, scene.reader),
        lambda address: cast(Connection, links[address]),
    )
    assert opener.open_settled() == 2

    async def one_round() -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(opener.deliver_due(), 0.2)

    asyncio.run(one_round())
    assert len(other.outbox.pending(CANARY)) == 1
    assert [each.sealed.host for each in vault.undelivered()] == [scene.host.address]


def test_an_opening_waits_for_a_host_that_is_away(scene: Scene) -> None:
    scene.reader.final = 100
    scene.connected = False
    scene.migrate(10, True)
    scene.deliver()
    assert len(scene.world.home.vault.undelivered()) == 1
    scene.connected = True
    scene.deliver()
    assert scene.claims == 1


def test_a_rejected_opening_does_not_hold_up_the_others(scene: Scene) -> None:
    scene.reader.final = 100
    lost = scene.migrate(10, True)
    scene.migrate(11, True)
    del scene.host.on_ledger[lost]
    scene.deliver()
    assert scene.claims == 1
    (waiting,) = scene.world.home.vault.undelivered()
    assert waiting.sealed.request_id == lost
