"""An agent as Python sees it: the methods of docs/agent.md over the agent's Unix socket.

    with AgentClient("node-1/agent.sock") as agent:
        if agent.decide("0xA…", "cc main.c").accept: ...

One connection, one question at a time; give each thread a client of its own.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import msgspec

from ledger.errors import SetupError
from node import agent_protocol as say
from node import agent_replies as replies
from node.agent_protocol import AgentError, RejectionName, Role, StateName, TaskFacts

T = TypeVar("T")

TIMEOUT = 30.0


class AgentClient:
    """A connection to an agent. Every method raises AgentError when the agent says no, whose
    ``code`` says why, and SetupError when there is no agent."""

    def __init__(self, path: Path | str, *, timeout: float = TIMEOUT) -> None:
        self._path, self._timeout = os.fspath(path), timeout
        self._count = 0
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        try:
            self._socket.connect(self._path)
        except OSError as error:
            self._socket.close()
            raise self._gone(error) from error
        self._answers = self._socket.makefile("rb")

    def close(self) -> None:
        """Hangs up."""
        self._answers.close()
        self._socket.close()

    def __enter__(self) -> AgentClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def hello(self) -> replies.HelloReply:
        """Which node, on which ledger."""
        return self._ask(say.Hello(v=1), replies.HelloReply)

    def decide(
        self, home: str, task: TaskFacts | str = "", *, load: int | None = None
    ) -> replies.VerdictReply:
        """Shall I take this task from that home?"""
        question = say.Decide(v=1, home=home, task=_facts(task), load=load)
        return self._ask(question, replies.VerdictReply)

    def rank(
        self, hosts: Sequence[str] | None = None, task: TaskFacts | str = ""
    ) -> list[replies.RankedReply]:
        """Hosts to send a task to, the best first; without ``hosts``, those that are connected."""
        question = say.Rank(v=1, hosts=None if hosts is None else list(hosts), task=_facts(task))
        return self._ask(question, list[replies.RankedReply])

    def kudos(self, node: str, at_block: int | None = None) -> replies.KudosReply:
        """A node's verified Kudos."""
        return self._ask(say.Kudos(v=1, node=node, at_block=at_block), replies.KudosReply)

    def explain(self, node: str) -> replies.ExplainReply:
        """Where they come from."""
        return self._ask(say.Explain(v=1, node=node), replies.ExplainReply)

    def request(
        self,
        host: str,
        name: str,
        *,
        task_digest: str | None = None,
        descriptor: Mapping[str, Any] | None = None,
        cpu_seconds: int | None = None,
        memory_mib: int | None = None,
        output_kib: int | None = None,
        deadline_seconds: int = 900,
    ) -> replies.MigrationReply:
        """Home: asks a host to take a task."""
        question = say.Request(
            v=1,
            host=host,
            name=name,
            task_digest=task_digest,
            descriptor=None if descriptor is None else dict(descriptor),
            cpu_seconds=cpu_seconds,
            memory_mib=memory_mib,
            output_kib=output_kib,
            deadline_seconds=deadline_seconds,
        )
        return self._ask(question, replies.MigrationReply)

    def accept(self, request_id: str) -> replies.MigrationReply:
        """Host: will run it."""
        return self._ask(say.Accept(v=1, request_id=request_id), replies.MigrationReply)

    def reject(self, request_id: str, reason: RejectionName = "POLICY") -> replies.MigrationReply:
        """Host: will not."""
        question = say.Reject(v=1, request_id=request_id, reason=reason)
        return self._ask(question, replies.MigrationReply)

    def confirm(self, request_id: str) -> replies.MigrationReply:
        """Home: the host may start."""
        return self._ask(say.Confirm(v=1, request_id=request_id), replies.MigrationReply)

    def result(
        self,
        request_id: str,
        result_digest: str | None = None,
        *,
        descriptor: Mapping[str, Any] | None = None,
    ) -> replies.MigrationReply:
        """Host: what came out of it."""
        question = say.Result(
            v=1,
            request_id=request_id,
            result_digest=result_digest,
            descriptor=None if descriptor is None else dict(descriptor),
        )
        return self._ask(question, replies.MigrationReply)

    def open(self, request_id: str) -> replies.OpenReply:
        """Home: opens the mark, once the RESULT is final."""
        return self._ask(say.Open(v=1, request_id=request_id), replies.OpenReply)

    def state(
        self, request_id: str, since: StateName | None = None, wait_seconds: float = 0.0
    ) -> replies.MigrationReply:
        """Where a migration stands; waits while it is still in ``since``."""
        question = say.State(v=1, request_id=request_id, since=since, wait_seconds=wait_seconds)
        return self._ask(question, replies.MigrationReply, wait_seconds)

    def migrations(
        self, role: Role | None = None, state: StateName | None = None
    ) -> list[replies.MigrationReply]:
        """Migrations that are not at their end."""
        question = say.Migrations(v=1, role=role, state=state)
        return self._ask(question, list[replies.MigrationReply])

    def _ask(self, question: say.Question, kind: type[T], patience: float = 0.0) -> T:
        self._count += 1
        numbered = msgspec.structs.replace(question, id=self._count)
        try:
            self._socket.settimeout(self._timeout + patience)
            self._socket.sendall(msgspec.json.encode(numbered) + b"\n")
            line = self._answers.readline()
        except OSError as error:
            raise self._gone(error) from error
        if not line.endswith(b"\n"):
            raise self._gone(EOFError("it hung up"))
        return self._read(line, kind)

    def _read(self, line: bytes, kind: type[T]) -> T:
        answer = msgspec.json.decode(line, type=_Answer)
        if answer.error is not None:
            raise AgentError(answer.error, answer.message, answer.hint)
        if answer.id != self._count:
            raise self._gone(EOFError("it answered another question"))
        return msgspec.convert(msgspec.json.decode(answer.result), kind)

    def _gone(self, error: BaseException) -> SetupError:
        # After half an answer the next question would get the other half.
        return SetupError(
            f"The agent at {self._path} does not answer: {error}.",
            hint="Start it with `kudos agent`, and name agent.sock in its data directory.",
        )


class _Answer(msgspec.Struct):
    id: say.Identifier = None
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: str | None = None
    message: str = ""
    hint: str = ""


def _facts(task: TaskFacts | str) -> TaskFacts:
    return TaskFacts(task) if isinstance(task, str) else task
