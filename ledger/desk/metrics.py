"""What the service tells Prometheus: where the copy stands, what waits and on whom, and how long
requests take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ledger.desk.context import Desk
from ledger.desk.events import Listeners
from ledger.desk.middleware import Load
from ledger.desk.queries import overview, validators
from ledger.desk.queries.validator_tests import Counts, Said
from ledger.errors import KudosError
from ledger.types import Address, hex_of

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """One service's measurements, in a registry of its own."""

    def __init__(self, desk: Desk, load: Load, listeners: Listeners) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_CopyCollector(desk))
        self._registry.register(_LoadCollector(load, listeners))
        self.durations = Histogram(
            "kudos_http_request_seconds",
            "Time to answer a request, its wait for a turn included.",
            ("route", "status"),
            buckets=BUCKETS,
            registry=self._registry,
        )

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self._registry)


class Measured:
    """Times each request under the route that answered it, so that strangers' paths add no
    series."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, monotonic: Callable[[], float]) -> None:
        self._app, self._metrics, self._monotonic = app, metrics, monotonic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, started = 500, self._monotonic()

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            seconds = self._monotonic() - started
            self._metrics.durations.labels(_route(scope), str(status)).observe(seconds)


def _route(scope: Scope) -> str:
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else "none"


class _LoadCollector(Collector):
    """What the service is busy with."""

    def __init__(self, load: Load, listeners: Listeners) -> None:
        self._load, self._listeners = load, listeners

    def collect(self) -> Iterator[Metric]:
        load = self._load
        yield GaugeMetricFamily("kudos_http_in_work", "Requests being answered.", load.in_work)
        yield GaugeMetricFamily("kudos_http_waiting", "Requests in the queue.", load.waiting)
        refused = CounterMetricFamily(
            "kudos_http_refused", "Requests turned away unanswered.", labels=("status",)
        )
        for status, count in load.refused.items():
            refused.add_metric((str(status),), count)
        yield refused
        yield GaugeMetricFamily(
            "kudos_event_listeners", "Open streams of events.", self._listeners.open
        )


class _CopyCollector(Collector):
    """Where the copy stands, read when it is asked for."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def describe(self) -> Iterator[Metric]:
        """Nothing: registering must not need a copy."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("kudos_copy_up", "1 while the copy can be read.")
        try:
            found = list(self._read())
        except KudosError:
            found = []
        up.add_metric((), 1 if found else 0)
        yield up
        yield from found

    def _read(self) -> Iterator[Metric]:
        with self._desk.reader() as reader, reader.snapshot():
            head = reader.head()
            if head is None:
                return
            for name, text, value in (
                ("kudos_chain_height", "The chain's newest block.", head.chain_head),
                ("kudos_indexed_height", "The copy's newest block.", head.number),
                ("kudos_final_height", "The newest final block.", head.final_number),
                ("kudos_lag_blocks", "Blocks not yet copied.", head.chain_head - head.number),
                ("kudos_head_timestamp_seconds", "When that block was made.", head.timestamp),
                ("kudos_age_seconds", "Age of the data.", head.age(self._desk.clock.now())),
            ):
                yield GaugeMetricFamily(name, text, value)
            yield CounterMetricFamily(
                "kudos_reorganisations", "Reorganisations handled.", reader.reorganisations()
            )
            yield from _counts(self._desk.once(reader, overview.counts))
            present = self._desk.members(reader)
            yield from _quorum(self._desk.once(reader, overview.quorum_health, present))
            yield _tested(self._desk.once(reader, validators.tests_by, present))


def _counts(counts: overview.Counts) -> Iterator[Metric]:
    rows = GaugeMetricFamily("kudos_rows", "What the ledger holds.", labels=("kind",))
    for kind in ("nodes", "migrations", "accepted", "rejected", "canaries_opened"):
        rows.add_metric((kind,), getattr(counts, kind))
    yield rows
    verified = GaugeMetricFamily("kudos_verified", "Verified Kudos.", labels=("level",))
    for level in (1, 2, 3):
        verified.add_metric((str(level),), getattr(counts, f"k{level}"))
    yield verified
    claims = GaugeMetricFamily("kudos_claims", "Claims by state.", labels=("state",))
    for state, count in (
        ("verified", counts.k1 + counts.k2 + counts.k3),
        ("refused", counts.refused),
        ("waiting", counts.waiting),
    ):
        claims.add_metric((state,), count)
    yield claims


def _quorum(quorum: overview.QuorumHealth) -> Iterator[Metric]:
    waiting = GaugeMetricFamily(
        "kudos_waiting_claims",
        "Open claims without this validator's vote.",
        labels=("validator",),
    )
    since = GaugeMetricFamily(
        "kudos_waiting_since_seconds",
        "When the oldest of them was made, 0 without any.",
        labels=("validator",),
    )
    for each in quorum.on:
        waiting.add_metric((hex_of(each.validator),), each.claims)
        since.add_metric((hex_of(each.validator),), each.since or 0)
    yield from (waiting, since)


def _tested(tests: Mapping[Address, Counts]) -> Metric:
    found = CounterMetricFamily(
        "kudos_validator_tests",
        "Opened tests of the validators, by what this one said; to approve one is not to look.",
        labels=("validator", "verdict"),
    )
    for validator, counts in tests.items():
        for said in Said:
            found.add_metric((hex_of(validator), str(said)), getattr(counts, said))
    return found
