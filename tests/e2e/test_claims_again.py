"""Validators that were away for longer than the claim window, with real processes: the host claims
again by itself, and what they find when they are back is verified."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger import schema
from ledger.assets import CLAIM_WITHIN, K2_CONFIRMED, POINTS
from ledger.claims_again import Again
from ledger.rows import KudosRow
from ledger.types import Digest
from tests.e2e.cluster import Cluster, fresh_tree

pytestmark = pytest.mark.timeout(240)


def k2_claims(cluster: Cluster) -> dict[Digest, list[KudosRow]]:
    """By request, the oldest first."""
    found = {}
    with cluster.reader() as reader:
        for settled in reader.migrations(limit=100):
            rows = [row for row in reader.claims_of(settled.request_id) if row.level == 2]
            found[settled.request_id] = sorted(rows, key=lambda row: row.place.block)
    return found


def test_claims_that_timed_out_are_made_again_and_verified(tmp_path: Path) -> None:
    with Cluster(("open", "open"), validators=1) as cluster:
        validator = cluster.daemons[-1]
        validator.stop()
        assert cluster.build(1, fresh_tree(tmp_path / "p")).wait(timeout=120) == 0

        def settled() -> bool:
            claims = k2_claims(cluster)
            return len(claims) >= 4 and all(map(len, claims.values()))

        cluster.until(settled, "the host has claimed K2 for every compile")
        assert cluster.points(2) == 0
        requests = set(k2_claims(cluster))
        # It is down while its claims time out, and has to find them by itself.
        cluster.node(2).kill()
        cluster.chain.rpc.raw("evm_increaseTime", [CLAIM_WITHIN + Again().wait_seconds + 5])
        cluster.chain.mine(1)
        cluster.restart(cluster.node(2))

        def again() -> bool:
            return all(len(rows) == 2 for rows in k2_claims(cluster).values())

        cluster.until(again, "every claim is made again")
        validator.start()
        worth = POINTS[K2_CONFIRMED] * len(requests)
        cluster.until(lambda: cluster.points(2) >= worth, "the validator has found them")
        claims = k2_claims(cluster)
        assert set(claims) == requests
        for first, second in claims.values():
            assert (first.state, second.state) == (schema.REFUSED, schema.VERIFIED)
        report = cluster.audit(2)
        assert [str(each) for each in report.differences] == []
