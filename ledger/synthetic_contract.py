"""What the contract does, in a few dictionaries: the state of ``ledger.synthetic`` and its logs.

It trusts its caller (signatures and times are not checked) and is right about the rest: sequence
numbers, Merkle roots, claims with the K1 caps, ballots, decisions, totals, views.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_hash.auto import keccak

from ledger import merkle, record
from ledger.assets import CanaryOpened, ConfirmedMigration, Kudos, Migration
from ledger.eip712 import Domain, digest
from ledger.errors import ChainError
from ledger.events import SIGNATURES
from ledger.reasons import Reason
from ledger.tally import decide, indices
from ledger.types import ZERO_ADDRESS, Address, Digest, Signature, address_from_hex

Emitted = tuple[tuple[Digest, ...], bytes]
"""Topics and data of a log."""

CLAIMED, VERIFIED, REFUSED = 1, 2, 3


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
    """One K3 claim."""

    host: Address
    claimed_at: int
    state: int = CLAIMED
    votes: dict[Address, int] = field(default_factory=dict)


class SyntheticContract:
    """A ledger in memory; every method gives the logs that the transaction would leave."""

    def __init__(
        self, domain: Domain, validators: Sequence[Address], threshold: int, epoch_seconds: int
    ) -> None:
        self.domain = domain
        self.validators = tuple(validators)
        self.threshold = threshold
        self.epoch_seconds = epoch_seconds
        self.k1_per_host_and_epoch = 100
        self.batches: dict[tuple[Address, Digest], BatchState] = {}
        self.canaries: dict[Digest, CanaryState] = {}
        self.totals: defaultdict[Address, Counter[int]] = defaultdict(Counter)
        self._sequences: set[tuple[Address, Address, int]] = set()
        self._k1: Counter[tuple[Address | int, ...]] = Counter()

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
        return root, [_log("BatchSettled", [_word(host), root], data)]

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
            _log("BatchVoted", [_word(validator), _word(host), root], data),
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
        self.canaries[kudos_id] = CanaryState(request.host, time)
        fields = [opened.result_id, opened.task_digest, opened.family, opened.parameters]
        mark = abi_encode(
            ["bytes32"] * 5 + ["uint64", "bytes"],
            [*fields, opened.salt, opened.signed_at, signature],
        )
        claim = abi_encode(["bytes32", "bytes32"], [kudos.result_digest, kudos.seal_salt])
        topics = [kudos_id, _word(request.host), opened.request_id]
        return kudos_id, [
            _log("CanaryOpened", [opened.request_id, _word(request.home)], mark),
            _log("CanaryClaimed", topics, claim),
        ]

    def vote_canary(self, validator: Address, kudos_id: Digest, reason: int) -> list[Emitted]:
        """One validator's word on a K3 claim."""
        canary = self.canaries[kudos_id]
        canary.votes[validator] = reason
        topics = [_word(validator), kudos_id]
        logs = [_log("CanaryVoted", topics, abi_encode(["uint8"], [reason]))]
        votes = list(canary.votes.values())
        approvals = votes.count(Reason.APPROVE)
        refusals = sum(129 <= vote <= 143 for vote in votes)
        if canary.state == CLAIMED and approvals >= self.threshold:
            canary.state = VERIFIED
        elif canary.state == CLAIMED and refusals > len(self.validators) - self.threshold:
            canary.state = REFUSED
        else:
            return logs
        verified = canary.state == VERIFIED
        data = abi_encode(["bool"], [verified])
        logs.append(_log("CanaryDecided", [kudos_id, _word(canary.host)], data))
        return [*logs, *self._mint(validator, canary.host, Counter({3: 1} if verified else {}))]

    def call(self, data: bytes) -> bytes:
        """Answers the views that an audit asks like the contract."""
        try:
            view = _VIEWS[data[:4]]
        except KeyError:
            raise ChainError("The synthetic contract has no such view.") from None
        return view(self, data[4:])

    def _take_k1(self, home: Address, host: Address, time: int) -> bool:
        epoch = time // self.epoch_seconds
        if self._k1[home, host, epoch] or self._k1[host, epoch] >= self.k1_per_host_and_epoch:
            return False
        self._k1[home, host, epoch] += 1
        self._k1[host, epoch] += 1
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
        decided_log = _log("BatchDecided", [_word(batch.host), root], data)
        return [decided_log, *self._mint(validator, batch.host, levels)]

    def _mint(self, validator: Address, host: Address, levels: Counter[int]) -> list[Emitted]:
        self.totals[host].update(levels)
        topics = [_word(validator), _word(ZERO_ADDRESS), _word(host)]
        return [
            _log("TransferSingle", topics, abi_encode(["uint256"] * 2, [level, levels[level]]))
            for level in sorted(levels)
        ]

    def _view_kudos(self, arguments: bytes) -> bytes:
        totals = self.totals.get(Address(arguments[12:32]), Counter())
        return abi_encode(["uint64"] * 3, [totals[1], totals[2], totals[3]])

    def _view_balances(self, arguments: bytes) -> bytes:
        accounts, levels = abi_decode(["address[]", "uint256[]"], arguments)
        asked = zip(accounts, levels, strict=True)
        balances = [self.totals[address_from_hex(node)][level] for node, level in asked]
        return abi_encode(["uint256[]"], [balances])

    def _view_batch(self, arguments: bytes) -> bytes:
        kinds = ["uint8", "uint8", "uint64", "uint128", "uint128", "uint128"]
        batch = self.batches.get((Address(arguments[12:32]), Digest(arguments[32:64])))
        if batch is None:
            return abi_encode(kinds, [0] * 6)
        head = [len(batch.migrations), batch.confirmed, batch.settled_at]
        return abi_encode(kinds, [*head, batch.claims, batch.verified, batch.refused])

    def _view_ballot(self, arguments: bytes) -> bytes:
        batch = self.batches[Address(arguments[12:32]), Digest(arguments[32:64])]
        validator = Address(arguments[76:96])
        cast = batch.ballots.get(validator, (0, 0))
        return abi_encode(["bool", "uint128", "uint128"], [validator in batch.ballots, *cast])

    def _view_canary(self, arguments: bytes) -> bytes:
        canary = self.canaries.get(Digest(arguments[:32]))
        host, state, at = (
            (canary.host, canary.state, canary.claimed_at) if canary else (bytes(20), 0, 0)
        )
        return abi_encode(["uint8", "address", "uint64"], [state, host, at])


