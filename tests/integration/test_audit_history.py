"""The audit over a real chain on which everything has happened that can."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from eth_hash.auto import keccak

from ledger import schema
from ledger.abi import encode
from ledger.audit import AuditReport, audit
from ledger.audit_assets import Hasher
from ledger.audit_copy import Copy
from ledger.audit_logs import read_logs
from ledger.audit_recount import Recount
from ledger.audit_state import Difference
from ledger.audit_views import Views
from ledger.eip712 import digest
from ledger.embedded import EmbeddedChain
from ledger.errors import ChainError
from ledger.events import SIGNATURES, RawLog
from ledger.indexer import Indexer
from ledger.store import IndexStore
from ledger.types import BlockNumber, Digest
from tests.integration.audit_history import WEEK, History
from tests.integration.audit_people import values_of
from tests.integration.recorded import Change, Recorded

NAMES = {keccak(text.encode()): name for name, text in SIGNATURES.items()}


class Lived:
    """A history, its logs, and the copy that was indexed from it."""

    def __init__(self, chain: EmbeddedChain, directory: Path) -> None:
        self.history = History(chain)
        self.history.live()
        deployment = self.history.deployment
        self.index = directory / "index.db"
        with IndexStore.open(self.index, deployment) as store:
            indexer = Indexer(self.history.rpc, store, deployment, self.history.clock)
            while not indexer.step().is_caught_up:
                pass
        self._endpoint = Recorded(self.history.rpc)
        head = self.history.rpc.block_number()
        self.logs = self.history.rpc.logs(self.history.contracts.all, BlockNumber(0), head)
        self._recount: Recount | None = None

    def audit(self, change: Change = lambda log: [log]) -> AuditReport:
        self._endpoint.change = change
        return audit(self._endpoint, self.history.deployment, self.index)

    def is_found(self, change: Change) -> bool:
        """Whether this lie is noticed, as a difference or because it does not decode."""
        try:
            return not self.audit(change).ok
        except ChainError:
            return True

    def compare(self, directory: Path, tampering: str) -> list[Difference]:
        """What the audit says of a copy in which this has changed one row."""
        path = Path(shutil.copy(self.index, directory))
        with closing(sqlite3.connect(path)) as conn, conn:
            assert conn.execute(tampering).rowcount == 1
        if self._recount is None:
            self._recount = self._recounted()
        head = self.history.rpc.header("latest")
        assert head is not None
        with closing(Copy(path)) as copy:
            return list(copy.compare(self._recount, head))

    def _recounted(self) -> Recount:
        history = self.history
        head, first = history.rpc.block_number(), history.deployment.deployed_block
        views = Views(self._endpoint, history.deployment, head)
        hasher = Hasher(history.deployment.chain_id, history.contracts.ledger)
        recount = Recount(hasher, views.rules(), history.contracts, views)
        for log in read_logs(history.rpc, history.contracts, first, head, lambda done, of: None):
            recount.apply(log)
        return recount

    def last(self, event: str) -> RawLog:
        return [log for log in self.logs if NAMES[log.topics[0]] == event][-1]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    directory = tmp_path_factory.mktemp("history")
    with EmbeddedChain(directory / "state.json", block_time=0) as chain:
        made = Lived(chain, directory)
        yield made
        made.history.rpc.close()


HAPPENED = sorted(SIGNATURES.keys() - {"Carried"})
"""What comes over from an earlier ledger has a test of its own."""


def test_everything_that_can_happen_is_audited(lived: Lived) -> None:
    report = lived.audit()
    assert report.differences == ()
    assert {NAMES[log.topics[0]] for log in lived.logs} == set(HAPPENED)
    assert report.kudos == 11


@pytest.mark.parametrize("event", HAPPENED)
def test_a_log_that_is_left_out_is_found(lived: Lived, event: str) -> None:
    left_out = lived.last(event)
    assert lived.is_found(lambda log: [] if log == left_out else [log])


@pytest.mark.parametrize("event", HAPPENED)
def test_a_log_with_another_word_is_found(lived: Lived, event: str) -> None:
    changed = lived.last(event)

    def other(log: RawLog) -> list[RawLog]:
        if log != changed:
            return [log]
        if not log.data:
            topics = [*log.topics[:-1], Digest(bytes(31) + b"\x77")]
            return [replace(log, topics=tuple(topics))]
        return [replace(log, data=log.data[:31] + bytes([log.data[31] ^ 1]) + log.data[32:])]

    assert lived.is_found(other)


@pytest.mark.parametrize("open_still", [False, True])
def test_a_place_that_was_not_free_is_found(lived: Lived, open_still: bool) -> None:
    """What a contract that overwrites would log: soon after a step was verified, or long after one
    whose claim is open still."""
    history, asked = lived.history, lived.last("Requested")
    there = history.waiting_step if open_still else history.first_step
    result_id = digest(history.domain, there.result)
    verified = [log for log in lived.logs if log.topics[-1] == result_id]
    after = lived.last("Resulted") if open_still else verified[-1]
    request = replace(there.request, seq=there.request.seq + 65_536)
    topics = (asked.topics[0], digest(history.domain, request))
    words = encode("request", values_of(request), b"")[4:]
    forged = replace(after, topics=topics, data=words[: len(asked.data)], log_index=10_000)
    report = lived.audit(lambda log: [log, forged] if log == after else [log])
    assert "a place that can be taken" in {each.what for each in report.differences}


@pytest.mark.parametrize("event", ["SecretCommitted", "VotesCommitted"])
def test_a_commitment_to_nothing_is_found(lived: Lived, event: str) -> None:
    made = lived.last(event)
    nothing = replace(made, data=bytes(32))
    report = lived.audit(lambda log: [nothing if log == made else log])
    assert "a commitment that is not zero" in {each.what for each in report.differences}


@pytest.mark.parametrize("event", HAPPENED)
def test_a_log_that_names_another_is_found(lived: Lived, event: str) -> None:
    changed = lived.last(event)
    if len(changed.topics) < 2:
        assert event == "LedgerClosed"
        return
    topics = (changed.topics[0], Digest(bytes(12) + b"\x77" * 20), *changed.topics[2:])
    other = replace(changed, topics=topics)
    assert lived.is_found(lambda log: [other if log == changed else log])


PLACES = {"block", "log_index"}
"""The log that a row came from; its block's digest covers them."""

