"""All assets with facets; the address of the page is the query. And what happened in one block."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import FastAPI, Path, Request
from fastapi.responses import HTMLResponse

from ledger.desk import api_logs
from ledger.desk.context import Desk
from ledger.desk.html_shell import query_string, show
from ledger.desk.problems import NotFound
from ledger.desk.queries import explore, facets
from ledger.desk.queries.explore_query import Kind, Origin, Query, Role, State
from ledger.desk.views_explore import chips, form_params

LOGS = 200


def add_explore(app: FastAPI, desk: Desk) -> None:
    """Registers these pages."""

    @app.get("/explore", response_class=HTMLResponse, include_in_schema=False)
    def assets(request: Request) -> HTMLResponse:
        query = Query.from_params(form_params(request.query_params))
        with desk.reader() as reader, reader.snapshot():
            # The same on every page of the list.
            count, counted = desk.once(reader, facets.survey, replace(query, cursor=None))
            return show(
                desk,
                request,
                reader,
                "explore.html",
                query=query,
                page=explore.page(reader, query),
                count=count,
                facets=counted,
                chips=chips(query),
                choices={"kind": Kind, "state": State, "role": Role, "origin": Origin},
                export=query_string({k: v for k, v in query.to_params().items() if k != "cursor"}),
            )

    @app.get("/blocks/{number}", response_class=HTMLResponse, include_in_schema=False)
    def block(
        request: Request, number: Annotated[int, Path(ge=0, lt=1 << 63)], tx: str = ""
    ) -> HTMLResponse:
        with desk.reader() as reader, reader.snapshot():
            logs = [
                log
                for log in api_logs.after(reader, number, -1, LOGS)
                if log.block == number and tx in ("", log.data["tx"])
            ]
            if not logs:
                raise NotFound(f"No event of this ledger stands in block {number:,}.")
            return show(desk, request, reader, "block.html", number=number, tx=tx, logs=logs)
