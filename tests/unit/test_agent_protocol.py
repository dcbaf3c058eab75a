"""Lines in, values out: what is a question, and what comes back for what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ledger.errors import ChainError, KudosError, PeerError, PeerTimeout, UsageError
from node import agent_protocol as say
from node.agent_protocol import AgentError

HOME = "0x" + "1a" * 20
ID = "0x" + "2b" * 32


def line(**fields: Any) -> bytes:
    return json.dumps({"v": 1, **fields}).encode()


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (line(method="hello"), say.Hello(v=1)),
        (line(method="decide", home=HOME, id=7), say.Decide(v=1, home=HOME, id=7)),
        (
            line(method="decide", home=HOME, task={"name": "cc"}, load=2, id="a"),
            say.Decide(v=1, home=HOME, task=say.TaskFacts("cc"), load=2, id="a"),
        ),
        (line(method="rank"), say.Rank(v=1)),
        (line(method="kudos", node=HOME, at_block=0), say.Kudos(v=1, node=HOME, at_block=0)),
        (line(method="reject", request_id=ID), say.Reject(v=1, request_id=ID, reason="POLICY")),
    ],
)
def test_questions(question: bytes, expected: say.Question) -> None:
    assert say.decode(question) == expected


@pytest.mark.parametrize(
    ("question", "code", "names"),
    [
        (b"", "bad_json", ""),
        (b"{", "bad_json", ""),
        (b"\xff\xfe", "bad_json", ""),
        (b'{"v":' + b"[" * 100_000, "bad_json", ""),
        (b"[]", "usage", "object"),
        (b'{"method":"hello"}', "usage", "`v`"),
        (b'{"v":2,"method":"hello"}', "usage", "$.v"),
        (line(), "usage", "method"),
        (line(method="sudo"), "usage", "sudo"),
        (line(method="decide"), "usage", "home"),
        (line(method="decide", home="me"), "usage", "$.home"),
        (line(method="decide", home=HOME + "00"), "usage", "$.home"),
        (line(method="decide", home=HOME, load=-1), "usage", "$.load"),
        (line(method="decide", home=HOME, load=True), "usage", "$.load"),
        (line(method="decide", home=HOME, loads=1), "usage", "loads"),
        (line(method="rank", hosts=[HOME] * 1_001), "usage", "$.hosts"),
        (line(method="reject", request_id=ID, reason="ACCEPTED"), "usage", "$.reason"),
        (line(method="state", request_id=ID, wait_seconds=61), "usage", "$.wait_seconds"),
        (line(method="hello", id={}), "usage", "$.id"),
    ],
)
def test_what_is_no_question(question: bytes, code: str, names: str) -> None:
    with pytest.raises(AgentError) as raised:
        say.decode(question)
    assert raised.value.code == code
    assert names in raised.value.message
    assert raised.value.hint


def test_an_error_finds_its_way_back() -> None:
    assert say.identifier_in(line(id=5, method="sudo")) == 5
    assert say.identifier_in(b'{"id":"x"') is None
    assert say.identifier_in(b'{"id":[1]}') is None


def test_answers_are_one_line_with_version_and_id() -> None:
    answer = say.encode("a", {"text": "two\nlines"})
    assert answer.count(b"\n") == 1
    assert json.loads(answer) == {"v": 1, "id": "a", "result": {"text": "two\nlines"}}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AgentError("too_late", "a", "b"), "too_late"),
        (UsageError("a", hint="b"), "usage"),
        (PeerTimeout("a"), "peer_timeout"),
        (PeerError("a"), "peer"),
        (ChainError("a"), "chain"),
        (KudosError("a"), "internal"),
    ],
)
def test_errors_say_whose_fault_it_is(error: KudosError, code: str) -> None:
    said = json.loads(say.encode_error(3, error))
    assert (said["v"], said["id"], said["error"], said["message"]) == (1, 3, code, "a")
    assert said["hint"]
