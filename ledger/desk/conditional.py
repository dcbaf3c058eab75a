"""Answers that a client may already have: an ETag per state of the copy and question."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Annotated

from fastapi import Depends, Request, Response
from starlette.types import Scope

from ledger.desk.context import Desk
from ledger.reader import Reader
from ledger.rows import IndexHead

REVISION = "1"
"""To be raised with every change of what an answer looks like: old answers are stale then."""


class NotModified(Exception):
    """The client has this very answer."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__("not modified")
        self.headers = headers


class Question:
    """One request of a program, and the snapshot that answers it."""

    def __init__(self, request: Request, response: Response) -> None:
        self.desk: Desk = request.app.state.desk
        self._request = request
        self._response = response

    @contextmanager
    def snapshot(self) -> Iterator[Reader]:
        """The copy at one block; ``NotModified`` when the client has the answer of that block."""
        with self.desk.reader() as reader, reader.snapshot():
            head = reader.head()
            if head is not None:
                self._compare(entity_tag(head, self._request.scope))
            yield reader

    def _compare(self, tag: str) -> None:
        if is_known(self._request.headers.get("if-none-match", ""), tag):
            raise NotModified(_headers(tag))
        self._response.headers.update(_headers(tag))


def entity_tag(head: IndexHead, scope: Scope) -> str:
    """Changes with the head block, with what is final, and with the question. Weak, because the
    same answer may travel compressed."""
    question = f"{scope['path']}?".encode() + scope["query_string"]
    state = f"{REVISION} {head.number} {head.final_number} ".encode() + question
    return f'W/"{sha256(head.hash + state).hexdigest()[:32]}"'


def is_known(known: str, tag: str) -> bool:
    """Whether a client that sends this ``If-None-Match`` has the answer."""
    return known.strip() == "*" or tag in (each.strip() for each in known.split(","))


def not_modified(tag: str) -> Response:
    """Nothing but the tag."""
    return Response(status_code=304, headers=_headers(tag))


def _headers(tag: str) -> dict[str, str]:
    return {"ETag": tag, "Cache-Control": "no-cache"}


Ask = Annotated[Question, Depends(Question)]
