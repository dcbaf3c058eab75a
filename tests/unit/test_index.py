"""The indexed copy: indexing, reorganisations, digests, and what readers get out of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from eth_hash.auto import keccak

from ledger import schema
from ledger.assets import ConfirmedMigration
from ledger.errors import ChainError, CorruptData, SetupError
from ledger.events import SIGNATURES, RawLog
from ledger.indexer import Indexer, Progress
from ledger.reader import Reader
from ledger.rows import IndexHead
from ledger.source import BlockRef
from ledger.store import IndexStore
from ledger.synthetic import Header, SyntheticChain
from ledger.synthetic_actors import Settings
from ledger.types import Address, BlockHash, BlockNumber, Digest, UnixSeconds

SMALL = Settings(nodes=4, finality_depth=3, signatures=False)


class StoppedClock:
    """A clock that only moves when told to."""

    def __init__(self, now: float = 1000.0) -> None:
        self.time = now

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


class Copy:
    """A chain, and a copy of it in a file."""

    def __init__(self, path: Path, chain: SyntheticChain) -> None:
        self.path, self.chain = path, chain
        self.store = IndexStore.open(path, chain.deployment)

    def step(self, max_blocks: int = 500) -> Progress:
        return Indexer(self.chain, self.store, self.chain.deployment, StoppedClock()).step(
            max_blocks
        )

    def reader(self) -> Reader:
        return Reader.open(self.path, self.chain.deployment)


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Copy]:
    chain = SyntheticChain(SMALL)
    for _ in range(8):
        chain.mine(25)
    made = Copy(tmp_path / "index.db", chain)
    yield made
    made.store.close()


def dump(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """All that a copy says about the ledger; how it got there does not count."""
    with sqlite3.connect(path) as conn:
        tables = [*schema.ROWS, "nodes", "pairs"]
        found = {
            table: sorted(map(repr, conn.execute(f"SELECT * FROM {table}"))) for table in tables
        }
        found["cursor"] = list(
            map(repr, conn.execute("SELECT number, hash, timestamp FROM cursor"))
        )
    conn.close()
    return {table: [(row,) for row in rows] for table, rows in found.items()}


def fresh(tmp_path: Path, chain: SyntheticChain) -> Path:
    path = tmp_path / "fresh.db"
    with IndexStore.open(path, chain.deployment) as store:
        Indexer(chain, store, chain.deployment, StoppedClock()).step()
    return path


def test_follows_the_chain_to_its_head(copy: Copy) -> None:
    progress = copy.step()
    assert (progress.head, progress.indexed, progress.reorganised_from) == (8, 8, None)
    assert progress.is_caught_up and progress.events == sum(len(b.logs) for b in copy.chain.blocks)
    assert copy.step().events == 0
    assert copy.store.verify_digests() == []


def test_totals_are_those_of_the_contract(copy: Copy) -> None:
    copy.step()
    with copy.reader() as reader:
        nodes = {node.address: (node.k1, node.k2, node.k3) for node in reader.nodes()}
        for address, totals in copy.chain.contract.totals.items():
            assert nodes[address] == (totals[1], totals[2], totals[3])
            stored = reader.kudos(address)
            assert stored.points == totals[1] + 10 * totals[2] + 100 * totals[3] > 0
        assert sum(node.requests for node in reader.nodes()) == sum(
            node.hosted + node.rejections for node in reader.nodes()
        )


def test_small_steps_end_where_one_large_step_does(copy: Copy, tmp_path: Path) -> None:
    while not copy.step(max_blocks=2).is_caught_up:
        pass
    assert dump(copy.path) == dump(fresh(tmp_path, copy.chain))


@pytest.mark.parametrize(("depth", "blocks"), [(1, 2), (3, 3), (3, 1), (5, 7), (8, 8), (8, 2)])
def test_after_a_reorganisation_the_copy_is_that_of_the_new_chain(
    copy: Copy, tmp_path: Path, depth: int, blocks: int
) -> None:
    copy.step()
    before = dump(copy.path)
    copy.chain.fork(depth, blocks, migrations=20)
    progress = copy.step()
    assert progress.reorganised_from == 8
    assert progress.indexed == copy.chain.blocks[-1].header.number
    assert copy.store.reorganisations() == 1
    assert copy.store.verify_digests() == []
    assert dump(copy.path) == dump(fresh(tmp_path, copy.chain)) != before


def test_a_chain_that_came_back_younger(copy: Copy, tmp_path: Path) -> None:
    copy.step()
    copy.chain.fork(depth=4, blocks=0)
    assert copy.step().indexed == 4
    assert dump(copy.path) == dump(fresh(tmp_path, copy.chain))


def test_a_chain_from_before_the_deployment_is_refused(copy: Copy) -> None:
    copy.step()
    copy.chain.blocks[1:] = []
    before = dump(copy.path)
    deployment = replace(copy.chain.deployment, deployed_block=BlockNumber(1))
    with pytest.raises(ChainError, match="deployed in block 1"):
        Indexer(copy.chain, copy.store, deployment, StoppedClock()).step()
    assert dump(copy.path) == before


class Liar(SyntheticChain):
    """An endpoint that changes what it hands on."""

    def __init__(self, honest: SyntheticChain, number: int, change: str) -> None:
        self.__dict__.update(honest.__dict__)
        self._number, self._change = number, change

    def logs_of_block(self, contracts: Sequence[Address], block_hash: BlockHash, /) -> list[RawLog]:
        logs = super().logs_of_block(contracts, block_hash)
        if not logs or logs[0].block_number != self._number:
            return logs
        first = logs[0]
        changed: dict[str, list[RawLog]] = {
            "unknown topic": [replace(first, topics=(Digest(bytes(32)),))],
            "broken data": [replace(first, data=first.data[:40])],
            "other contract": [replace(first, address=Address(bytes(20)))],
            "other block": [replace(first, block_hash=BlockHash(bytes(32)))],
            "twice": [first, *logs],
            "batch left out": [log for log in logs if log.topics[0] != topic("BatchSettled")],
            "token left out": [log for log in logs if log is not mint_of(logs)],
            "token too many": [
                replace(log, data=log.data[:-1] + bytes([log.data[-1] + 1]))
                if log is mint_of(logs)
                else log
                for log in logs
            ],
            "token of another": [
                replace(log, topics=(*log.topics[:3], Digest(bytes(31) + b"\7")))
                if log is mint_of(logs)
                else log
                for log in logs
            ],
        }
        return changed[self._change]

    def header(self, block: BlockRef, /) -> Header | None:
        header = super().header(block)
        if header and self._change == "unlinked" and header.number == self._number:
            return replace(header, parent=BlockHash(b"\7" * 32))
        return header


def topic(event: str) -> Digest:
    return Digest(keccak(SIGNATURES[event].encode()))


def mint_of(logs: list[RawLog]) -> RawLog:
    """The first minting of tokens in a block that has one."""
    return next(log for log in logs if log.topics[0] == topic("TransferSingle"))


TOKENS = ["token left out", "token too many", "token of another"]
CHANGES = ["unknown topic", "broken data", "other contract", "other block", "twice", "unlinked"]


@pytest.mark.parametrize("change", [*CHANGES, *TOKENS, "batch left out"])
def test_a_lie_stops_the_copy_at_the_block_before(copy: Copy, change: str) -> None:
    copy.chain.mine(10)
    liar = Liar(copy.chain, 7, change)
    indexer = Indexer(liar, copy.store, copy.chain.deployment, StoppedClock())
    with pytest.raises(ChainError):
        indexer.step()  # a batch left out shows when somebody votes on it
        raise AssertionError(f"{change} was believed")
    cursor = copy.store.cursor()
    assert cursor is not None and cursor.number == (7 if change == "batch left out" else 6)
    assert copy.store.verify_digests() == []


def test_another_ledger_is_refused(copy: Copy, tmp_path: Path) -> None:
    copy.step()
    other = SyntheticChain(replace(SMALL, seed="other")).deployment
    with pytest.raises(CorruptData, match="another ledger"):
        IndexStore.open(copy.path, other)
    with pytest.raises(CorruptData, match="not of"):
        Reader.open(copy.path, other)
    with pytest.raises(SetupError, match="no indexed copy"):
        Reader.open(tmp_path / "missing.db")
    (tmp_path / "text").write_text("not a database, and long enough to be looked at" * 50)
    with pytest.raises(CorruptData):
        IndexStore.open(tmp_path / "text", other)
    with pytest.raises(CorruptData):
        Reader.open(tmp_path / "text")


TAMPERINGS = [
    "UPDATE nodes SET k2 = k2 + 1 WHERE rowid = 1",
    "UPDATE pairs SET count = count + 1 WHERE rowid = 1",
    f"UPDATE kudos SET state = {schema.CLAIMED} WHERE rowid = 1",
    "UPDATE kudos SET host = home WHERE rowid = 5",
    "UPDATE kudos SET decided_block = decided_block + 1 WHERE rowid = 1",
    f"UPDATE decisions SET state = {schema.REFUSED} WHERE rowid = 1",
    "UPDATE migrations SET seq = seq + 1000 WHERE rowid = 3",
    "UPDATE votes SET verdict = 2 WHERE rowid = 3",
    "UPDATE blocks SET timestamp = timestamp + 1 WHERE number = 4",
    "UPDATE logs SET data = x'00' WHERE rowid = 2",
    "DELETE FROM openings WHERE rowid = 1",
    "DELETE FROM blocks WHERE number = 8",
    "UPDATE votes SET block = 9999 WHERE rowid = 1",
    "UPDATE cursor SET number = number - 1",
]


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_a_changed_row_is_found(copy: Copy, tampering: str) -> None:
    copy.step()
    with sqlite3.connect(copy.path) as conn:
        assert conn.execute(tampering).rowcount == 1
    conn.close()
    assert copy.store.verify_digests() != []


QUESTIONS = (
    "SELECT home, host, max(seq) FROM migrations GROUP BY home, host",
    "SELECT kudos_id FROM kudos ORDER BY host, decided_block",
    "SELECT count(*) FROM kudos WHERE state = 1",
    "SELECT validator, verdict, count(*) FROM votes GROUP BY validator, verdict",
)
LOOKUPS = (("nodes", "address"), ("kudos", "kudos_id"), ("migrations", "request_id"))


def answers(path: Path, keys: dict[str, list[bytes]]) -> object:
    """What a copy answers: whole tables, through indexes, and row by row."""
    conn = sqlite3.connect(path)
    try:
        whole = [
            sorted(map(repr, conn.execute(f"SELECT * FROM {table}")))
            for table in (*schema.ROWS, "nodes", "pairs", "blocks")
        ]
        asked = [conn.execute(question).fetchall() for question in QUESTIONS]
        looked = [
            conn.execute(f"SELECT * FROM {table} WHERE {column} = ?", (key,)).fetchone()
            for table, column in LOOKUPS
            for key in keys[table]
        ]
        return whole, asked, looked
    except (sqlite3.DatabaseError, UnicodeDecodeError, OverflowError) as error:
        return repr(error)
    finally:
        conn.close()


def test_a_flipped_bit_that_changes_an_answer_is_found(tmp_path: Path) -> None:
    chain = SyntheticChain(SMALL)
    for _ in range(8):
        chain.mine(16)
    data = fresh(tmp_path, chain).read_bytes()  # closing the last connection empties the WAL
    with sqlite3.connect(tmp_path / "fresh.db") as conn:
        keys = {
            table: [row[0] for row in conn.execute(f"SELECT {column} FROM {table}")]
            for table, column in LOOKUPS
        }
    conn.close()
    honest, changed, random = answers(tmp_path / "fresh.db", keys), 0, Random(7)
    for flip in range(150):
        at, bit = random.randrange(len(data)), 1 << random.randrange(8)
        path = tmp_path / f"flip {flip}.db"
        path.write_bytes(data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :])
        if answers(path, keys) == honest:
            continue
        changed += 1
        try:
            with IndexStore.open(path, chain.deployment) as store:
                found = store.verify_digests()
        except CorruptData as error:
            found = [error.message]
        assert found, f"bit {bit} of byte {at} changes an answer and is not found"
    assert changed > 30


def test_an_interrupted_block_leaves_nothing(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    copy.step(max_blocks=6)
    before = dump(copy.path)

    def crash(*_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr("ledger.store.block_digest", crash)
    with pytest.raises(KeyboardInterrupt):
        copy.step()
    assert dump(copy.path) == before
    assert copy.store.verify_digests() == []


def test_only_old_blocks_are_final(copy: Copy) -> None:
    copy.step()
    with copy.reader() as reader:
        head = reader.head()
        assert head is not None and head.final_number == 5 and head.indexed_at == 1000
        settled = reader.migrations(500)
        for migration in settled:
            assert reader.is_settled(migration.request_id)
            is_final = migration.place.block <= 5
            assert (
                reader.is_final_settled(migration.request_id) is migration.place.final is is_final
            )
        assert {m.place.final for m in settled} == {True, False}
        node = reader.nodes()[0]
        final, now = reader.kudos(node.address, final_only=True), reader.kudos(node.address)
        young = [
            claim.level
            for migration in settled
            for claim in reader.claims_of(migration.request_id)
            if claim.host == node.address and claim.decided and not claim.decided.final
            if claim.state == schema.VERIFIED
        ]
        assert young and now.k2 - final.k2 == young.count(2) and now.k3 - final.k3 == young.count(3)
        assert not reader.is_settled(Digest(bytes(32)))


def test_what_a_validator_has_not_voted_on(copy: Copy) -> None:
    copy.step()
    validator = copy.chain.deployment.validators[0]
    with copy.reader() as reader:
        waiting = reader.batches_unvoted(validator)
        canaries = reader.canary_claims_unvoted(validator)
    newest = {
        log.topics[2]
        for log in copy.chain.blocks[-1].logs
        if log.topics[0] == topic("BatchSettled")
    }
    assert {batch.event.root for batch in waiting} == newest and newest
    assert all(canary.kudos.state == schema.CLAIMED for canary in canaries) and canaries
    openings = [(c.opening, c.settled.request_id) for c in canaries]
    assert all(o is not None and o.asset.request_id == of for o, of in openings)
    copy.chain.mine()
    copy.step()
    with copy.reader() as reader:
        assert reader.batches_unvoted(validator) == []


def flood(path: Path, count: int, **changed: object) -> Digest:
    """Makes the newest open K3 claim as many times more, with the log of the oldest, and with what
    is changed; gives its id."""
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.row_factory = sqlite3.Row
        (newest,) = conn.execute(
            f"SELECT * FROM kudos WHERE level = 3 AND state = {schema.CLAIMED}"
            " ORDER BY block DESC, log_index DESC LIMIT 1"
        )
        place = "SELECT block, log_index FROM kudos ORDER BY block, log_index LIMIT 1"
        (oldest,) = conn.execute(place)
        for number in range(count):
            row = dict(newest) | dict(oldest) | {"kudos_id": number.to_bytes(32, "big")} | changed
            marks = ", ".join("?" * len(row))
            conn.execute(f"INSERT INTO kudos ({', '.join(row)}) VALUES ({marks})", [*row.values()])
        return Digest(newest["kudos_id"])


def test_old_claims_do_not_hide_new_ones_from_a_validator(copy: Copy) -> None:
    copy.step()
    validator = copy.chain.deployment.validators[0]
    newest = flood(copy.path, 300)
    with copy.reader() as reader:
        everything = reader.canary_claims_unvoted(validator, 1_000)
        (opened,) = (
            each.kudos.place.timestamp for each in everything if each.kudos.kudos_id == newest
        )
        due = reader.canary_claims_unvoted(validator, 8, since=opened)
        assert newest in {each.kudos.kudos_id for each in due}
        assert all(each.kudos.place.timestamp >= opened for each in due)
        older = reader.canary_claims_unvoted(validator, 400, until=opened)
        assert len(older) >= 300
        assert all(each.kudos.place.timestamp < opened for each in older)


def test_one_pair_does_not_hide_the_claims_of_others_from_a_validator(copy: Copy) -> None:
    copy.step()
    validator = copy.chain.deployment.validators[0]
    newest = flood(copy.path, 300, home=b"\x77" * 20)
    with copy.reader() as reader:
        found = reader.canary_claims_unvoted(validator, 16)
    pairs = [(each.kudos.home, each.kudos.host) for each in found]
    assert newest in {each.kudos.kudos_id for each in found}
    turns = [pairs[:index].count(pair) for index, pair in enumerate(pairs)]
    assert turns == sorted(turns), "a pair came again before others had come"


@pytest.mark.parametrize("party", ["home", "host"])
def test_a_validator_is_not_shown_its_own_claims(copy: Copy, party: str) -> None:
    copy.step()
    validator = copy.chain.deployment.validators[0]
    flood(copy.path, 3, **{party: validator})
    with copy.reader() as reader:
        found = reader.canary_claims_unvoted(validator)
    assert found
    assert all(validator not in (each.kudos.home, each.kudos.host) for each in found)


def test_what_a_home_and_a_host_ask(copy: Copy) -> None:
    copy.step()
    with copy.reader() as reader:
        home = reader.nodes()[0].address
        results = reader.results(home, BlockNumber(4))
        assert results and all(r.place.block > 4 and r.request.home == home for r in results)
        assert all(isinstance(result.migration, ConfirmedMigration) for result in results)
        request = results[0].request
        used = [
            m.request.seq
            for m in reader.migrations(500)
            if (m.request.home, m.request.host) == (home, request.host)
        ]
        assert reader.next_free_sequence(home, request.host) == max(used) + 1
        assert reader.next_free_sequence(Address(bytes(20)), home) == 0


def test_the_life_of_a_canary(copy: Copy) -> None:
    copy.step()
    with copy.reader() as reader:
        opened = [m for m in reader.migrations(500) if reader.opening(m.request_id)]
        steps = reader.lifecycle(opened[-1].request_id)
        names = [step.asset for step in steps]
        assert names[:5] == ["REQUEST", "ACCEPTED", "CONFIRMED", "RESULT", "CANARY_OPENED"]
        assert names[5:] == ["KUDOS", "KUDOS"] and len({step.id for step in steps}) == 7
        votes = reader.votes(steps[-1].id)
        assert {vote.validator for vote in votes} == set(copy.chain.deployment.validators)
        assert reader.is_claimed(steps[-1].id) and reader.kudos_state(steps[-1].id) is not None
        assert reader.lifecycle(Digest(bytes(32))) == []


def test_series_end_at_the_totals(copy: Copy) -> None:
    copy.step()
    with copy.reader() as reader:
        for node in reader.nodes():
            assert [(0, 0), *reader.kudos_series(node.address)][-1][1] == node.points
            assert [(0, 0), *reader.accepted_series(node.address)][-1][1] == node.accepted


def test_reasons_of_skipped_records_are_kept(tmp_path: Path) -> None:
    chain = SyntheticChain(replace(SMALL, repeated=1.0))
    for _ in range(8):
        chain.mine(10)
    copy = Copy(tmp_path / "index.db", chain)
    copy.step()
    with copy.reader() as reader:
        reasons = [reader.skip_reasons(m.request_id) for m in reader.migrations(500)]
    copy.store.close()
    assert [66] in reasons


def test_a_seed_gives_one_ledger() -> None:
    first, second, other = (SyntheticChain(replace(SMALL, seed=seed)) for seed in "aab")
    hashes = [[chain.mine(20).header.hash for _ in range(4)] for chain in (first, second, other)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_copy_that_catches_up_is_as_old_as_its_last_block() -> None:
    def head(number: int, chain_head: int) -> IndexHead:
        numbers = BlockNumber(number), BlockNumber(chain_head), BlockNumber(0)
        times = UnixSeconds(1_000), UnixSeconds(5_000)
        return IndexHead(numbers[0], BlockHash(bytes(32)), *times, *numbers[1:])

    assert head(10, 10).age(5_001.0) == 1.0, "the chain was asked a second ago and has no more"
    assert head(9, 10).age(5_001.0) == 4_001.0, "what it knows is as old as its last block"
