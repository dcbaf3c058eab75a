"""The ledger's pages and the same for programs: read-only, from the copy.

Every answer is read from one snapshot of the copy, and given again while that is the newest. A
request passes, from the outside: headers, HEAD, measurement, rate limit, kept answers, admission,
compression.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.middleware.gzip import GZipMiddleware

from ledger.desk.answers import Answers
from ledger.desk.api import add_api
from ledger.desk.approve import add_approval
from ledger.desk.context import STALE_AFTER, Desk
from ledger.desk.events import Listeners
from ledger.desk.html import add_pages
from ledger.desk.metrics import Measured, Metrics
from ledger.desk.middleware import Admission, HeadAsGet, Limits, Load, RateLimit, SecurityHeaders
from ledger.desk.problems import add_errors
from ledger.desk.proofs import Prover, add_proofs
from ledger.ports import Clock, SystemClock
from ledger.source import LedgerIdentity
from ledger.types import Address

GZIP_LEVEL = 5


def create_app(
    index_path: Path,
    deployment: LedgerIdentity,
    *,
    names: Mapping[Address, str] | None = None,
    clock: Clock | None = None,
    stale_after: float = STALE_AFTER,
    limits: Limits | None = None,
    prover: Prover | None = None,
) -> FastAPI:
    """The service over one indexed copy. ``names`` are roles to show beside addresses; ``prover``
    makes proof bundles, where there is a chain to take them from."""
    app = FastAPI(title="Kudos ledger", version="1", docs_url=None, redoc_url=None)
    desk = Desk(index_path, deployment, names or {}, clock or SystemClock(), stale_after)
    app.mount("/static", StaticFiles(packages=[("ledger.desk", "static")]), name="static")
    load, listeners, limits = Load(), Listeners(), limits or Limits()
    metrics = Metrics(desk, load, listeners)
    monotonic = desk.clock.monotonic
    app.add_middleware(GZipMiddleware, minimum_size=1_000, compresslevel=GZIP_LEVEL)
    app.add_middleware(Admission, limits=limits, load=load)
    app.add_middleware(Answers, head=desk.head, monotonic=monotonic)
    app.add_middleware(RateLimit, limits=limits, load=load, monotonic=monotonic)
    app.add_middleware(Measured, metrics=metrics, monotonic=monotonic)
    app.add_middleware(HeadAsGet)
    app.add_middleware(SecurityHeaders)
    add_errors(app, desk)
    add_pages(app, desk)
    add_api(app, desk, metrics, listeners)
    add_approval(app, desk)
    add_proofs(app, desk, prover)
    return app
