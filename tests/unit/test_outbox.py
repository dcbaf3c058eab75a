"""The settlement queue's file: durable before it answers, once per key, for one ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.assets import ConfirmedMigration, Migration, RejectedMigration
from ledger.eip712 import Domain, digest
from ledger.errors import CorruptData, PeerError
from ledger.outbox import CANARY, MIGRATION, Outbox
from ledger.outbox_codec import (
    DrawnCanary,
    OpenedCanary,
    kudos_id,
    pack_canary,
    pack_migration,
    unpack_canary,
    unpack_migration,
)
from ledger.reasons import Reason
from ledger.synthetic_actors import Actors, Settings
from ledger.types import Address, Digest, Signature, TxHash

DOMAIN = Domain(31_337, Address(b"\x33" * 20))
NOW = 1_700_000_000
TX = TxHash(b"\x0a" * 32)


class FrozenClock:
    def __init__(self) -> None:
        self.time = float(NOW)

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


@dataclass
class Final:
    """An index that calls these keys final."""

    keys: set[Digest]

    def is_final_settled(self, key: Digest, /) -> bool:
        return key in self.keys

    is_final_claimed = is_final_settled


def canaries(seed: str) -> Iterator[tuple[Migration, OpenedCanary | None]]:
    actors = Actors(Settings(seed=seed), DOMAIN)
    home, host = actors.nodes[:2]
    while True:
        migration, planted = actors.migration(home, host, NOW)
        if planted is None:
            yield migration, None
            continue
        signature = home.sign(DOMAIN, planted.opened)
        secrets = planted.result_digest, planted.seal_salt
        yield migration, OpenedCanary(planted.migration, planted.opened, signature, *secrets)


def some_migrations(count: int) -> list[Migration]:
    made = canaries("outbox")
    return [next(made)[0] for _ in range(count)]


def some_canary(seed: str = "outbox") -> OpenedCanary:
    return next(canary for _, canary in canaries(seed) if canary is not None)


def id_of(migration: Migration) -> Digest:
    return digest(DOMAIN, migration.request)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "outbox.db"


@pytest.fixture
def outbox(path: Path, clock: FrozenClock) -> Iterator[Outbox]:
    opened = Outbox.open(path, DOMAIN, clock)
    yield opened
    opened.close()


@given(st.integers(0, 10_000))
def test_what_is_packed_is_unpacked(seed: int) -> None:
    made = canaries(str(seed))
    for _ in range(3):
        migration, canary = next(made)
        assert unpack_migration(DOMAIN, pack_migration(DOMAIN, migration)) == migration
        if canary is not None:
            assert unpack_canary(DOMAIN, pack_canary(DOMAIN, canary)) == canary


@given(st.integers(0, 10_000), st.binary(min_size=32, max_size=32))
def test_a_drawn_canary_is_unpacked_as_it_was(seed: int, word: bytes) -> None:
    opened = some_canary(str(seed))
    secrets = (opened.result_digest, opened.seal_salt)
    drawn = DrawnCanary(opened.migration, Digest(word), Digest(word[::-1]), *secrets)
    assert unpack_canary(DOMAIN, pack_canary(DOMAIN, drawn)) == drawn


def test_it_is_in_the_file_when_append_returns(outbox: Outbox, path: Path) -> None:
    (migration,) = some_migrations(1)
    assert outbox.append_migration(migration)
    other = sqlite3.connect(path)
    assert other.execute("SELECT kind, key, state FROM items").fetchall() == [
        ("migration", id_of(migration), "pending")
    ]
    assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()
    assert outbox._db.conn.execute("PRAGMA synchronous").fetchone() == (2,)


def test_it_is_there_after_a_restart(path: Path, clock: FrozenClock) -> None:
    migrations, canary = some_migrations(5), some_canary()
    first = Outbox.open(path, DOMAIN, clock)
    for migration in migrations:
        first.append_migration(migration)
    first.append_canary(canary)
    first.mark_sent(MIGRATION, [id_of(migrations[0])], TX)
    first.close()
    again = Outbox.open(path, DOMAIN, clock)
    pending = again.pending(MIGRATION)
    assert [again.migration(item.key) for item in pending] == migrations
    assert [(item.tx, item.sent_at) for item in pending[:2]] == [(TX, NOW), (None, 0)]
    (item,) = again.pending(CANARY)
    assert (item.key, again.canary(item.key)) == (kudos_id(DOMAIN, canary), canary)
    again.close()


def test_the_same_again_is_nothing_new_and_another_ending_is_refused(outbox: Outbox) -> None:
    migration = next(m for m in some_migrations(20) if isinstance(m, RejectedMigration))
    assert outbox.append_migration(migration) is True
    assert outbox.append_migration(migration) is False
    other = replace(migration, home_signature=Signature(bytes(64)))
    with pytest.raises(PeerError, match="another ending"):
        outbox.append_migration(other)
    assert outbox.counts() == (1, 0)


def test_assets_that_do_not_fit_together_are_not_queued(outbox: Outbox) -> None:
    finished = next(m for m in some_migrations(20) if isinstance(m, ConfirmedMigration))
    wrong = [
        replace(finished, result=replace(finished.result, request_id=Digest(bytes(32)))),
        replace(finished, accepted=replace(finished.accepted, request_id=Digest(bytes(32)))),
        replace(finished, confirmed=replace(finished.confirmed, acceptance_id=Digest(bytes(32)))),
        replace(finished, result=replace(finished.result, signed_at=1)),
        replace(finished, request=replace(finished.request, seq=1 << 32)),
    ]
    for migration in wrong:
        with pytest.raises(PeerError):
            outbox.append_migration(migration)
    canary = some_canary()
    stranger = replace(canary, opened=replace(canary.opened, request_id=Digest(bytes(32))))
    with pytest.raises(PeerError, match="opening"):
        outbox.append_canary(stranger)
    assert outbox.counts() == (0, 0)


def test_the_dead_are_kept_with_their_reason(outbox: Outbox) -> None:
    first, second = some_migrations(2)
    outbox.append_migration(first)
    outbox.append_migration(second)
    outbox.bury(MIGRATION, id_of(first), Reason.EXPIRED)
    assert [item.key for item in outbox.pending(MIGRATION)] == [id_of(second)]
    (dead,) = outbox.dead()
    assert (dead.key, dead.reason, dead.died_at) == (id_of(first), Reason.EXPIRED, NOW)
    assert outbox.counts() == (1, 1)
    assert outbox.append_migration(first) is False, "it stays dead"
    assert outbox.prune_final(Final({id_of(first)})) == 0


def test_only_what_is_final_is_removed(outbox: Outbox) -> None:
    first, second = some_migrations(2)
    canary = some_canary("another")
    outbox.append_migration(first)
    outbox.append_migration(second)
    outbox.append_canary(canary)
    assert outbox.prune_final(Final({id_of(second), kudos_id(DOMAIN, canary)})) == 2
    assert [item.key for item in outbox.pending(MIGRATION)] == [id_of(first)]
    assert outbox.pending(CANARY) == []
    with pytest.raises(KeyError):
        outbox.migration(id_of(second))


def test_marks_come_and_go(outbox: Outbox, clock: FrozenClock) -> None:
    (migration,) = some_migrations(1)
    outbox.append_migration(migration)
    key = id_of(migration)
    clock.time += 5
    outbox.mark_sent(MIGRATION, [key], TX)
    outbox.mark_skipped(MIGRATION, key, Reason.SEQUENCE_USED, 17)
    (item,) = outbox.pending(MIGRATION)
    assert (item.tx, item.sent_at) == (TX, NOW + 5)
    assert (item.skip_reason, item.skip_block) == (Reason.SEQUENCE_USED, 17)
    outbox.unmark(MIGRATION, [key])
    (item,) = outbox.pending(MIGRATION)
    assert (item.tx, item.sent_at, item.skip_reason) == (None, 0, None)


def test_another_ledger_s_queue_is_refused(outbox: Outbox, path: Path, clock: FrozenClock) -> None:
    with pytest.raises(CorruptData, match="on chain 31337"):
        Outbox.open(path, Domain(1, DOMAIN.contract), clock)


def test_a_damaged_or_newer_file_is_refused(tmp_path: Path, clock: FrozenClock) -> None:
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(b"no database at all, but long enough to be read as one" * 40)
    with pytest.raises(CorruptData, match="cannot be read"):
        Outbox.open(damaged, DOMAIN, clock)
    newer = tmp_path / "newer.db"
    made = sqlite3.connect(newer)
    made.execute("PRAGMA user_version = 99")
    made.close()
    with pytest.raises(CorruptData, match="version 99"):
        Outbox.open(newer, DOMAIN, clock)
