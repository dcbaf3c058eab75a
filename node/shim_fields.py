"""Values of a header's fields, each of the type that it should have; ValueError or TypeError for
any other. Standard library only."""

from __future__ import annotations

from typing import Any

_DIGEST_BYTES = 32


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text expected")
    return value


def texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError("a list expected")
    return tuple(text(item) for item in value)


def number(value: Any) -> int:
    if type(value) is not int:
        raise TypeError("a whole number expected")
    return value


def digest(value: Any) -> bytes:
    found = bytes.fromhex(text(value))
    if len(found) != _DIGEST_BYTES:
        raise ValueError("a digest of another length")
    return found
