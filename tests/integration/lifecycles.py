"""Random lifecycles through the real contract and through the model of it, transaction by
transaction: the same logs, the same views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from eth_hash.auto import keccak

from ledger import calls, merkle, record
from ledger.abi import ContractReverted
from ledger.assets import K3_CANARY, Batch, Kudos, Migration
from ledger.canary_claims import claim_of
from ledger.deployment import deploy
from ledger.eip712 import digest
from ledger.embedded import EmbeddedChain
from ledger.events import BatchSettled, decode
from ledger.keys import Key
from ledger.outbox_codec import OpenedCanary
from ledger.ports import SystemClock
from ledger.reasons import Reason
from ledger.rpc import Receipt, Rpc
from ledger.sender import Sender
from ledger.synthetic_actors import Actors, Planted, Settings
from ledger.synthetic_contract import CLAIMED, Emitted, SyntheticContract
from ledger.tally import indices
from ledger.types import Address, Digest, Signature
from tests.integration.chain_world import ETHER, key_of

GAS = 12_000_000
SEATS, QUORUM = 5, 3
K1_PER_HOST_AND_EPOCH = 7
EPOCH_SECONDS = 6 * 3600
_REASONS = (Reason.APPROVE, Reason.APPROVE, Reason.REFUSE_RESULT, Reason.ABSTAIN_INPUTS)


@dataclass(frozen=True, slots=True)
class OpenClaim:
    """A settled canary that nobody has claimed yet, and where it stands."""

    planted: Planted
    host: Key
    root: Digest
    index: int
    path: tuple[Digest, ...]


class Lifecycles:
    """The contract on a chain, the model in memory, and a stream of random numbers for both."""

    def __init__(self, chain: EmbeddedChain, seed: str) -> None:
        self.random = Random(seed)
        self.rpc = Rpc(chain.url)
        self.clock = SystemClock()
        self.relayer = key_of("relayer")
        self.validators = [key_of(f"validator {number}") for number in range(SEATS)]
        chain.fund(self.relayer.address, 10_000 * ETHER)
        addresses = [key.address for key in self.validators]
        self.deployment = deploy(
            *(self.rpc, self.relayer, self.clock),
            validators=addresses,
            threshold=QUORUM,
            epoch_seconds=EPOCH_SECONDS,
            k1_per_host_and_epoch=K1_PER_HOST_AND_EPOCH,
        )
        self.domain = self.deployment.domain
        self.model = SyntheticContract(self.domain, addresses, QUORUM, EPOCH_SECONDS)
        self.model.k1_per_host_and_epoch = K1_PER_HOST_AND_EPOCH
        self.actors = Actors(Settings(seed=seed, nodes=8, rejected=0.3), self.domain)
        self.senders: dict[Address, Sender] = {}
        for key in (*self.actors.nodes, *self.validators):
            chain.fund(key.address, 10_000 * ETHER)
        head = self.rpc.header("latest")
        if head is None:
            raise AssertionError("a chain without a latest block")
        self.time = head.timestamp + 100
        self.settled: dict[Address, Migration] = {}
        self.claimable: list[OpenClaim] = []
        self.started = self.poisoned = 0

    def run(self, count: int) -> None:
        """Goes on until so many lifecycles have begun, then claims what is left."""
        actions = (self.settle, self.settle, self.vote, self.vote, self.vote, self.judge)
        while self.started < count:
            self.random.choice((*actions, self.claim, self.judge, self.poison))()
        for _ in range(len(self.claimable)):
            self.claim()
            self.judge()
        self.compare_views()

    # -- actions -------------------------------------------------------------------------------

    def settle(self) -> None:
        """One batch of one host: alone or many, sent by the host or by another for it."""
        host = self.random.choice(self.actors.nodes)
        size = self.random.choice((1, 1, 2, 3, 5, 8, 13, 21, 40))
        homes = [node for node in self.actors.nodes if node is not host]
        made = [
            self.actors.migration(self.random.choice(homes), host, self.time) for _ in range(size)
        ]
        batch = [migration for migration, _ in made]
        old = self.settled.get(host.address)
        if old is not None and self.random.random() < 0.3:
            batch.append(old)
        if self.random.random() < 0.1:
            batch.append(batch[0])
        self.settled[host.address] = batch[0]
        self.started += size
        packed = record.encode_batch(batch)
        root, logs = self.model.settle(host.address, batch, self.time)
        receipt = self._send_batch(host, packed)
        self._compare(receipt, logs)
        event = decode(receipt.logs[0])
        assert isinstance(event, BatchSettled) and event.root == root
        self._note_canaries(host, event, [planted for _, planted in made if planted])

    def vote(self) -> None:
        """One validator on one to four batches that it has not voted on."""
        validator = self.random.choice(self.validators)
        recent = list(self.model.batches.items())[-40:]
        waiting = [key for key, batch in recent if validator.address not in batch.ballots]
        chosen = self.random.sample(waiting, min(len(waiting), self.random.randrange(1, 5)))
        if not chosen:
            return
        ballots, logs = [], list[Emitted]()
        for host, root in chosen:
            refuse, abstain = self._mask(), self._mask()
            logs += self.model.vote(validator.address, host, root, refuse, abstain)
            ballots.append(self._ballot(host, root, refuse, abstain))
        self._compare(self._send(validator, calls.vote(ballots, [])), logs)

    def claim(self) -> None:
        """K3 on one settled canary, sent by its host or by another for it."""
        if not self.claimable:
            return
        found = self.claimable.pop(self.random.randrange(len(self.claimable)))
        planted, request = found.planted, found.planted.migration.request
        signature = self.actors.sign_opening(planted)
        canary = OpenedCanary(
            *(planted.migration, planted.opened, signature),
            *(planted.result_digest, planted.seal_salt),
        )
        kudos = Kudos(K3_CANARY, planted.opened.result_id, planted.result_digest, planted.seal_salt)
        kudos_id, logs = self.model.claim_canary(
            planted.opened, signature, kudos, planted.migration, self.time
        )
        claim = claim_of(canary, found.root, found.index, found.path)
        sender = self.random.choice((found.host, self.relayer))
        if sender is self.relayer:
            claim = replace(claim, host_signature=found.host.sign(self.domain, kudos))
        self._compare(self._send(sender, calls.claim_canaries([claim])), logs)
        assert self.model.canaries[kudos_id].host == request.host

    def judge(self) -> None:
        """One validator on some K3 claims that it has not voted on, late votes among them."""
        validator = self.random.choice(self.validators)
        recent = list(self.model.canaries.items())[-20:]
        waiting = [key for key, claim in recent if validator.address not in claim.votes]
        votes, logs = [], list[Emitted]()
        for kudos_id in waiting[: self.random.randrange(1, 4)]:
            reason = self.random.choice(_REASONS)
            votes.append(calls.CanaryVote(kudos_id, reason))
            logs += self.model.vote_canary(validator.address, kudos_id, reason)
        if votes:
            self._compare(self._send(validator, calls.vote([], votes)), logs)

    def poison(self) -> None:
        """A batch of one bad record, which must change nothing."""
        home, host = self.random.sample(self.actors.nodes, 2)
        too_late = self.time - 3 * 86_400
        kind = self.random.choice(("signature", "expired", "self"))
        made_at = too_late if kind == "expired" else self.time
        migration, _ = self.actors.migration(host if kind == "self" else home, host, made_at)
        if kind == "signature":
            migration = replace(migration, home_signature=Signature(self.random.randbytes(64)))
        try:
            self._send_batch(host, record.encode_batch([migration]))
        except ContractReverted as refusal:
            assert refusal.error == "NothingToSettle"
            self.poisoned += 1
            return
        raise AssertionError(f"a record with a bad {kind} was settled")

    # -- comparing -----------------------------------------------------------------------------

    def compare_views(self) -> None:
        """Every total, batch and claim, asked of both."""
        for node in self.actors.nodes:
            self._compare_view(calls.kudos(node.address).data)
        for host, root in self.model.batches:
            self._compare_view(calls.batch(host, root).data)
        for kudos_id in self.model.canaries:
            self._compare_view(calls.canary(kudos_id).data)

    def _compare_view(self, data: bytes) -> None:
        assert self.rpc.call(self.deployment.contract, data) == self.model.call(data)

    def _compare(self, receipt: Receipt, expected: Sequence[Emitted]) -> None:
        assert [(log.topics, log.data) for log in receipt.logs] == list(expected)

    @property
    def outcomes(self) -> dict[str, int]:
        """How often each thing has happened, to see that the run was not an empty one."""
        totals = self.model.totals.values()
        return {
            **{f"k{level}": sum(total[level] for total in totals) for level in (1, 2, 3)},
            "refused": sum(batch.refused.bit_count() for batch in self.model.batches.values()),
            "open": sum(claim.state == CLAIMED for claim in self.model.canaries.values()),
            "poisoned": self.poisoned,
        }

    # -- plumbing ------------------------------------------------------------------------------

    def _note_canaries(self, host: Key, event: BatchSettled, planted: Sequence[Planted]) -> None:
        ordered = record.decode_batch(self.domain, host.address, event.batch)
        leaves = record.leaves(self.domain, ordered, (index for index, _ in event.skipped))
        for one in planted:
            leaf = digest(self.domain, one.migration.result)
            index = leaves.index(leaf)
            path = merkle.path(leaves, index)
            self.claimable.append(OpenClaim(one, host, event.root, index, path))

    def _mask(self) -> int:
        kind = self.random.randrange(4)
        bits = self.random.getrandbits(128)
        return (0, 0, bits & self.random.getrandbits(128), bits)[kind]

    def _ballot(self, host: Address, root: Digest, refuse: int, abstain: int) -> calls.BatchVote:
        claims = self.model.batches[host, root].claims
        refuse &= claims
        abstain &= claims & ~refuse
        # Bits that are no claims are dropped by the contract.
        approve = self.random.getrandbits(128) & ~claims | claims & ~refuse & ~abstain
        reasons = [(index, Reason.REFUSE_ORDER) for index in indices(refuse)]
        reasons += [(index, Reason.ABSTAIN_INPUTS) for index in indices(abstain)]
        return calls.BatchVote(host, root, approve, refuse, tuple(sorted(reasons)))

    def _send_batch(self, host: Key, packed: bytes) -> Receipt:
        if self.random.random() < 0.5:
            return self._send(host, calls.settle(host.address, packed))
        content = Batch(host.address, Digest(keccak(packed)))
        signature = host.sign(self.domain, content)
        return self._send(self.relayer, calls.settle(host.address, packed, signature))

    def _send(self, key: Key, data: bytes) -> Receipt:
        sender = self.senders.get(key.address)
        if sender is None:
            chain_id = self.deployment.chain_id
            sender = Sender(self.rpc, key, chain_id, self.clock, mined_within=10.0)
            self.senders[key.address] = sender
        self.rpc.raw("evm_setNextBlockTimestamp", [self.time])
        # Mostly seconds; now and then into another epoch.
        self.time += self.random.choice((1, 2, 5, 20, 20, 60)) + (
            EPOCH_SECONDS // 2 if self.random.random() < 0.02 else 0
        )
        return sender.send(self.deployment.contract, data, gas=GAS)
