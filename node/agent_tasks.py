"""A task as another program's scheduler describes it: by a digest that only its own side
understands, or by a descriptor that any validator can run again."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.errors import PeerError
from ledger.types import Digest
from node import canonical_json
from node.agent_protocol import AgentError, Request, Result
from node.store import ContentStore, sha256
from node.task import (
    InputFile,
    Limits,
    TaskDescriptor,
    decode_result,
    decode_task,
    encode_task,
    result_digest,
    task_digest,
)

MAX_INPUT_BYTES = 128 << 20
"""Of one task's inputs together: a CONFIRMED with all of them has to fit into a frame."""


@dataclass(frozen=True, slots=True)
class AgentTask:
    """What a REQUEST commits to."""

    name: str
    digest: Digest
    limits: Limits
    deadline_seconds: int
    descriptor: TaskDescriptor | None = None

    @property
    def encoded(self) -> bytes:
        return encode_task(self.descriptor) if self.descriptor else b""


def task_of(asked: Request, store: ContentStore) -> AgentTask:
    """The task of a question. A descriptor's inputs are read from the paths that it names and kept
    in the store; blocks on the disk. AgentError when something does not fit."""
    if (asked.task_digest is None) == (asked.descriptor is None):
        raise AgentError(
            "usage", "A task is described in one way.", "Give either task_digest or descriptor."
        )
    bounds = {
        name: value
        for name in ("cpu_seconds", "memory_mib", "output_kib")
        if (value := getattr(asked, name)) is not None
    }
    if asked.descriptor is not None:
        if bounds:
            raise AgentError(
                "usage", "The descriptor has limits of its own.", "Leave out: " + ", ".join(bounds)
            )
        task = _descriptor(asked.descriptor)
        _take_inputs(task, store)
        digest = Digest(task_digest(task))
        return AgentTask(asked.name, digest, task.limits, asked.deadline_seconds, task)
    try:
        limits = Limits(**bounds)
    except PeerError as error:
        raise AgentError("usage", error.message, "Ask for less.") from None
    digest = Digest(bytes.fromhex(str(asked.task_digest)[2:]))
    return AgentTask(asked.name, digest, limits, asked.deadline_seconds)


def result_of(said: Result) -> Digest:
    """The digest of a result, as given or of the descriptor that is given."""
    if (said.result_digest is None) == (said.descriptor is None):
        raise AgentError(
            "usage",
            "A result is described in one way.",
            "Give either result_digest or descriptor.",
        )
    if said.result_digest is not None:
        return Digest(bytes.fromhex(said.result_digest[2:]))
    try:
        return Digest(result_digest(decode_result(_canonical(said.descriptor))))
    except PeerError as error:
        raise AgentError("usage", error.message, _FIELDS) from None


_FIELDS = "docs/agent.md has the fields of a descriptor."


def _descriptor(fields: Mapping[str, Any]) -> TaskDescriptor:
    try:
        return decode_task(_canonical(fields))
    except PeerError as error:
        raise AgentError("usage", error.message, _FIELDS) from None


def _canonical(fields: Mapping[str, Any] | None) -> bytes:
    return canonical_json.encode(dict(fields or {}))


def _take_inputs(task: TaskDescriptor, store: ContentStore) -> None:
    left = MAX_INPUT_BYTES
    for file in task.inputs:
        content = _read(file, left)
        left -= len(content)
        store.put(content)


def _read(file: InputFile, at_most: int) -> bytes:
    """The content that the descriptor promises; never waits for a pipe or a device."""
    try:
        descriptor = os.open(Path(file.path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            regular = stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
            content = stream.read(at_most + 1) if regular else b""
    except OSError as error:
        raise AgentError(
            "usage",
            f"The input {file.path} cannot be read: {error.strerror}.",
            "The agent reads inputs itself, at the paths that the descriptor names.",
        ) from error
    if len(content) > at_most:
        raise AgentError(
            "usage",
            f"The inputs have more than {MAX_INPUT_BYTES} bytes together.",
            "Describe a task that large by task_digest.",
        )
    if not regular or sha256(content) != file.digest:
        raise AgentError(
            "usage",
            f"The input {file.path} is not what the descriptor says.",
            "Make the descriptor anew from the file as it is.",
        )
    return content
