"""What the validators decide about the ledger: sets, proposals, rounds, the beacon, draws, puzzles;
as the queries and the API tell it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from eth_hash.auto import keccak

from ledger import schema
from ledger.desk.queries import rule, seats
from ledger.desk.queries.common import BadQuery
from ledger.docket import seated_after
from ledger.reader import Reader
from ledger.types import Address, hex_of
from tests.unit.api_site import ApiSite

ZERO = bytes(20)
A, B, C = (Address(bytes([number]) * 20) for number in (0xA1, 0xB2, 0xC3))
VALUE = bytes([7]) * 32


class Record:
    """Rows as the projection would leave them, put into a copy by hand."""

    def __init__(self, site: ApiSite) -> None:
        self.site = site
        self._log = 1000

    def add(self, table: str, *values: object, block: int = 2) -> None:
        self._log += 1
        row = (*values, block, self._log)
        marks = ", ".join("?" * len(row))
        columns = ", ".join(schema.ROWS[table])
        with closing(sqlite3.connect(self.site.path)) as conn, conn:
            conn.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", row)


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    site = ApiSite(tmp_path / "index.db", blocks=3)
    yield Record(site)
    site.client.close()


def proposal(record: Record, number: int, version: int = 1, kind: str = "set") -> None:
    words = (bytes(32), A, kind, version, b"".join((A, C)).ljust(320, b"\0"), 2, bytes(32), ZERO)
    record.add("proposals", number, *words)


def test_a_proposal_stands_as_the_chain_last_said(record: Record) -> None:
    for number in (*range(1, 6), 7):
        proposal(record, number)
    ready = record.site.chain.blocks[-1].header.timestamp + 777
    proposal(record, 6, version=9)
    record.add("proposal_votes", 1, A, schema.APPROVE)
    record.add("proposal_votes", 1, B, schema.APPROVE)
    record.add("proposal_votes", 2, B, schema.REFUSE)
    record.add("proposal_steps", 1, "approved", ready)
    record.add("proposal_steps", 2, "withdrawn", None)
    record.add("proposal_steps", 3, "approved", ready + 1)
    record.add("proposal_steps", 3, "executed", None)
    record.add("proposal_steps", 7, "approved", ready - 778 - rule.PROPOSAL_WINDOW)
    with Reader.open(record.site.path) as reader:
        found = {each.number: each for each in rule.proposals(reader)}
    assert [found[n].status for n in range(1, 8)] == [
        *("approved", "withdrawn", "executed", "open", "open", "stale", "lapsed")
    ]
    assert (found[1].ready_at, found[1].approvals, found[1].withdrawals) == (ready, (A, B), ())
    assert (found[2].approvals, found[2].withdrawals) == ((), (B,))
    assert found[3].ready_at == ready + 1
    listed = record.site.pages("/proposals", limit=2)
    assert [row["number"] for row in listed] == [7, 6, 5, 4, 3, 2, 1]
    assert listed[-1]["approvals"] == [hex_of(A), hex_of(B)] and listed[-1]["kind"] == "set"


def test_a_set_says_who_came_and_who_left(record: Record) -> None:
    packed = b"".join((A, ZERO, C)).ljust(320, b"\0")
    record.add("validator_sets", 2, packed, 2, block=2)
    record.add("validator_sets", 3, b"".join((A, B, C)).ljust(320, b"\0"), 2, block=3)
    first, second, third = record.site.get("/validators/sets")
    assert (first["version"], second["version"], third["version"]) == (1, 2, 3)
    before = [each for each in first["seats"] if each != hex_of(ZERO)]
    assert set(second["came"]) == {hex_of(A), hex_of(C)} and second["left"] == before
    assert (third["came"], third["left"], third["threshold"]) == ([hex_of(B)], [], 2)
    with Reader.open(record.site.path) as reader:
        since = seats.seated_since(reader.connection)
        terms = seats.tenures(reader.connection)
    assert since == {A: 2, C: 2, B: 3}
    assert terms[A] == [(2, None)] and terms[Address(bytes.fromhex(before[0][2:]))] == [(0, 2)]


def test_whoever_came_is_asked_from_the_next_second_on(record: Record) -> None:
    """The contract tells earlier from later by the second, which several blocks may share."""
    record.add("validator_sets", 2, b"".join((A, B, C)).ljust(320, b"\0"), 2, block=1)
    with closing(sqlite3.connect(record.site.path)) as conn, conn:
        (time,) = conn.execute("SELECT timestamp FROM blocks WHERE number = 1").fetchone()
        conn.execute("UPDATE blocks SET timestamp = ? WHERE number = 2", (time,))
    with Reader.open(record.site.path) as reader:
        assert seats.seated_since(reader.connection) == {A: 2, B: 2, C: 2}
        assert seats.tenures(reader.connection)[A] == [(2, None)]
        assert seated_after(reader.connection, A) == 2


def test_silence_shows_in_rounds_and_periods(record: Record) -> None:
    for number in (5, 6):
        for who in (A, B, C):
            record.add("beacon_commitments", who_period(number), who, bytes(32))
            record.add("vote_commitments", who, number, bytes(32))
    record.add("vote_reveals", A, 6)
    record.add("beacon_reveals", who_period(6), A, bytes(32))
    record.add("beacon_reveals", who_period(6), B, bytes(32))
    record.add("beacon_steps", who_period(6), "named", 12, None)
    record.add("beacon_steps", who_period(6), "known", 2, VALUE)
    record.add("beacon_steps", who_period(5), "none", 0, None)
    own = [row for row in record.site.pages("/rounds", limit=1) if hex_of(A) in row["committed"]]
    assert [row["number"] for row in own] == [6, 5]
    assert own[0]["silent"] == [hex_of(B), hex_of(C)]
    assert own[1]["silent"] == [hex_of(who) for who in (A, B, C)]
    record.add("beacon_steps", who_period(4), "none", 0, None)
    known, none, nobody = record.site.pages("/beacon", limit=1)
    assert (nobody["number"], nobody["committed"], nobody["status"]) == (104, [], "none")
    assert (known["status"], known["value"]) == ("known", hex_of(VALUE))
    assert known["committed"] == [hex_of(who) for who in (A, B, C)]
    assert known["silent"] == [hex_of(C)]
    assert (none["status"], none["value"]) == ("none", None)


def who_period(number: int) -> int:
    return 100 + number


def test_a_draw_is_recomputed(record: Record) -> None:
    site = record.site
    settled = next(m for m in site.pages("/migrations") if m["accepted"])
    request, host = (bytes.fromhex(settled[name][2:]) for name in ("request_id", "host"))
    result = next(
        step for step in site.get(f"/migrations/{settled['request_id']}")["steps"]
        if step["asset"] == "RESULT"
    )  # fmt: skip
    words = (bytes.fromhex(settled["home"][2:]), bytes.fromhex(result["id"][2:]))
    claim, again = bytes([9]) * 32, bytes([10]) * 32
    parties = (3, host, words[0], words[1], request, "drawn", None, None, bytes(32), bytes(32), 0)
    record.add("draws", request, *words, bytes(32), bytes([1]) * 32, block=settled["block"])
    with closing(sqlite3.connect(site.path)) as conn:
        place = "SELECT block, log_index FROM migrations WHERE request_id = ?"
        at = conn.execute(place, (request,)).fetchone()
        for kudos_id, repeats in ((claim, None), (again, claim)):
            values = (kudos_id, repeats, int(repeats is not None), *parties, *at)
            marks, columns = ", ".join("?" * len(values)), ", ".join(schema.ROWS["kudos"])
            conn.execute(f"INSERT INTO kudos ({columns}) VALUES ({marks})", values)
            conn.execute("UPDATE kudos SET process_name = zeroblob(32) WHERE origin = 'drawn'")
        conn.execute("UPDATE draws SET log_index = ? WHERE request_id = ?", (at[1], request))
        conn.commit()
    (unknown,) = site.pages("/draws")
    assert (unknown["beacon"], unknown["number"], unknown["state"]) == (None, None, "waiting")
    assert unknown["kudos_id"] == hex_of(again)
    period = settled["timestamp"] // site.chain.deployment.period_seconds
    record.add("beacon_steps", period, "known", 2, VALUE)
    site.grow(1, 1)
    (known,) = site.pages("/draws")
    assert known["number"] == hex_of(keccak(VALUE + request)) and known["period"] == period
    rate = site.chain.deployment.draw_rate
    assert known["threshold"] == hex_of(rate.to_bytes(2, "big").ljust(32, b"\0"))
    assert site.pages("/draws", name="no such process") == []
    page = site.client.get(f"/migrations/{settled['request_id']}").text
    assert known["number"][2:] in page and known["beacon"][2:] in page


def test_the_last_puzzle_before_a_solution_is_the_solved_one(record: Record) -> None:
    record.add("puzzles", A, 0, 20, 1)
    record.add("puzzles", A, 1, 21, 2)
    solved = (bytes(32), None, 0, 3, A, ZERO, bytes(32), bytes(32), "open", None, None)
    record.add("kudos", *solved, bytes(32), bytes(32), 0)
    record.add("puzzles", A, 2, 22, 3)
    found = record.site.get(f"/nodes/{hex_of(A)}/puzzles")
    assert [(row["counter"], row["difficulty"], row["solved"]) for row in found] == [
        *((2, 22, False), (1, 21, True), (0, 20, False))
    ]


def test_a_closed_ledger_and_one_that_goes_on_say_so(record: Record) -> None:
    life: dict[str, Any] = record.site.get("/stats")["life"]
    assert life == {"closed_at": None, "final_at": None, "carried_nodes": 0}
    record.add("carried", A, 0, 0, 0)
    record.add("carried", A, 1, 0, 0)
    record.add("carried", B, 0, 0, 0)
    record.add("life", "closed", 99_000, None)
    record.site.grow(1, 1)
    life = record.site.get("/stats")["life"]
    assert (life["final_at"], life["carried_nodes"]) == (99_000, 2) and life["closed_at"]
    assert "closed" in record.site.client.get("/").text


def test_another_cursor_is_none_of_these(record: Record) -> None:
    record.site.get("/proposals", 422, cursor="abc")
    with Reader.open(record.site.path) as reader, pytest.raises(BadQuery):
        rule.puzzles(reader, A, 0)
