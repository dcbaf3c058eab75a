"""A test of the validators with real processes: two of them look, one approves everything, and who
that was shows once the test is opened, and not before."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from canaries.validator_test import digest_of, salt_of
from ledger import schema
from ledger.abi import ContractReverted
from ledger.assets import K3_CANARY
from ledger.audit import audit
from ledger.claim_calls import open_test
from ledger.contracts import contracts_of
from ledger.desk.app import create_app
from ledger.embedded import die_with_parent
from ledger.ports import SystemClock, system_entropy
from ledger.rows import KudosRow
from ledger.rpc import Rpc
from ledger.sender import Sender
from ledger.types import Digest, hex_of
from node.demo.cluster import Member, enrol, validator_arguments
from tests.e2e.cluster import Cluster, fresh_tree

pytestmark = pytest.mark.timeout(300)
WEI = 10**18
COMPILE = ("cc", "-O2", "-Iinclude", "-c", "src/text/count.c", "-o", "src/text/count.o")


class Proving(Cluster):
    """One host, a tester beside it, and three validators of which the last one is lazy."""

    def __init__(self) -> None:
        super().__init__(("open",), validators=3)

    def __enter__(self) -> Proving:
        super().__enter__()
        self.processes = ExitStack()
        self.tester = enrol(self.data, "tester", "home", system_entropy)
        self.chain.fund(self.tester.address, WEI)
        self.daemons.pop().stop()
        self.spawn(self.lazy, "tests.e2e.lazy_validator", *self._validator())
        return self

    def __exit__(self, *_: object) -> None:
        self.processes.close()
        super().__exit__()

    @property
    def lazy(self) -> Member:
        return self.ground.validators[-1]

    @property
    def honest(self) -> tuple[Member, ...]:
        return self.ground.validators[:-1]

    def _validator(self) -> list[str]:
        ground = self.ground
        arguments = self.daemons[0]._arguments
        listen = arguments[arguments.index("--listen") + 1]
        return validator_arguments(self.lazy, ground.ledger_file, ground.rpc_url, [listen])

    def spawn(self, member: Member, module: str, *arguments: str, cwd: Path | None = None) -> Popen:
        log = self.processes.enter_context(member.log.open("ab"))
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if member is self.tester else log,
            stderr=log,
            cwd=cwd,
            env=None,
            text=True,
            preexec_fn=die_with_parent(),
        )
        self.processes.enter_context(process)
        self.processes.callback(process.kill)
        return process

    def run_tester(self, *compile_: str, cwd: Path | None = None) -> Popen:
        """``kudos test-validators`` with the home's key, beside the running host."""
        host, home = self.ground.nodes[0], self.tester
        return self.spawn(
            *(home, "node.cli", "test-validators"),
            *("--ledger", str(self.ground.ledger_file), "--rpc", self.ground.rpc_url),
            *("--key", str(home.keystore), "--password-file", str(home.password_file)),
            *("--data", str(home.data), "--host-key", str(host.keystore)),
            *("--host-password-file", str(host.password_file), "--host-data", str(host.data)),
            *(("--", *compile_) if compile_ else ()),
            cwd=cwd,
        )

    def claim(self) -> KudosRow | None:
        """The one K3 claim of these tests."""
        with self.reader() as reader:
            for settled in reader.migrations(limit=100):
                for claim in reader.claims_of(settled.request_id):
                    if claim.level == K3_CANARY:
                        return claim
        return None

    @contextmanager
    def desk(self) -> Iterator[TestClient]:
        index, deployment = self.ground.nodes[0].index, self.ground.deployment
        with TestClient(create_app(index, deployment, names={})) as client:
            yield client


Popen = subprocess.Popen[str]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Proving]:
    with Proving() as running:
        yield running


@pytest.fixture(scope="module")
def tested(cluster: Proving, tmp_path_factory: pytest.TempPathFactory) -> KudosRow:
    """The claim of a test whose maker was killed in between, and started again."""
    tree = fresh_tree(tmp_path_factory.mktemp("tree") / "p")
    first = cluster.run_tester(*COMPILE, cwd=tree)
    assert first.stdout is not None
    assert "made; this waits" in first.stdout.readline()
    cluster.until(lambda: cluster.claim() is not None, "the host has claimed K3")
    first.kill()
    first.wait()
    claim = cluster.claim()
    assert claim is not None
    _expect_revert(cluster, claim, "TestTooEarly")
    cluster.until(lambda: _state(cluster) != schema.CLAIMED, "the claim is decided", seconds=120)
    with cluster.desk() as client:
        assert _said(cluster, client, cluster.lazy) == []
        assert _metric(client, cluster.lazy, "approved") == 0
    second = cluster.run_tester()
    said, _ = second.communicate(timeout=120)
    assert second.returncode == 1, "one validator has approved"
    assert said.count("refused it") == 2 and said.count("APPROVED it") == 1
    cluster.until(lambda: _is_shown(cluster, claim), "the host's copy has the opening")
    return claim


