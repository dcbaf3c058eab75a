"""The demo's verdict on itself: what has to hold, looked at from outside the nodes."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from ledger.assets import K3_CANARY
from ledger.audit import audit
from ledger.contracts import contracts_of
from ledger.reader import Reader
from ledger.rpc import Rpc
from ledger.schema import CLAIMED
from ledger.types import Digest
from node.demo.build import Workplace, program_runs
from node.demo.canaries import undrawn
from node.demo.cluster import Member
from node.demo.ground import Ground
from node.demo.project import Project
from node.demo.report import Report

MIGRATED_AT_LEAST = 0.5


def problems_of(report: Report, work: Project, places: Sequence[Workplace]) -> list[str]:
    """A sentence for everything that is off."""
    found = []
    build, shares = report.build, report.shares
    if build["identical"] != build["units"]:
        found.append(f"{build['units'] - build['identical']} object files differ from plain cc's.")
    found += [
        f"The program that {place.member.name} linked does not run."
        for place in places
        if not program_runs(work, place)
    ]
    sent = sum(node.sent for node in report.nodes)
    if sent < MIGRATED_AT_LEAST * build["units"]:
        found.append(f"Only {sent} of {build['units']} compiles were migrated.")
    if report.audit["differences"]:
        found.append(f"The audit found {report.audit['differences']} differences.")
    if not shares["judged"]:
        if work.program is not None:
            found.append("Too few requests after the warm-up to judge whom the nodes helped.")
        return found
    vermin = [node for node in shares["nodes"] if node["role"] == "vermin"]
    fair = [node for node in shares["nodes"] if node["role"] == "fair"]
    for bad in vermin:
        if not all(bad["share"] < good["share"] for good in fair):
            found.append("The vermin had no smaller share of its requests accepted than the fair.")
    return found


def audit_ledger(ground: Ground, reader: Reader) -> tuple[dict[str, int], list[str]]:
    """The audit at the block that node 1's copy has; its numbers, and its differences as text."""
    head = reader.head()
    result = audit(
        Rpc(ground.rpc_url), ground.deployment, ground.nodes[0].index, head.number if head else None
    )
    numbers = {
        "assets": result.assets,
        "kudos": result.kudos,
        "differences": len(result.differences),
        "block": result.block,
    }
    return numbers, [f"Audit: {difference}." for difference in result.differences]


def chain_use(ground: Ground) -> dict[str, int]:
    """Blocks since the ledger was deployed, and the ledger's transactions with their gas."""
    rpc = Rpc(ground.rpc_url)
    head = rpc.block_number()
    logs = rpc.logs(
        contracts_of(ground.deployment.contract).all, ground.deployment.deployed_block, head
    )
    hashes = {log.tx_hash for log in logs}
    receipts = [receipt for tx in hashes if (receipt := rpc.receipt(tx)) is not None]
    return {
        "blocks": head - ground.deployment.deployed_block + 1,
        "transactions": len(receipts),
        "gas": sum(receipt.gas_used for receipt in receipts),
    }


def unverified(ground: Ground, reader: Reader) -> str:
    """What the tasks so far have not earned yet, in words, their canaries aside."""
    (open_claims,) = reader.connection.execute(_OPEN_CLAIMS, (CLAIMED, K3_CANARY)).fetchone()
    return _in_words({_UNSETTLED: _queued(ground), _UNDECIDED: open_claims})


def outstanding(ground: Ground, reader: Reader) -> str:
    """What is still under way, in words; empty when nothing is."""
    nodes = ground.nodes
    unopened = sum(_unopened(node, reader) for node in nodes)
    open_claims = sum(
        row.claims - row.refused - row.void - row.k1 - row.k2 - row.k3 for row in reader.nodes()
    )
    return _in_words(
        {
            _UNSETTLED: _queued(ground),
            "canaries not opened": unopened,
            "results that may yet be drawn": undrawn(reader, ground.deployment),
            _UNDECIDED: open_claims,
        }
    )


def _in_words(waiting: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {what}" for what, number in waiting.items() if number)


def _queued(ground: Ground) -> int:
    return sum(_count(node, "outbox.db", _QUEUED) for node in ground.nodes)


_UNSETTLED, _UNDECIDED = "assets not settled for good", "claims not decided"
_OPEN_CLAIMS = "SELECT count(*) FROM kudos WHERE state = ? AND level < ?"
_QUEUED = "SELECT count(*) FROM items WHERE state = 'pending'"
_CANARIES = "SELECT request_id FROM marks WHERE kind = 1 AND delivered = 0"


def _unopened(node: Member, reader: Reader) -> int:
    """Canaries whose RESULT is settled, and that their host does not have the opening of."""
    return sum(reader.is_settled(Digest(row[0])) for row in _rows(node, "vault.db", _CANARIES))


def _count(node: Member, file: str, query: str) -> int:
    return int(_rows(node, file, query)[0][0])


def _rows(node: Member, file: str, query: str) -> list[tuple[bytes]]:
    """A look at a node's own file from beside it, as its owner may take."""
    db = sqlite3.connect(f"file:{node.data / file}?mode=ro", uri=True, timeout=5)
    try:
        return db.execute(query).fetchall()
    finally:
        db.close()