UNCOMPARED = {"logs", "carried"}
"""What is recounted from, and what this history has none of."""

COLUMNS = [
    (table, column)
    for table, columns in schema.ROWS.items()
    for column in (*columns, *(["state"] if table == "kudos" else []))
    if table not in UNCOMPARED and column not in PLACES
]


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_copy_with_another_value_is_found(
    lived: Lived, tmp_path: Path, table: str, column: str
) -> None:
    differences = lived.compare(
        tmp_path,
        f"UPDATE {table} SET {column} = CASE typeof({column}) WHEN 'integer' THEN {column} + 1"
        f" WHEN 'text' THEN {column} || 'x' ELSE x'77' END"
        f" WHERE rowid = (SELECT max(rowid) FROM {table} WHERE {column} IS NOT NULL)",
    )
    assert {difference.where for difference in differences} == {f"SQLite {table}"}


@pytest.mark.parametrize("table", sorted(set(schema.ROWS) - UNCOMPARED))
def test_a_copy_without_a_row_is_found(lived: Lived, tmp_path: Path, table: str) -> None:
    last = f"(SELECT max(rowid) FROM {table})"
    (difference,) = lived.compare(tmp_path, f"DELETE FROM {table} WHERE rowid = {last}")
    assert (difference.where, difference.found) == (f"SQLite {table}", "absent")


def test_totals_of_the_ledger_before_are_audited(tmp_path: Path) -> None:
    with EmbeddedChain(tmp_path / "state.json", block_time=0) as chain:
        before = History(chain)
        before.live()
        before.wait(WEEK + 1)
        after = History(chain, before.contracts.ledger)
        nodes = [before.host.address, before.home.address, before.newcomer.address]
        after.send(after.home, encode("carry", nodes))
        report = audit(after.rpc, after.deployment)
        assert report.differences == ()
        totals = audit(before.rpc, before.deployment).totals
        assert {node: found for node, found in report.totals.items() if any(found)} == {
            node: found for node, found in totals.items() if any(found) and node in nodes
        }
        endpoint = Recorded(after.rpc)
        carried = keccak(SIGNATURES["Carried"].encode())
        endpoint.change = lambda log: [] if log.topics[0] == carried else [log]
        assert not audit(endpoint, after.deployment).ok
        before.rpc.close()
        after.rpc.close()
