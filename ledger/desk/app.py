"""The ledger's page and the same as JSON: read-only, from the copy, for people and programs.

Every request opens the copy, reads one snapshot of it and closes it again; nothing is kept.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from ledger.desk.api import add_api
from ledger.desk.context import REFRESH_SECONDS, STALE_AFTER, Desk
from ledger.desk.html import add_pages
from ledger.errors import KudosError
from ledger.ports import Clock, SystemClock
from ledger.source import LedgerIdentity
from ledger.types import Address

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


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
    app.mount("/static", StaticFiles(packages=[("ledger.desk", "static")]), name="static")
    app.middleware("http")(_secure)
    _add_errors(app, desk)
    add_pages(app, desk)
    add_api(app, desk)
    return app


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


async def _secure(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    response = await call_next(request)
    response.headers.update(SECURITY_HEADERS)
    return response
