"""The stream of events: every log once and in order, resumable, across reorganisations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.client.errors import Unreachable
from ledger.client.stream import Event as Received
from ledger.client.stream import read_events as receive
from ledger.desk.events import (
    BEGINNING,
    HEAD,
    REORGANISATION,
    WHOLE_BLOCK,
    Event,
    Listeners,
    Position,
    read_events,
)
from ledger.desk.problems import Problem
from ledger.reader import Reader
from tests.unit.api_site import API, ApiSite


def read_all(site: ApiSite, seen: Position | None, limit: int = 200) -> tuple[list[Event], str]:
    """Everything that a listener gets until it has caught up, and where it stands then."""
    found: list[Event] = []
    with Reader.open(site.path) as reader:
        for _ in range(1_000):
            events, seen = read_events(reader, seen, site.clock.time, limit)
            found += events
            if not events or events[-1].name == HEAD:
                return found, str(seen)
    raise AssertionError("the stream does not catch up")


def logs_of(site: ApiSite) -> list[tuple[int, int]]:
    return [
        (block.header.number, log.log_index) for block in site.chain.blocks for log in block.logs
    ]


def places(events: Sequence[Event]) -> list[tuple[int, int]]:
    return [
        (event.data["block"], event.data["log_index"]) for event in events if event.name != HEAD
    ]


def test_every_log_comes_once_and_in_order(tmp_path: Path) -> None:
    site = ApiSite(tmp_path / "index.db")
    for limit in (1, 7, 200):
        events, _ = read_all(site, BEGINNING, limit)
        assert places(events) == logs_of(site) and len(logs_of(site)) > 30
        assert [event.name for event in events].count(HEAD) == 1 == (events[-1].name == HEAD)
    names = {event.name for event in events}
    assert {
        "BatchSettled",
        "BatchVoted",
        "CanariesClaimed",
        "VotesCommitted",
        "ClaimVoted",
    } <= names
    settled = next(event for event in events if event.name == "BatchSettled")
    assert settled.data["records"] > 0 and "batch" not in settled.data


def test_it_resumes_behind_any_event(tmp_path: Path) -> None:
    site = ApiSite(tmp_path / "index.db", blocks=3)
    events, _ = read_all(site, BEGINNING)
    for number, event in enumerate(events):
        resumed, _ = read_all(site, Position.parse(str(event.position)))
        assert places(resumed) == places(events[number + 1 :])
    site.grow(2, 5)
    later, _ = read_all(site, events[-1].position)
    assert places(events) + places(later) == logs_of(site)


def test_from_now_on_means_nothing_old(tmp_path: Path) -> None:
    site = ApiSite(tmp_path / "index.db", blocks=3)
    events, here = read_all(site, None)
    assert [event.name for event in events] == [HEAD]
    before = len(logs_of(site))
    site.grow(1, 5)
    later, _ = read_all(site, Position.parse(here))
    assert places(later) == logs_of(site)[before:]


def test_a_reorganisation_is_told_and_what_replaced_it_follows(tmp_path: Path) -> None:
    site = ApiSite(tmp_path / "index.db", blocks=6)
    events, here = read_all(site, BEGINNING)
    survivor = next(e for e in reversed(events) if e.name != HEAD and e.data["block"] == 3)
    site.chain.fork(depth=2, blocks=3, migrations=6)
    site.index()
    fresh, _ = read_all(site, Position.parse(here))
    assert fresh[0].name == REORGANISATION
    assert fresh[0].data["last_event_id"] == here and fresh[0].position is None
    final = fresh[0].data["resumed_after_block"]
    assert places(fresh[1:]) == [place for place in logs_of(site) if place[0] > final]
    kept, _ = read_all(site, survivor.position)
    assert REORGANISATION not in {event.name for event in kept}
    assert places(kept) == [place for place in logs_of(site) if place[0] > 3]


def test_a_copy_that_is_rebuilt_is_waited_for(tmp_path: Path) -> None:
    site = ApiSite(tmp_path / "index.db", blocks=2)
    ahead = Position(50, WHOLE_BLOCK, "ab" * 8)
    events, here = read_all(site, ahead)
    assert events == [] and here == str(ahead)


@given(
    st.integers(0, 10**15 - 1),
    st.one_of(st.just(WHOLE_BLOCK), st.integers(0, 10**9 - 1)),
    st.binary(min_size=8, max_size=8),
)
def test_positions_survive_the_wire(block: int, log: int, prefix: bytes) -> None:
    position = Position(block, log, prefix.hex())
    assert Position.parse(str(position)) == position


@given(st.text(max_size=40))
def test_what_is_no_id_is_none(text: str) -> None:
    parsed = Position.parse(text)
    assert parsed is None or Position.parse(str(parsed)) == parsed


def test_the_route_sends_what_was_asked_for_and_ends(tmp_path: Path) -> None:
    site = ApiSite(tmp_path / "index.db", blocks=4)
    answer = site.client.get(f"{API}/events", params={"after": "start", "follow": "false"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = list(receive(answer.text.splitlines()))
    assert [(e.data["block"], e.data["log_index"]) for e in events[:-1]] == logs_of(site)
    assert events[-1].name == HEAD and events[-1].data["number"] == 4
    voted = site.client.get(
        f"{API}/events?follow=false&events=BatchVoted&events=head",
        headers={"Last-Event-ID": str(BEGINNING).replace("-1", "0")},
    )
    assert {e.name for e in receive(voted.text.splitlines())} == {"BatchVoted", HEAD}


def test_listeners_have_a_bound(tmp_path: Path) -> None:
    listeners = Listeners(most=2)
    listeners.enter()
    listeners.enter()
    with pytest.raises(Problem) as refused:
        listeners.enter()
    assert refused.value.status_code == 503 and listeners.open == 2
    site = ApiSite(tmp_path / "index.db", blocks=2)
    site.app.state.listeners.most = 0
    answer = site.client.get(f"{API}/events?follow=false")
    assert answer.status_code == 503 and answer.headers["retry-after"]
    site.app.state.listeners.most = 1
    for _ in range(3):  # each gives its place back
        assert site.client.get(f"{API}/events?follow=false").status_code == 200


def test_a_stream_without_a_copy_says_so(tmp_path: Path) -> None:
    site = ApiSite(tmp_path / "index.db", blocks=2)
    site.path.unlink()
    events = list(receive(site.client.get(f"{API}/events?follow=false").text.splitlines()))
    assert [event.name for event in events] == ["unavailable"] and events[0].data["hint"]


# -- the other end of the wire ---------------------------------------------------------------------


def test_events_are_read_as_the_standard_says() -> None:
    text = (
        ': a comment\nretry: 5\n\nevent: a\ndata: {"x":\ndata:  1}\nid: 7\n\n'
        'data: {}\n\nid: 8\n\nevent: gone\n\nevent:b\ndata:{}\n\ndata: {"cut"'
    )
    assert list(receive(text.split("\n"), "6")) == [
        Received("a", "7", {"x": 1}),
        Received("message", "7", {}),
        Received("b", "8", {}),
    ]


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.integers())))
def test_what_is_sent_is_what_arrives(data: dict[str, str | int]) -> None:
    sent = Event("thing", data, Position(1, 2, "ab" * 8)).encode().decode()
    lines = sent.split("\n")
    assert list(receive(lines)) == [Received("thing", f"1.2.{'ab' * 8}", data)]


def test_another_stream_is_refused() -> None:
    with pytest.raises(Unreachable):
        list(receive(["data: hello", ""]))
