"""Drawn canaries, the host's side: claims what the beacon drew, all of it, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest
from eth_hash.auto import keccak

from canaries.draw import RATES, is_drawn
from ledger.assets import CLAIM_WITHIN, ConfirmedMigration
from ledger.eip712 import digest
from ledger.outbox import CANARY
from ledger.outbox_codec import DrawnCanary, kudos_id
from ledger.reader import Reader
from ledger.rows import Place, SettledMigration
from ledger.types import Address, BlockNumber, Digest, TxHash, UnixSeconds
from node.draws import Draws
from node.home import Remote
from node.host_checks import is_committed
from node.task import task_digest
from tests.unit.node_world import DOMAIN, NOW, TASK, HostNode, World

ZERO = Digest(bytes(32))
PERIOD = 600
RUNNING = NOW // PERIOD
BEACON = Digest(b"\x42" * 32)


@dataclass
class FakeReader:
    """What the index says: beacons, and results without a K3."""

    beacons: dict[int, Digest] = field(default_factory=dict)
    settled: list[SettledMigration] = field(default_factory=list)

    def known_beacons(self, since: int) -> list[tuple[int, Digest]]:
        return sorted(each for each in self.beacons.items() if each[0] >= since)

    def results_of_host(self, host: Address, since: int, until: int) -> list[SettledMigration]:
        ours = (each for each in self.settled if each.request.host == host)
        return [each for each in ours if since <= each.place.timestamp < until]


@dataclass
class Scene:
    world: World
    host: HostNode
    reader: FakeReader

    def draws(self, rate: int = RATES) -> Draws:
        """A host that was just started."""
        host, reader = self.host, cast(Reader, self.reader)
        return Draws(host.side.me, reader, host.journal, host.outbox, rate, PERIOD)

    def migrate(self, period: int = RUNNING, late: bool = False) -> ConfirmedMigration:
        """One task, settled in this period."""
        self.world.home.schedule.canary = False
        outcome = asyncio.run(self.world.home.side.run(TASK, "cc"))
        assert isinstance(outcome, Remote)
        (found,) = (
            each
            for each in self.host.migrations()
            if digest(DOMAIN, each.request) == outcome.request_id
        )
        assert isinstance(found, ConfirmedMigration)
        when = found.request.result_deadline + 1 if late else period * PERIOD
        place = Place(BlockNumber(9), 0, TxHash(ZERO), UnixSeconds(when), True)
        ids = (outcome.request_id, ZERO, ZERO, digest(DOMAIN, found.result))
        self.reader.settled.append(SettledMigration(found, *ids, ZERO, 0, place))
        return found

    @property
    def claimed(self) -> list[DrawnCanary]:
        queued = (self.host.outbox.canary(item.key) for item in self.host.outbox.pending(CANARY))
        return [each for each in queued if isinstance(each, DrawnCanary)]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with World(tmp_path) as world:
        host = world.make_host()
        world.link(host)
        yield Scene(world, host, FakeReader())


def test_the_draw_is_that_of_the_contract() -> None:
    number = int.from_bytes(keccak(BEACON + ZERO)[:2], "big")
    assert not is_drawn(BEACON, ZERO, number)
    assert is_drawn(BEACON, ZERO, number + 1)


def test_every_request_is_drawn_at_the_full_rate_and_none_at_zero() -> None:
    ids = [keccak(bytes([n])) for n in range(200)]
    assert all(is_drawn(BEACON, each, RATES) for each in ids)
    assert not any(is_drawn(BEACON, each, 0) for each in ids)


def test_a_quarter_is_drawn_at_a_quarter() -> None:
    drawn = sum(is_drawn(BEACON, keccak(b"%d" % n), RATES // 4) for n in range(4_000))
    assert 880 <= drawn <= 1_120  # more than four standard deviations either way


def test_nothing_is_claimed_before_the_beacon_is_known(scene: Scene) -> None:
    scene.migrate()
    draws = scene.draws()
    assert draws.claim_drawn() == 0
    scene.reader.beacons[RUNNING] = BEACON
    assert draws.claim_drawn() == 1
    assert draws.claim_drawn() == 0


def test_a_claim_opens_commitment_and_seal_but_not_the_mark(scene: Scene) -> None:
    migration = scene.migrate()
    scene.reader.beacons[RUNNING] = BEACON
    scene.draws().claim_drawn()
    (canary,) = scene.claimed
    assert canary.migration == migration
    assert canary.task_digest == task_digest(TASK)
    assert is_committed(DOMAIN, migration.request, canary.task_digest, canary.mark_hash)


def test_what_is_drawn_is_claimed_and_nothing_else(scene: Scene) -> None:
    made = [scene.migrate() for _ in range(24)]
    scene.reader.beacons[RUNNING] = BEACON
    scene.draws(rate=RATES // 2).claim_drawn()
    expected = {
        digest(DOMAIN, each.request)
        for each in made
        if is_drawn(BEACON, digest(DOMAIN, each.request), RATES // 2)
    }
    assert {digest(DOMAIN, each.migration.request) for each in scene.claimed} == expected
    assert 0 < len(expected) < len(made)


def test_another_periods_beacon_draws_nothing_here(scene: Scene) -> None:
    scene.migrate(RUNNING)
    scene.reader.beacons[RUNNING - 1] = BEACON
    assert scene.draws().claim_drawn() == 0


def test_after_a_restart_nothing_is_claimed_twice_and_nothing_forgotten(scene: Scene) -> None:
    scene.migrate()
    scene.reader.beacons[RUNNING] = BEACON
    assert [scene.draws().claim_drawn(), scene.draws().claim_drawn()] == [1, 0]
    assert len(scene.claimed) == 1


def test_a_beacon_older_than_the_claim_window_is_past(scene: Scene) -> None:
    scene.migrate(RUNNING)
    scene.reader.beacons[RUNNING] = BEACON
    scene.world.clock.time = (RUNNING + 1) * PERIOD + CLAIM_WITHIN
    assert scene.draws().claim_drawn() == 0


def test_a_late_result_earns_nothing_and_is_not_claimed(scene: Scene) -> None:
    migration = scene.migrate(late=True)
    scene.reader.beacons[(migration.request.result_deadline + 1) // PERIOD] = BEACON
    assert scene.draws().claim_drawn() == 0


def test_a_seal_of_an_older_journal_is_passed_over(scene: Scene) -> None:
    migration = scene.migrate()
    request_id = digest(DOMAIN, migration.request)
    scene.reader.beacons[RUNNING] = BEACON
    seal = scene.host.journal.seal(request_id)
    assert seal is not None
    scene.host.journal._db.execute("DELETE FROM seals")
    scene.host.journal.put_seal(request_id, replace(seal, mark_hash=b""))
    assert scene.draws().claim_drawn() == 0


def test_what_nobody_could_run_again_is_not_claimed(scene: Scene) -> None:
    scene.migrate()
    scene.reader.beacons[RUNNING] = BEACON
    scene.host.journal._db.execute("DELETE FROM tasks")
    assert scene.draws().claim_drawn() == 0


def test_one_result_has_one_claim_whatever_its_origin(scene: Scene) -> None:
    scene.migrate()
    scene.reader.beacons[RUNNING] = BEACON
    scene.draws().claim_drawn()
    (canary,) = scene.claimed
    again = replace(canary, mark_hash=ZERO)
    assert kudos_id(DOMAIN, again) == kudos_id(DOMAIN, canary)
    assert not scene.host.outbox.append_canary(again)
    assert scene.claimed == [canary]
