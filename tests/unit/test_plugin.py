"""The plug-in over real copies of synthetic ledgers: now, as of a block, while the indexer writes,
and the replay of the past."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import astuple, replace
from pathlib import Path

import pytest

from ledger.errors import CorruptData, SetupError, UsageError
from ledger.indexer import Indexer
from ledger.reader import Reader
from ledger.reasons import Reason
from ledger.rows import Totals
from ledger.store import IndexStore
from ledger.synthetic import SyntheticChain
from ledger.synthetic_actors import Settings
from ledger.types import Address, BlockNumber, hex_of
from node.admission import Freshness, Need, Question, Verdict, verdict
from node.commands import run
from node.plugin import AsyncReputation, Reputation, Task
from node.service import ADDRESS_FILE, INDEX
from node.strategy.evidence import View, evidence_at, live_evidence
from node.strategy.replay import Replayed, Summary, replay
from node.strategy.thesis import Anybody, Half
from tests.unit.desk_ledger import make

LEDGER = Settings(nodes=4, finality_depth=3, signatures=False, refused=0.1, epoch_seconds=20)
BLOCKS, PER_BLOCK = 30, 12
EVERYTHING = frozenset(Need)


class Clock:
    def __init__(self, time: float = 1000.0) -> None:
        self.time = time

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


def mined(blocks: int) -> SyntheticChain:
    chain = SyntheticChain(LEDGER)
    for _ in range(blocks):
        chain.mine(PER_BLOCK)
    return chain


def index(path: Path, chain: SyntheticChain) -> Path:
    with IndexStore.open(path, chain.deployment) as store:
        Indexer(chain, store, chain.deployment, Clock()).step()
    return path


@pytest.fixture(scope="module")
def chain() -> SyntheticChain:
    return mined(BLOCKS)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory, chain: SyntheticChain) -> Path:
    return index(tmp_path_factory.mktemp("ledger") / INDEX, chain)


@pytest.fixture(scope="module")
def nodes(chain: SyntheticChain) -> list[Address]:
    return [key.address for key in chain.actors.nodes]


@pytest.fixture
def reputation(copy: Path, nodes: list[Address]) -> Iterator[Reputation]:
    with Reputation.open(copy, me=nodes[0], clock=Clock()) as opened:
        yield opened


@pytest.mark.parametrize("block", [1, 2, 7, 15, 29, BLOCKS])
def test_the_past_is_what_a_copy_held_then(
    copy: Path, nodes: list[Address], tmp_path: Path, block: int
) -> None:
    younger = index(tmp_path / "then.db", mined(block))
    with Reader.open(younger) as then, Reader.open(copy) as now:
        for home in nodes:
            for host in nodes:
                live = live_evidence(then, home, host, 1000, View(), EVERYTHING)
                assert live is not None
                at = BlockNumber(block)
                past = evidence_at(now, home, host, at, live.epoch, EVERYTHING, host)
                assert replace(live, block=0, age=0.0) == replace(past, block=0)
                assert then.pair_totals(home, host) == now.pair_totals(home, host, at)


def test_evidence_adds_up(copy: Path, nodes: list[Address]) -> None:
    with Reader.open(copy) as reader:
        stored = {row.address: row for row in reader.nodes()}
        for host in nodes:
            evidence = live_evidence(reader, nodes[0], host, 1000, View(), EVERYTHING)
            assert evidence is not None and evidence.host.epochs is not None
            row = stored[host]
            assert (evidence.host.k1, evidence.host.k2) == (row.k1, row.k2)
            assert len(evidence.host.epochs) > 1
            assert sum(points for _, points in evidence.host.epochs) == row.points
            pairs = [reader.pair_totals(home, host) for home in nodes]
            assert sum(pair.points for pair in pairs) == row.points


def test_only_what_was_asked_for_is_gathered(copy: Path, nodes: list[Address]) -> None:
    with Reader.open(copy) as reader:
        evidence = live_evidence(reader, nodes[0], nodes[1], 1000, View())
    assert evidence is not None
    assert (evidence.pair, evidence.strangers, evidence.home.epochs) == (None, None, None)


def test_strangers_are_told_apart_from_those_who_worked(copy: Path, nodes: list[Address]) -> None:
    with Reader.open(copy) as reader:
        seen = {
            host: [reader.strangers(host, BlockNumber(block)) for block in range(BLOCKS + 1)]
            for host in nodes
        }
    early = max(seen.values())
    first = next(found for found in early if found[0])
    # Claims are decided in a later block: nobody turns out well in the block that helped it.
    assert first[0] > first[1] == 0
    assert early == sorted(early)
    assert 0 < early[-1][1] <= early[-1][0] <= 3


def test_numbers_that_were_never_settled_are_missed(
    copy: Path, nodes: list[Address], tmp_path: Path
) -> None:
    home, host = nodes[1], nodes[2]
    with Reader.open(copy) as reader:
        asked, missing = reader.unsettled(home, host)
        assert (asked, missing) == (reader.next_free_sequence(home, host), 0)
    holey = tmp_path / "holey.db"
    holey.write_bytes(copy.read_bytes())
    with sqlite3.connect(holey) as conn:
        sql = "DELETE FROM migrations WHERE home = ? AND host = ? AND seq IN (1, 3)"
        assert conn.execute(sql, (home, host)).rowcount == 2
    conn.close()
    with Reader.open(holey) as reader:
        assert reader.unsettled(home, host) == (asked, 2)
        assert reader.unsettled(host, Address(bytes(20))) == (0, 0)


def test_a_stranger_has_nothing(reputation: Reputation) -> None:
    nobody = Address(b"\x09" * 20)
    assert reputation.kudos(nobody) == reputation.kudos(nobody, at_block=3) == Totals()
    refusal = reputation.decide(nobody, "cc a.c")
    assert (refusal.accept, refusal.reason) == (False, Reason.REPUTATION)
    explained = reputation.explain(nobody)
    assert (explained.totals, explained.pairs, explained.open) == (Totals(), (), ())


def test_a_verdict_is_the_strategys_on_the_ledgers_numbers(
    reputation: Reputation, nodes: list[Address]
) -> None:
    for home in nodes[1:]:
        answer = reputation.decide(hex_of(home), Task("cc a.c", cpu_seconds=3))
        mine, theirs = reputation.kudos(nodes[0]).points, reputation.kudos(home).points
        assert answer.accept == (2 * theirs >= mine)
        assert answer.numbers == {"home_points": theirs, "host_points": mine}
        assert (answer.block, answer.age, answer.strategy) == (BLOCKS, 0.0, "thesis/1")


class Curious:
    """Keeps what it was asked."""

    name = "curious/1"

    def __init__(self) -> None:
        self.questions: list[Question] = []

    def decide(self, question: Question) -> Verdict:
        self.questions.append(question)
        return verdict(self.name, Reason.ACCEPTED, question)


def test_a_strategy_is_told_what_the_scheduler_knows(copy: Path, nodes: list[Address]) -> None:
    curious = Curious()
    with Reputation.open(copy, me=nodes[0], strategy=curious, clock=Clock(1234.5)) as reputation:
        reputation.decide(nodes[1], Task("make", 60, 512), load=2)
        reputation.rank(nodes[1:2])
        reputation.decide(nodes[1])
    first, ranked, last = curious.questions
    assert (first.process_name, first.cpu_seconds, first.memory_mib) == ("make", 60, 512)
    assert (first.load, first.now, first.count) == (2, 1234, 0)
    assert (ranked.home, ranked.host, ranked.other) == (nodes[0], nodes[1], nodes[1])
    # Looking at hosts is no request of theirs.
    assert last.count == 1


def test_hosts_are_ranked_the_best_first(reputation: Reputation, nodes: list[Address]) -> None:
    stranger = Address(b"\x09" * 20)
    ranked = reputation.rank([stranger, *nodes[1:]])
    points = [reputation.kudos(one.host).points for one in ranked]
    assert [one.points for one in ranked] == points == sorted(points, reverse=True)
    assert ranked[-1].host == stranger
    mine = reputation.kudos(nodes[0]).points
    accepted = [2 * earned >= mine for earned in points]
    assert [one.verdict.accept for one in ranked] == accepted
    assert set(accepted) == {True, False}


def test_old_data_is_refused_and_said_to_be_old(copy: Path, nodes: list[Address]) -> None:
    clock = Clock()
    with Reputation.open(copy, me=nodes[0], strategy=half_file(copy), clock=clock) as opened:
        answers = []
        for age in (30, 31, 150, 151):
            clock.time = 1000 + age
            answers.append(opened.decide(nodes[0]))
    assert [answer.freshness.value for answer in answers] == ["fresh", "grace", "grace", "stale"]
    assert [answer.accept for answer in answers] == [True, True, True, False]
    assert answers[-1].reason is Reason.STALE_LEDGER
    assert answers[-1].age == 151


def half_file(copy: Path) -> Path:
    file = copy.with_name("half.toml")
    file.write_text('[[rule]]\nuse = "half"\n', "utf-8")
    return file


def test_an_empty_copy_is_stale(tmp_path: Path, chain: SyntheticChain) -> None:
    path = tmp_path / INDEX
    IndexStore.open(path, chain.deployment).close()
    with Reputation.open(path, me=Address(bytes(20)), strategy="half") as opened:
        answer = opened.decide(Address(b"\x01" * 20))
        assert (answer.reason, answer.freshness) == (Reason.STALE_LEDGER, Freshness.STALE)
        assert opened.explain(Address(bytes(20))).block is None
        with pytest.raises(UsageError, match="does not reach block 1"):
            opened.kudos(Address(bytes(20)), at_block=1)


@pytest.mark.parametrize("number", range(4))
def test_explanations_count_every_claim(
    reputation: Reputation, copy: Path, nodes: list[Address], number: int
) -> None:
    node = nodes[number]
    explained = reputation.explain(node)
    with Reader.open(copy) as reader:
        row = next(row for row in reader.nodes() if row.address == node)
    levels = explained.levels.values()
    assert sum(sum(astuple(level)) for level in levels) == row.claims
    assert sum(level.refused for level in levels) == row.refused == len(explained.refused)
    assert [explained.levels[level].verified for level in (1, 2, 3)] == [row.k1, row.k2, row.k3]
    assert all(claim.reasons for claim in explained.refused)
    assert sum(level.open for level in levels) == len(explained.open)
    assert sum(pair.earned.points for pair in explained.pairs) == row.points
    with Reader.open(copy) as reader:
        for pair in explained.pairs:
            assert pair.paid == reader.pair_totals(node, pair.other)


def test_some_claims_are_open_and_some_were_refused(
    reputation: Reputation, nodes: list[Address]
) -> None:
    """So that the counts above say something."""
    explained = [reputation.explain(node) for node in nodes]
    assert any(each.open for each in explained) and any(each.refused for each in explained)


def test_void_canaries_are_counted_apart(tmp_path: Path) -> None:
    make(path := tmp_path / INDEX)
    with Reader.open(path) as reader:
        rows = [row for row in reader.nodes() if row.void]
        assert rows
        with Reputation.open(path, me=rows[0].address) as opened:
            for row in rows:
                assert opened.explain(row.address).levels[3].void == row.void


def test_where_the_chain_has_finality_young_kudos_do_not_count(
    copy: Path, chain: SyntheticChain, nodes: list[Address]
) -> None:
    final = replace(chain.deployment, finality="chain")
    with Reputation.open(copy, me=nodes[0], deployment=final, clock=Clock()) as opened:
        young = 0
        for node in nodes:
            counted = opened.decide(node).numbers["home_points"]
            past = opened.kudos(node, at_block=BLOCKS - LEDGER.finality_depth).points
            assert counted == past
            young += opened.kudos(node).points - past
        assert young > 0


def test_what_cannot_be_opened_is_said(copy: Path, chain: SyntheticChain, tmp_path: Path) -> None:
    me = "0x" + "12" * 20
    with pytest.raises(SetupError, match="no indexed copy"):
        Reputation.open(tmp_path / "none.db", me=me)
    with pytest.raises(UsageError, match="no address"):
        Reputation.open(copy, me="me")
    with pytest.raises(UsageError, match="no strategy"):
        Reputation.open(copy, me=me, strategy="kindness")
    other = replace(chain.deployment, chain_id=1)
    with pytest.raises(CorruptData, match="not of"):
        Reputation.open(copy, me=me, deployment=other)


def test_the_async_twin_says_the_same(
    copy: Path, reputation: Reputation, nodes: list[Address]
) -> None:
    async def ask() -> None:
        async with await AsyncReputation.open(copy, me=nodes[0], clock=Clock()) as twin:
            assert await twin.decide(nodes[1], "cc") == reputation.decide(nodes[1], "cc")
            assert await twin.rank(nodes[1:]) == reputation.rank(nodes[1:])
            assert await twin.kudos(nodes[2], 9) == reputation.kudos(nodes[2], 9)
            assert await twin.explain(nodes[2]) == reputation.explain(nodes[2])
            answers = await asyncio.gather(*(twin.decide(node) for node in nodes * 20))
            assert len(answers) == 80
        with pytest.raises(SetupError):
            await AsyncReputation.open(copy.with_name("none.db"), me=nodes[0])

    asyncio.run(ask())


def test_questions_are_answered_while_the_indexer_writes(
    tmp_path: Path, nodes: list[Address]
) -> None:
    chain, path = mined(2), tmp_path / INDEX
    index(path, chain)
    failures: list[BaseException] = []

    def write() -> None:
        try:
            with IndexStore.open(path, chain.deployment) as store:
                indexer = Indexer(chain, store, chain.deployment, Clock())
                for _ in range(60):
                    chain.mine(PER_BLOCK)
                    indexer.step()
        except BaseException as error:
            failures.append(error)

    writer = threading.Thread(target=write)
    blocks = set()
    with Reputation.open(path, me=nodes[0], strategy="half", clock=Clock()) as reputation:
        writer.start()
        while writer.is_alive():
            answer = reputation.decide(nodes[1])
            blocks.add(answer.block)
            assert answer.block is not None
            # The verdict's numbers are those of its block, whatever was written meanwhile.
            then = reputation.kudos(nodes[1], at_block=answer.block)
            assert answer.numbers["home_points"] == then.points
        writer.join()
        assert not failures
        assert len(blocks) > 5
        # Nothing is held between questions: the writer may empty its log.
        with sqlite3.connect(path) as conn:
            assert conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        conn.close()


def test_a_replay_knows_what_was_known_and_no_more(
    copy: Path, chain: SyntheticChain, nodes: list[Address]
) -> None:
    with Reader.open(copy) as reader:
        found = list(replay(reader, Half(), host=nodes[2]))
        times = {int(b.header.number): b.header.timestamp for b in chain.blocks}
        requests = [one.request for one in found]
        assert [r.signed_at for r in requests] == sorted(r.signed_at for r in requests)
        (settled,) = sqlite_count(copy, nodes[2])
        assert len(found) == settled
        assert len({request.known for request in requests}) > 3
        for one in found:
            request = one.request
            if request.known:
                assert times[request.known] <= request.signed_at < times[request.known + 1]
            home = reader.kudos_at(request.home, request.known).points
            host = reader.kudos_at(request.host, request.known).points
            assert one.verdict.accept == (2 * home >= host)
            assert one.verdict.block == request.known


def sqlite_count(path: Path, host: Address) -> tuple[int]:
    with sqlite3.connect(path) as conn:
        row = conn.execute("SELECT count(*) FROM migrations WHERE host = ?", (host,)).fetchone()
    conn.close()
    return (row[0],)


def test_a_clock_ahead_does_not_let_a_request_see_its_own_future(
    copy: Path, tmp_path: Path, nodes: list[Address]
) -> None:
    ahead = tmp_path / "ahead.db"
    ahead.write_bytes(copy.read_bytes())
    with sqlite3.connect(ahead) as conn:
        conn.execute("UPDATE migrations SET requested_at = requested_at + 100000 WHERE block = 9")
    conn.close()
    with Reader.open(ahead) as reader:
        knew = {r.known for r in reader.past_requests(1_790_000_000 + 50_000)}
    assert knew == {8}


def test_a_summary_counts_changes(copy: Path) -> None:
    with Reader.open(copy) as reader:
        summary = Summary()
        changed: list[Replayed] = []
        for one in replay(reader, Anybody()):
            summary.add(one)
            changed += [one] if one.is_change else []
        assert summary.requests == summary.would_accept == BLOCKS * PER_BLOCK - skipped(copy)
        assert summary.newly_rejected == 0
        assert summary.newly_accepted == summary.requests - summary.accepted == len(changed) > 0
        assert "was rejected, would accept" in changed[0].text()
        half_way = changed[len(changed) // 2].request.signed_at
        younger = [one.request.signed_at for one in replay(reader, Anybody(), since=half_way)]
        assert min(younger) == half_way
        assert 0 < len(younger) < summary.requests


def skipped(path: Path) -> int:
    with sqlite3.connect(path) as conn:
        sql = "SELECT count(*) FROM skipped WHERE kind = 'record'"
        (count,) = conn.execute(sql).fetchone()
    conn.close()
    return int(count)


def test_the_command_prints_what_would_have_changed(
    copy: Path, tmp_path: Path, nodes: list[Address], capsys: pytest.CaptureFixture[str]
) -> None:
    (copy.parent / ADDRESS_FILE).write_text(hex_of(nodes[0]) + "\n", "utf-8")
    file = tmp_path / "nobody.toml"
    file.write_text('[[rule]]\nuse = "names"\nrefuse = ["*"]\n', "utf-8")
    command = ["strategy", "try", str(file), "--data", str(copy.parent), "--show", "2"]
    assert run(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert "was accepted, would reject: POLICY by names/1" in lines[0]
    assert lines[2].endswith("this strategy would have accepted 0:")
    assert run([*command, "--all"]) == 0
    assert int(capsys.readouterr().out.splitlines()[2].split()[0]) > int(lines[2].split()[0])
    assert run([*command, "--since", "2100-01-01"]) == 0
    assert capsys.readouterr().out.startswith("0 requests, 0 were accepted")
    file.write_text('[[rule]]\nuse = "kindness"\n', "utf-8")
    assert run(command) == 2
    assert "no strategy 'kindness'" in capsys.readouterr().err
