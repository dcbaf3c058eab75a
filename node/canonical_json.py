"""JSON with one spelling: UTF-8, keys sorted, no white space, nothing escaped that need not be."""

from __future__ import annotations

import json
import re
from typing import Any

_MAX_DEPTH = 8
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


def encode(fields: dict[str, Any]) -> bytes:
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def decode(data: bytes) -> Any:
    """Parse what may be hostile; raises ValueError. Whether it is canonical, encoding it tells."""
    _check_depth(data)
    return json.loads(data)


def _check_depth(data: bytes) -> None:
    """Stop before the parser does: it recurses, and libraries raise Python's limit on that."""
    depth = 0
    for byte in _STRING.sub(b"", data):
        if byte in b"[{":
            depth += 1
            if depth > _MAX_DEPTH:
                raise ValueError("nested too deeply")
        elif byte in b"]}":
            depth -= 1
