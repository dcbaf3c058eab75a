"""The first page, one migration, the flow of Kudos, and the search."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from ledger.desk import views
from ledger.desk.context import Desk, find_life
from ledger.desk.html_shell import Cursor, Link, Rows, show
from ledger.desk.queries import flow, nodes, overview, rule, search
from ledger.desk.views import LifeCycle
from ledger.desk.views_migration import (
    Drawn,
    commitment_words,
    drawn,
    signature_of,
    words_of_test,
)
from ledger.desk.views_overview import answers, since_first
from ledger.desk.views_search import target
from ledger.reader import Reader

BEST_NODES = 8
LATEST = 12

Edges = Annotated[int, Query(ge=1, le=flow.MAX_EDGES)]
Text = Annotated[str, Query(max_length=200)]


def add_overview(app: FastAPI, desk: Desk) -> None:
    """Registers these pages."""

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    def first(request: Request) -> HTMLResponse:
        with desk.reader() as reader, reader.snapshot():
            return _first(desk, request, reader)

    @app.get("/migrations/{request_id}", response_class=HTMLResponse, include_in_schema=False)
    def migration(request: Request, request_id: str) -> HTMLResponse:
        with desk.reader() as reader, reader.snapshot():
            life = find_life(reader, request_id)
            signed = {
                view.step.id: signature_of(view.step, life.checks, life.alone)
                for view in life.steps
            }
            draw = _draw(desk, reader, life)
            words = commitment_words(reader.domain, life.settled, life.opening)
            return show(
                *(desk, request, reader, "migration.html"),
                life=life,
                signed=signed,
                words=words,
                draw=draw,
                test_words=words_of_test(life.test),
            )

    @app.get("/flow", response_class=HTMLResponse, include_in_schema=False)
    def graph(
        request: Request, edges: Edges = 40, limit: Rows = 50, cursor: Cursor = None
    ) -> HTMLResponse:
        with desk.reader() as reader, reader.snapshot():
            link = Link("/flow", {"edges": edges, "limit": limit})
            table = flow.table(reader, limit, cursor)
            values = {"flow": desk.once(reader, flow.top, edges), "page": table, "link": link}
            return show(desk, request, reader, "flow.html", edges=edges, **values)

    @app.get("/search", response_class=HTMLResponse, include_in_schema=False)
    def find(request: Request, q: Text = "") -> Response:
        with desk.reader() as reader, reader.snapshot():
            found = search.search(reader, q.strip())
            hits = [(hit, target(hit)) for hit in found.hits]
            if len(hits) == 1 and not found.more:
                return RedirectResponse(quote(hits[0][1], safe="/?=&%+-_.~"), 303)
            return show(
                desk, request, reader, "search.html", q=q.strip(), hits=hits, more=found.more
            )


def _draw(desk: Desk, reader: Reader, life: LifeCycle) -> Drawn | None:
    if life.draw is None:
        return None
    period = life.settled.place.timestamp // desk.deployment.period_seconds
    _, value = rule.beacon_of(reader.connection, period)
    return drawn(life.settled, value, period, desk.deployment.draw_rate)


def _first(desk: Desk, request: Request, reader: Reader) -> HTMLResponse:
    view = desk.once(reader, overview.overview, desk.members(reader))
    view = overview.under(reader.head(), view)
    best = desk.once(reader, nodes.list_nodes, nodes.NodesQuery(limit=BEST_NODES)).rows
    return show(
        desk,
        request,
        reader,
        "overview.html",
        view=view,
        answers=answers(view, desk.freshness(view.head)),
        days=since_first(overview.kudos_per_day(reader)),
        minutes=overview.migrations_per_minute(reader),
        nodes=best,
        life=rule.life(reader),
        sparks=nodes.sparklines(reader, [line.address for line in best]),
        migrations=views.migration_views(reader, LATEST),
    )
