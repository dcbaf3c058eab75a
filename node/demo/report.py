"""What the demo found, as data. The numbers come from the ledger where it has them, from the nodes'
own journals where only they know (what was not sent)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ledger.reader import Reader
from ledger.rows import NodeRow
from ledger.types import hex_of
from node.demo.build import Built, Workplace, objects_of
from node.demo.cluster import Member

JUDGED_FROM = 20
"""Requests of each node after the warm-up; a smaller project says nothing about fairness."""


@dataclass(frozen=True, slots=True)
class NodeReport:
    """One node. ``requests`` to ``canaries_passed`` count ledger records, ``sent`` to ``not_worth``
    compiles."""

    address: str
    role: str
    kudos: Mapping[str, int]
    requests: int
    accepted_by_others: int
    sent: int
    local: int
    not_worth: int
    hosted: int
    canaries_given: int
    canaries_passed: int


@dataclass(frozen=True, slots=True)
class Share:
    """How many of a node's requests were accepted, counted from the end of the warm-up."""

    requests: int
    accepted: int

    @property
    def value(self) -> float:
        return self.accepted / self.requests if self.requests else 0.0


@dataclass(slots=True)
class Report:
    """The whole demo; ``problems`` are sentences, and an empty list means success."""

    seed: int
    nodes: list[NodeReport] = field(default_factory=list)
    build: dict[str, Any] = field(default_factory=dict)
    audit: dict[str, int] = field(default_factory=dict)
    canaries: dict[str, Any] = field(default_factory=dict)
    chain: dict[str, int] = field(default_factory=dict)
    shares: dict[str, Any] = field(default_factory=dict)
    phases: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)

    def set_build(
        self, places: Sequence[Workplace], references: Sequence[Built], seconds: float
    ) -> None:
        """Compares every object with the plainly built one of the same node and path."""
        units = identical = 0
        for place, reference in zip(places, references, strict=True):
            shared = objects_of(place.tree)
            units += len(reference.objects)
            identical += sum(
                shared.get(name) == digest for name, digest in reference.objects.items()
            )
        local = sorted(reference.seconds for reference in references)[len(references) // 2]
        self.build = {
            "units": units,
            "identical": identical,
            "seconds_local": round(local, 1),
            "seconds": round(seconds, 1),
        }

    def set_shares(self, shares: Mapping[str, Share], warm_up_seconds: int) -> None:
        """What each node's requests met with after the warm-up."""
        roles = [node.role for node in self.nodes]
        self.shares = {
            "warm_up_seconds": warm_up_seconds,
            "judged": min(share.requests for share in shares.values()) >= JUDGED_FROM,
            "nodes": [
                {
                    "name": name,
                    "role": role,
                    "requests": share.requests,
                    "accepted": share.accepted,
                    "share": round(share.value, 4),
                }
                for (name, share), role in zip(shares.items(), roles, strict=True)
            ],
        }

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", "utf-8")


def node_reports(members: Sequence[Member], reader: Reader) -> list[NodeReport]:
    """One report per member, in their order."""
    rows = {row.address: row for row in reader.nodes()}
    return [_node_report(member, rows.get(member.address)) for member in members]


def _node_report(member: Member, row: NodeRow | None) -> NodeReport:
    counters = journal_counters(member)
    row = row or NodeRow(member.address)
    return NodeReport(
        address=hex_of(member.address),
        role=member.role,
        kudos={"k1": row.k1, "k2": row.k2, "k3": row.k3, "points": row.points},
        requests=row.requests,
        accepted_by_others=row.accepted,
        sent=counters.get("sent", 0),
        local=counters.get("local", 0),
        not_worth=counters.get("not_worth", 0),
        hosted=row.hosted,
        canaries_given=row.canaries_opened,
        canaries_passed=row.canaries_passed,
    )


def journal_counters(member: Member) -> dict[str, int]:
    """A node's own counters, read beside it."""
    path = member.data / "journal.db"
    if not path.exists():
        return {}
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
    try:
        return dict(db.execute("SELECT name, value FROM counters"))
    finally:
        db.close()


def shares_after(reader: Reader, members: Sequence[Member], from_time: int) -> dict[str, Share]:
    """The accepted share of each node's requests that were signed at or after ``from_time``."""
    counted = {member.name: [0, 0] for member in members}
    names = {member.address: member.name for member in members}
    for settled in reader.migrations(limit=1_000_000):
        if settled.request.signed_at >= from_time and settled.request.home in names:
            count = counted[names[settled.request.home]]
            count[0] += 1
            count[1] += settled.result_id is not None
    return {name: Share(*count) for name, count in counted.items()}
