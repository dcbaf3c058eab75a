"""A task's inputs, kept until the claim window closes, so that validators can run it again
(protocol section 5)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from ledger.assets import CLAIM_WITHIN, SETTLE_WITHIN
from ledger.errors import PeerError
from ledger.types import Address, Digest
from node import wire
from node.execution import Execution
from node.journal import Journal
from node.store import ContentStore, MissingContent
from node.task import TaskDescriptor, decode_task, encode_task, task_digest

KEEP_SECONDS = SETTLE_WITHIN + CLAIM_WITHIN


class Runner(Protocol):
    """What runs a task: ``node.sandbox``."""

    async def run(
        self, task: TaskDescriptor, inputs: ContentStore, *, timeout: float
    ) -> Execution: ...


def keep(store: ContentStore, journal: Journal, task: TaskDescriptor, deadline: float) -> Digest:
    """Pins the descriptor and its inputs until nothing can be claimed on a result by that deadline,
    and remembers where they are; returns the task digest."""
    digest = Digest(task_digest(task))
    descriptor = store.put(encode_task(task))
    for blob in {descriptor, *(file.digest for file in task.inputs)}:
        store.pin(blob, deadline + KEEP_SECONDS)
    journal.put_task(digest, descriptor)
    return digest


def keep_longer(store: ContentStore, journal: Journal, task: Digest, until: float) -> None:
    """Pins what was kept of a task until a later time; nothing happens where it is gone."""
    descriptor = journal.task(task)
    if descriptor is None:
        return
    with suppress(MissingContent):
        files = decode_task(store.get(descriptor)).inputs
        for blob in {descriptor, *(file.digest for file in files)}:
            store.pin(blob, until)


class InputServer:
    """Answers Fetch, for registered validators only: inputs are the parties' business, not the
    ledger's."""

    def __init__(
        self, store: ContentStore, journal: Journal, is_validator: Callable[[Address], bool]
    ) -> None:
        self._store, self._journal, self._is_validator = store, journal, is_validator

    def fetch(self, peer: Address, message: wire.Fetch) -> wire.Inputs:
        if not self._is_validator(peer):
            raise PeerError("Only registered validators may fetch inputs.")
        descriptor = self._journal.task(Digest(message.task_digest))
        if descriptor is None:
            raise PeerError("The inputs of that task are not here.")
        try:
            return read_inputs(self._store, descriptor)
        except MissingContent as error:
            raise PeerError("Some inputs of that task are gone.") from error


def read_inputs(store: ContentStore, descriptor: bytes) -> wire.Inputs:
    """A descriptor by its place in the store, with the blobs it names, each once."""
    encoded = store.get(descriptor)
    blobs = {file.digest for file in decode_task(encoded).inputs}
    return wire.Inputs(encoded, tuple(store.get(blob) for blob in sorted(blobs)))
