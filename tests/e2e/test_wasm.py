"""A module through real processes: sent, run in another node's sandbox, planted, and paid for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from canaries.family import field_of
from canaries.wasm import UNKNOWN
from ledger.errors import KudosError
from tests.e2e.cluster import Cluster
from tests.unit.wasm_modules import DATA, ECHO, ECHO_FUEL, FOR_EVER

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(("open", "open")) as running:
        yield running


def kudos_run(cluster: Cluster, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "KUDOS_SOCKET": str(cluster.ground.nodes[0].socket)}
    command = [sys.executable, "-m", "node.cli", "run", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, timeout=90, check=False)


def test_a_module_runs_at_another_node(cluster: Cluster, tmp_path: Path) -> None:
    module, data = tmp_path / "echo.wasm", tmp_path / "data"
    module.write_bytes(ECHO)
    data.write_bytes(DATA)
    done = kudos_run(cluster, "--wasm", module, data)
    said = f"done, fuel {ECHO_FUEL}, run by another node"
    assert (done.returncode, done.stdout) == (0, DATA), done.stderr
    assert said in done.stderr.decode()
    module.write_bytes(FOR_EVER)
    ended = kudos_run(cluster, "--wasm", module, data, "--fuel", "1000000")
    assert ended.returncode == 1
    assert "trap out of fuel, fuel 1000000, run by another node" in ended.stderr.decode()


def test_a_planted_module_earns_its_host_k3_though_its_home_is_killed(cluster: Cluster) -> None:
    done = kudos_run(cluster, "--made", "0.2", "--plant", "--within", "15")
    assert done.returncode == 0, done.stderr
    assert b"planted" in done.stderr
    # It waits: the home was told that it is planted, and that is kept.
    cluster.node(1).kill()
    cluster.restart(cluster.node(1))

    def paid() -> bool:
        try:
            with cluster.reader() as reader:
                return reader.kudos(cluster.ground.nodes[1].address).k3 > 0
        except KudosError:
            return False

    cluster.until(paid, "validators have run it again and approved", seconds=120)
    with cluster.reader() as reader:
        told = [reader.opening(settled.request_id) for settled in reader.migrations(limit=100)]
    opening, *_ = [each.asset for each in told if each and each.asset.family == field_of("wasm")]
    assert opening.parameters != UNKNOWN, "the home knew the result before it asked"
