"""Real processes, and what happens to them: crashes of a host, a node and the chain, and a
reorganisation.

After each the same holds: the build is right, nothing settled is lost or there twice, and the audit
agrees.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cluster import Cluster, fresh_tree, objects, plain_build

pytestmark = pytest.mark.timeout(240)

SLOW_FUNCTIONS = 1_200


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as running:
        yield running


def build_everything(cluster: Cluster, tree: Path, number: int = 1) -> None:
    """Builds the small project at a node and compares every object with a plain build's."""
    expected = plain_build(tree)
    assert cluster.build(number, tree).wait(timeout=120) == 0
    assert objects(tree) == expected


def check_ledger(cluster: Cluster, before: set[bytes]) -> None:
    """Everything settles, nothing that stood before is gone, and the audit finds no difference."""
    cluster.settle()
    assert before <= cluster.requests()
    for number in (1, 2):
        report = cluster.audit(number)
        assert report.assets > 0
        assert [str(each) for each in report.differences] == []


def test_a_build_is_migrated_settled_verified_and_audited(cluster: Cluster, tmp_path: Path) -> None:
    build_everything(cluster, fresh_tree(tmp_path / "p"))
    check_ledger(cluster, set())
    assert len(cluster.requests()) >= 4, "every compile of the project was sent"
    assert cluster.points(2) >= 40, "the host earned K2 for each"


def test_a_host_that_dies_in_the_middle_of_a_task(cluster: Cluster, tmp_path: Path) -> None:
    before = cluster.requests()
    tree = tmp_path / "slow"
    tree.mkdir()
    (tree / "slow.c").write_text(slow_source())
    (tree / "Makefile").write_text("slow.o: slow.c\n\t$(CC) -O2 -c -o $@ $<\nclean:\n\trm -f *.o\n")
    expected = plain_build(tree)
    accepted = cluster.log_of(2).count(": accepted, ")
    make = cluster.build(1, tree)
    cluster.until(
        lambda: cluster.log_of(2).count(": accepted, ") > accepted, "node 2 has taken the task"
    )
    cluster.node(2).kill()
    assert make.wait(timeout=120) == 0, "the build goes on at home"
    assert objects(tree) == expected
    cluster.restart(cluster.node(2))
    check_ledger(cluster, before)
    assert cluster.requests() == before, "a task that was not finished earned nobody anything"


def test_a_node_that_is_killed_and_restarted(cluster: Cluster, tmp_path: Path) -> None:
    build_everything(cluster, fresh_tree(tmp_path / "p"))
    # Node 2 has signed results in its outbox that are not settled yet, or not for good.
    cluster.node(2).kill()
    before, earned = cluster.requests(), cluster.points(2)
    cluster.restart(cluster.node(2))
    check_ledger(cluster, before)
    assert cluster.points(2) > earned, "what it had not settled before it died counts, too"
    build_everything(cluster, fresh_tree(tmp_path / "again"))
    check_ledger(cluster, before)


def test_a_chain_that_is_killed_and_comes_back_younger(cluster: Cluster, tmp_path: Path) -> None:
    before = cluster.requests()
    build_everything(cluster, fresh_tree(tmp_path / "p"))
    cluster.until(lambda: cluster.requests() > before, "the build's first batch is settled")
    settled = cluster.requests()
    cluster.chain.kill()
    cluster.chain.start()
    check_ledger(cluster, settled)


def test_a_reorganisation_of_three_blocks(cluster: Cluster, tmp_path: Path) -> None:
    before = cluster.requests()
    build_everything(cluster, fresh_tree(tmp_path / "p"))
    cluster.until(lambda: cluster.requests() > before, "the build's first batch is settled")
    settled = cluster.requests()
    cluster.chain.reorganise(3)
    cluster.until(lambda: _reorganised(cluster), "the copies have noticed the reorganisation")
    check_ledger(cluster, settled)


def _reorganised(cluster: Cluster) -> bool:
    with cluster.reader() as reader:
        return reader.reorganisations() > 0


def slow_source() -> str:
    """A program that takes some seconds to compile."""
    functions = [
        f"int f{n}(int x) {{ for (int i = 0; i < x; i++) x += i * {n} ^ (x >> (i & 7));"
        f" return x > {n} ? f{n - 1}(x / 2) : x; }}"
        for n in range(1, SLOW_FUNCTIONS)
    ]
    return "int f0(int x) { return x; }\n" + "\n".join(functions) + "\n"
