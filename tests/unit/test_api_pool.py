"""Readers that are kept open: reused, replaced with the file, never shared, closed at the end."""

from __future__ import annotations

import gc
import sqlite3
import threading
from pathlib import Path

import pytest

from ledger.desk.pool import KEPT, KEPT_SECONDS, ReaderPool
from ledger.errors import SetupError
from ledger.reader import Reader
from tests.unit.api_site import ApiSite


@pytest.fixture
def site(tmp_path: Path) -> ApiSite:
    return ApiSite(tmp_path / "index.db", blocks=2)


@pytest.fixture
def pool(site: ApiSite) -> ReaderPool:
    return ReaderPool(site.path, site.chain.deployment, site.clock)


def one(pool: ReaderPool) -> Reader:
    with pool.reader() as reader:
        return reader


def test_a_reader_is_used_again_even_by_another_thread(pool: ReaderPool) -> None:
    first, heights = one(pool), []

    def ask() -> None:
        with pool.reader() as reader, reader.snapshot():
            assert reader is first
            head = reader.head()
            heights.append(head.number if head else None)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(10)
    assert heights == [2]


def test_it_sees_what_came_since(site: ApiSite, pool: ReaderPool) -> None:
    first = one(pool)
    site.grow(1, 3)
    with pool.reader() as reader, reader.snapshot():
        head = reader.head()
        assert reader is first and head is not None and head.number == 3


def test_two_at_once_are_two(pool: ReaderPool) -> None:
    with pool.reader() as first, pool.reader() as second:
        assert first is not second


def test_a_replaced_file_and_an_old_reader_are_opened_anew(
    site: ApiSite, pool: ReaderPool, tmp_path: Path
) -> None:
    first = one(pool)
    site.path.rename(tmp_path / "old.db")
    with pytest.raises(SetupError), pool.reader():
        pass
    (tmp_path / "new.db").write_bytes((tmp_path / "old.db").read_bytes())
    (tmp_path / "new.db").rename(site.path)
    second = one(pool)
    assert second is not first
    site.clock.time += KEPT_SECONDS
    assert one(pool) is not second
    with pytest.raises(sqlite3.ProgrammingError):
        first.head()


def test_what_is_left_in_the_middle_of_something_is_not_kept(pool: ReaderPool) -> None:
    first = one(pool)
    with pytest.raises(RuntimeError), pool.reader() as reader:
        reader.connection.execute("BEGIN")
        raise RuntimeError
    assert one(pool) is not first


def is_open(reader: Reader) -> bool:
    try:
        reader.head()
    except sqlite3.ProgrammingError:
        return False
    return True


def test_only_so_many_are_kept_and_all_are_closed_at_the_end(site: ApiSite) -> None:
    pool = ReaderPool(site.path, site.chain.deployment, site.clock)
    held = [pool.reader() for _ in range(KEPT + 3)]
    readers = [each.__enter__() for each in held]
    for each in held:
        each.__exit__(None, None, None)
    assert sum(map(is_open, readers)) == KEPT
    del pool, held, each
    gc.collect()
    assert not any(map(is_open, readers))
