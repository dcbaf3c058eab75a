"""The same for programs: /api/v1 with its OpenAPI document, the state of the service, metrics.

Every answer but the service's own state is of one block and carries an ETag of it.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Header, Query, Request, Response
from fastapi.responses import JSONResponse

from ledger.desk import api_ledger, api_models, api_nodes, api_rule, events
from ledger.desk.api_document import PROBLEMS, add_document
from ledger.desk.api_params import AtBlock, checked_block
from ledger.desk.conditional import Ask
from ledger.desk.context import REFRESH_SECONDS, Desk
from ledger.desk.metrics import MEDIA_TYPE, Metrics
from ledger.desk.problems import BadRequest
from ledger.desk.queries import overview, rule

router = APIRouter(prefix="/api/v1")
STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events, each with an id to resume from.",
        "content": {
            "text/event-stream": {
                "schema": {
                    "type": "object",
                    "description": "One event.",
                    "properties": {
                        "event": {"type": "string", "description": "what happened"},
                        "id": {"type": "string", "description": "for Last-Event-ID"},
                        "data": {"type": "string", "description": "a JSON object"},
                        "retry": {"type": "integer", "description": "milliseconds"},
                    },
                },
                "example": 'event: head\nid: 7.*.9f86d081884c7d65\ndata: {"number": 7}\n\n',
            }
        },
    }
}
START = "start"
READY: dict[int | str, dict[str, Any]] = {
    503: {"model": api_models.Readiness, "description": "Empty or stale; a problem without a copy."}
}


def add_api(app: FastAPI, desk: Desk, metrics: Metrics, listeners: events.Listeners) -> None:
    """All routes for programs."""
    app.state.desk = desk
    app.state.listeners = listeners
    for part in (router, api_rule.router, api_nodes.router, api_ledger.router):
        app.include_router(part, responses=PROBLEMS)

    @app.get("/metrics", include_in_schema=False)
    def show_metrics() -> Response:
        return Response(metrics.text(), media_type=MEDIA_TYPE)

    @app.get("/healthz", tags=["service"], response_model=api_models.Readiness, responses=READY)
    def healthz(request: Request) -> JSONResponse:
        """The same as /api/v1/ready, where supervisors look for it."""
        return ready(request)

    add_document(app)


@router.get("/health", tags=["service"])
async def health() -> api_models.Health:
    """Liveness: 200 while the process answers, whatever its copy is like."""
    return api_models.Health(status="ok")


@router.get(
    "/ready",
    tags=["service"],
    response_model=api_models.Readiness,
    responses=READY,
)
def ready(request: Request) -> JSONResponse:
    """Readiness: 200 while the copy follows its chain, 503 when it is empty or stale."""
    desk: Desk = request.app.state.desk
    with desk.reader() as reader:
        head = reader.head()
    fresh = desk.freshness(head)
    place = asdict(head) if head else {}
    state = api_models.Readiness.model_validate(
        {"status": "stale" if fresh.stale else "ok", "age_seconds": fresh.seconds, **place}
    )
    retry = {"Retry-After": str(REFRESH_SECONDS)} if fresh.stale else {}
    body = state.model_dump(mode="json", exclude_none=True)
    headers = {"Cache-Control": "no-store", **retry}
    return JSONResponse(body, 503 if fresh.stale else 200, headers=headers)


@router.get("/stats", tags=["stats"])
def stats(ask: Ask, at_block: AtBlock = None) -> api_models.Stats:
    """The totals of the whole ledger, and what waits for votes."""
    with ask.snapshot() as reader:
        at = checked_block(reader, at_block)
        seen = ask.desk.once(reader, overview.overview, ask.desk.members(reader), at)
        life = rule.life(reader)
    return api_models.Stats.model_validate(
        {
            "head": seen.head,
            "at_block": at,
            "counts": seen.counts,
            "quorum": seen.quorum,
            "life": life,
            "reorganisations": seen.reorganisations,
        }
    )


@router.get("/stats/days", tags=["stats"])
def stats_by_day(
    ask: Ask, days: Annotated[int, Query(ge=1, le=3_650)] = 90
) -> list[api_models.Day]:
    """Kudos and migrations day by day, the oldest first, without gaps."""
    with ask.snapshot() as reader:
        found = overview.kudos_per_day(reader, days)
    return [api_models.Day.model_validate(day) for day in found]


@router.get("/stats/minutes", tags=["stats"])
def stats_by_minute(
    ask: Ask, minutes: Annotated[int, Query(ge=1, le=1_440)] = 60
) -> list[api_models.Minute]:
    """Migrations settled in each of the last minutes of block time, the oldest first."""
    with ask.snapshot() as reader:
        found = overview.migrations_per_minute(reader, minutes)
    return [api_models.Minute(start=start, migrations=count) for start, count in found]


@router.get("/events", tags=["events"], response_class=Response, responses=STREAM)
async def stream_events(
    request: Request,
    names: Annotated[
        list[str] | None,
        Query(
            alias="events",
            max_length=20,
            description="only these events, say head or BatchVoted; again for more",
        ),
    ] = None,
    after: Annotated[
        str | None,
        Query(max_length=64, description=f"an event's id, or `{START}`; absent: from now on"),
    ] = None,
    follow: Annotated[bool, Query(description="false: end when everything so far is sent")] = True,
    last_event_id: Annotated[
        str | None, Header(max_length=64, description="as browsers send it; wins over `after`")
    ] = None,
) -> Response:
    """The ledger as it grows (server-sent events), resumable by `Last-Event-ID`.

    One event per log under the contract's name for it; `head` when the copy has moved;
    `reorganisation` when what was sent has been taken back; `unavailable` when the copy is.
    """
    seen = _position(last_event_id or after)
    desk: Desk = request.app.state.desk
    listeners: events.Listeners = request.app.state.listeners
    listeners.enter()
    chosen = frozenset(names or ())
    return events.EventStream(
        listeners, events.stream(desk, listeners, seen, chosen, follow=follow)
    )


def _position(text: str | None) -> events.Position | None:
    if not text:
        return None
    if text == START:
        return events.BEGINNING
    seen = events.Position.parse(text)
    if seen is None:
        raise BadRequest("Last-Event-ID", "the id of an event of this stream, unchanged.")
    return seen
