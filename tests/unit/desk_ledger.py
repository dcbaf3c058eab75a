"""A small, eventful copy, and what it holds told once more by reading every row.

The answers here are worked out from the written-once tables alone: no roll-up, derived column or
index has a part in them.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger import schema
from ledger.assets import process_name_field, process_name_text
from ledger.desk.queries.explore_query import Kind, Origin, Query, Role, State, name_field
from ledger.reader import Reader
from ledger.synthetic_actors import SyntheticDeployment
from ledger.synthetic_bulk import BulkLedger
from ledger.synthetic_load import load
from ledger.synthetic_shape import Shape
from ledger.types import ZERO_ADDRESS

SHAPE = Shape(
    per_block=24,
    per_batch=8,
    nodes=6,
    names=3,
    first_claims=300,
    canaries=300,
    strict=120,
    void=100,
    again=300,
    puzzles=300,
    carried=80,
    refused=100,
    dissent=60,
    abstained=50,
    silent=150,
    stuck=40,
    skipped=10,
)
STATES = {
    schema.CLAIMED: State.WAITING,
    schema.VERIFIED: State.VERIFIED,
    schema.REFUSED: State.REFUSED,
    schema.VOID: State.VOID,
}
Row = dict[str, Any]


@dataclass(frozen=True)
class Asset:
    """What the explorer should say of one asset, under its place in the order."""

    key: tuple[int, int, int, int]
    kind: Kind
    id: bytes
    request_id: bytes
    home: bytes
    host: bytes
    name: str
    level: int | None
    state: State | None
    origin: Origin | None
    timestamp: int
    voters: frozenset[bytes]


def make(path: Path, assets: int = 4000) -> SyntheticDeployment:
    """A copy with skipped records, silent validators, claims that stay open."""
    ledger = BulkLedger(assets, SHAPE, "desk")
    for block in range(1, ledger.blocks + 1):
        ledger.add_block(block)
    load(path, ledger.deployment, [ledger.rows], indexed_at=1_800_000_000)
    return ledger.deployment


class Told:
    """All rows of a copy, and what follows from them."""

    def __init__(self, path: Path) -> None:
        self.reader = Reader.open(path)
        self.rows = read_rows(self.reader.connection)
        self.time = {row["number"]: row["timestamp"] for row in self.rows["blocks"]}
        self.state = {row["kudos_id"]: row["state"] for row in self.rows["decisions"]}
        self.voters: defaultdict[bytes, set[bytes]] = defaultdict(set)
        for vote in self.rows["votes"]:
            self.voters[vote["kudos_id"]].add(vote["validator"])
        self.migrations = {row["request_id"]: row for row in self.rows["migrations"]}
        self.requests = self.migrations | {r["request_id"]: r for r in self.rows["step_requests"]}
        self.assets = sorted(self._assets(), key=lambda asset: asset.key, reverse=True)

    def _assets(self) -> list[Asset]:
        found = []
        for row in self.rows["migrations"]:
            if row["root"] is None:
                continue  # its assets came one by one
            ids = {Kind.REQUEST: row["request_id"]}
            if row["rejection"] is None:
                ids |= {Kind.ACCEPTED: row["answer_id"], Kind.CONFIRMED: row["confirmed_id"]}
                ids |= {Kind.RESULT: row["result_id"]}
            else:
                ids |= {Kind.REJECTED: row["answer_id"]}
            found += [self._asset(kind, id_, row, row["batch_index"]) for kind, id_ in ids.items()]
        for row in self.rows["openings"]:
            if row["signature"] is not None:
                item = row["rowid"]
                found.append(self._asset(Kind.CANARY_OPENED, row["opened_id"], row, item))
        for row in self.rows["steps"]:
            found.append(self._asset(Kind(row["kind"]), row["asset_id"], row, 0))
        for row in self.rows["kudos"]:
            item = row["rowid"] if row["batch_index"] is None else row["batch_index"]
            found.append(self._asset(Kind.KUDOS, row["kudos_id"], row, item))
        return found

    def _asset(self, kind: Kind, identity: bytes, row: Row, item: int) -> Asset:
        is_kudos = kind is Kind.KUDOS
        asked = self.requests.get(row["request_id"])
        if asked is None:  # a puzzle that the contract gave
            asked = {"home": ZERO_ADDRESS, "host": row["host"], "process_name": bytes(32)}
        return Asset(
            (row["block"], row["log_index"], item, list(Kind).index(kind)),
            *(kind, identity, row["request_id"], asked["home"], asked["host"]),
            process_name_text(asked["process_name"]),
            row["level"] if is_kudos else None,
            STATES[self.state.get(identity, schema.CLAIMED)] if is_kudos else None,
            Origin(row["origin"]) if is_kudos and row["origin"] else None,
            self.time[row["block"]],
            frozenset(self.voters[identity]) if is_kudos else frozenset(),
        )

    def matching(self, query: Query) -> list[Asset]:
        """What a query should select, the newest first."""
        return [asset for asset in self.assets if passes(asset, query)]


def passes(asset: Asset, query: Query) -> bool:
    parties = {
        Role.HOME: {asset.home},
        Role.HOST: {asset.host},
        Role.EITHER: {asset.home, asset.host},
    }[query.role]
    return (
        query.kind in (None, asset.kind)
        and query.level in (None, asset.level)
        and query.state in (None, asset.state)
        and query.origin in (None, asset.origin)
        and (query.node is None or query.node in parties)
        and (query.validator is None or query.validator in asset.voters)
        and (query.name is None or name_field(query.name) == process_name_field(asset.name))
        and (query.since is None or asset.timestamp >= query.since)
        and (query.until is None or asset.timestamp < query.until)
    )


def read_rows(conn: sqlite3.Connection) -> dict[str, list[Row]]:
    """Every written-once row by its columns (and the id of each opening)."""
    columns = {table: ("rowid", *names) for table, names in schema.ROWS.items()}
    columns |= {"blocks": ("number", "timestamp")}
    columns["openings"] = (*columns["openings"], "opened_id")
    return {
        table: [
            dict(zip(names, row, strict=True))
            for row in conn.execute(f"SELECT {', '.join(names)} FROM {table}")
        ]
        for table, names in columns.items()
    }
