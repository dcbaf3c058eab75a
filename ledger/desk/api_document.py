"""The OpenAPI document: FastAPI's own, with the problems that every route may answer."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from ledger.desk.api_models import ProblemDetails

_DESCRIPTION = """A reputation ledger for peer-to-peer computing, read from an indexed copy.

Read-only: every route is a GET. Lists come in pages: `next` is the `cursor` of the page after.
Totals take `at_block`. Answers carry an ETag of the block they were read at; `If-None-Match` saves
the rest. Errors are problem details (RFC 9457); `type` tells them apart and `hint` says what to do.
"""
_NAMES = {
    304: "The client has this very answer (its ETag was sent).",
    404: "There is no such thing, or not yet.",
    422: "A parameter cannot be.",
    429: "This client asks too often; see Retry-After.",
    503: "Overloaded, out of time, or without a copy; see Retry-After.",
}
_CONTENT = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": text, **({} if status == 304 else {"content": _CONTENT})}
    for status, text in _NAMES.items()
}


def add_document(app: FastAPI) -> None:
    """Puts the document together when it is first asked for."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title,
                version=app.version,
                description=_DESCRIPTION,
                routes=app.routes,
            )
            schemas = made["components"]["schemas"]
            problem = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= problem.pop("$defs", {}) | {"ProblemDetails": problem}
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]
