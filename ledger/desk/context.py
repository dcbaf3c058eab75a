"""What every answer of the desk needs: the copy, the clock, the templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from ledger.desk import views
from ledger.desk.budget import time_budget
from ledger.desk.once import PerBlock
from ledger.desk.pool import ReaderPool
from ledger.desk.templating import environment
from ledger.errors import KudosError
from ledger.ports import Clock
from ledger.reader import Reader
from ledger.rows import IndexHead
from ledger.source import LedgerIdentity
from ledger.types import Address, Digest

STALE_AFTER = 15.0
REFRESH_SECONDS = 5
ANSWER_SECONDS = 5.0
"""What one request may ask of the copy."""


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
        self.deployment = deployment
        self.clock = clock
        self.once = PerBlock()
        self._pool = ReaderPool(index_path, deployment, clock)
        self.stale_after = stale_after
        self._templates = environment()

    @contextmanager
    def reader(self, seconds: float | None = ANSWER_SECONDS) -> Iterator[Reader]:
        """The copy for one request, which may ask for so long; None: a stream, which its client
        ends."""
        with (
            self._pool.reader() as reader,
            time_budget(reader.connection, seconds, self.clock.monotonic),
        ):
            yield reader

    def members(self, reader: Reader) -> tuple[Address, ...]:
        """The validators in office, as far as the copy has come."""
        present = reader.validator_set()
        return self.deployment.validators if present is None else present.members

    def head(self) -> IndexHead | None:
        """Where the copy stands; None also when it cannot be read."""
        try:
            with self.reader() as reader:
                return reader.head()
        except KudosError:
            return None

    def render(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A page."""
        values = {"refresh": 0, "names": self.names, "deployment": self.deployment} | values
        page = self._templates.get_template(template).render(**values)
        return HTMLResponse(page, status, headers={"Cache-Control": "no-store"})

    def freshness(self, head: IndexHead | None) -> views.Freshness:
        """How old the data is by the service's clock."""
        return views.freshness(head, self.clock.now(), self.stale_after)


def find_life(reader: Reader, request_id: str) -> views.LifeCycle:
    try:
        raw = bytes.fromhex(request_id.removeprefix("0x"))
    except ValueError:
        raw = b""
    life = views.life_cycle(reader, Digest(raw)) if len(raw) == 32 else None
    if life is None:
        raise HTTPException(404, "No settled migration has this request id.")
    return life
