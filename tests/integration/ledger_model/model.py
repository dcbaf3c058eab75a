"""The parts of the model put together, and the ledger's own votes, which go to two of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from eth_abi.abi import encode as abi_encode
from eth_hash.auto import keccak

from ledger.assets import Votes
from ledger.calls import BatchVote, StepVote
from ledger.creation import Constants
from ledger.eip712 import Domain
from ledger.types import Address, Digest, hex_of
from tests.integration.ledger_model.batches import Batches
from tests.integration.ledger_model.beacon import Beacon
from tests.integration.ledger_model.canaries import Canaries
from tests.integration.ledger_model.core import Core
from tests.integration.ledger_model.opened_tests import OpenedTests
from tests.integration.ledger_model.queue import Queue
from tests.integration.ledger_model.second import SecondClaims
from tests.integration.ledger_model.state import Refused, Signed, World
from tests.integration.ledger_model.steps import Steps
from tests.integration.ledger_model.verdicts import Verdicts

_VOTES = (
    "(address,bytes32,uint128,uint128,bytes)[]",
    "((address,address,uint32),bytes32,uint8)[]",
)


class LedgerModel:
    """A whole ledger: the core and its satellites."""

    def __init__(
        self,
        domain: Domain,
        rules: Constants,
        validators: Sequence[Address],
        threshold: int,
        block_hash: Callable[[int], bytes],
    ) -> None:
        self.world = World(domain, rules, block_hash)
        self.core = Core(self.world, validators, threshold)
        self.batches, self.steps = Batches(self.core), Steps(self.core)
        self.queue, self.beacon = Queue(self.core), Beacon(self.core)
        self.verdicts = Verdicts(self.core)
        ways = (self.batches, self.steps)
        self.canaries = Canaries(self.core, ways, self.beacon, self.verdicts)
        self.second = SecondClaims(self.canaries)
        self.tests = OpenedTests(self.verdicts)

    def vote(
        self,
        validator: Address,
        batch_votes: Sequence[BatchVote],
        step_votes: Sequence[StepVote],
        signed: Signed | None,
    ) -> None:
        """Votes on what the ledger itself keeps; all of them or none."""
        asset = Votes(votes_hash(batch_votes, step_votes))
        if signed and not self.world.has_signed(validator, asset, signed.signature):
            raise Refused("NotSigned")
        self.core.require_validator(validator)
        for batch_vote in batch_votes:
            self.batches.vote(validator, batch_vote)
        for step_vote in step_votes:
            self.steps.vote(validator, step_vote)


def votes_hash(batch_votes: Sequence[BatchVote], step_votes: Sequence[StepVote]) -> Digest:
    """What a validator signs for a relayer."""
    batches = [
        (
            *(hex_of(vote.host), vote.root, vote.approve, vote.refuse),
            bytes(byte for pair in vote.reasons for byte in pair),
        )
        for vote in batch_votes
    ]
    steps = [
        ((hex_of(vote.home), hex_of(vote.host), vote.seq), vote.id, vote.reason)
        for vote in step_votes
    ]
    return Digest(keccak(abi_encode(_VOTES, (batches, steps))))
