"""Every error of the service, once: RFC 9457 problem details for programs, a page for people."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from ledger.desk.budget import TimedOut
from ledger.desk.conditional import NotModified
from ledger.desk.context import REFRESH_SECONDS, Desk
from ledger.errors import KudosError, UsageError

MEDIA_TYPE = "application/problem+json"
PREFIX = "urn:kudos:problem:"
"""Types are names to compare, not addresses to fetch: the service may have no public address."""

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}

FOR_PROGRAMS = ("/api/", "/healthz", "/metrics", "/openapi.json")


class Problem(HTTPException):
    """An error of a request that has a name of its own, so that a program can tell it apart."""

    def __init__(self, status: int, name: str, detail: str, *, hint: str = "") -> None:
        super().__init__(status, detail)
        self.name = name
        self.hint = hint


class NotFound(Problem):
    """There is no such thing on this ledger, as far as the copy reaches."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            404, "not-found", detail, hint="What was settled a moment ago appears within seconds."
        )


class BlockNotIndexed(Problem):
    """A total was asked as of a block that the copy has not reached."""

    def __init__(self, asked: int, reached: int) -> None:
        super().__init__(
            404,
            "block-not-indexed",
            f"The copy reaches block {reached}, not {asked}.",
            hint="Ask as of an earlier block, or again once the copy has caught up.",
        )


class BadRequest(Problem):
    """A parameter that is well formed but means nothing here."""

    def __init__(self, parameter: str, detail: str) -> None:
        super().__init__(422, "invalid-parameter", f"{parameter}: {detail}")


def problem_body(
    status: int, name: str, detail: str, hint: str = "", errors: list[dict[str, str]] | None = None
) -> dict[str, Any]:
    """The members of a problem document; those without a value are left out."""
    body: dict[str, Any] = {
        "type": f"{PREFIX}{name}" if name else "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    return body | ({"hint": hint} if hint else {}) | ({"errors": errors} if errors else {})


def problem_response(body: Mapping[str, Any], headers: Mapping[str, str]) -> JSONResponse:
    return JSONResponse(
        dict(body),
        body["status"],
        headers={"Cache-Control": "no-store", **headers},
        media_type=MEDIA_TYPE,
    )


def add_errors(app: FastAPI, desk: Desk) -> None:
    """Handlers for everything that an answer can fail with."""

    def answer(request: Request, error: Exception) -> Response:
        return _answer(desk, request, body_of(error, request), _headers(error))

    async def unchanged(request: Request, same: Exception) -> Response:
        headers = same.headers if isinstance(same, NotModified) else {}
        return Response(status_code=304, headers=headers)

    async def explained(request: Request, error: Exception) -> Response:
        return answer(request, error)

    async def failed(request: Request, error: Exception) -> Response:
        # The cause is in the log, which Starlette writes; a stranger learns nothing of it. This
        # answer alone does not pass the middleware.
        response = answer(request, error)
        response.headers.update(SECURITY_HEADERS)
        return response

    for kind in (HTTPException, RequestValidationError, KudosError):
        app.add_exception_handler(kind, explained)
    app.add_exception_handler(NotModified, unchanged)
    app.add_exception_handler(Exception, failed)


def body_of(error: Exception, request: Request) -> dict[str, Any]:
    """The problem document of an error, by whose fault it is."""
    if isinstance(error, Problem):
        return problem_body(error.status_code, error.name, error.detail, error.hint)
    if isinstance(error, HTTPException):
        return _of_routing(error, request)
    if isinstance(error, RequestValidationError):
        return _of_parameters(error)
    if isinstance(error, UsageError):
        return problem_body(422, "invalid-parameter", error.message, error.hint)
    if isinstance(error, KudosError):
        name = "time-budget" if isinstance(error, TimedOut) else "copy-unavailable"
        return problem_body(503, name, error.message, error.hint)
    detail = "The service failed to answer this."
    return problem_body(500, "internal", detail, "It is the service's fault: see its log.")


def _of_routing(error: HTTPException, request: Request) -> dict[str, Any]:
    if error.status_code == 404 and error.detail == HTTPStatus.NOT_FOUND.phrase:
        detail = f"There is nothing at {request.url.path}."
        hint = "GET /openapi.json lists every route of the API."
        return problem_body(404, "no-such-route", detail, hint)
    if error.status_code == 405:
        hint = "The service only answers: use GET."
        return problem_body(405, "method-not-allowed", f"{request.method} is no way to ask.", hint)
    return problem_body(error.status_code, "", error.detail)


def _of_parameters(error: RequestValidationError) -> dict[str, Any]:
    found = [
        {"parameter": ".".join(map(str, each["loc"][1:])), "detail": str(each["msg"])}
        for each in error.errors()
    ]
    detail = "; ".join(f"{each['parameter']}: {each['detail']}" for each in found)
    return problem_body(422, "invalid-parameter", detail, errors=found)


def _headers(error: Exception) -> dict[str, str]:
    headers = dict((isinstance(error, HTTPException) and error.headers) or {})
    # HEAD goes wherever GET does, which the router does not know.
    return headers | {"Allow": "GET, HEAD"} if headers.get("Allow") == "GET" else headers


def _answer(
    desk: Desk, request: Request, body: dict[str, Any], headers: dict[str, str]
) -> Response:
    status = int(body["status"])
    if status in (429, 503):
        headers.setdefault("Retry-After", str(REFRESH_SECONDS))
    if request.url.path.startswith(FOR_PROGRAMS):
        return problem_response(body, headers)
    text = f"{body['detail']} {body.get('hint', '')}".strip()
    page = desk.render("error.html", status, title=body["title"], code=status, detail=text)
    page.headers.update(headers)
    return page
