"""A service over a synthetic ledger, with a clock that only moves when told to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from ledger.desk.app import create_app
from ledger.desk.middleware import Limits
from ledger.indexer import Indexer
from ledger.store import IndexStore
from ledger.synthetic import SyntheticChain
from ledger.synthetic_actors import Settings

API = "/api/v1"


class Clock:
    """A clock that only moves when told to."""

    time = 5000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


class ApiSite:
    """A chain, its copy, and the service over it."""

    def __init__(
        self, path: Path, *, blocks: int = 6, limits: Limits | None = None, tests: float = 0.1
    ) -> None:
        self.path, self.clock = path, Clock()
        self.chain = SyntheticChain(Settings(nodes=4, finality_depth=3, tests=tests))
        self.grow(blocks, 15)
        names = {self.chain.actors.nodes[0].address: "first"}
        self.app = create_app(
            path, self.chain.deployment, names=names, clock=self.clock, limits=limits
        )
        self.client = TestClient(self.app, raise_server_exceptions=False)

    def grow(self, blocks: int, migrations: int) -> None:
        """More blocks, indexed."""
        for _ in range(blocks):
            self.chain.mine(migrations)
        self.index()

    def index(self) -> None:
        """Brings the copy up to the chain."""
        with IndexStore.open(self.path, self.chain.deployment) as store:
            indexer = Indexer(self.chain, store, self.chain.deployment, self.clock)
            while not indexer.step().is_caught_up:
                pass

    def get(self, path: str, status: int = 200, **params: Any) -> Any:
        """The JSON of an answer that must have this status."""
        answer = self.client.get(API + path, params=params)
        assert answer.status_code == status, answer.text
        return answer.json()

    def pages(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """The rows of all pages of a list, in at most a thousand requests."""
        rows: list[dict[str, Any]] = []
        cursor: dict[str, Any] = {}
        for _ in range(1_000):
            page = self.get(path, **params, **cursor)
            rows += page["rows"]
            if page["next"] is None:
                return rows
            cursor = {"cursor": page["next"]}
        raise AssertionError(f"{path} does not end")
