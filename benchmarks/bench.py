"""One chain, one ledger 2-of-3, one host, and migrations of random, non-zero data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from coincurve import PrivateKey

from canaries.commitment import PLANTED, Mark, Place, commitment, seal
from ledger import calls, merkle, record
from ledger.assets import Accepted, Confirmed, ConfirmedMigration, Request, Result
from ledger.calls import BatchVote, StepVote
from ledger.creation import Constants
from ledger.deploying import deploy
from ledger.eip712 import digest
from ledger.embedded import EmbeddedChain
from ledger.keys import Key
from ledger.ports import SystemClock
from ledger.sender import Sender
from ledger.types import Address, Digest

T = TypeVar("T")

REPLAY = b"replay".ljust(32, b"\0")
_ETHER = 10**18
_HOUR = 3_600


class ChainClock(SystemClock):
    """The machine's clock, as far ahead as the chain was put."""

    def __init__(self) -> None:
        self.ahead = 0

    def now(self) -> float:
        return super().now() + self.ahead


@dataclass(frozen=True, slots=True)
class Canary:
    """A finished migration with everything that a claim for K3 needs."""

    migration: ConfirmedMigration
    home: Key
    mark: Mark
    task_digest: Digest
    result_digest: Digest
    seal_salt: Digest


class Bench:
    """What is measured stands on this; every number is the gas of a receipt."""

    def __init__(self, chain: EmbeddedChain, seed: int) -> None:
        self.random = Random(seed)
        self.clock = ChainClock()
        self.chain = chain
        self.host = self.key()
        self.validators = [self.key() for _ in range(3)]
        deployer = self.key()
        self.fund(self.host, deployer, *self.validators)
        self.deployment = deploy(
            chain.rpc,
            deployer,
            self.clock,
            validators=[key.address for key in self.validators],
            threshold=2,
            constants=Constants(round_seconds=_HOUR),
        )
        self.domain = self.deployment.domain
        self.host_sender = self.sender_of(self.host)
        self.voters = [self.sender_of(key) for key in self.validators[:2]]
        self._sequences: dict[bytes, int] = {}

    def key(self) -> Key:
        return Key(PrivateKey(self.random.randbytes(32)))

    def word(self) -> Digest:
        return Digest(self.random.randbytes(32))

    def fund(self, *keys: Key) -> None:
        for key in keys:
            self.chain.fund(key.address, 1_000 * _ETHER)

    def sender_of(self, key: Key) -> Sender:
        chain_id = self.chain.rpc.chain_id()
        return Sender(self.chain.rpc, key, chain_id, self.clock, poll_seconds=0.01)

    def ask(self, view: calls.View[T], contract: Address | None = None) -> T:
        return view.decode(self.chain.rpc.call(contract or self.deployment.contract, view.data))

    def wait(self, seconds: int) -> None:
        """Puts the chain forward, and the clock with it."""
        self.clock.ahead += seconds
        self.chain.rpc.raw("evm_increaseTime", [seconds])
        self.chain.rpc.raw("evm_mine", [])

    def chain_time(self) -> int:
        """Of the newest block."""
        head = self.chain.rpc.header(self.chain.rpc.block_number())
        if head is None:
            raise SystemExit("The chain has no newest block.")
        return head.timestamp

    # -- migrations ------------------------------------------------------------------------------

    def canary(
        self,
        home: Key,
        mark: Mark | None = None,
        result_digest: Digest | None = None,
        seq: int | None = None,
    ) -> Canary:
        """A finished migration with all its fields random, marked as a canary; without ``seq`` it
        has the home's next number."""
        mark = mark or Mark(PLANTED, REPLAY, self.word(), self.word())
        task, salt, outcome = self.word(), self.word(), result_digest or self.word()
        number = self._next_number(home) if seq is None else seq
        request = self._request(home, number, task, mark)
        request_id = digest(self.domain, request)
        accepted = Accepted(request_id, request.signed_at + 1 + self.random.randrange(9))
        confirmed = Confirmed(
            digest(self.domain, accepted), accepted.signed_at + 1 + self.random.randrange(9)
        )
        sealed = Digest(seal(outcome, salt, self.host.address, request_id))
        result = Result(request_id, sealed, confirmed.signed_at + 1 + self.random.randrange(500))
        signature = home.sign(self.domain, confirmed)
        migration = ConfirmedMigration(request, accepted, confirmed, result, signature)
        return Canary(migration, home, mark, task, outcome, salt)

    def settle(self, canaries: Sequence[Canary]) -> tuple[int, Digest]:
        """Settles one batch; the gas, and the root, which the chain must know."""
        migrations = [canary.migration for canary in canaries]
        packed = record.encode_batch(migrations)
        root = merkle.root(self.leaves(canaries))
        receipt = self.host_sender.send(
            self.deployment.contract, calls.settle(self.host.address, packed)
        )
        stored = calls.batch(self.host.address, root)
        state = stored.decode(self.chain.rpc.call(self.deployment.contract, stored.data))
        if state.n != len(canaries) or state.claims != (1 << len(canaries)) - 1:
            raise SystemExit("The batch was not settled in full; the numbers would mean nothing.")
        return receipt.gas_used, root

    def in_order(self, canaries: Sequence[Canary]) -> list[Canary]:
        """As they stand in their batch."""
        ordered = record.batch_order([canary.migration for canary in canaries])
        places = {id(migration): index for index, migration in enumerate(ordered)}
        return sorted(canaries, key=lambda canary: places[id(canary.migration)])

    def leaves(self, canaries: Sequence[Canary]) -> list[Digest]:
        ordered = [canary.migration for canary in self.in_order(canaries)]
        return record.leaves(self.domain, ordered, ())

    def vote(
        self, batches: Sequence[tuple[Digest, int]], steps: Sequence[StepVote] = ()
    ) -> list[int]:
        """Both validators approve everything; the gas of either."""
        batch_votes = [
            BatchVote(self.host.address, root, (1 << count) - 1, 0) for root, count in batches
        ]
        data = calls.vote(batch_votes, steps)
        return [voter.send(self.deployment.contract, data).gas_used for voter in self.voters]

    def _next_number(self, home: Key) -> int:
        seq = self._sequences.setdefault(home.address, self.random.randrange(1 << 16, 1 << 24) << 8)
        self._sequences[home.address] = seq + 1
        return seq

    def _request(self, home: Key, seq: int, task: Digest, mark: Mark) -> Request:
        place = Place(
            self.domain.chain_id, self.domain.contract, home.address, self.host.address, seq
        )
        now = int(self.clock.now())
        return Request(
            home.address,
            self.host.address,
            self.word(),
            self.word(),
            Digest(commitment(place, task, mark.hash)),
            self._limit(),
            self._limit(),
            self._limit(),
            seq,
            now + self.random.randrange(1 << 16, 1 << 19),
            now - self.random.randrange(600, 1_200),
        )

    def _limit(self) -> int:
        return self.random.randrange(1 << 16, 1 << 24)
