"""What a daemon asks its copy: void tasks, and a host's results of a period."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from ledger import schema
from ledger.docket import is_void, results_without_canary
from ledger.types import Address, Digest
from tests.unit.desk_ledger import make


@pytest.fixture(scope="module")
def conn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    path = tmp_path_factory.mktemp("docket") / "index.db"
    make(path)
    with closing(sqlite3.connect(path)) as opened:
        yield opened


def test_a_task_is_void_once_a_canary_with_it_was(conn: sqlite3.Connection) -> None:
    states: dict[bytes, set[int]] = {}
    for table in ("openings", "draws"):
        for task, state in conn.execute(
            f"SELECT s.task_digest, k.state FROM {table} s"
            " JOIN kudos k ON k.request_id = s.request_id AND k.level = 3"
        ):
            states.setdefault(task, set()).add(state)
    void = {task for task, found in states.items() if schema.VOID in found}
    assert void and void != set(states)
    assert {task for task in states if is_void(conn, Digest(task))} == void


def test_a_hosts_results_without_a_canary_in_a_span_of_time(conn: sqlite3.Connection) -> None:
    rows = conn.execute(
        "SELECT m.request_id, m.host, b.timestamp FROM migrations m JOIN blocks b"
        " ON b.number = m.block WHERE m.rejection IS NULL AND NOT EXISTS (SELECT 1 FROM kudos k"
        " WHERE k.request_id = m.request_id AND k.level = 3)"
    ).fetchall()
    times = sorted({when for _, _, when in rows})
    since, until = times[len(times) // 4], times[3 * len(times) // 4]
    host = Address(rows[0][1])
    expected = {row[0] for row in rows if row[1] == host and since <= row[2] < until}
    found = results_without_canary(conn, host, since, until)
    assert 0 < len(expected) < sum(row[1] == host for row in rows)
    assert {each.request_id for each in found} == expected
    assert len(found) == len(expected)
    assert results_without_canary(conn, host, times[-1] + 1, times[-1] + 2) == []
