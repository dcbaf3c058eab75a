"""Which mark a task gets: by its family, and the same work whether or not it is a canary."""

from __future__ import annotations

from dataclasses import dataclass

from canaries import replay, wasm
from canaries.commitment import PLANTED, Mark
from node.task import TaskDescriptor
from node.wasm_form import WASM


@dataclass(frozen=True, slots=True)
class KnownCanary:
    """What the mark of a task says whose result its home can judge by itself: 32 bytes each."""

    family: bytes
    parameters: bytes


def mark_of(
    task: TaskDescriptor, is_canary: bool, salt: bytes, known: KnownCanary | None = None
) -> Mark:
    """The mark of ``known`` where the home planted the task; otherwise the schedule's choice."""
    if known is not None:
        return Mark(PLANTED, known.family, known.parameters, salt)
    if task.root == WASM:
        return wasm.mark_for(is_canary, wasm.UNKNOWN, salt)
    return replay.mark_for(is_canary, task.toolchain, salt)
