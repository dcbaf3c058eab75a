"""The client against a server that answers what a test wants."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import SetupError
from node.agent_client import AgentClient
from node.agent_protocol import AgentError

HOME = "0x" + "1a" * 20
VERDICT = {
    "accept": True, "reason": "ACCEPTED", "text": "", "strategy": "thesis/1", "rule": "",
    "block": 7, "age": 0.5, "freshness": "fresh", "numbers": {"home": 3},
}  # fmt: skip


@contextmanager
def serving(path: Path, *answers: bytes) -> Iterator[list[Any]]:
    """Gives these answers to the questions of one connection, and hangs up."""
    asked: list[Any] = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.fspath(path))
        server.listen()

        def run() -> None:
            connection, _ = server.accept()
            with connection, connection.makefile("rwb") as stream:
                for answer in answers:
                    asked.append(json.loads(stream.readline()))
                    stream.write(answer)
                    stream.flush()

        thread = threading.Thread(target=run)
        thread.start()
        yield asked
        thread.join(10)
        assert not thread.is_alive()


def answer(number: int, result: object) -> bytes:
    return json.dumps({"v": 1, "id": number, "result": result}).encode() + b"\n"


def test_a_question_and_its_answer(tmp_path: Path) -> None:
    lines = answer(1, VERDICT), answer(2, [])
    with serving(tmp_path / "s", *lines) as asked, AgentClient(tmp_path / "s") as client:
        verdict = client.decide(HOME, "cc a.c", load=2)
        assert client.rank() == []
    assert (verdict.accept, verdict.block, verdict.numbers) == (True, 7, {"home": 3})
    assert asked[0]["home"] == HOME
    assert asked[0]["task"]["name"] == "cc a.c"
    assert (asked[0]["v"], asked[0]["method"], asked[0]["load"]) == (1, "decide", 2)


def test_an_error_is_raised_with_its_code(tmp_path: Path) -> None:
    line = b'{"v":1,"id":1,"error":"too_late","message":"Late.","hint":"Be sooner."}\n'
    with (
        serving(tmp_path / "s", line),
        AgentClient(tmp_path / "s") as client,
        pytest.raises(AgentError) as raised,
    ):
        client.accept("0x" + "00" * 32)
    error = raised.value
    assert (error.code, error.message, error.hint) == ("too_late", "Late.", "Be sooner.")


@pytest.mark.parametrize("line", [b"", b'{"v":1,"id":1,"resu', answer(9, VERDICT)])
def test_an_agent_that_fails_is_said_to(tmp_path: Path, line: bytes) -> None:
    with (
        serving(tmp_path / "s", line),
        AgentClient(tmp_path / "s") as client,
        pytest.raises(SetupError, match="does not answer"),
    ):
        client.decide(HOME)


def test_an_agent_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="does not answer") as raised:
        AgentClient(tmp_path / "nobody")
    assert "kudos agent" in raised.value.hint
