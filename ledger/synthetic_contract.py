"""What the contracts do, in a few dictionaries: the state of ``ledger.synthetic`` and its logs.

It trusts its caller (signatures and times are not checked) and is right about the rest: sequence
numbers, Merkle roots, claims with the K1 caps, ballots, decisions, totals, views.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from eth_abi.abi import encode as abi_encode
from eth_hash.auto import keccak

from ledger import merkle, record
from ledger.assets import CanaryOpened, ConfirmedMigration, Kudos, Migration
from ledger.claim_calls import ClaimVote, votes_commitment
from ledger.contracts import Contracts, contracts_of, creation_address
from ledger.eip712 import Domain, digest
from ledger.events import DECLARED, canonical
from ledger.packed_claims import ClaimedCanary, HomesWords, PlantedOpening, encode_claimed
from ledger.reasons import Reason
from ledger.tally import decide, indices
from ledger.types import ZERO_ADDRESS, Address, Digest, Signature

Emitted = tuple[Address, tuple[Digest, ...], bytes]
"""Emitting contract, topics and data of a log."""

CLAIMED, VERIFIED, REFUSED = 1, 2, 3
SEATS = 16


@dataclass(slots=True)
class BatchState:
    """One settled batch, as far as votes need it."""

    host: Address
    confirmed: int
    migrations: list[Migration]
    settled_at: int
    claims: int
    verified: int = 0
    refused: int = 0
    ballots: dict[Address, tuple[int, int]] = field(default_factory=dict)


@dataclass(slots=True)
class CanaryState:
    """One planted K3 claim."""

    home: Address
    host: Address
    claimed_at: int
    state: int = CLAIMED
    votes: dict[Address, int] = field(default_factory=dict)


class SyntheticContract:
    """A ledger in memory; every method gives the logs that the transaction would leave."""

    def __init__(
        self,
        domain: Domain,
        validators: Sequence[Address],
        threshold: int,
        epoch_seconds: int,
        commit_seconds: int,
    ) -> None:
        self.domain = domain
        self.validators = tuple(validators)
        self.threshold = threshold
        self.epoch_seconds = epoch_seconds
        self.k1_per_host_and_epoch = 100
        self.commit_seconds = commit_seconds
        self._contracts = contracts_of(domain.contract)
        self.batches: dict[tuple[Address, Digest], BatchState] = {}
        self.canaries: dict[Digest, CanaryState] = {}
        self.totals: defaultdict[Address, Counter[int]] = defaultdict(Counter)
        self.marks: set[tuple[Address, Address, int]] = set()
        self.commitments: dict[tuple[Address, int], Digest] = {}
        """Those that are not revealed, by validator and round."""
        self.first_claims: dict[tuple[Address, Address], int] = {}
        """By (home, host): the latest epoch with a K1 claim."""
        self._sequences: set[tuple[Address, Address, int]] = set()
        self._k1: Counter[tuple[Address | int, ...]] = Counter()

    def begin(self) -> list[Emitted]:
        """What the deployment logs: the first validators, the satellites, the first families."""
        seats = [*self.validators, *[ZERO_ADDRESS] * (SEATS - len(self.validators))]
        data = abi_encode(["address[16]", "uint256"], [seats, self.threshold])
        parts = self._contracts
        built = [
            self._log("SatelliteBuilt", [_uint(number)], _word(satellite))
            for number, satellite in enumerate((parts.queue, parts.claims, parts.beacon))
        ]
        families = [
            self._log("FamilyRegistered", [_uint(number), name], _word(contract))
            for number, name, contract in standard_families(parts)
        ]
        first = self._log("ValidatorSetChanged", [_uint(1)], data)
        return [first, built[0], *families, *built[1:]]

    def settle(
        self, host: Address, migrations: Iterable[Migration], time: int
    ) -> tuple[Digest, list[Emitted]]:
        """Settles one batch of one host."""
        packed = record.encode_batch(migrations)
        ordered = record.decode_batch(self.domain, host, packed)
        skipped, claims = [], 0
        for index, migration in enumerate(ordered):
            key = (migration.request.home, host, migration.request.seq)
            if key in self._sequences:
                skipped.append(index)
                continue
            self._sequences.add(key)
            if isinstance(migration, ConfirmedMigration) or self._take_k1(key[0], host, time):
                claims |= 1 << index
        root = merkle.root(record.leaves(self.domain, ordered, skipped))
        self.batches[host, root] = BatchState(host, packed[2], ordered, time, claims)
        pairs = b"".join(bytes((index, Reason.SEQUENCE_USED)) for index in skipped)
        data = abi_encode(["uint128", "bytes", "bytes"], [claims, pairs, packed])
        return root, [self._log("BatchSettled", [_word(host), root], data)]

    def vote(
        self, validator: Address, host: Address, root: Digest, refuse: int, abstain: int
    ) -> list[Emitted]:
        """One ballot: approves every claim that is neither refused nor abstained on."""
        batch = self.batches[host, root]
        refuse, abstain = refuse & batch.claims, abstain & batch.claims & ~refuse
        approve = batch.claims & ~refuse & ~abstain
        batch.ballots[validator] = (approve, refuse)
        reasons = [(i, Reason.REFUSE_ORDER) for i in indices(refuse)]
        reasons += [(i, Reason.ABSTAIN_INPUTS) for i in indices(abstain)]
        pairs = b"".join(bytes(pair) for pair in sorted(reasons))
        data = abi_encode(["uint128", "uint128", "bytes"], [approve, refuse, pairs])
        return [
            self._log("BatchVoted", [_word(validator), _word(host), root], data),
            *self._decide_batch(batch, root, validator),
        ]

    def claim_canary(
        self,
        opened: CanaryOpened,
        signature: Signature,
        kudos: Kudos,
        migration: ConfirmedMigration,
        time: int,
    ) -> tuple[Digest, list[Emitted]]:
        """Opens a mark and claims K3 on it."""
        request = migration.request
        kudos_id = digest(self.domain, kudos)
        self.canaries[kudos_id] = CanaryState(request.home, request.host, time)
        self.marks.add((request.home, request.host, request.seq))
        opening = PlantedOpening(
            *(opened.family, opened.task_digest, opened.parameters, opened.salt),
            *(kudos.seal_salt, kudos.result_digest),
        )
        words = HomesWords(opened.signed_at, signature)
        claimed = ClaimedCanary(request.home, request.seq, opening, words)
        data = abi_encode(["bytes"], [encode_claimed([claimed])])
        return kudos_id, [self._log("CanariesClaimed", [_word(request.host)], data)]

    def commit_votes(
        self, validator: Address, number: int, votes: Sequence[ClaimVote], salt: Digest
    ) -> list[Emitted]:
        """A validator's commitment in a round."""
        commitment = votes_commitment(self.domain, validator, number, votes, salt)
        self.commitments[validator, number] = commitment
        return [self._log("VotesCommitted", [_word(validator), _uint(number)], commitment)]

    def reveal_votes(
        self, validator: Address, number: int, votes: Sequence[ClaimVote]
    ) -> list[Emitted]:
        """One validator's words on K3 claims, committed in this round."""
        del self.commitments[validator, number]
        logs = [self._log("VotesRevealed", [_word(validator), _uint(number)], b"")]
        for vote in votes:
            logs += self._vote_canary(validator, vote.kudos_id, vote.reason)
        return logs

    def open_test(
        self, kudos_id: Digest, opened: CanaryOpened, seal_salt: Digest, salt: Digest
    ) -> list[Emitted]:
        """Shows that a claim tested the validators."""
        data = opened.request_id + seal_salt + salt
        return [self._log("TestOpened", [kudos_id, opened.result_id], data)]

    def _vote_canary(self, validator: Address, kudos_id: Digest, reason: int) -> list[Emitted]:
        canary = self.canaries[kudos_id]
        canary.votes[validator] = reason
        topics = [_word(validator), kudos_id]
        logs = [self._log("ClaimVoted", topics, abi_encode(["uint8"], [reason]))]
        votes = list(canary.votes.values())
        approvals = votes.count(Reason.APPROVE)
        refusals = sum(129 <= vote <= 143 for vote in votes)
        if canary.state == CLAIMED and approvals >= self.threshold:
            canary.state = VERIFIED
        elif canary.state == CLAIMED and refusals > len(self.validators) - self.threshold:
            canary.state = REFUSED
        else:
            return logs
        data = abi_encode(["uint8", "uint8"], [3, canary.state])
        logs.append(self._log("ClaimDecided", [kudos_id, _word(canary.host)], data))
        minted = Counter({3: 1} if canary.state == VERIFIED else {})
        return [*logs, *self._mint(self._contracts.claims, canary.host, minted)]

    def _take_k1(self, home: Address, host: Address, time: int) -> bool:
        epoch = time // self.epoch_seconds
        if self._k1[home, host, epoch] or self._k1[host, epoch] >= self.k1_per_host_and_epoch:
            return False
        self._k1[home, host, epoch] += 1
        self._k1[host, epoch] += 1
        self.first_claims[home, host] = epoch
        return True

    def _decide_batch(self, batch: BatchState, root: Digest, validator: Address) -> list[Emitted]:
        decision = decide(
            batch.claims,
            [approve for approve, _ in batch.ballots.values()],
            [refuse for _, refuse in batch.ballots.values()],
            validators=len(self.validators),
            threshold=self.threshold,
        )
        decided = batch.verified | batch.refused
        verified, refused = decision.verified & ~decided, decision.refused & ~decided
        if not verified | refused:
            return []
        batch.verified |= verified
        batch.refused |= refused
        data = abi_encode(["uint128", "uint128"], [verified, refused])
        levels = Counter(2 if index < batch.confirmed else 1 for index in indices(verified))
        decided_log = self._log("BatchDecided", [_word(batch.host), root], data)
        return [decided_log, *self._mint(validator, batch.host, levels)]

    def _mint(self, validator: Address, host: Address, levels: Counter[int]) -> list[Emitted]:
        self.totals[host].update(levels)
        topics = [_word(validator), _word(ZERO_ADDRESS), _word(host)]
        return [
            self._log("TransferSingle", topics, abi_encode(["uint256"] * 2, [level, levels[level]]))
            for level in sorted(levels)
        ]

    def _log(self, event: str, topics: Sequence[Digest], data: bytes) -> Emitted:
        declared, signature = next(
            (contract, text)
            for contract, table in DECLARED.items()
            for text in table.values()
            if text.partition("(")[0] == event
        )
        topic = Digest(keccak(canonical(signature).encode()))
        return getattr(self._contracts, declared), (topic, *topics), data


def standard_families(parts: Contracts) -> list[tuple[int, Digest, Address]]:
    """Numbers, names and contracts of the families that the claims contract begins with."""
    return [
        (number, Digest(name.ljust(32, b"\0")), creation_address(parts.claims, number))
        for number, name in enumerate((b"dlog", b"factor", b"preimage"), start=1)
    ]


def _uint(value: int) -> Digest:
    return Digest(value.to_bytes(32, "big"))


def _word(address: Address) -> Digest:
    return Digest(address.rjust(32, b"\0"))
