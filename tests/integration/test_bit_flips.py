"""One flipped bit in the copy: no answer changes without the digests or the audit saying so.

Answers are everything that pages and programs are given: all that ``Reader`` answers, and the
queries of the auditor's desk, through every index and over every page.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from ledger.audit import audit
from ledger.desk.queries import (
    export,
    facets,
    flow,
    node,
    nodes,
    overview,
    rule,
    search,
    seats,
    validator_tests,
    validators,
    why,
)
from ledger.desk.queries.explore_query import Kind, Query, State
from ledger.digests import DAMAGE, check_copy
from ledger.errors import ChainError, CorruptData, KudosError
from ledger.indexer import Indexer
from ledger.ports import SystemClock
from ledger.reader import Reader
from ledger.rows import IndexHead, SettledMigration
from ledger.store import IndexStore
from ledger.synthetic import SyntheticChain
from ledger.synthetic_actors import Settings
from ledger.types import Address, BlockNumber

SETTINGS = Settings(nodes=4, refused=0.1, repeated=0.8, tests=0.4, finality_depth=3)
BLOCKS, PER_BLOCK = 5, 12
FLIPS, SEED = 300, 11
UNREADABLE = (*DAMAGE, KudosError, OverflowError, ValueError, TypeError, KeyError)
"""What an answer over damaged data may end in: a reader sees an error, not another answer."""


def other_value(value: int | str | bytes) -> int | str | bytes:
    """A value of the same type that differs in the lowest bit of its beginning."""
    if isinstance(value, int):
        return value ^ 1
    if isinstance(value, str):
        return chr(ord(value[0]) ^ 1) + value[1:]
    return bytes([value[0] ^ 1]) + value[1:]


@pytest.fixture(scope="module")
def chain() -> SyntheticChain:
    made = SyntheticChain(SETTINGS)
    for _ in range(BLOCKS):
        made.mine(PER_BLOCK)
    for _ in range(3):
        made.mine()
    return made


@pytest.fixture(scope="module")
def copy(chain: SyntheticChain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("copy") / "index.db"
    with IndexStore.open(path, chain.deployment) as store:
        Indexer(chain, store, chain.deployment, SystemClock()).step()
    return path


class Asked:
    """What is asked: of every node, migration and claim that the honest copy knows."""

    def __init__(self, chain: SyntheticChain, copy: Path) -> None:
        self.chain = chain
        with Reader.open(copy, chain.deployment) as reader:
            self.nodes = [row.address for row in reader.nodes()]
            self.settled = reader.migrations(500)
            self.claims = [c for m in self.settled for c in reader.claims_of(m.request_id)]

    def answers(self, path: Path) -> list[object]:
        """All answers; an error is an answer too, without its words."""
        found: list[object] = []
        try:
            with Reader.open(path, self.chain.deployment) as reader:
                for questions in (self._everybody, self._each_node, self._each_thing, self._desk):
                    try:
                        found += map(repr, questions(reader))
                    except UNREADABLE:
                        found.append(questions.__name__)
        except CorruptData:
            found.append("refused")
        return found

    def _everybody(self, reader: Reader) -> Iterator[object]:
        yield _head(reader.head())
        yield reader.head_timestamp()
        yield reader.migrations(500)
        yield reader.migrations(5, BlockNumber(3))
        yield reader.nodes()
        yield reader.validators()
        yield list(reader.past_requests())
        for validator in self.chain.deployment.validators:
            yield reader.batches_unvoted(validator)
            yield reader.canary_claims_unvoted(validator)

    def _each_node(self, reader: Reader) -> Iterator[object]:
        for address in self.nodes:
            yield reader.kudos(address), reader.kudos(address, final_only=True)
            yield reader.kudos_at(address, BlockNumber(3)), reader.epoch_points(address)
            yield reader.strangers(address), reader.dealings(address, 50)
            yield reader.results(address, BlockNumber(0))
            yield reader.kudos_series(address), reader.accepted_series(address)
            for other in self.nodes:
                yield reader.pair_totals(address, other), reader.unsettled(address, other)
                yield reader.next_free_sequence(address, other)

    def _each_thing(self, reader: Reader) -> Iterator[object]:
        for settled in self.settled:
            yield self._one(reader, settled)
        for claim in self.claims:
            yield reader.votes(claim.kudos_id), reader.kudos_state(claim.kudos_id)
            yield reader.is_claimed(claim.kudos_id), reader.is_final_claimed(claim.kudos_id)

    def _one(self, reader: Reader, settled: SettledMigration) -> object:
        asked, request_id = settled.request, settled.request_id
        return (
            *(reader.migration(request_id), reader.opening(request_id)),
            *(reader.claims_of(request_id), reader.lifecycle(request_id)),
            *(reader.is_settled(request_id), reader.is_final_settled(request_id)),
            *(reader.skip_reasons(request_id), reader.validator_test(request_id)),
            reader.is_sequence_used(asked.home, asked.host, asked.seq),
        )

    def _desk(self, reader: Reader) -> Iterator[object]:
        members = self.chain.deployment.validators
        yield replace(overview.overview(reader, members), head=None)
        yield overview.kudos_per_day(reader), overview.migrations_per_minute(reader)
        yield overview.quorum_health(reader, members)
        yield validators.list_validators(reader, members)
        yield [validator_tests.opened_tests(reader, each) for each in members]
        yield seats.set_history(reader.connection), rule.rounds(reader), rule.life(reader)
        yield flow.top(reader), flow.table(reader)
        yield nodes.list_nodes(reader, nodes.NodesQuery())
        for address in self.nodes:
            yield node.series(reader, address), node.canary_record(reader, address)
            yield node.earned_from(reader, address), node.gave_to(reader, address)
            yield why.why(reader, address, members)
        for query in self._queries():
            yield facets.survey(reader, query)
            yield list(export.assets(reader, query, export.Format.NDJSON))
        for settled in self.settled[::4]:
            for asset in (settled.answer_id, settled.result_id or settled.request_id):
                yield search.search(reader, "0x" + asset.hex())

    def _queries(self) -> Iterator[Query]:
        yield Query()
        yield from (Query(kind=kind) for kind in Kind)
        yield from (Query(state=state) for state in State)
        yield from (Query(node=Address(address)) for address in self.nodes)
        yield Query(validator=self.chain.deployment.validators[0])


def _head(head: IndexHead | None) -> object:
    """Without when the chain was asked and how far it was: the next step writes both anew, and
    nothing else can tell whether they are true."""
    return head and (head.number, head.hash, head.timestamp, head.final_number)


def digests_object(path: Path, chain: SyntheticChain) -> bool:
    try:
        with Reader.open(path, chain.deployment) as reader:
            return bool(check_copy(reader.connection))
    except (CorruptData, *DAMAGE):
        return True


def audit_objects(path: Path, chain: SyntheticChain) -> bool:
    try:
        return not audit(chain, chain.deployment, path).ok
    except (ChainError, *DAMAGE):
        return True


@pytest.mark.timeout(400)  # 25 s on an idle machine
def test_of_300_flipped_bits_none_that_changes_an_answer_stays_unnoticed(
    chain: SyntheticChain, copy: Path, tmp_path: Path
) -> None:
    asked, data, random = Asked(chain, copy), copy.read_bytes(), Random(SEED)
    honest = asked.answers(copy)
    assert not digests_object(copy, chain) and not audit_objects(copy, chain)
    changed, silent, path = 0, list[str](), tmp_path / "flipped.db"
    for _ in range(FLIPS):
        at, bit = random.randrange(len(data)), random.randrange(8)
        path.write_bytes(data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :])
        noticed = digests_object(path, chain)
        if asked.answers(path) == honest:
            continue
        changed += 1
        if not noticed and not audit_objects(path, chain):
            silent.append(f"bit {bit} of byte {at}")
    assert silent == []
    assert changed > FLIPS // 10, "the flips must hit what is asked for"


def test_every_column_of_every_table_is_covered_by_a_check(
    chain: SyntheticChain, copy: Path, tmp_path: Path
) -> None:
    """The lowest bit of one value in each column, roll-ups among them; what is not covered is
    written out here, with the reason in ``_head``."""
    uncovered = {("cursor", "indexed_at"), ("cursor", "head"), ("cursor", "id")}
    other = Path(shutil.copy(copy, tmp_path / "changed.db"))
    silent, changed = set(), 0
    with closing(sqlite3.connect(other, isolation_level=None)) as conn:
        conn.create_function("other", 1, other_value)
        sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name != 'meta'"
        for table in [row[0] for row in conn.execute(sql)]:
            for column in [row[1] for row in conn.execute(f"PRAGMA table_info({table})")]:
                conn.execute("BEGIN")
                sql = (
                    f"UPDATE OR IGNORE {table} SET {column} = other({column}) WHERE {column} ="
                    f" (SELECT max({column}) FROM {table} WHERE typeof({column}) != 'null')"
                )
                if conn.execute(sql).rowcount > 0:
                    changed += 1
                    if not check_copy(conn):
                        silent.add((table, column))
                conn.execute("ROLLBACK")
    assert silent <= uncovered
    assert changed > 100
