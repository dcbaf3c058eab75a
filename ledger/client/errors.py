"""The service's problem details (RFC 9457) as errors. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledger.errors import KudosError

PREFIX = "urn:kudos:problem:"


class Unreachable(KudosError):
    """The service did not answer, or something else answered in its place."""


class ServiceProblem(KudosError):
    """The service answered that it cannot answer. ``type`` tells problems apart."""

    def __init__(self, message: str, *, hint: str, type_: str, status: int) -> None:
        super().__init__(message, hint=hint)
        self.type = type_
        self.status = status


class NotFound(ServiceProblem):
    """There is no such thing, or not yet."""


class BlockNotIndexed(NotFound):
    """The service's copy does not reach the block that was asked for."""


class InvalidParameter(ServiceProblem):
    """A parameter that cannot be."""

    exit_code = 2


class Unavailable(ServiceProblem):
    """Too much to do, out of time, or without a copy; ``retry_after`` says when to ask again."""

    retry_after: float = 1.0


_BY_TYPE: Mapping[str, type[ServiceProblem]] = {f"{PREFIX}block-not-indexed": BlockNotIndexed}
_BY_STATUS: Mapping[int, type[ServiceProblem]] = {
    404: NotFound,
    422: InvalidParameter,
    429: Unavailable,
    503: Unavailable,
}


def problem_error(
    status: int, body: Mapping[str, Any], retry_after: str | None = None
) -> ServiceProblem:
    """The error of a problem document; one of an unknown type goes by its status."""
    type_ = str(body.get("type", "about:blank"))
    kind = _BY_TYPE.get(type_) or _BY_STATUS.get(status, ServiceProblem)
    message = str(body.get("detail") or body.get("title") or f"The service answered {status}.")
    error = kind(message, hint=str(body.get("hint", "")), type_=type_, status=status)
    if isinstance(error, Unavailable) and retry_after is not None and retry_after.isdecimal():
        error.retry_after = float(retry_after)
    return error
