"""Signed migrations through the queue onto a real chain, voted on, and read back."""

from __future__ import annotations

from ledger import calls
from ledger.assets import Migration, RejectedMigration
from ledger.claim_calls import ClaimVote
from ledger.errors import ChainError
from ledger.event_types import BatchSettled
from ledger.events import decode
from ledger.outbox import DEAD
from ledger.reasons import Reason
from tests.integration.chain_world import World, outbox_rows


def queue(world: World, count: int) -> list[Migration]:
    migrations = [world.migration() for _ in range(count)]
    for migration in migrations:
        assert world.outbox.append_migration(migration)
    return migrations


def settled_batches(world: World) -> list[BatchSettled]:
    head, contract = world.rpc.block_number(), world.deployment.contract
    events = [decode(log) for log in world.rpc.logs([contract], 0, head)]
    return [event for event in events if isinstance(event, BatchSettled)]


def test_a_mixed_batch_is_settled_voted_on_and_counted(world: World) -> None:
    migrations = [world.migration(confirmed=number % 3 != 0) for number in range(12)]
    for migration in migrations:
        world.outbox.append_migration(migration)
    result = world.step()
    assert (result.error, result.settled) == (None, 12)
    (batch,) = settled_batches(world)
    for validator in world.validators[:2]:
        ballot = calls.BatchVote(world.host.address, batch.root, batch.claims, 0)
        world.vote(validator, batches=[ballot])
    # One K1 per home, host and epoch; a K2 for each of the eight.
    assert world.totals() == calls.Totals(1, 8, 0)
    world.index()
    with world.reader() as reader:
        assert all(reader.is_settled(world.request_id(migration)) for migration in migrations)
        indexed = reader.kudos(world.host.address)
    assert (indexed.k1, indexed.k2, indexed.k3) == (1, 8, 0)


def test_what_the_index_has_is_not_sent_again_and_goes_once_it_is_final(world: World) -> None:
    migrations = queue(world, 3)
    assert world.step().settled == 3
    world.clock.ahead += 60
    assert world.step().settled == 0
    assert len(world.outbox.pending("migration")) == 3
    world.chain.mine(world.deployment.finality_depth)
    assert world.step().pruned == 3
    assert outbox_rows(world.directory / "outbox.db") == []
    assert [world.times_settled(migration) for migration in migrations] == [1, 1, 1]


def test_an_index_that_is_behind_causes_nothing_twice(world: World) -> None:
    migrations = queue(world, 2)
    world.index()
    blind = world.settler()
    assert blind.step().settled == 2
    transactions = world.rpc.nonce(world.host.address)
    assert (blind.step().settled, world.rpc.nonce(world.host.address)) == (0, transactions)
    # Even when it forgets that it sent them, the contract does not take them again.
    world.outbox.unmark("migration", [world.request_id(migration) for migration in migrations])
    result = blind.step()
    assert (result.settled, result.buried, result.error) == (0, 0, None)
    assert [world.times_settled(migration) for migration in migrations] == [1, 1]
    world.index()
    world.chain.mine(world.deployment.finality_depth)
    assert world.step().pruned == 2


def test_a_reorganisation_of_three_blocks_is_settled_again_once(world: World) -> None:
    migrations = queue(world, 4)
    assert world.step().settled == 4
    world.chain.mine(2)
    world.index()
    world.chain.reorganise(3)
    assert [world.times_settled(migration) for migration in migrations] == [0] * 4
    assert world.step().settled == 0, "not before the transaction had time to come back"
    world.clock.ahead += 6
    assert world.step().settled == 4
    world.clock.ahead += 6
    assert world.step().settled == 0
    assert [world.times_settled(migration) for migration in migrations] == [1] * 4


def test_a_canary_is_claimed_even_after_its_batch_moved(world: World) -> None:
    migration, canary = world.canary()
    others = queue(world, 2)
    world.outbox.append_migration(migration)
    world.outbox.append_canary(canary)
    assert world.step().settled == 3
    world.chain.mine(2)
    world.index()
    world.chain.reorganise(3)
    # It now lands in another batch, under another root and at another place.
    world.clock.ahead += 6
    world.outbox.append_migration(world.migration())
    assert world.step().settled == 4
    world.index()
    result = world.step()
    assert (result.error, result.claimed) == (None, 1)
    (claim,) = world.outbox.pending("canary")
    approval = ClaimVote(claim.key, Reason.APPROVE)
    world.decide({validator: [approval] for validator in world.validators[1:]})
    assert world.totals().k3 == 1
    assert [world.times_settled(one) for one in (migration, *others)] == [1, 1, 1]
    world.chain.mine(world.deployment.finality_depth)
    world.index()
    assert world.step().pruned >= 4


def test_a_stranger_s_signature_is_buried_and_harms_nobody(world: World) -> None:
    good = queue(world, 2)
    bad = world.migration(confirmed=False)
    assert isinstance(bad, RejectedMigration)
    forged = RejectedMigration(
        bad.request, bad.rejected, world.host.sign(world.domain, bad.request)
    )
    world.outbox.append_migration(forged)
    result = world.step()
    assert (result.settled, result.buried) == (2, 1)
    assert [world.times_settled(migration) for migration in good] == [1, 1]
    (dead,) = world.outbox.dead()
    assert (dead.key, dead.reason) == (world.request_id(forged), Reason.BAD_SIGNATURE)


def test_hopeless_items_alone_are_told_apart_without_a_transaction(world: World) -> None:
    for _ in range(2):
        bad = world.migration(confirmed=False)
        assert isinstance(bad, RejectedMigration)
        signature = world.host.sign(world.domain, bad.request)
        world.outbox.append_migration(RejectedMigration(bad.request, bad.rejected, signature))
    before = world.rpc.nonce(world.host.address)
    assert world.step().buried == 2
    assert world.rpc.nonce(world.host.address) == before
    assert [state for _, state in outbox_rows(world.directory / "outbox.db")] == [DEAD, DEAD]


def test_a_used_sequence_number_is_buried_only_when_that_is_final(world: World) -> None:
    first = world.migration(confirmed=False)
    second = world.same_sequence(first)
    world.outbox.append_migration(first)
    assert world.step().settled == 1
    world.outbox.append_migration(second)
    assert (world.step().buried, world.outbox.counts()) == (0, (2, 0))
    world.chain.mine(world.deployment.finality_depth + 1)
    result = world.step()
    assert (result.pruned, result.buried) == (1, 1)
    assert [item.reason for item in world.outbox.dead()] == [Reason.SEQUENCE_USED]


def test_a_chain_out_of_reach_leaves_everything_queued(world: World) -> None:
    migrations = queue(world, 2)
    world.index()
    world.chain.save()
    world.chain.kill()
    result = world.settler().step()
    assert isinstance(result.error, ChainError)
    assert world.outbox.counts() == (2, 0)
    world.chain.start()
    assert world.step().settled == 2
    assert [world.times_settled(migration) for migration in migrations] == [1, 1]


def test_a_chain_that_comes_back_younger_is_given_again_what_it_lost(world: World) -> None:
    world.chain.save()
    before = world.chain.state.read_bytes()
    migrations = queue(world, 3)
    assert world.step().settled == 3
    height = world.rpc.block_number()
    world.chain.kill()
    # What a kill between two dumps leaves behind, whatever the disk was doing just now.
    world.chain.state.write_bytes(before)
    world.chain.start()
    assert world.rpc.block_number() < height
    world.clock.ahead += 6
    assert world.step().settled == 3
    assert [world.times_settled(migration) for migration in migrations] == [1, 1, 1]
