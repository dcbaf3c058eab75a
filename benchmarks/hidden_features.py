"""What a host has seen, as numbers: one row for each migration, everything that stands on the wire,
on the ledger and in the sandbox, and the home's history.

The history is more than any host has: whether each *earlier* task of the home was a canary, as if
all of them had been opened already.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.hidden_record import Seen
from ledger.types import Address
from node.task import decode_task

LOOK_BACK = 16
"""How many earlier tasks are given one by one."""
Row = dict[str, float]


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows of features, whether each was planted, and whose it was."""

    names: tuple[str, ...]
    rows: NDArray[np.float64]
    planted: NDArray[np.bool_]
    homes: NDArray[np.int64]


def sample_of(guests: Mapping[Address, Sequence[Seen]], planted: Mapping[bytes, bool]) -> Sample:
    """All migrations that came to an end, home after home."""
    rows: list[Row] = []
    labels: list[bool] = []
    homes: list[int] = []
    for number, everything in enumerate(guests.values()):
        done = [seen for seen in everything if seen.is_done]
        marks = [planted[seen.request_id] for seen in done]
        rows += list(_rows(done, marks))
        labels += marks
        homes += [number] * len(done)
    names = tuple(rows[0])
    values = np.array([[row[name] for name in names] for row in rows], dtype=np.float64)
    return Sample(names, values, np.array(labels, dtype=np.bool_), np.array(homes, dtype=np.int64))


def _rows(done: Sequence[Seen], marks: Sequence[bool]) -> Iterator[Row]:
    times_seen: Counter[bytes] = Counter()
    for place, seen in enumerate(done):
        before = done[place - 1] if place else None
        row = _request(seen) | _sizes(seen) | _task(seen) | _times(seen, before) | _ledger(seen)
        row["same task before"] = times_seen[seen.task]
        times_seen[seen.task] += 1
        yield row | _history(marks[:place])


def _request(seen: Seen) -> Row:
    request, confirmed = seen.request, seen.confirmed
    row: Row = {
        "seq": request.seq,
        "deadline": request.result_deadline - request.signed_at,
        "request age": seen.asked_wall - request.signed_at,
        "confirmed after": confirmed.signed_at - request.signed_at if confirmed else math.nan,
        "name length": len(request.process_name.rstrip(b"\0")),
        "limit cpu": request.cpu_seconds,
        "limit memory": request.memory_mib,
        "limit output": request.output_kib,
        "signed at, last digit": request.signed_at % 10,
    }
    fields = {
        "process id": request.process_id,
        "commitment": request.commitment,
        "mark hash": seen.mark_hash,
        "request id": seen.request_id,
        "signature": seen.signature,
        "confirm signature": seen.confirm_signature,
    }
    for name, value in fields.items():
        row |= _bytes(name, value)
    return row


def _bytes(name: str, value: bytes) -> Row:
    """The bytes themselves, and what bit statistics there are."""
    number = int.from_bytes(value, "big")
    pairs = number ^ (number >> 1)
    row: Row = {
        f"{name}: length": len(value),
        f"{name}: ones": number.bit_count(),
        f"{name}: changes": pairs.bit_count(),
        f"{name}: leading zeros": 8 * len(value) - number.bit_length(),
        f"{name}: trailing zeros": (number & -number).bit_length(),
        f"{name}: entropy": _entropy(value),
        f"{name}: modulo 13": number % 13,
    }
    return row | {f"{name}[{place}]": byte for place, byte in enumerate(value)}


def _entropy(value: bytes) -> float:
    counts = Counter(value).values()
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts)


def _sizes(seen: Seen) -> Row:
    return {
        "ask bytes": seen.ask_bytes,
        "confirm bytes": seen.confirm_bytes,
        "blob bytes": seen.blob_bytes,
        "blobs asked for": seen.missing,
        "done bytes": seen.done_bytes,
        "output bytes": seen.output_bytes,
        "messages before": seen.messages_before,
        "openings before": seen.opened_before,
        "since last opening": seen.since_open,
    }


def _task(seen: Seen) -> Row:
    task = decode_task(seen.task)
    first = min(task.inputs, key=lambda file: file.path, default=None)
    source = next((file for file in task.inputs if file.path.endswith(".c")), first)
    return {
        "descriptor bytes": len(seen.task),
        "arguments": len(task.argv),
        "environment": len(task.env),
        "environment bytes": sum(len(name) + len(value) for name, value in task.env),
        "directories": len(task.directories),
        "files": len(task.inputs),
        "outputs": len(task.outputs),
        "source digest": int.from_bytes(source.digest[:6], "big") if source else math.nan,
        "all digests": sum(int.from_bytes(file.digest[:4], "big") for file in task.inputs),
        "cpu seconds": seen.cpu_seconds,
        "wall seconds": seen.wall_seconds,
        "inside: bytes": seen.inside_bytes,
        "inside: checksum": seen.inside_checksum,
    }


def _times(seen: Seen, before: Seen | None) -> Row:
    """The home's times: between our answer and its next word, and between its tasks."""
    return {
        "answer to confirm": seen.confirmed_at - seen.answered_at,
        "done to next word": seen.next_at - seen.done_at,
        "ask to ask": seen.asked_at - before.asked_at if before else math.nan,
        "done to ask": seen.asked_at - before.done_at if before else math.nan,
        "last confirm": before.confirmed_at - before.answered_at if before else math.nan,
        "ask to answer": seen.answered_at - seen.asked_at,
        "confirm to done": seen.done_at - seen.confirmed_at,
    }


def _ledger(seen: Seen) -> Row:
    return {
        "batch index": seen.batch_index,
        "batch size": seen.batch_size,
        "place in batch": seen.batch_index / seen.batch_size,
        "settled after": seen.settled_after,
    }


def _history(marks: Sequence[bool]) -> Row:
    row: Row = {
        "tasks before": len(marks),
        "canaries before": sum(marks),
        "rate before": sum(marks) / len(marks) if marks else math.nan,
        "since last canary": next(
            (float(gap) for gap, mark in enumerate(reversed(marks)) if mark), math.nan
        ),
        "canaries in the last 13": sum(marks[-13:]),
    }
    for back in range(1, LOOK_BACK + 1):
        row[f"{back} tasks ago"] = marks[-back] if back <= len(marks) else math.nan
    return row
