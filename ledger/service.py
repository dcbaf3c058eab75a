"""The ledger's page and the same as JSON: read-only, from the copy, for people and programs.

Every request opens the copy, reads one snapshot of it and closes it again; nothing is kept.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException

from ledger import pages
from ledger.errors import KudosError
from ledger.ports import Clock, SystemClock
from ledger.reader import Reader
from ledger.reasons import describe
from ledger.rows import IndexHead
from ledger.source import LedgerIdentity
from ledger.types import Address, BlockNumber, Digest, hex_of, short

STALE_AFTER = 15.0
REFRESH_SECONDS = 5
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}

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
        self._templates = _environment()

    def reader(self) -> Reader:
        """The copy, opened for one request."""
        return Reader.open(self._index_path, self._deployment)

    def render(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A page."""
        values = {"refresh": 0, "names": self.names, "deployment": self._deployment} | values
        page = self._templates.get_template(template).render(**values)
        return HTMLResponse(page, status, headers={"Cache-Control": "no-store"})

    def freshness(self, head: IndexHead | None) -> pages.Freshness:
        """How old the data is by the service's clock."""
        return pages.freshness(head, self._clock.now(), self._stale_after)


def create_app(
    index_path: Path,
    deployment: LedgerIdentity,
    *,
    names: Mapping[Address, str] | None = None,
    clock: Clock | None = None,
    stale_after: float = STALE_AFTER,
) -> FastAPI:
    """The service over one indexed copy. ``names`` are roles to show beside addresses."""
    app = FastAPI(title="Kudos ledger", version="1", docs_url=None, redoc_url=None)
    desk = Desk(index_path, deployment, names or {}, clock or SystemClock(), stale_after)
    app.mount("/static", StaticFiles(packages=[("ledger", "static")]), name="static")
    app.middleware("http")(_secure)
    _add_errors(app, desk)
    _add_pages(app, desk)
    _add_api(app, desk)
    return app


def _add_pages(app: FastAPI, desk: Desk) -> None:
    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    def overview(refresh: Refresh = REFRESH_SECONDS) -> HTMLResponse:
        with desk.reader() as reader, reader.snapshot():
            head = reader.head()
            return desk.render(
                "overview.html",
                refresh=refresh,
                head=head,
                freshness=desk.freshness(head),
                reorganisations=reader.reorganisations(),
                nodes=pages.node_views(reader, desk.names),
                migrations=pages.migration_views(reader, 25),
                validators=reader.validators(),
            )

    @app.get("/migrations/{request_id}", response_class=HTMLResponse, include_in_schema=False)
    def migration(request_id: str) -> HTMLResponse:
        with desk.reader() as reader, reader.snapshot():
            head = reader.head()
            life = _find(reader, request_id)
            return desk.render(
                "migration.html", life=life, head=head, freshness=desk.freshness(head)
            )


def _add_api(app: FastAPI, desk: Desk) -> None:
    @app.get("/api/v1/nodes")
    def nodes() -> list[dict[str, Any]]:
        """All nodes with their roll-ups, the most points first."""
        with desk.reader() as reader, reader.snapshot():
            return [pages.node_json(view) for view in pages.node_views(reader, desk.names)]

    @app.get("/api/v1/migrations")
    def migrations(limit: Limit = 50, before: Before = None) -> list[dict[str, Any]]:
        """The latest migrations, the newest first."""
        with desk.reader() as reader, reader.snapshot():
            views = pages.migration_views(
                reader, limit, None if before is None else BlockNumber(before)
            )
            return [pages.migration_json(view) for view in views]

    @app.get("/api/v1/migrations/{request_id}")
    def migration(request_id: str) -> dict[str, Any]:
        """One migration: its assets, votes, and what was recomputed."""
        with desk.reader() as reader, reader.snapshot():
            return pages.life_cycle_json(_find(reader, request_id))

    @app.get("/healthz")
    def health() -> JSONResponse:
        """200 while the copy follows the chain, 503 when it is empty or stale."""
        with desk.reader() as reader:
            head = reader.head()
        fresh = desk.freshness(head)
        state = asdict(head) | {"hash": hex_of(head.hash)} if head else {}
        body = {"status": "stale" if fresh.stale else "ok", "age_seconds": fresh.seconds, **state}
        retry = {"Retry-After": str(REFRESH_SECONDS)} if fresh.stale else {}
        return JSONResponse(body, 503 if fresh.stale else 200, headers=retry)


def _add_errors(app: FastAPI, desk: Desk) -> None:
    def answer(request: Request, status: int, detail: str) -> Response:
        headers = {"Retry-After": str(REFRESH_SECONDS)} if status == 503 else {}
        title = HTTPStatus(status).phrase
        if request.url.path.startswith(("/api/", "/healthz")):
            problem = {"type": "about:blank", "title": title, "status": status, "detail": detail}
            kind = "application/problem+json"
            return JSONResponse(problem, status, headers=headers, media_type=kind)
        page = desk.render("error.html", status, title=title, code=status, detail=detail)
        page.headers.update(headers)
        return page

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        return answer(request, error.status_code, error.detail)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return answer(request, 422, f"{where}: {first['msg']}")

    @app.exception_handler(KudosError)
    async def unavailable(request: Request, error: KudosError) -> Response:
        return answer(request, 503, str(error))


def _find(reader: Reader, request_id: str) -> pages.LifeCycle:
    try:
        raw = bytes.fromhex(request_id.removeprefix("0x"))
    except ValueError:
        raw = b""
    life = pages.life_cycle(reader, Digest(raw)) if len(raw) == 32 else None
    if life is None:
        raise HTTPException(404, "No settled migration has this request id.")
    return life


async def _secure(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    response = await call_next(request)
    response.headers.update(SECURITY_HEADERS)
    return response


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("ledger"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "hex": hex_of,
        "short": short,
        "time": pages.clock_text,
        "reason": describe,
        "state": pages.STATES.__getitem__,
        "verdict": pages.VERDICTS.__getitem__,
        "number": "{:,}".format,
    }
    return environment
