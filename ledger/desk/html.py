"""The pages."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from ledger.desk import views
from ledger.desk.context import REFRESH_SECONDS, Desk, Refresh, find_life


def add_pages(app: FastAPI, desk: Desk) -> None:
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
                nodes=views.node_views(reader, desk.names),
                migrations=views.migration_views(reader, 25),
                validators=reader.validators(),
            )

    @app.get("/migrations/{request_id}", response_class=HTMLResponse, include_in_schema=False)
    def migration(request_id: str) -> HTMLResponse:
        with desk.reader() as reader, reader.snapshot():
            head = reader.head()
            life = find_life(reader, request_id)
            return desk.render(
                "migration.html", life=life, head=head, freshness=desk.freshness(head)
            )
