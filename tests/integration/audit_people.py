"""A ledger on a real chain, and the people who make a history on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from coincurve import PrivateKey
from eth_abi.abi import encode as abi_encode
from eth_hash.auto import keccak

from ledger import calls, claim_calls, merkle, record, validator_test
from ledger.abi import QUEUE, decode_result, encode
from ledger.assets import (
    Accepted,
    Confirmed,
    ConfirmedMigration,
    Kudos,
    Migration,
    Rejected,
    RejectedMigration,
    Request,
    Result,
)
from ledger.claim_calls import ClaimVote
from ledger.contracts import Contracts, contracts_of
from ledger.creation import Constants
from ledger.deploying import deploy
from ledger.deployment import Deployment
from ledger.eip712 import digest, types
from ledger.embedded import EmbeddedChain
from ledger.event_types import BatchSettled
from ledger.events import RawLog, decode
from ledger.keys import Key
from ledger.packed_claims import (
    ClaimItem,
    HomesWords,
    PlantedOpening,
)
from ledger.ports import SystemClock
from ledger.reasons import Reason
from ledger.rpc import Rpc
from ledger.sender import Sender
from ledger.types import Address, Digest

CONSTANTS = Constants(
    k2_per_pair_and_epoch=8,
    queue_delay_seconds=60,
    round_seconds=60,
    draw_rate=65_535,
    puzzle_difficulty=4,
    puzzles_per_host=2,
    beacon_period_seconds=600,
    beacon_reveal_seconds=300,
)
ETHER = 10**18
REPLAY = Digest(keccak(b"replay"))
NOTHING = Digest(bytes(32))


def key_of(name: str) -> Key:
    """A key that is the same in every run."""
    return Key(PrivateKey(sha256(name.encode()).digest()))


def words(*values: bytes) -> Digest:
    """What Solidity's encoding of these words hashes to."""
    return Digest(keccak(b"".join(value.rjust(32, b"\0") for value in values)))


@dataclass(frozen=True)
class Made:
    """A migration with all that its parties know of it."""

    migration: ConfirmedMigration
    task_digest: Digest
    mark: Digest
    parameters: Digest
    salt: Digest
    result_digest: Digest
    seal_salt: Digest


@dataclass(frozen=True)
class Placed:
    """Where a batch stands, and its records in their order."""

    host: Address
    root: Digest
    claims: int
    records: list[Migration]
    leaves: list[Digest]