def _state(cluster: Proving) -> int:
    claim = cluster.claim()
    assert claim is not None
    return claim.state


def _is_shown(cluster: Proving, claim: KudosRow) -> bool:
    with cluster.reader() as reader:
        return reader.validator_test(claim.request_id) is not None


def _said(cluster: Proving, client: TestClient, validator: Member) -> list[str]:
    rows = client.get(f"/api/v1/validators/{hex_of(validator.address)}/tests").json()["rows"]
    return [row["said"] for row in rows]


def _metric(client: TestClient, validator: Member, verdict: str) -> float:
    labels = f'{{validator="{hex_of(validator.address)}",verdict="{verdict}"}} '
    lines = client.get("/metrics").text.splitlines()
    (line,) = [each for each in lines if each.startswith("kudos_validator_tests_total" + labels)]
    return float(line.rpartition(" ")[2])


def _show(
    cluster: Proving, claim: KudosRow, change: Callable[[bytes], bytes] = lambda salt: salt
) -> None:
    """Asks the contract whether it would take the opening, with this change to its salt."""
    salt = Digest(change(salt_of(cluster.tester.key.expose_secret(), claim.request_id)))
    assert claim.seal_salt is not None
    data = open_test(claim.request_id, claim.asset_id, claim.seal_salt, salt)
    ground = cluster.ground
    rpc, chain_id = Rpc(ground.rpc_url), ground.deployment.chain_id
    sender = Sender(rpc, cluster.tester.key, chain_id, SystemClock())
    sender.dry_run(contracts_of(ground.deployment.contract).claims, data)


def _expect_revert(
    cluster: Proving,
    claim: KudosRow,
    name: str,
    change: Callable[[bytes], bytes] = lambda salt: salt,
) -> None:
    with pytest.raises(ContractReverted) as refused:
        _show(cluster, claim, change)
    assert refused.value.error == name


def test_who_looked_has_refused_it(cluster: Proving, tested: KudosRow) -> None:
    salt = salt_of(cluster.tester.key.expose_secret(), tested.request_id)
    assert tested.result_digest == digest_of(tested.request_id, salt)
    with cluster.reader() as reader:
        said = {vote.validator: vote.verdict for vote in reader.votes(tested.kudos_id)}
    expected = {each.address: schema.REFUSE for each in cluster.honest}
    assert said == expected | {cluster.lazy.address: schema.APPROVE}
    assert _state(cluster) == schema.REFUSED and cluster.points(1) < 100


def test_the_approval_is_shown(cluster: Proving, tested: KudosRow) -> None:
    with cluster.desk() as client:
        assert _said(cluster, client, cluster.lazy) == ["approved"]
        assert _metric(client, cluster.lazy, "approved") == 1
        page = client.get(f"/validators/{hex_of(cluster.lazy.address)}").text
        assert f"/migrations/{hex_of(tested.request_id)}" in page and "approved a test" in page
        listed = client.get("/validators").text
        assert f'{hex_of(cluster.lazy.address)}#tests">1 of 1<' in listed
        for validator in cluster.honest:
            assert f'{hex_of(validator.address)}#tests">0 of 1<' in listed
            assert _said(cluster, client, validator) == ["refused"]
            assert _metric(client, validator, "refused") == 1
            assert _metric(client, validator, "approved") == 0
        page = client.get(f"/migrations/{hex_of(tested.request_id)}").text
        assert "This was a test of the validators" in page
        life = client.get(f"/api/v1/migrations/{hex_of(tested.request_id)}").json()
        assert all(check["holds"] for check in life["checks"])


def test_another_salt_shows_nothing(cluster: Proving, tested: KudosRow) -> None:
    _show(cluster, tested)
    _expect_revert(cluster, tested, "NotATest", lambda salt: bytes([salt[0] ^ 1]) + salt[1:])


def test_the_audit_agrees_and_finds_a_flipped_bit(
    cluster: Proving, tested: KudosRow, tmp_path: Path
) -> None:
    with cluster.reader() as reader:
        head = reader.head()
        copy = tmp_path / "index.db"
        with sqlite3.connect(copy) as target:
            reader.connection.backup(target)
        target.close()
    assert head is not None
    rpc, deployment = Rpc(cluster.ground.rpc_url), cluster.ground.deployment
    assert audit(rpc, deployment, copy).differences == ()
    flipped = tmp_path / "flipped.db"
    shutil.copy(copy, flipped)
    with sqlite3.connect(flipped) as conn:
        (salt,) = conn.execute("SELECT salt FROM tests").fetchone()
        conn.execute("UPDATE tests SET salt = ?", (bytes([salt[0] ^ 1]) + salt[1:],))
    conn.close()
    (difference,) = audit(rpc, deployment, flipped).differences
    assert difference.where == "SQLite tests"
