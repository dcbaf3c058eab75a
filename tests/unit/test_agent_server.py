"""The agent's doors, with an answer that only repeats the question."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from ledger.errors import SetupError, UsageError
from node import agent_server
from node.agent_protocol import MAX_LINE
from node.agent_server import check_place, http_door, make_app, unix_door

TOKEN = "ab" * 32


async def echo(line: bytes) -> bytes:
    if line == b"hang\n":
        await asyncio.sleep(60)
    return b"<" + line.rstrip(b"\n") + b">\n"


def in_door(path: Path, talk: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(20), unix_door(path, echo):
            await talk()

    asyncio.run(run())


async def dial(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_unix_connection(path)


def test_many_questions_on_one_connection_in_order(tmp_path: Path) -> None:
    path = tmp_path / "s"

    async def talk() -> None:
        reader, writer = await dial(path)
        writer.write(b"".join(b"%d\n" % number for number in range(500)))
        answers = [await reader.readline() for _ in range(500)]
        assert answers == [b"<%d>\n" % number for number in range(500)]
        writer.close()

    in_door(path, talk)


def test_the_socket_is_its_owners_and_goes_with_the_agent(tmp_path: Path) -> None:
    path = tmp_path / "s"

    async def talk() -> None:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    in_door(path, talk)
    assert not path.exists()


def test_who_hangs_or_dawdles_holds_up_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "s"

    async def talk() -> None:
        hanging, dawdling = (await dial(path))[1], (await dial(path))[1]
        hanging.write(b"hang\n")
        dawdling.write(b"half a li")
        reader, writer = await dial(path)
        writer.write(b"hello\n")
        async with asyncio.timeout(2):
            assert await reader.readline() == b"<hello>\n"
        for each in (hanging, dawdling, writer):
            each.close()

    in_door(path, talk)


def test_a_line_that_takes_too_long_ends_the_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_server, "LINE_SECONDS", 0.05)
    path = tmp_path / "s"

    async def talk() -> None:
        reader, writer = await dial(path)
        await asyncio.sleep(0.2)
        writer.write(b"not begun is not late\n")
        assert await reader.readline() == b"<not begun is not late>\n"
        writer.write(b"half a li")
        async with asyncio.timeout(5):
            assert await reader.readline() == b""
        writer.close()

    in_door(path, talk)


def test_a_caller_that_does_not_read_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_server, "WRITE_SECONDS", 0.05)
    path = tmp_path / "s"

    async def talk() -> None:
        _, writer = await dial(path)
        with pytest.raises(OSError):
            for _ in range(200):
                writer.write(b"x" * 500_000 + b"\n")
                await writer.drain()
        writer.transport.abort()

    in_door(path, talk)


def test_a_line_over_the_limit_gets_one_error(tmp_path: Path) -> None:
    path = tmp_path / "s"

    async def talk() -> None:
        reader, writer = await dial(path)
        writer.write(b"x" * (MAX_LINE + 10))
        answer = await reader.readline()
        assert b'"error":"too_long"' in answer
        assert await reader.read() == b""
        writer.close()

    in_door(path, talk)


def test_too_many_callers_are_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_server, "MAX_CLIENTS", 1)
    path = tmp_path / "s"

    async def talk() -> None:
        reader, writer = await dial(path)
        writer.write(b"first\n")
        assert await reader.readline() == b"<first>\n"
        second, gone = await dial(path)
        assert b'"error":"crowded"' in await second.readline()
        for each in (writer, gone):
            each.close()

    in_door(path, talk)


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(os.fspath(path))
    assert path.exists()
    check_place(path)


def test_a_socket_with_a_listener_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(os.fspath(path))
        other.listen()
        with pytest.raises(SetupError, match="listens") as raised:
            check_place(path)
    assert raised.value.hint


def test_another_users_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(os.fspath(path))
    with pytest.raises(SetupError, match="another user"):
        check_place(path, uid=os.geteuid() + 1)
    assert path.exists()


def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("precious")
    with pytest.raises(SetupError, match="no socket"):
        check_place(path)
    assert path.read_text() == "precious"


def test_http_answers_who_shows_the_token() -> None:
    with TestClient(make_app(echo, TOKEN)) as client:
        said = client.post("/v1", content=b"hello", headers={"Authorization": f"Bearer {TOKEN}"})
    assert (said.status_code, said.content) == (200, b"<hello>\n")


@pytest.mark.parametrize("header", [None, "", "Bearer ", f"Bearer {TOKEN}0", TOKEN, "Bearer \xe9"])
def test_http_refuses_everybody_else(header: str | None) -> None:
    headers = {} if header is None else {b"Authorization": header.encode("latin-1")}
    with TestClient(make_app(echo, TOKEN)) as client:
        said = client.post("/v1", content=b"hello", headers=headers)
    assert said.status_code == 401
    assert said.json()["error"] == "unauthorized"


def test_http_refuses_a_body_over_the_limit() -> None:
    with TestClient(make_app(echo, TOKEN)) as client:
        said = client.post(
            "/v1", content=b"x" * (MAX_LINE + 1), headers={"Authorization": f"Bearer {TOKEN}"}
        )
    assert said.status_code == 413
    assert said.json()["error"] == "too_long"


@pytest.mark.parametrize("endpoint", ["0.0.0.0:0", "192.0.2.1:80", "localhost:80", "[::]:80"])
def test_http_serves_this_machine_alone(tmp_path: Path, endpoint: str) -> None:
    async def run() -> None:
        async with http_door(endpoint, make_app(echo, TOKEN), tmp_path / "http"):
            pytest.fail("it listens")

    with pytest.raises(UsageError):
        asyncio.run(run())
