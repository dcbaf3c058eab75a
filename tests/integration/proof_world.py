"""A history with every kind of asset and Kudos that a proof can be about."""

from __future__ import annotations

from dataclasses import astuple

from ledger import calls, claim_calls, merkle, record
from ledger.abi import encode
from ledger.assets import Asset, ConfirmedMigration, Migration, RejectedMigration
from ledger.canary_claims import claim_of
from ledger.contracts import contracts_of
from ledger.eip712 import digest
from ledger.event_types import BatchSettled
from ledger.events import decode
from ledger.keys import Key
from ledger.outbox_codec import OpenedCanary
from ledger.reasons import Reason
from ledger.tally import indices
from ledger.types import Address, Digest
from tests.integration.chain_world import World
from tests.integration.strict_calls import submission


def settle(world: World, migrations: list[Migration]) -> tuple[BatchSettled, list[Migration]]:
    """Settles one batch; gives its event, and the records in the batch's order."""
    host = world.host.address
    data = calls.settle(host, record.encode_batch(migrations))
    receipt = world.sender.send(world.deployment.contract, data)
    (event,) = (decode(log) for log in receipt.logs)
    assert isinstance(event, BatchSettled)
    return event, record.decode_batch(world.domain, host, event.batch)


def live(world: World) -> None:
    """A batch with refusals and abstentions, canaries with committed votes, the strict way."""
    world.next_round()
    canaries = [world.canary() for _ in range(3)]
    plain = [world.migration() for _ in range(9)]
    event, records = settle(world, [*plain, *(migration for migration, _ in canaries)])
    _vote(world, event)
    claim(world, event, records, [canary for _, canary in canaries])
    world.index()
    answers = ((Reason.APPROVE,) * 3, (Reason.REFUSE_RESULT,) * 3, (Reason.APPROVE,))
    with world.reader() as reader:
        waiting = reader.canary_claims_unvoted(world.validators[0].address)
    votes: dict[Key, list[claim_calls.ClaimVote]] = {}
    for item, reasons in zip(waiting, answers, strict=True):
        for validator, reason in zip(world.validators, reasons, strict=False):
            votes.setdefault(validator, []).append(
                claim_calls.ClaimVote(item.kudos.kudos_id, reason)
            )
    world.decide(votes)
    settle(world, [world.migration()])
    reject(world)
    strict(world)
    world.index()


def _vote(world: World, event: BatchSettled) -> None:
    """Two refuse the first claim, two abstain on the second, one on the third."""
    ballots = ((0b001, 0b010), (0b001, 0b010), (0b000, 0b100))
    for validator, (refuse, abstain) in zip(world.validators, ballots, strict=True):
        reasons = [(place, int(Reason.REFUSE_ORDER)) for place in indices(refuse)]
        reasons += [(place, int(Reason.ABSTAIN_INPUTS)) for place in indices(abstain)]
        approve = event.claims & ~refuse & ~abstain
        ballot = calls.BatchVote(world.host.address, event.root, approve, refuse, tuple(reasons))
        world.vote(validator, [ballot])


def claim(
    world: World, event: BatchSettled, records: list[Migration], canaries: list[OpenedCanary]
) -> None:
    """Claims K3 for opened canaries of this batch, the first one without the home's own word."""
    leaves = record.leaves(world.domain, records, [place for place, _ in event.skipped])
    items = []
    for canary in canaries:
        index = records.index(canary.migration)
        path = merkle.path(leaves, index)
        items.append(claim_of(canary, lambda _: None, event.root, index, path))
    contract = contracts_of(world.deployment.contract).claims
    world.sender.send(contract, claim_calls.claim(items))


def reject(world: World) -> None:
    """A refused request beside an accepted one, and K1 for it."""
    event, _ = settle(world, [world.migration(confirmed=False), world.migration(confirmed=True)])
    for validator in world.validators:
        world.vote(
            validator, [calls.BatchVote(world.host.address, event.root, event.claims, 0, ())]
        )


def strict(world: World) -> None:
    """Migrations step by step: sent by their owners, then signed by them and sent by the host."""
    for is_signed in (False, True):
        ran = world.migration(confirmed=True)
        assert isinstance(ran, ConfirmedMigration)
        result_id = steps_of(world, ran, is_signed)
        vote = calls.StepVote(*_place(ran), result_id, Reason.APPROVE)
        for validator in world.validators[:2]:
            sender = world.sender_of(validator)
            sender.send(world.deployment.contract, calls.vote([], [vote]))
        refused = world.migration(confirmed=False)
        assert isinstance(refused, RejectedMigration)
        _send(world, "request", world.home, refused.request, is_signed, astuple(refused.request))


def steps_of(world: World, ran: ConfirmedMigration, is_signed: bool) -> Digest:
    """A migration step by step up to its RESULT, whose id comes back."""
    request, place, request_id = ran.request, _place(ran), ran.result.request_id
    _send(world, "request", world.home, request, is_signed, astuple(request))
    answered = (place, request_id, ran.accepted.signed_at)
    _send(world, "accept", world.host, ran.accepted, is_signed, *answered)
    times = (ran.accepted.signed_at, ran.confirmed.signed_at)
    _send(world, "confirm", world.home, ran.confirmed, is_signed, place, request_id, *times)
    sealed = (place, request_id, ran.result.seal, ran.result.signed_at)
    _send(world, "result", world.host, ran.result, is_signed, *sealed)
    return digest(world.domain, ran.result)


def _place(ran: ConfirmedMigration) -> tuple[Address, Address, int]:
    return ran.request.home, ran.request.host, ran.request.seq


def _send(
    world: World, step: str, owner: Key, asset: Asset, is_signed: bool, *values: object
) -> None:
    sender, call = world.sender_of(owner), submission(step, values)
    if is_signed:
        signature = owner.sign(world.domain, asset)
        sender, call = world.sender, (step, *values, signature)
    sender.send(world.deployment.contract, encode(*call))
