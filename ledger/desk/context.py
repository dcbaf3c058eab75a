"""What every answer of the desk needs: the copy, the clock, the templates."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from fastapi import Query
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException

from ledger.desk import views
from ledger.ports import Clock
from ledger.reader import Reader
from ledger.reasons import describe
from ledger.rows import IndexHead
from ledger.source import LedgerIdentity
from ledger.types import Address, Digest, hex_of, short

STALE_AFTER = 15.0
REFRESH_SECONDS = 5

Refresh = Annotated[int, Query(ge=0, le=3600, description="seconds; 0 switches it off")]
Limit = Annotated[int, Query(ge=1, le=500)]
Before = Annotated[int | None, Query(ge=0, lt=1 << 63, description="only below this block")]


class Desk:
    """Answers of one service: the copy it reads, and how it shows things."""

    def __init__(
        self,
        index_path: Path,
        deployment: LedgerIdentity,
        names: Mapping[Address, str],
        clock: Clock,
        stale_after: float,
    ) -> None:
        self.names = names
        self._index_path = index_path
        self._deployment = deployment
        self._clock = clock
        self._stale_after = stale_after
        self._templates = environment()

    def reader(self) -> Reader:
        """The copy, opened for one request."""
        return Reader.open(self._index_path, self._deployment)

    def render(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A page."""
        values = {"refresh": 0, "names": self.names, "deployment": self._deployment} | values
        page = self._templates.get_template(template).render(**values)
        return HTMLResponse(page, status, headers={"Cache-Control": "no-store"})

    def freshness(self, head: IndexHead | None) -> views.Freshness:
        """How old the data is by the service's clock."""
        return views.freshness(head, self._clock.now(), self._stale_after)


def find_life(reader: Reader, request_id: str) -> views.LifeCycle:
    try:
        raw = bytes.fromhex(request_id.removeprefix("0x"))
    except ValueError:
        raw = b""
    life = views.life_cycle(reader, Digest(raw)) if len(raw) == 32 else None
    if life is None:
        raise HTTPException(404, "No settled migration has this request id.")
    return life


def environment() -> Environment:
    """The templates: escaped always, and an unknown name is an error."""
    made = Environment(
        loader=PackageLoader("ledger.desk"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "hex": hex_of,
        "short": short,
        "time": views.clock_text,
        "reason": describe,
        "state": views.STATES.__getitem__,
        "verdict": views.VERDICTS.__getitem__,
        "number": "{:,}".format,
    }
    return made
