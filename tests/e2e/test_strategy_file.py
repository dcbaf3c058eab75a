"""Real nodes under a strategy file: what it refuses stands on the ledger, what it says later holds
without a restart, and the past can be tried under another one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ledger.reasons import Reason
from ledger.types import hex_of
from node.demo import ground
from node.plugin import Reputation
from tests.e2e.cluster import Cluster, fresh_tree

pytestmark = pytest.mark.timeout(240)

NOBODY = '[[rule]]\nuse = "names"\nrefuse = ["*"]\n'
ANYBODY = 'version = 2\n\n[[rule]]\nuse = "anybody"\n'


def kudos(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "node.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def answers(cluster: Cluster) -> list[int | None]:
    """The ledger's answers to requests of node 1, as reasons of rejection."""
    with cluster.reader() as reader:
        home = cluster.ground.nodes[0].address
        return [r.rejection for r in reader.past_requests() if r.home == home]


def test_a_strategy_file_rules_a_running_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(NOBODY, "utf-8")
    monkeypatch.setitem(ground.STRATEGIES, "open", str(file))
    with Cluster(validators=1) as cluster:
        assert cluster.build(1, fresh_tree(tmp_path / "a")).wait(timeout=120) == 0
        cluster.until(lambda: len(answers(cluster)) > 0, "a refusal stands on the ledger")
        assert set(answers(cluster)) == {Reason.POLICY}

        file.write_text(ANYBODY, "utf-8")
        node, other = cluster.ground.nodes
        assert cluster.build(1, fresh_tree(tmp_path / "b")).wait(timeout=120) == 0
        cluster.until(lambda: None in answers(cluster), "a task was taken")
        assert "is in force as mine/2" in cluster.log_of(2)

        with Reputation.open(other.index, me=other.address, strategy=str(file)) as reputation:
            assert reputation.decide(node.address).strategy == "mine/2"
        check = kudos("check", hex_of(node.address), "--data", other.data, "--strategy", file)
        assert (check.returncode, check.stdout.split()[:2]) == (0, ["accept", "mine/2"])
        tried = kudos("strategy", "try", file, "--data", other.data)
        assert tried.returncode == 0, tried.stderr
        assert "was rejected, would accept: ACCEPTED by all" in tried.stdout
