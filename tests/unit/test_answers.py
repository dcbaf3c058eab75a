"""Answers that are kept: how long, for whom, how many, and that one is made once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from ledger.desk import answers
from ledger.desk.answers import Answers
from ledger.desk.once import MOST
from ledger.reader import Reader
from ledger.rows import IndexHead
from ledger.types import BlockHash, BlockNumber, UnixSeconds
from tests.unit.api_site import API, ApiSite

TAGGED = ((b"content-type", b"application/json"), (b"etag", b'W/"x"'))
PAGE = ((b"content-type", b"text/html; charset=utf-8"),)
PLAIN = ((b"content-type", b"application/json"),)


def head_at(number: int, final: int = 0) -> IndexHead:
    at = BlockNumber(number)
    return IndexHead(
        at,
        BlockHash(bytes([number]) * 32),
        UnixSeconds(0),
        UnixSeconds(0),
        at,
        BlockNumber(final),
    )


class Bench:
    """Kept answers over an application that numbers what it makes."""

    def __init__(self, room: int = answers.ROOM) -> None:
        self.head: IndexHead | None = head_at(1)
        self.time, self.made = 0.0, 0
        self.headers: tuple[tuple[bytes, bytes], ...] = TAGGED
        self.status, self.size = 200, 1
        self.gate = asyncio.Event()
        self.gate.set()
        self.answers = Answers(
            self.app, head=lambda: self.head, monotonic=lambda: self.time, room=room
        )

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.made += 1
        body = str(self.made).encode().rjust(self.size)
        scope["route"] = "route"
        await self.gate.wait()
        start = {"type": "http.response.start", "status": self.status}
        await send({**start, "headers": list(self.headers)})
        await send({"type": "http.response.body", "body": body[:1], "more_body": True})
        await send({"type": "http.response.body", "body": body[1:]})

    async def ask(self, path: str = "/a", query: str = "", **headers: str) -> tuple[int, str]:
        """(status, body)."""
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            return {"type": "http.request"}

        scope: dict[str, Any] = {"type": "http", "method": "GET", "path": path}
        scope |= {"query_string": query.encode(), "headers": raw(headers)}
        await self.answers(scope, receive, send)
        return sent[0]["status"], b"".join(m.get("body", b"") for m in sent[1:]).decode().strip()


def raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]


def test_an_answer_holds_until_the_copy_moves() -> None:
    async def run() -> None:
        bench = Bench()
        assert [await bench.ask(), await bench.ask()] == [(200, "1")] * 2
        bench.time = 1e6
        assert await bench.ask() == (200, "1")
        bench.head = head_at(2)
        assert await bench.ask() == (200, "2")
        bench.head = head_at(2, final=1)
        assert await bench.ask() == (200, "3")
        bench.head = head_at(1)  # a reorganisation that was taken back
        assert await bench.ask() == (200, "4")

    asyncio.run(run())


def test_another_question_or_encoding_has_another_answer() -> None:
    async def run() -> None:
        bench = Bench()
        await bench.ask()
        assert await bench.ask(query="limit=1") == (200, "2")
        assert await bench.ask("/b") == (200, "3")
        assert await bench.ask(accept_encoding="gzip, br") == (200, "4")
        assert await bench.ask(accept_encoding="br") == (200, "1")
        assert bench.made == 4

    asyncio.run(run())


def test_a_page_is_kept_for_a_second() -> None:
    async def run() -> None:
        bench = Bench()
        bench.headers = PAGE
        await bench.ask()
        bench.time = 0.9
        assert await bench.ask() == (200, "1")
        bench.time = 1.0
        assert await bench.ask() == (200, "2")

    asyncio.run(run())


@pytest.mark.parametrize(
    ("status", "headers", "path", "size"),
    [
        (200, PLAIN, "/api/v1/ready", 1),
        (404, TAGGED, "/a", 1),
        (503, PAGE, "/a", 1),
        (200, TAGGED, "/export/assets.csv", 1),
        (200, TAGGED, "/api/v1/events", 1),
        (200, TAGGED, "/a", answers.LARGEST + 1),
    ],
)
def test_what_is_not_kept(status: int, headers: Any, path: str, size: int) -> None:
    async def run() -> None:
        bench = Bench()
        bench.status, bench.headers, bench.size = status, headers, size
        assert await bench.ask(path) == (status, "1")
        assert await bench.ask(path) == (status, "2")

    asyncio.run(run())


def test_without_a_copy_nothing_is_kept() -> None:
    async def run() -> None:
        bench = Bench()
        bench.head = None
        await bench.ask()
        assert await bench.ask() == (200, "2")

    asyncio.run(run())


def test_what_was_read_while_the_copy_moved_is_not_kept() -> None:
    async def run() -> None:
        bench = Bench()
        bench.gate.clear()
        asked = asyncio.create_task(bench.ask())
        await asyncio.sleep(0)
        bench.head = head_at(2)
        bench.gate.set()
        assert await asked == (200, "1")
        assert await bench.ask() == (200, "2")
        bench.head = head_at(1)
        assert await bench.ask() == (200, "3")

    asyncio.run(run())


def test_many_who_ask_the_same_at_once_wait_for_one() -> None:
    async def run() -> None:
        bench = Bench()
        bench.gate.clear()
        asked = [asyncio.create_task(bench.ask()) for _ in range(20)]
        await asyncio.sleep(0.01)
        bench.gate.set()
        assert await asyncio.gather(*asked) == [(200, "1")] * 20
        assert bench.made == 1

    asyncio.run(run())


def test_nobody_waits_for_what_is_not_kept() -> None:
    async def run() -> None:
        bench = Bench()
        bench.headers = PLAIN
        bench.gate.clear()
        asked = [asyncio.create_task(bench.ask()) for _ in range(3)]
        await asyncio.sleep(0.01)
        bench.gate.set()
        async with asyncio.timeout(5):
            assert {body for _, body in await asyncio.gather(*asked)} == {"1", "2", "3"}

    asyncio.run(run())


def test_one_that_fails_lets_the_others_ask_themselves() -> None:
    async def run() -> None:
        bench = Bench()
        bench.gate.clear()
        leader = asyncio.create_task(bench.ask())
        await asyncio.sleep(0)
        other = asyncio.create_task(bench.ask())
        await asyncio.sleep(0)
        leader.cancel()
        await asyncio.sleep(0)
        bench.gate.set()
        async with asyncio.timeout(5):
            assert await other == (200, "2")
        assert not bench.answers._flights

    asyncio.run(run())


def test_who_has_the_answer_is_told_so() -> None:
    async def run() -> None:
        bench = Bench()
        await bench.ask()
        assert await bench.ask(if_none_match='W/"y", W/"x"') == (304, "")
        assert await bench.ask(if_none_match='W/"y"') == (200, "1")
        assert bench.made == 1

    asyncio.run(run())


def test_the_room_is_bounded_and_the_least_asked_for_goes() -> None:
    async def run() -> None:
        bench = Bench(room=30)
        bench.size = 10
        for path in ("/a", "/b", "/c", "/a", "/d"):
            await bench.ask(path)
        assert bench.made == 4 and bench.answers._size == 30
        assert await bench.ask("/a") == (200, "1")
        assert await bench.ask("/b") == (200, "5")

    asyncio.run(run())


def test_what_answers_have_in_common_is_worked_out_once_per_block(tmp_path: Path) -> None:
    site = ApiSite(tmp_path / "index.db", blocks=2)
    desk, asked = site.app.state.desk, list[tuple[int, int]]()

    def question(reader: Reader, number: int) -> int:
        head = reader.head()
        asked.append((head.number if head else 0, number))
        return len(asked)

    def ask(number: int) -> int:
        with desk.reader() as reader, reader.snapshot():
            return int(desk.once(reader, question, number))

    assert [ask(1), ask(2), ask(1), ask(2)] == [1, 2, 1, 2]
    site.grow(1, 3)
    assert [ask(1), ask(1)] == [3, 3]
    for number in range(2 * MOST):
        ask(number)
    assert len(desk.once._known) <= MOST
    assert asked[:3] == [(2, 1), (2, 2), (3, 1)]


# -- over the real service -------------------------------------------------------------------------


def test_the_service_answers_from_the_newest_copy(tmp_path: Path) -> None:
    site = ApiSite(tmp_path / "index.db", blocks=3)
    first = site.get("/stats")
    assert site.get("/stats") == first
    page = site.client.get("/").text
    site.grow(1, 4)
    grown = site.get("/stats")
    assert grown["head"]["number"] == first["head"]["number"] + 1
    assert grown["counts"]["migrations"] > first["counts"]["migrations"]
    assert site.client.get("/").text != page
    metrics = site.client.get("/metrics").text
    assert f'kudos_http_request_seconds_count{{route="{API}/stats",status="200"}} 3.0' in metrics


def test_an_answer_from_memory_is_the_same_to_the_byte(tmp_path: Path) -> None:
    site = ApiSite(tmp_path / "index.db", blocks=3)
    for encoding in ("identity", "gzip"):
        for path in (f"{API}/nodes", "/explore", f"{API}/assets/facets"):
            first, again = (
                site.client.get(path, headers={"accept-encoding": encoding}) for _ in range(2)
            )
            assert first.content == again.content and first.headers == again.headers, path
            assert first.headers.get("content-encoding", "identity") == encoding


# -- HEAD ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/", "/nodes", "/healthz", f"{API}/stats", f"{API}/nodes?limit=2", "/static/desk.js"]
)
def test_head_says_what_get_would(tmp_path: Path, path: str) -> None:
    site = ApiSite(tmp_path / "index.db", blocks=2)
    asked, told = site.client.get(path), site.client.head(path)
    assert told.status_code == asked.status_code == 200
    assert told.content == b"" and asked.content
    for header in ("content-type", "content-length", "etag", "content-security-policy"):
        assert told.headers.get(header) == asked.headers.get(header), header


@pytest.mark.parametrize("path", ["/export/assets.ndjson", f"{API}/events", f"{API}/nowhere"])
def test_head_of_a_stream_ends(tmp_path: Path, path: str) -> None:
    site = ApiSite(tmp_path / "index.db", blocks=2)
    told = site.client.head(path)
    assert told.content == b"" and told.status_code == (404 if "nowhere" in path else 200)
    assert site.app.state.listeners.open == 0
