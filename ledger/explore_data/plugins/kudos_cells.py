"""Datasette plug-in: byte strings as 0x and digits, process names and times as text.

Datasette loads this file in its own process. In SQL, ``hex0x`` and ``unhex0x`` go back and forth.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from typing import Any

from datasette import hookimpl

LONGEST_CELL = 96
"""Longer byte strings (whole batches) stay what Datasette makes of them: a download."""
TIMES = frozenset(
    {
        *("timestamp", "indexed_at", "result_deadline", "requested_at", "answered_at"),
        *("confirmed_at", "finished_at", "opened_at"),
    }
)


@hookimpl  # type: ignore[untyped-decorator]
def render_cell(value: Any, column: str) -> str | None:
    """A cell for people; None leaves it to Datasette."""
    if isinstance(value, bytes) and len(value) <= LONGEST_CELL:
        return _name(value) if column == "process_name" else hex0x(value)
    if isinstance(value, int) and column in TIMES and 0 < value < 1 << 34:
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return None


@hookimpl  # type: ignore[untyped-decorator]
def prepare_connection(conn: sqlite3.Connection) -> None:
    """The two functions for queries."""
    conn.create_function("hex0x", 1, hex0x, deterministic=True)
    conn.create_function("unhex0x", 1, unhex0x, deterministic=True)


def hex0x(value: bytes | None) -> str | None:
    """0x and digits."""
    return None if value is None else "0x" + value.hex()


def unhex0x(text: str | None) -> bytes | None:
    """The reverse; nothing for what is no hexadecimal number."""
    try:
        return bytes.fromhex((text or "").strip().removeprefix("0x"))
    except ValueError:
        return None


def _name(value: bytes) -> str:
    try:
        text = value.rstrip(b"\0").decode("utf-8")
    except UnicodeDecodeError:
        return "0x" + value.hex()
    return text if text.isprintable() else "0x" + value.hex()
