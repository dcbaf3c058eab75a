"""Datasette plug-in: primary keys that are byte strings, in links and between pages.

Datasette 0.65 writes a row's key as text. For a byte string that text names no row any more: the
row's own page is not found, and the next page of a list begins at the wrong place. It has no hook
for this, so its two functions are replaced here, in its own process; a test over the real Datasette
shows that links and pages hold, and the optional dependency stays below the next version.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from datasette import renderer, utils
from datasette.views import base, row, table

_HEX = re.compile("0x(?:[0-9a-f]{2})+")


def path_from_row_pks(values: Any, pks: Sequence[str], use_rowid: bool, quote: bool = True) -> str:
    """A row's key as part of an address: byte strings as 0x and digits."""
    names = ["rowid"] if use_rowid else pks
    found = [values[name] for name in names]
    plain = [value["value"] if isinstance(value, dict) else value for value in found]
    texts = ["0x" + v.hex() if isinstance(v, bytes) else str(v) for v in plain]
    return ",".join(utils.tilde_encode(text) if quote else text for text in texts)


class HexKey(str):
    """Text for Datasette's pages, and the byte string that it stands for in SQL."""

    def __conform__(self, protocol: object) -> bytes:
        return bytes.fromhex(self[2:])


def urlsafe_components(token: str) -> list[str]:
    """The reverse; no text key of a ledger looks like a byte string."""
    texts = [utils.tilde_decode(part) for part in token.split(",")]
    return [HexKey(text) if _HEX.fullmatch(text) else text for text in texts]


for _module in (utils, base, row, table, renderer):
    for _function in (path_from_row_pks, urlsafe_components):
        if hasattr(_module, _function.__name__):
            setattr(_module, _function.__name__, _function)
