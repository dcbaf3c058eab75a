"""Everything that a curious host can note about the migrations it takes in, canary or not.

``Recorder`` stands before the host's own handler and keeps each message with its times;
``Spy`` stands before its sandbox, and has every task report from inside what a process can see
there. Neither touches the home: a host may do all this.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

from ledger.assets import Confirmed, Request
from ledger.eip712 import Domain, digest
from ledger.types import Address, Digest
from node import wire
from node.connection import Handler
from node.execution import Execution
from node.inputs import Runner
from node.store import ContentStore
from node.task import TaskDescriptor

NEVER = float("nan")
_running: ContextVar[Seen] = ContextVar("the migration that a run belongs to")
_END = b"--8<-- what the sandbox shows ends here --8<--\n"
_LOOK = (
    "{ env; ulimit -a; id; hostname; cat /proc/self/limits;"
    " find . -printf '%p %y %s %m %U %T@\\n' | sort; } >&2 2>/dev/null;"
    f" echo '{_END.decode().strip()}' >&2; exec \"$@\""
)


@dataclass(slots=True)
class Seen:
    """One migration through the eyes of its host. Times are the host's own, in seconds; what did
    not happen is NaN."""

    request: Request
    request_id: Digest
    signature: bytes
    mark_hash: bytes
    task: bytes
    asked_wall: float
    asked_at: float
    ask_bytes: int
    messages_before: int
    opened_before: int
    since_open: float
    answered_at: float = NEVER
    missing: int = 0
    confirmed: Confirmed | None = None
    confirm_signature: bytes = b""
    confirmed_at: float = NEVER
    confirm_bytes: int = 0
    blob_bytes: int = 0
    done_at: float = NEVER
    done_bytes: int = 0
    next_at: float = NEVER
    cpu_seconds: float = NEVER
    wall_seconds: float = NEVER
    output_bytes: int = 0
    inside_bytes: int = 0
    inside_checksum: int = 0
    block: float = NEVER
    batch_index: float = NEVER
    batch_size: float = NEVER
    settled_after: float = NEVER

    @property
    def is_done(self) -> bool:
        return not math.isnan(self.done_at)


@dataclass(slots=True)
class _Guest:
    """What the host remembers of one home."""

    seen: list[Seen] = field(default_factory=list)
    messages: int = 0
    opened: int = 0
    last_open: float = NEVER


@dataclass(slots=True)
class Recorder:
    """Serves as ``inner`` does, and notes what passes. ``monotonic`` and ``now`` are the host's
    clocks."""

    inner: Handler
    domain: Domain
    monotonic: Callable[[], float]
    now: Callable[[], float]
    guests: dict[Address, _Guest] = field(default_factory=dict)
    _by_id: dict[bytes, Seen] = field(default_factory=dict)

    async def serve(self, peer: Address, message: wire.Message) -> wire.Message:
        at = self.monotonic()
        guest = self.guests.setdefault(peer, _Guest())
        self._note_arrival(guest, message, at)
        reply = await self.inner(peer, message)
        self._note_reply(message, reply)
        return reply

    def _note_arrival(self, guest: _Guest, message: wire.Message, at: float) -> None:
        last = guest.seen[-1] if guest.seen else None
        if last is not None and last.is_done and math.isnan(last.next_at):
            last.next_at = at
        match message:
            case wire.Ask():
                seen = self._asked(guest, message, at)
                guest.seen.append(seen)
                self._by_id[seen.request_id] = seen
            case wire.Confirm():
                seen = self._by_id[message.request_id]
                _note_confirmation(seen, message, at)
                _running.set(seen)
            case wire.Open():
                guest.opened, guest.last_open = guest.opened + 1, at
        guest.messages += 1

    def _asked(self, guest: _Guest, message: wire.Ask, at: float) -> Seen:
        return Seen(
            request=message.request,
            request_id=digest(self.domain, message.request),
            signature=message.signature,
            mark_hash=message.mark_hash,
            task=message.task,
            asked_wall=self.now(),
            asked_at=at,
            ask_bytes=len(wire.encode(0, message)),
            messages_before=guest.messages,
            opened_before=guest.opened,
            since_open=at - guest.last_open,
        )

    def _note_reply(self, message: wire.Message, reply: wire.Message) -> None:
        if isinstance(message, wire.Ask) and isinstance(reply, wire.Answer):
            seen = self._by_id[digest(self.domain, message.request)]
            seen.answered_at, seen.missing = self.monotonic(), len(reply.missing)
        elif isinstance(message, wire.Confirm) and isinstance(reply, wire.Done):
            seen = self._by_id[message.request_id]
            seen.done_bytes = len(wire.encode(0, reply))
            seen.done_at = self.monotonic()


def _note_confirmation(seen: Seen, message: wire.Confirm, at: float) -> None:
    seen.confirmed, seen.confirm_signature = message.confirmed, message.signature
    seen.confirmed_at, seen.confirm_bytes = at, len(wire.encode(0, message))
    seen.blob_bytes = sum(map(len, message.blobs))


class Spy:
    """Runs tasks with ``inner``, each behind a shell that first reports environment, identity,
    limits and files; the report is cut off again, so the result is the task's own."""

    def __init__(self, inner: Runner) -> None:
        self._inner = inner

    async def run(self, task: TaskDescriptor, inputs: ContentStore, *, timeout: float) -> Execution:
        watched = replace(task, argv=("/bin/sh", "-c", _LOOK, "sh", *task.argv))
        execution = await self._inner.run(watched, inputs, timeout=timeout)
        report, found, stderr = execution.stderr.partition(_END)
        if not found:
            raise RuntimeError("The sandbox gave no report.")
        seen = _running.get()
        seen.inside_bytes, seen.inside_checksum = len(report), zlib.crc32(report)
        seen.cpu_seconds, seen.wall_seconds = execution.cpu_seconds, execution.wall_seconds
        seen.output_bytes = len(stderr) + sum(len(out.data) for out in execution.outputs)
        return replace(execution, stderr=stderr)
