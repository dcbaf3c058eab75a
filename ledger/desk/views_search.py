"""Where a search hit leads. Pure."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from ledger.desk.queries.search import Hit, HitKind
from ledger.types import hex_of


def target(hit: Hit) -> str:
    """The page that shows what was found."""
    value = quote(hit.value, safe="")
    if hit.kind == HitKind.NODE:
        return f"/nodes/{value}"
    if hit.kind == HitKind.VALIDATOR:
        return f"/validators/{value}"
    if hit.kind == HitKind.PROCESS:
        return f"/explore?{urlencode({'name': hit.value})}"
    if hit.request_id is not None:
        return f"/migrations/{hex_of(hit.request_id)}"
    if hit.kind == HitKind.BLOCK:
        return f"/blocks/{value}"
    return f"/blocks/{hit.block}?{urlencode({'tx': hit.value})}"