_VIEWS: dict[bytes, Callable[[SyntheticContract, bytes], bytes]] = {
    keccak(b"validators()")[:4]: lambda ledger, _: abi_encode(["address[]"], [ledger.validators]),
    keccak(b"threshold()")[:4]: lambda ledger, _: _number(ledger.threshold),
    keccak(b"epochSeconds()")[:4]: lambda ledger, _: _number(ledger.epoch_seconds),
    keccak(b"k1PerHostAndEpoch()")[:4]: lambda ledger, _: _number(ledger.k1_per_host_and_epoch),
    keccak(b"kudos(address)")[:4]: SyntheticContract._view_kudos,
    keccak(b"balanceOfBatch(address[],uint256[])")[:4]: SyntheticContract._view_balances,
    keccak(b"batch(address,bytes32)")[:4]: SyntheticContract._view_batch,
    keccak(b"ballot(address,bytes32,address)")[:4]: SyntheticContract._view_ballot,
    keccak(b"canary(bytes32)")[:4]: SyntheticContract._view_canary,
}
_TOPICS = {name: Digest(keccak(signature.encode())) for name, signature in SIGNATURES.items()}


def _log(event: str, topics: Sequence[Digest], data: bytes) -> Emitted:
    return (_TOPICS[event], *topics), data


def _word(address: Address) -> Digest:
    return Digest(address.rjust(32, b"\0"))


def _number(value: int) -> bytes:
    return abi_encode(["uint256"], [value])
