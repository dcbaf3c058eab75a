"""The store gives back what it was given, or says that it cannot."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ledger.errors import CorruptData
from node.store import ContentStore, MissingContent, sha256


class ManualClock:
    def __init__(self) -> None:
        self.time = 1_000_000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> ContentStore:
    return ContentStore(tmp_path / "store", max_bytes=1000, clock=clock)


def test_what_goes_in_comes_out(store: ContentStore) -> None:
    digest = store.put(b"content")
    assert digest == sha256(b"content")
    assert store.has(digest)
    assert store.get(digest) == b"content"
    assert store.put(b"content") == digest


def test_what_is_missing_is_said_to_be(store: ContentStore) -> None:
    assert not store.has(sha256(b"never"))
    with pytest.raises(MissingContent, match="not in the store"):
        store.get(sha256(b"never"))


def test_a_flipped_bit_is_found_and_the_object_can_be_put_again(store: ContentStore) -> None:
    digest = store.put(b"content")
    path = store.path_of(digest)
    path.chmod(0o644)
    path.write_bytes(b"c0ntent")
    with pytest.raises(CorruptData, match="does not match"):
        store.get(digest)
    assert not store.has(digest)
    store.put(b"content")
    assert store.get(digest) == b"content"


def test_a_copy_is_not_the_object_itself(store: ContentStore, tmp_path: Path) -> None:
    digest = store.put(b"content")
    copy = tmp_path / "copy"
    store.link_into(digest, copy, 0o755)
    assert copy.stat().st_mode & 0o777 == 0o755
    assert not os.path.samefile(copy, store.path_of(digest))
    copy.write_bytes(b"changed")
    assert store.get(digest) == b"content"


def test_the_least_recently_used_go_first(store: ContentStore, clock: ManualClock) -> None:
    digests = []
    for number in range(9):
        digests.append(store.put(bytes([number]) * 100))
        clock.time += 100
    store.get(digests[0])
    clock.time += 100
    store.put(b"x" * 300)
    assert store.has(digests[0])
    assert not store.has(digests[1])
    assert store.has(digests[8])


def test_pinned_objects_stay_until_their_time(store: ContentStore, clock: ManualClock) -> None:
    digest = store.put(b"p" * 600)
    store.pin(digest, clock.time + 5000)
    store.pin(digest, clock.time + 10)  # a pin is only ever extended
    clock.time += 1000
    store.put(b"q" * 600)
    assert store.has(digest)
    clock.time += 5000
    store.put(b"r" * 600)
    assert not store.has(digest)


def test_what_was_just_used_is_not_pruned(store: ContentStore) -> None:
    digests = [store.put(bytes([number]) * 400) for number in range(5)]
    assert all(store.has(digest) for digest in digests)


def test_pruning_reports_what_it_removed(store: ContentStore, clock: ManualClock) -> None:
    for number in range(3):
        store.put(bytes([number]) * 300)
    assert store.prune() == 0
    store.put(b"x" * 300)  # within the minute of grace: nothing can go yet
    clock.time += 100
    assert store.prune() == 300


def test_two_stores_share_a_directory(tmp_path: Path, clock: ManualClock) -> None:
    one = ContentStore(tmp_path, clock=clock)
    two = ContentStore(tmp_path, clock=clock)
    digest = one.put(b"shared")
    assert two.get(digest) == b"shared"
    two.pin(digest, clock.time + 1000)
    clock.time += 500
    small = ContentStore(tmp_path, max_bytes=1, clock=clock)
    assert small.prune() == 0
    assert one.has(digest)


def test_nothing_half_written_is_left(tmp_path: Path, clock: ManualClock) -> None:
    store = ContentStore(tmp_path, clock=clock, durable=True)
    (tmp_path / "objects" / sha256(b"x").hex()[:2]).write_bytes(b"in the way")
    with pytest.raises(OSError):
        store.put(b"x")
    assert not list((tmp_path / "tmp").iterdir())


def test_old_half_written_objects_are_swept(store: ContentStore, tmp_path: Path) -> None:
    left = tmp_path / "store" / "tmp" / "left"
    left.write_bytes(b"half")
    os.utime(left, (1, 1))
    store.prune()
    assert not left.exists()


def test_a_digest_has_a_length(store: ContentStore) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        store.path_of(b"../../etc")
