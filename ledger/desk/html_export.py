"""What a list shows, as a file: the address of the export is that of the list, with its filters.

A file is made by one thread of its own, which opens the copy, reads one state of it to the end, and
is ended when the client goes away.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor

from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from ledger.desk.context import Desk
from ledger.desk.export_tables import TABLES
from ledger.desk.problems import NotFound
from ledger.desk.queries.formats import Format
from ledger.reader import Reader

Source = Callable[[Reader], Iterator[bytes]]


def add_exports(app: FastAPI, desk: Desk) -> None:
    """Registers the one route of all files."""

    @app.get("/export/{table}.{ending}", response_class=StreamingResponse, include_in_schema=False)
    async def export(request: Request, table: str, ending: str) -> StreamingResponse:
        form = _format(ending)
        if table not in TABLES:
            raise NotFound(f"There is no list {table[:40]}; there are {', '.join(TABLES)}.")
        source = TABLES[table](desk, request.query_params, form)
        pieces = _Pieces(desk, source)
        first = await pieces.next()
        headers = {
            "Content-Disposition": f'attachment; filename="kudos-{table}.{form}"',
            "Cache-Control": "no-store",
        }
        return StreamingResponse(pieces.rest(first), media_type=form.media_type, headers=headers)


def _format(ending: str) -> Format:
    try:
        return Format(ending)
    except ValueError:
        raise NotFound(f"Files end in {', '.join(Format)}, not {ending[:20]}.") from None


class _Pieces:
    """The pieces of a file, each made in the one thread that may use the connection."""

    def __init__(self, desk: Desk, source: Source) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="export")
        self._pieces = _read(desk, source)

    async def next(self) -> bytes | None:
        """The next one; None at the end. What fails ends the thread too."""
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, next, self._pieces, None)
        except BaseException:
            self._end()
            raise

    async def rest(self, first: bytes | None) -> AsyncIterator[bytes]:
        """All of them."""
        try:
            piece = first
            while piece is not None:
                yield piece
                piece = await self.next()
        finally:
            self._end()

    def _end(self) -> None:
        try:
            self._thread.submit(self._pieces.close)
        except RuntimeError:
            return  # it has ended already
        self._thread.shutdown(wait=False)


def _read(desk: Desk, source: Source) -> Generator[bytes, None, None]:
    with desk.reader(None) as reader, reader.snapshot():
        yield from source(reader)
