"""A puzzle through real processes: planted, solved in another node's sandbox, and proved to the
contract."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from canaries.family import field_of
from ledger.assets import K3_CANARY
from ledger.errors import KudosError
from ledger.puzzle_result import result_digest_of
from ledger.rows import Opening
from ledger.schema import VERIFIED
from tests.e2e.cluster import Cluster

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(("open", "open"), validators=1) as running:
        yield running


def plant(cluster: Cluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "KUDOS_SOCKET": str(cluster.ground.nodes[0].socket)}
    command = [sys.executable, "-m", "node.cli", "plant", *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, timeout=60, check=False, text=True
    )


def openings(cluster: Cluster, family: str) -> list[Opening]:
    """Those of one family that node 1's copy has."""
    try:
        with cluster.reader() as reader:
            told = [reader.opening(each.request_id) for each in reader.migrations(limit=100)]
    except KudosError:
        return []
    return [each for each in told if each and each.asset.family == field_of(family)]


@pytest.mark.parametrize("family", ["dlog", "factor", "preimage"])
def test_a_planted_puzzle_becomes_k3_without_a_vote(cluster: Cluster, family: str) -> None:
    done = plant(cluster, family, "0.1", "--within", "1")
    assert done.returncode == 0, done.stderr
    assert f"planted, {family} of" in done.stderr
    cluster.until(lambda: bool(openings(cluster, family)), "the contract has checked the solution")
    (opening,) = openings(cluster, family)
    assert opening.solution is not None
    with cluster.reader() as reader:
        claims = reader.claims_of(opening.asset.request_id)
        (canary,) = [claim for claim in claims if claim.level == K3_CANARY]
        assert (canary.state, canary.decided) == (VERIFIED, canary.place)
        assert reader.votes(canary.kudos_id) == []
        assert canary.result_digest == result_digest_of(opening.solution)
        assert reader.kudos(cluster.ground.nodes[1].address).k3 > 0
