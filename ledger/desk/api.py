"""The same as JSON, for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse

from ledger.desk import views
from ledger.desk.context import REFRESH_SECONDS, Before, Desk, Limit, find_life
from ledger.types import BlockNumber, hex_of


def add_api(app: FastAPI, desk: Desk) -> None:
    @app.get("/api/v1/nodes")
    def nodes() -> list[dict[str, Any]]:
        """All nodes with their roll-ups, the most points first."""
        with desk.reader() as reader, reader.snapshot():
            return [views.node_json(view) for view in views.node_views(reader, desk.names)]

    @app.get("/api/v1/migrations")
    def migrations(limit: Limit = 50, before: Before = None) -> list[dict[str, Any]]:
        """The latest migrations, the newest first."""
        with desk.reader() as reader, reader.snapshot():
            listed = views.migration_views(
                reader, limit, None if before is None else BlockNumber(before)
            )
            return [views.migration_json(view) for view in listed]

    @app.get("/api/v1/migrations/{request_id}")
    def migration(request_id: str) -> dict[str, Any]:
        """One migration: its assets, votes, and what was recomputed."""
        with desk.reader() as reader, reader.snapshot():
            return views.life_cycle_json(find_life(reader, request_id))

    @app.get("/healthz")
    def health() -> JSONResponse:
        """200 while the copy follows the chain, 503 when it is empty or stale."""
        with desk.reader() as reader:
            head = reader.head()
        fresh = desk.freshness(head)
        state = asdict(head) | {"hash": hex_of(head.hash)} if head else {}
        body = {"status": "stale" if fresh.stale else "ok", "age_seconds": fresh.seconds, **state}
        retry = {"Retry-After": str(REFRESH_SECONDS)} if fresh.stale else {}
        return JSONResponse(body, 503 if fresh.stale else 200, headers=retry)
