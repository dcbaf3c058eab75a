"""The service's routes as methods. Lists are iterators that fetch page after page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import cache
from types import TracebackType
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from ledger.client.errors import Unavailable, Unreachable
from ledger.client.http import Http
from ledger.client.stream import Event
from ledger.desk import api_asset_models as found
from ledger.desk import api_models as models
from ledger.desk import api_rule_models as rules

T = TypeVar("T")
PREFIX = "/api/v1"
RECONNECT_SECONDS = 1.0


class Client:
    """Asks one service. Every error is a KudosError; a service that says it is busy is asked again
    a few times. Not for several threads at once."""

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 30.0,
        retries: int = 3,
        page: int = 200,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = Http(url, timeout, retries, sleep)
        self._page, self._sleep, self._reconnects = page, sleep, retries

    def close(self) -> None:
        """Ends the connection."""
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    # The service itself.

    def health(self) -> models.Health:
        """Whether the process answers."""
        return self._one(models.Health, "/health")

    def ready(self) -> models.Readiness:
        """How well its copy follows the chain; Unavailable when it does not."""
        return self._one(models.Readiness, "/ready")

    # The whole ledger.

    def stats(self, *, at_block: int | None = None) -> models.Stats:
        """All totals, now or as of a block."""
        return self._one(models.Stats, "/stats", at_block=at_block)

    def stats_days(self, days: int = 90) -> list[models.Day]:
        """Kudos and migrations by day."""
        return self._one(list[models.Day], "/stats/days", days=days)

    def stats_minutes(self, minutes: int = 60) -> list[models.Minute]:
        """Migrations by minute."""
        return self._one(list[models.Minute], "/stats/minutes", minutes=minutes)

    def flow(self, edges: int = 100) -> models.Flow:
        """The heaviest edges."""
        return self._one(models.Flow, "/flow", edges=edges)

    def flow_edges(self) -> Iterator[models.Edge]:
        """All edges with points, the most first."""
        return self._pages(models.Edge, "/flow/edges")

    def search(self, q: str, limit: int = 50) -> found.Hits:
        """Whatever a text names."""
        return self._one(found.Hits, "/search", q=q, limit=limit)

    # Nodes.

    def nodes(self, **filters: Any) -> Iterator[models.Node]:
        """All nodes: ``sort``, ``descending``, ``prefix``, ``min_points``, ``at_block``."""
        return self._pages(models.Node, "/nodes", **filters)

    def node(self, address: str, *, at_block: int | None = None) -> models.Node:
        """One node's totals."""
        return self._one(models.Node, f"/nodes/{address}", at_block=at_block)

    def node_days(self, address: str, days: int = 365) -> list[models.NodeDay]:
        """A node day by day."""
        return self._one(list[models.NodeDay], f"/nodes/{address}/days", days=days)

    def node_earned(self, address: str) -> Iterator[models.Edge]:
        """Who gave it Kudos or work."""
        return self._pages(models.Edge, f"/nodes/{address}/earned")

    def node_gave(self, address: str) -> Iterator[models.Edge]:
        """Whom it gave Kudos or work."""
        return self._pages(models.Edge, f"/nodes/{address}/gave")

    def node_canaries(self, address: str) -> models.CanaryRecord:
        """How it stands with canaries."""
        return self._one(models.CanaryRecord, f"/nodes/{address}/canaries")

    def node_why(self, address: str, *, outcome: str | None = None) -> Iterator[found.Why]:
        """Each point that it has or does not have, with the reason."""
        return self._pages(found.Why, f"/nodes/{address}/why", outcome=outcome)

    def node_puzzles(self, address: str) -> list[rules.Puzzle]:
        """What it asked the contract for."""
        return self._one(list[rules.Puzzle], f"/nodes/{address}/puzzles", limit=500)

    # Validators.

    def validator_sets(self) -> list[rules.ValidatorSet]:
        """Every set so far, the present one last."""
        return self._one(list[rules.ValidatorSet], "/validators/sets")

    def proposals(self) -> Iterator[rules.Proposal]:
        """What validators proposed, the newest first."""
        return self._pages(rules.Proposal, "/proposals")

    def rounds(self) -> Iterator[rules.Round]:
        """Rounds of committed votes, the newest first."""
        return self._pages(rules.Round, "/rounds")

    def beacon(self) -> Iterator[rules.Period]:
        """Periods of the beacon, the newest first."""
        return self._pages(rules.Period, "/beacon")

    def validators(self) -> list[found.Validator]:
        """How the validators vote."""
        return self._one(list[found.Validator], "/validators")

    def validator(self, address: str) -> found.Validator:
        """How one validator votes."""
        return self._one(found.Validator, f"/validators/{address}")

    def validator_tests(self, address: str, *, said: str | None = None) -> Iterator[rules.Tested]:
        """What it said of opened tests of the validators, the newest first."""
        return self._pages(rules.Tested, f"/validators/{address}/tests", said=said)

    def votes(self, **filters: Any) -> Iterator[found.Vote]:
        """Votes, the newest first: ``validator``, ``kudos_id``, ``verdict``."""
        return self._pages(found.Vote, "/votes", **filters)

    # Assets.

    def migrations(self, **filters: Any) -> Iterator[found.Migration]:
        """Migrations, the newest first: ``node``, ``role``, ``name``, ``since``, ``until``."""
        return self._pages(found.Migration, "/migrations", **filters)

    def migration(self, request_id: str) -> found.LifeCycle:
        """One migration with all that can be recomputed of it."""
        return self._one(found.LifeCycle, f"/migrations/{request_id}")

    def assets(self, **filters: Any) -> Iterator[found.Asset]:
        """Assets, the newest first: ``kind``, ``level``, ``state``, ``node``, ``role``,
        ``validator``, ``name``, ``since``, ``until``."""
        return self._pages(found.Asset, "/assets", **filters)

    def asset(self, asset_id: str) -> found.Step:
        """One asset of any kind."""
        return self._one(found.Step, f"/assets/{asset_id}")

    def assets_count(self, **filters: Any) -> found.AssetCount:
        """How many assets a filter leaves."""
        return self._one(found.AssetCount, "/assets/count", **filters)

    def assets_facets(self, **filters: Any) -> list[found.Facet]:
        """How they spread over each dimension."""
        return self._one(list[found.Facet], "/assets/facets", **filters)

    def kudos(self, **filters: Any) -> Iterator[found.KudosClaim]:
        """Claims, the newest first: ``level``, ``state``, ``node``, ``role``, ``validator``,
        ``since``, ``until``."""
        return self._pages(found.KudosClaim, "/kudos", **filters)

    def kudos_claim(self, kudos_id: str) -> found.KudosDetail:
        """One claim with the votes on it."""
        return self._one(found.KudosDetail, f"/kudos/{kudos_id}")

    def canaries(self, **filters: Any) -> Iterator[found.Canary]:
        """Opened canaries, the newest first: as ``migrations``."""
        return self._pages(found.Canary, "/canaries", **filters)

    def canary(self, request_id: str) -> found.Canary:
        """The opened canary of a request."""
        return self._one(found.Canary, f"/canaries/{request_id}")

    def draws(self, **filters: Any) -> Iterator[rules.Draw]:
        """Canaries that the beacon drew, the newest first: as ``migrations``."""
        return self._pages(rules.Draw, "/draws", **filters)

    def proof(self, asset_id: str) -> dict[str, Any]:
        """The proof bundle of an asset or Kudos, as `kudos verify` takes it."""
        return self._one(dict[str, Any], f"/proofs/{asset_id}")

    def events(
        self, *, after: str = "", only: list[str] | None = None, follow: bool = True
    ) -> Iterator[Event]:
        """The ledger as it grows. ``after`` is an event's id, or "start". A connection that breaks
        is made again and resumed where it was, unless the service stays away."""
        last, failures = after, 0
        params = {"events": only, "follow": follow}
        while True:
            resume = {"after": last} if last == "start" else {}
            try:
                for event in self._http.events({**params, **resume}, "" if resume else last):
                    last, failures = event.id or last, 0
                    yield event
            except (Unreachable, Unavailable):
                failures += 1
                if failures > self._reconnects:
                    raise
            if not follow and not failures:
                return
            self._sleep(RECONNECT_SECONDS)

    def _one(self, kind: type[T], path: str, **params: Any) -> T:
        return self._read(kind, PREFIX + path, params)

    def _pages(self, kind: type[T], path: str, **params: Any) -> Iterator[T]:
        cursor: str | None = None
        while True:
            asked = {"limit": self._page, **params, "cursor": cursor}
            page = self._read(models.Page[kind], PREFIX + path, asked)  # type: ignore[valid-type]
            yield from page.rows
            cursor = page.next
            if cursor is None:
                return

    def _read(self, kind: type[T], path: str, params: dict[str, Any]) -> T:
        body = self._http.get(path, params)
        answer: Any = kind
        try:
            read: T = _adapter(answer).validate_json(body)
        except ValidationError as error:
            raise Unreachable(
                f"The answer to {path} is none that this client knows.",
                hint="Use a client of the service's version.",
            ) from error
        return read


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Made once per kind of answer: that takes longer than reading one."""
    return TypeAdapter(kind)
