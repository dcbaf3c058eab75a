"""A real ledger whose validators have decided about it: proposals of every standing, periods of the
beacon at every stage, and a canary that it drew."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ledger import claim_calls, queue_calls
from ledger.calls import View
from ledger.contracts import contracts_of
from ledger.embedded import EmbeddedChain
from ledger.event_types import ProposalContent
from ledger.keys import Key
from ledger.types import Address, Digest
from tests.e2e.desk_world import RealLedger
from tests.integration import proof_canaries
from tests.integration.chain_world import World, key_of

SECRET = Digest(bytes([9]) * 32)
DAY, HOUR = 86_400, 3_600


@dataclass(frozen=True, slots=True)
class RuleLedger:
    """The copy, and what is worth looking at: ``drawn`` is a period whose beacon is known, ``now``
    the one that runs."""

    ledger: RealLedger
    validators: tuple[Address, ...]
    newcomer: Address
    drawn: int
    now: int


def decide(directory: Path) -> RuleLedger:
    """Makes it."""
    with (
        EmbeddedChain(directory / "chain" / "state.json", block_time=0) as chain,
        World(chain, directory, proof_canaries.EVERYTHING) as world,
    ):
        drawn = world.rpc_time() // DAY + 1
        _commit(world, world.validators[2], drawn)
        proof_canaries.draw(world)
        newcomer = key_of("newcomer").address
        _propose(world, newcomer)
        now = _periods(world)
        world.index()
        world.deployment.save(directory / "ledger.json")
        ledger = RealLedger(directory / "index.db", directory / "ledger.json")
        validators = tuple(key.address for key in world.validators)
        return RuleLedger(ledger, validators, newcomer, drawn, now)


def _propose(world: World, newcomer: Address) -> None:
    """1 is executed, which makes 2 stale; 3 is withdrawn, 4 approved, 5 open."""
    first, second, third = world.validators
    added = _proposal(world, first, queue_calls.adding(newcomer, 3))
    _proposal(world, third, queue_calls.setting_threshold(3))
    _say(world, second, 1, added, approve=True)
    _wait(world, world.rpc_time() + world.deployment.constants.queue_delay_seconds)
    world.sender.send(_queue(world), queue_calls.execute(1))
    removed = _proposal(world, second, queue_calls.removing(newcomer, 2))
    for who in world.validators:
        _say(world, who, 3, removed, approve=False)
    raised = _proposal(world, third, queue_calls.setting_threshold(4))
    for who in (first, second):
        _say(world, who, 4, raised, approve=True)
    _proposal(world, first, queue_calls.rotating(newcomer, key_of("another").address))


def _periods(world: World) -> int:
    """One that nobody reveals, one that is revealed, one that runs, one to come."""
    missed, revealing, running, coming = (world.rpc_time() // DAY + ahead for ahead in range(1, 5))
    for who in world.validators:
        for period in (missed, revealing):
            _commit(world, who, period)
    _commit(world, world.validators[0], running)
    _wait(world, running * DAY + HOUR)
    beacon = contracts_of(world.deployment.contract).beacon
    world.sender.send(beacon, claim_calls.fix_beacon(missed))
    first = world.validators[0].address
    world.sender.send(beacon, claim_calls.reveal_secret(first, revealing, SECRET))
    for who in world.validators[:2]:
        _commit(world, who, coming)
    return running


def _proposal(world: World, who: Key, wanted: View[ProposalContent]) -> ProposalContent:
    content = wanted.decode(world.rpc.call(_queue(world), wanted.data))
    world.sender_of(who).send(_queue(world), queue_calls.propose(content))
    return content


def _say(world: World, who: Key, number: int, content: ProposalContent, *, approve: bool) -> None:
    data = queue_calls.vote(number, content, approve=approve)
    world.sender_of(who).send(_queue(world), data)


def _commit(world: World, who: Key, period: int) -> None:
    made = claim_calls.secret_commitment(world.domain, who.address, period, SECRET)
    beacon = contracts_of(world.deployment.contract).beacon
    world.sender_of(who).send(beacon, claim_calls.commit_secret(period, made))


def _queue(world: World) -> Address:
    return contracts_of(world.deployment.contract).queue


def _wait(world: World, time: int) -> None:
    world.rpc.raw("evm_setNextBlockTimestamp", [time + 1])
    world.chain.mine(1)
