"""The audit, once or again and again, with its outcome as Prometheus metrics.

An audit that could not be finished, because the chain is away or was rewritten meanwhile, is
neither agreement nor difference: it is counted apart, and the figures of the last finished one
stay.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter as Tally
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from ledger.audit import AuditReport, audit
from ledger.audit_rows import TABLES
from ledger.audit_state import Difference
from ledger.deployment import Deployment
from ledger.digests import DAMAGE, check_copy
from ledger.errors import KudosError, UsageError
from ledger.ports import Clock
from ledger.reader import Reader
from ledger.rpc import Rpc

KINDS = (
    *("logs", "contract", "deployment file", "SQLite", "SQLite nodes", "SQLite digests"),
    *(f"SQLite {table}" for table, _, _ in TABLES),
)
SHOWN = 20
"""Differences that a repeated audit prints each time; the metrics count all."""

Endpoint = tuple[str, int]


@dataclass(frozen=True, slots=True)
class AuditJob:
    """One audit, ready to be run any number of times."""

    rpc: Rpc
    deployment: Deployment
    index: Path | None = None
    at_block: int | None = None

    def __call__(self) -> AuditReport:
        """The audit proper, and the copy's digests and roll-ups beside it."""
        self.deployment.verify(self.rpc)
        report = audit(self.rpc, self.deployment, self.index, self.at_block)
        if self.index is None:
            return report
        damage = tuple(_damage(self.index, self.deployment))
        return AuditReport(
            *(report.block, report.assets, report.kudos, report.totals),
            (*report.differences, *damage),
        )


def _damage(index: Path, deployment: Deployment) -> Iterator[Difference]:
    with Reader.open(index, deployment) as reader, reader.snapshot():
        try:
            found = check_copy(reader.connection)
        except DAMAGE as error:
            found = [f"SQLite cannot read the file: {error}."]
    for sentence in found:
        yield Difference("SQLite digests", "the copy", "as its digests say", f"not: {sentence}")


class AuditMetrics:
    """The outcome of the last audits, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._differences = self._gauge(
            "differences", "Differences that the last audit found.", True
        )
        self._block = self._gauge("block", "The block as of which the last audit recounted.")
        self._assets = self._gauge("assets", "Assets that the last audit recounted.")
        self._kudos = self._gauge("verified_kudos", "Verified Kudos by the last audit's count.")
        self._seconds = self._gauge("duration_seconds", "How long the last audit took.")
        self._finished = self._gauge(
            "last_finished_timestamp_seconds", "When an audit was last finished, whatever it found."
        )
        self._agreed = self._gauge(
            "last_success_timestamp_seconds", "When an audit last found no difference."
        )
        self._up = self._gauge("up", "1 while the last audit could be finished.")
        self._runs = Counter(
            "kudos_audit_runs", "Audits by outcome.", ("outcome",), registry=self.registry
        )
        for outcome in ("agrees", "differs", "failed"):
            self._runs.labels(outcome)
        for kind in KINDS:
            self._differences.labels(kind)

    def finished(self, report: AuditReport, seconds: float, now: float) -> None:
        """Takes over what an audit found."""
        found = Tally(kind_of(difference) for difference in report.differences)
        for kind in {*KINDS, *found}:
            self._differences.labels(kind).set(found[kind])
        self._block.set(report.block)
        self._assets.set(report.assets)
        self._kudos.set(report.kudos)
        self._seconds.set(seconds)
        self._finished.set(now)
        self._up.set(1)
        self._runs.labels("agrees" if report.ok else "differs").inc()
        if report.ok:
            self._agreed.set(now)

    def failed(self) -> None:
        """An audit that could not be finished."""
        self._up.set(0)
        self._runs.labels("failed").inc()

    def _gauge(self, name: str, text: str, by_kind: bool = False) -> Gauge:
        labels = ("kind",) if by_kind else ()
        return Gauge(f"kudos_audit_{name}", text, labels, registry=self.registry)


def kind_of(difference: Difference) -> str:
    """A label from a small set: where in the chain a log stands would be a series each."""
    if difference.where.startswith("block ") or difference.where == "the end of the log":
        return "logs"
    return difference.where


def watch(
    job: Callable[[], AuditReport],
    clock: Clock,
    *,
    interval: float,
    listen: Endpoint | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Audits every ``interval`` seconds until ``stop``, or for ever."""
    metrics, ending = AuditMetrics(), stop or threading.Event()
    with _served(metrics, listen):
        while not ending.is_set():
            started = clock.monotonic()
            try:
                report = job()
            except KudosError as error:
                metrics.failed()
                print(f"kudos: not audited: {error.message}", file=sys.stderr, flush=True)
            else:
                metrics.finished(report, clock.monotonic() - started, clock.now())
                print_outcome(report, SHOWN)
            ending.wait(interval)


def print_outcome(report: AuditReport, show: int | None = None) -> None:
    """What was recounted, and the differences one a line."""
    print(f"block {report.block}: {report.assets} assets, {report.kudos} verified Kudos")
    for difference in report.differences[:show]:
        print(f"DIFFERENCE {difference}")
    print(f"{len(report.differences)} differences", flush=True)


@contextmanager
def _served(metrics: AuditMetrics, listen: Endpoint | None) -> Iterator[None]:
    if listen is None:
        yield
        return
    host, port = listen
    try:
        server, thread = start_http_server(port, host, registry=metrics.registry)
    except OSError as error:
        raise UsageError(
            f"Metrics cannot be served at {host}:{port}: {error.strerror}.",
            hint="Give another --metrics, for example 127.0.0.1:9101.",
        ) from error
    print(f"metrics at http://{host}:{server.server_port}/metrics; Ctrl-C ends it", flush=True)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
