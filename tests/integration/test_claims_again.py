"""Claims that no quorum decides in time: the host makes them again by itself, a few times, and
never two of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import pytest

from ledger import calls, claim_calls, queue_calls, schema
from ledger.assets import CLAIM_WITHIN, K1_REJECTED, K2_CONFIRMED, K3_CANARY, Migration
from ledger.claim_calls import ClaimVote
from ledger.claims_again import REFUSED_SECONDS, Again, ClaimsAgain
from ledger.contracts import contracts_of
from ledger.desk.queries import nodes, overview, why
from ledger.digests import check_copy
from ledger.outbox import AGAIN, Outbox
from ledger.reasons import Reason
from ledger.refused_items import StepResult
from ledger.rows import KudosRow
from ledger.types import Address, Digest
from tests.integration.chain_world import World

T = TypeVar("T")
ONCE = Again(times=3, wait_seconds=60)


class Host:
    """The part of a host that makes claims again, over one world."""

    def __init__(self, world: World, again: Again = ONCE) -> None:
        self.world, self.again, self.outbox = world, again, world.outbox
        self.kept: list[tuple[Digest, float]] = []

    def step(self, *, index: bool = True) -> StepResult:
        """One step of a process that has just been started."""
        if index:
            self.world.index()
        world = self.world
        claims = ClaimsAgain(
            *(self.outbox, world.reader, world.sender, world.deployment, world.clock, self.again),
            keep=lambda task, until: self.kept.append((task, until)),
            resend_after=5.0,
        )
        result = claims.step()
        assert result.error is None, result.error
        return result

    def restart(self) -> None:
        """As after a kill: what is left of the queue is on disk."""
        path = self.world.directory / "outbox.db"
        self.outbox.close()
        self.world.outbox = self.outbox = Outbox.open(path, self.world.domain, self.world.clock)


@pytest.fixture
def host(world: World) -> Host:
    return Host(world)


def wait(world: World, seconds: int) -> None:
    world.rpc.raw("evm_increaseTime", [seconds])
    world.chain.mine(1)


def settle(world: World, *migrations: Migration) -> None:
    for migration in migrations:
        world.outbox.append_migration(migration)
    assert world.step().settled == len(migrations)


def claims_on(world: World, migration: Migration) -> list[KudosRow]:
    """By level, then by attempt."""
    world.index()
    with world.reader() as reader:
        found = reader.claims_of(world.request_id(migration))
    return sorted(found, key=lambda claim: (claim.level, claim.place.block))


def story(world: World, node: Address) -> list[tuple[int, why.Outcome]]:
    """What the desk says of each of its claims, the newest first: level and outcome."""
    validators = [key.address for key in world.validators]
    with world.reader() as reader:
        return [(each.level, each.outcome) for each in why.why(reader, node, validators).rows]


def claimed_and_waiting(world: World) -> tuple[int, int]:
    """What the list of nodes says of the host, by a copy whose sums fit its rows."""
    with world.reader() as reader:
        assert check_copy(reader.connection) == []
        query = nodes.NodesQuery(prefix=world.host.address.hex())
        (line,) = nodes.select_nodes(reader, query)
        assert overview.counts(reader).waiting == line.waiting
        return line.claims, line.waiting


def states(rows: Sequence[KudosRow]) -> list[tuple[int, int]]:
    return [(row.level, row.state) for row in rows]


def approve(world: World) -> int:
    """Two validators on every single claim that the index offers them; how many there were."""
    world.index()
    contract = contracts_of(world.deployment.contract).claims
    for validator in world.validators[:2]:
        with world.reader() as reader:
            open_ = reader.singles_unvoted(validator.address)
        votes = [ClaimVote(each.kudos.chain_id, Reason.APPROVE) for each in open_]
        world.sender_of(validator).send(contract, claim_calls.vote(votes))
    return len(open_)


@pytest.mark.parametrize(
    ("confirmed", "level"), [(True, K2_CONFIRMED), (False, K1_REJECTED)], ids=["k2", "k1"]
)
def test_what_nobody_voted_on_is_claimed_again_and_verified(
    world: World, host: Host, confirmed: bool, level: int
) -> None:
    migration = world.migration(confirmed=confirmed)
    settle(world, world.migration(confirmed=True), migration)
    wait(world, CLAIM_WITHIN)
    assert host.step().claimed == 0, "it waits for a little longer than the window"
    wait(world, ONCE.wait_seconds + 1)
    assert host.step().claimed == 2
    rows = claims_on(world, migration)
    assert states(rows) == [(level, schema.REFUSED), (level, schema.CLAIMED)]
    assert approve(world) == 2
    (_, again) = claims_on(world, migration)
    assert again.state == schema.VERIFIED
    totals = world.totals()
    assert (totals.k1, totals.k2) == ((0, 2) if confirmed else (1, 1))
    world.chain.mine(world.deployment.finality_depth)
    assert (host.step().pruned, host.outbox.pending(AGAIN)) == (2, [])
    wait(world, 2 * CLAIM_WITHIN)
    assert host.step().claimed == 0, "it is verified"


def test_a_canary_is_claimed_again_in_the_packed_form(world: World, host: Host) -> None:
    migration, canary = world.canary()
    settle(world, world.migration(confirmed=True), migration)
    world.outbox.append_canary(canary)
    assert world.step().claimed == 1
    (key,) = [item.key for item in world.outbox.pending("canary")]
    wait(world, CLAIM_WITHIN // 2 + 2)
    assert host.step().claimed == 0
    ((task, until),) = host.kept
    assert task == canary.opened.task_digest
    assert until > world.rpc_time() + CLAIM_WITHIN, "what it is run again with has to stay"
    wait(world, CLAIM_WITHIN)
    assert host.step().claimed == 3, "with the two K2"
    world.decide({each: [ClaimVote(key, Reason.APPROVE)] for each in world.validators[:2]})
    assert world.totals().k3 == 1
    rows = [row for row in claims_on(world, migration) if row.level == K3_CANARY]
    assert [(row.state, row.attempt, row.chain_id) for row in rows] == [
        (schema.CLAIMED, 0, key),
        (schema.VERIFIED, 1, key),
    ]
    told = story(world, world.host.address)
    canary_told = [outcome for level, outcome in told if level == K3_CANARY]
    assert canary_told == [why.Outcome.VERIFIED, why.Outcome.TIMED_OUT], "the newest first"
    assert told.count((2, why.Outcome.TIMED_OUT)) == told.count((2, why.Outcome.WAITING)) == 2
    validators = [key.address for key in world.validators]
    with world.reader() as reader:
        for outcome in (why.Outcome.TIMED_OUT, why.Outcome.WAITING, why.Outcome.REFUSED):
            page = why.why(reader, world.host.address, validators, outcome)
            assert len(page.rows) == sum(each == outcome for _, each in told), outcome
        assert overview.quorum_health(reader, validators).waiting == 2, "the two K2"
        dealings = reader.dealings(world.host.address, 10)
        assert {each.level for each in dealings.open} == {K2_CONFIRMED}
        assert dealings.counts[K2_CONFIRMED, schema.CLAIMED] == 2
        assert (K3_CANARY, schema.CLAIMED) not in dealings.counts
    assert claimed_and_waiting(world)[1] == 2
    wait(world, 2 * CLAIM_WITHIN)
    assert host.step().claimed == 2, "the K2, which nobody has voted on; the canary is through"
    queued = {item.key for item in host.outbox.pending(AGAIN)}
    assert len(queued) == 2 and not queued & {row.kudos_id for row in rows}


def test_a_canary_that_is_claimed_again_waits_once(world: World, host: Host) -> None:
    migration, canary = world.canary()
    settle(world, migration)
    world.outbox.append_canary(canary)
    assert world.step().claimed == 1
    wait(world, CLAIM_WITHIN + ONCE.wait_seconds + 1)
    assert host.step().claimed == 2, "K2 and K3"
    claims = [row for row in claims_on(world, migration) if row.level == K3_CANARY]
    assert [row.state for row in claims] == [schema.CLAIMED] * 2
    assert claimed_and_waiting(world) == (3, 2), "the ledger's own K2 is refused"
    world.chain.reorganise(world.rpc.block_number() - claims[1].place.block + 1)
    assert len(claims_on(world, migration)) == 3, "without the canary's second claim"
    assert claimed_and_waiting(world) == (3, 2)


def test_each_waits_twice_as_long_and_after_the_last_there_is_no_next(world: World) -> None:
    host = Host(world, Again(times=2, wait_seconds=1000))
    migration = world.migration(confirmed=True)
    settle(world, migration)
    for pause in (1000, 2000):
        wait(world, CLAIM_WITHIN + pause - 10)
        assert host.step().claimed == 0
        wait(world, 20)
        assert host.step().claimed == 1
    wait(world, 3 * CLAIM_WITHIN)
    assert host.step().claimed == 0
    assert len(claims_on(world, migration)) == 3
    assert Host(world, Again(times=0)).step().claimed == 0


def test_a_host_killed_after_sending_sends_nothing_twice(world: World, host: Host) -> None:
    migration = world.migration(confirmed=True)
    settle(world, migration)
    wait(world, CLAIM_WITHIN + 61)
    assert host.step().claimed == 1
    sent = world.rpc.nonce(world.host.address)
    host.restart()
    # The index has not seen it, and the queue's idea of it goes too: the contract has it still.
    for forget in (False, True):
        world.clock.ahead += 6
        if forget:
            host.outbox.unmark(AGAIN, [item.key for item in host.outbox.pending(AGAIN)])
        assert host.step(index=False).claimed == 0
        assert world.rpc.nonce(world.host.address) == sent
    (item,) = host.outbox.pending(AGAIN)
    assert item.skip_reason == Reason.NOT_TIMED_OUT
    assert len(claims_on(world, migration)) == 2


def test_what_a_reorganisation_dropped_is_claimed_again_once(world: World, host: Host) -> None:
    migration = world.migration(confirmed=True)
    settle(world, migration)
    wait(world, CLAIM_WITHIN + 61)
    world.chain.mine(2)
    assert host.step().claimed == 1
    assert len(claims_on(world, migration)) == 2
    world.chain.reorganise(1)
    world.clock.ahead += 6
    assert len(claims_on(world, migration)) == 1
    assert host.step().claimed == 1
    world.clock.ahead += REFUSED_SECONDS
    assert host.step().claimed == 0
    assert len(claims_on(world, migration)) == 2


def test_a_vote_too_late_takes_no_other_with_it(world: World, host: Host) -> None:
    """A claim in the claims contract that nobody may vote on any more is none that waits."""
    first = world.migration(confirmed=True)
    settle(world, first)
    wait(world, CLAIM_WITHIN + 61)
    assert host.step().claimed == 1
    second = world.migration(confirmed=True)
    settle(world, second)
    wait(world, CLAIM_WITHIN + 61)
    # Another process makes the second one again, and the first has timed out twice.
    assert Host(world, Again(times=1, wait_seconds=60)).step().claimed == 1
    assert approve(world) == 1
    assert states(claims_on(world, second))[-1] == (K2_CONFIRMED, schema.VERIFIED)
    assert states(claims_on(world, first))[-1] == (K2_CONFIRMED, schema.CLAIMED)


def test_a_closed_ledger_is_asked_once(world: World, host: Host) -> None:
    migration = world.migration(confirmed=True)
    settle(world, migration)
    wait(world, CLAIM_WITHIN + 61)
    assert host.step().claimed == 1
    close(world)
    wait(world, CLAIM_WITHIN + 2 * ONCE.wait_seconds + 61)
    sent = world.rpc.nonce(world.host.address)
    assert (host.step().buried, host.step().buried) == (1, 0)
    assert world.rpc.nonce(world.host.address) == sent


def close(world: World) -> None:
    """Two of three validators close the ledger."""
    queue = contracts_of(world.deployment.contract).queue

    def ask(view: calls.View[T]) -> T:
        return view.decode(world.rpc.call(queue, view.data))

    content = ask(queue_calls._content("closing"))
    first, second, _ = world.validators
    world.sender_of(first).send(queue, queue_calls.propose(content))
    number = ask(queue_calls.proposals())
    world.sender_of(second).send(queue, queue_calls.vote(number, content, approve=True))
    wait(world, ask(queue_calls.delay()) + 1)
    world.sender_of(first).send(queue, queue_calls.execute(number))