class People:
    """One ledger, who is on it, and what they do again and again."""

    def __init__(self, chain: EmbeddedChain, predecessor: Address | None = None) -> None:
        self.chain, self.rpc, self.clock = chain, Rpc(chain.url), SystemClock()
        self.validators = [key_of(f"validator {number}") for number in range(4)]
        self.home, self.host, self.newcomer = map(key_of, ("home", "host", "newcomer"))
        self.keys = (self.home, self.host, self.newcomer, *self.validators)
        for key in self.keys:
            chain.fund(key.address, 100 * ETHER)
        self.deployment: Deployment = deploy(
            *(self.rpc, self.home, self.clock),
            validators=[key.address for key in self.validators[:3]],
            threshold=2,
            constants=replace(CONSTANTS, predecessor=predecessor or Address(bytes(20))),
            finality_depth=4,
        )
        self.domain = self.deployment.domain
        self.contracts: Contracts = contracts_of(self.deployment.contract)
        self._sequences: Counter[tuple[Address, Address]] = Counter()
        self._number = 0

    def now(self) -> int:
        header = self.rpc.header("latest")
        assert header is not None
        return header.timestamp

    def wait(self, seconds: int) -> None:
        self.chain.rpc.raw("evm_increaseTime", [seconds])
        self.chain.mine()

    def wait_for_next(self, length: int) -> int:
        """Goes to the start of the next stretch of this length; gives its number."""
        number = self.now() // length + 1
        self.wait(number * length - self.now() + 1)
        return number

    def send(self, key: Key, data: bytes, to: Address | None = None) -> Sequence[RawLog]:
        sender = Sender(self.rpc, key, self.deployment.chain_id, self.clock, poll_seconds=0.01)
        return sender.send(to or self.contracts.ledger, data).logs

    def fresh(self) -> Digest:
        self._number += 1
        return Digest(keccak(b"%d" % self._number))

    def request(
        self, home: Key, host: Key, *, task: Digest, mark: Digest, lasts: int = 600
    ) -> Request:
        place = (home.address, host.address)
        seq = self._sequences[place]
        self._sequences[place] += 1
        type_hash = keccak(types()["hashed"]["commitment"].encode())
        chain_id = self.domain.chain_id.to_bytes(32, "big")
        bound = (chain_id, self.domain.contract, *place, seq.to_bytes(4, "big"), task, mark)
        commitment, signed_at = words(type_hash, *bound), self.now() - 30
        limits_and_times = (60, 512, 4096, seq, signed_at + lasts, signed_at)
        return Request(*place, self.fresh(), self.fresh(), commitment, *limits_and_times)

    def made(
        self,
        home: Key,
        host: Key,
        *,
        family: bytes = REPLAY,
        parameters: bytes = NOTHING,
        answer: Digest | None = None,
        test_salt: Digest | None = None,
        lasts: int = 600,
    ) -> Made:
        """A migration whose mark says that it is a canary of this family; with ``test_salt`` one
        that tests the validators."""
        task, salt, seal_salt = self.fresh(), self.fresh(), self.fresh()
        mark = words(b"\x01", family, parameters, salt)
        request = self.request(home, host, task=task, mark=mark, lasts=lasts)
        request_id, at = digest(self.domain, request), request.signed_at + 1
        accepted = Accepted(request_id, at)
        confirmed = Confirmed(digest(self.domain, accepted), at + 1)
        result_digest = answer or self.fresh()
        if test_salt is not None:
            result_digest = validator_test.digest_of(request_id, test_salt)
        seal = words(result_digest, seal_salt, host.address, request_id)
        result = Result(request_id, seal, at + 2)
        signature = home.sign(self.domain, confirmed)
        migration = ConfirmedMigration(request, accepted, confirmed, result, signature)
        known = (Digest(parameters), salt, result_digest, seal_salt)
        return Made(migration, task, mark, *known)

    def refused(self, home: Key, host: Key) -> RejectedMigration:
        request = self.request(home, host, task=self.fresh(), mark=self.fresh())
        rejected = Rejected(digest(self.domain, request), Reason.POLICY, request.signed_at + 1)
        return RejectedMigration(request, rejected, home.sign(self.domain, request))

    def settle(self, host: Key, migrations: Sequence[Migration]) -> Placed:
        logs = self.send(host, calls.settle(host.address, record.encode_batch(migrations)))
        event = decode(logs[-1])
        assert isinstance(event, BatchSettled)
        records = record.decode_batch(self.domain, host.address, event.batch)
        skipped = [index for index, _ in event.skipped]
        leaves = record.leaves(self.domain, records, skipped)
        return Placed(host.address, event.root, event.claims, records, leaves)

    def vote(self, validator: Key, batch: Placed, refuse: int = 0, abstain: int = 0) -> None:
        reasons = [(i, int(Reason.REFUSE_ORDER)) for i in range(128) if refuse >> i & 1]
        reasons += [(i, int(Reason.ABSTAIN_INPUTS)) for i in range(128) if abstain >> i & 1]
        approve = batch.claims & ~refuse & ~abstain
        cast = calls.BatchVote(batch.host, batch.root, approve, refuse, tuple(reasons))
        self.send(validator, calls.vote([cast], []))

    def item(self, made: Made, batch: Placed, opening: Any, words: HomesWords | None) -> ClaimItem:
        index = batch.records.index(made.migration)
        path = tuple(merkle.path(batch.leaves, index))
        request, result = made.migration.request, made.migration.result
        return ClaimItem(request, result.signed_at, opening, words, batch.root, index, path)

    def kudos_id(self, level: int, asset: bytes, *opened: bytes) -> Digest:
        return digest(self.domain, Kudos(level, Digest(asset), *map(Digest, opened)))

    def judge(self, votes: Sequence[tuple[Key, Sequence[ClaimVote]]]) -> None:
        """Commits in the round after this one, reveals in the one behind it."""
        number = self.wait_for_next(CONSTANTS.round_seconds)
        salt = self.fresh()
        for key, given in votes:
            bound = (self.domain, key.address, number, given, salt)
            sealed = claim_calls.votes_commitment(*bound)
            self.send(key, claim_calls.commit_votes(number, sealed), self.contracts.claims)
        self.wait_for_next(CONSTANTS.round_seconds)
        for key, given in votes:
            data = claim_calls.reveal_votes(key.address, number, given, salt)
            self.send(self.home, data, self.contracts.claims)

    def record_of(self, settled: Migration, batch: Placed | None) -> tuple[Any, ...]:
        index = batch.records.index(settled) if batch else 0
        path = merkle.path(batch.leaves, index) if batch else []
        place = (batch.root if batch else NOTHING, index, list(path))
        values = values_of(settled.request)
        if isinstance(settled, ConfirmedMigration):
            return (values, 2, settled.result.seal, 0, settled.result.signed_at, *place)
        rejected = settled.rejected
        return (values, 1, NOTHING, rejected.reason, rejected.signed_at, *place)

    def propose(self, voters: int, view: str, *values: Any, withdraw: bool = False) -> int:
        """A content by a view of the queue, approved by so many; gives the proposal's number."""
        queue = self.contracts.queue
        answer = self.rpc.call(queue, encode(view, *values, contract=QUEUE))
        (proposed,) = decode_result(view, answer, contract=QUEUE)
        kinds = ["(uint8,uint64,address[16],uint256,bytes32,address)"]
        content_hash = keccak(abi_encode(kinds, [proposed]))
        self.send(self.validators[0], encode("propose", proposed, contract=QUEUE), queue)
        asked = self.rpc.call(queue, encode("proposals", contract=QUEUE))
        (number,) = decode_result("proposals", asked, contract=QUEUE)
        for validator in self.validators[1:voters]:
            self.send(validator, encode("vote", number, content_hash, True, contract=QUEUE), queue)
        for validator in self.validators[:voters] if withdraw else ():
            self.send(validator, encode("vote", number, content_hash, False, contract=QUEUE), queue)
        return int(number)

    def execute(self, number: int) -> None:
        self.wait(CONSTANTS.queue_delay_seconds)
        data = encode("execute", number, contract=QUEUE)
        self.send(self.home, data, self.contracts.queue)


def values_of(request: Request) -> tuple[Any, ...]:
    """A REQUEST as the contracts' struct."""
    return tuple(getattr(request, field) for field in request.__dataclass_fields__)


def place_of(request: Request) -> tuple[Address, Address, int]:
    return request.home, request.host, request.seq


def planted_of(made: Made) -> PlantedOpening:
    mark = (REPLAY, made.task_digest, made.parameters, made.salt)
    return PlantedOpening(*mark, made.seal_salt, made.result_digest)


def typed_digest(people: People, name: str, *values: Any) -> Digest:
    """The digest of a type that Python has no class for."""
    fields = types()["types"][name]
    text = f"{name}({','.join(field['type'] + ' ' + field['name'] for field in fields)})"
    kinds = ["bytes32", *(field["type"] for field in fields)]
    struct = keccak(abi_encode(kinds, [keccak(text.encode()), *values]))
    separator = people.rpc.call(people.contracts.ledger, encode("domainSeparator"))
    return Digest(keccak(b"\x19\x01" + separator + struct))
