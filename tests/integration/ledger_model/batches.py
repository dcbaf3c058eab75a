"""Batches: settling finished migrations together, and voting on them together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from eth_hash.auto import keccak

from ledger.assets import Batch, ConfirmedMigration, Migration
from ledger.calls import BatchVote
from ledger.reasons import Reason
from ledger.types import Address, Digest
from tests.integration.ledger_model.core import Core
from tests.integration.ledger_model.state import WINDOW, Refused, Signed, Table, mask

NONE: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Ballot:
    """What one validator said of a batch."""

    approve: frozenset[int]
    refuse: frozenset[int]


@dataclass(frozen=True)
class Settled:
    """A batch as it stands; records are named by their index."""

    n: int
    confirmed: int
    settled_at: int
    claims: frozenset[int]
    excluded: dict[Address, frozenset[int]]
    ballots: dict[Address, Ballot]
    verified: frozenset[int] = NONE
    refused: frozenset[int] = NONE

    @property
    def open(self) -> frozenset[int]:
        return self.claims - self.verified - self.refused


def bits(number: int) -> frozenset[int]:
    return frozenset(index for index in range(number.bit_length()) if number >> index & 1)


def merkle_root(leaves: Sequence[bytes]) -> Digest:
    """Pairs by position, up from the smallest power of two of leaves."""
    nodes = list(leaves)
    while len(nodes) & (len(nodes) - 1):
        nodes.append(bytes(32))
    while len(nodes) > 1:
        nodes = [keccak(nodes[i] + nodes[i + 1]) for i in range(0, len(nodes), 2)]
    return Digest(nodes[0])


class Batches:
    """Settlement and votes of batches."""

    def __init__(self, core: Core) -> None:
        self.core, self.world = core, core.world
        self.settled: Table[tuple[Address, Digest], Settled] = core.world.table()

    def settle(
        self, host: Address, records: Sequence[Migration], packed: bytes, signed: Signed | None
    ) -> None:
        """``records`` in the order of the batch."""
        content = Batch(host, Digest(keccak(packed)))
        if self.world.sender != host and not (
            signed and self.world.has_signed(host, content, signed.signature)
        ):
            raise Refused("NotTheHost")
        leaves, claims, skipped = [], set(), []
        for index, record in enumerate(records):
            reason = self._reason_against(host, record)
            if reason is not None:
                skipped.append((index, reason))
                leaves.append(bytes(32))
                continue
            leaves.append(self._leaf(record))
            if self._settle_record(record):
                claims.add(index)
        if len(skipped) == len(records):
            raise Refused("NothingToSettle", int(skipped[0][1]))
        root = merkle_root(leaves)
        self._store(host, root, records, frozenset(claims))
        pairs = bytes(byte for pair in skipped for byte in pair)
        self.world.emit("BatchSettled", host, root, mask(claims), pairs, packed)

    def _reason_against(self, host: Address, record: Migration) -> Reason | None:
        request = record.request
        if request.home == host:
            return Reason.SELF
        reason = self.core.time_reason(request.signed_at, request.result_deadline)
        if reason is not None:
            return reason
        if isinstance(record, ConfirmedMigration):
            times = [
                record.accepted.signed_at,
                record.confirmed.signed_at,
                record.result.signed_at,
            ]
            if times != sorted(times):
                return Reason.BAD_ORDER
        if self.core.is_used(request.home, host, request.seq):
            return Reason.SEQUENCE_USED
        signed = record.confirmed if isinstance(record, ConfirmedMigration) else request
        if not self.world.has_signed(request.home, signed, record.home_signature):
            return Reason.BAD_SIGNATURE
        return None

    def _leaf(self, record: Migration) -> Digest:
        if isinstance(record, ConfirmedMigration):
            return self.world.id(record.result)
        return self.world.id(record.rejected)

    def _settle_record(self, record: Migration) -> bool:
        """Whether it opens a claim."""
        request = record.request
        self.core.use(request.home, request.host, request.seq)
        if not isinstance(record, ConfirmedMigration):
            return self.core.admit(request.home, request.host, 1)
        in_time = self.world.time <= request.result_deadline
        return in_time and self.core.admit(request.home, request.host, 2)

    def _store(
        self, host: Address, root: Digest, records: Sequence[Migration], claims: frozenset[int]
    ) -> None:
        excluded = {}
        for validator in self.core.set.holders:
            own = frozenset(
                index
                for index, record in enumerate(records)
                if validator in (host, record.request.home)
            )
            if own:
                excluded[validator] = own
                self.world.emit("ValidatorExcluded", host, root, validator, mask(own))
        confirmed = sum(isinstance(record, ConfirmedMigration) for record in records)
        self.settled[host, root] = Settled(
            len(records), confirmed, self.world.time, claims, excluded, {}
        )

    # -- votes ---------------------------------------------------------------------------------

    def vote(self, validator: Address, vote: BatchVote) -> None:
        """The validator is known to be one."""
        batch = self._find(vote.host, vote.root)
        since = self.core.set.since(validator)
        if since is None or since >= batch.settled_at:
            raise Refused("NotEligible", validator)
        if validator in batch.ballots:
            raise Refused("VotedBefore")
        self._check_reasons(vote)
        votable = batch.claims - batch.excluded.get(validator, NONE)
        approve, refuse = bits(vote.approve) & votable, bits(vote.refuse) & votable
        if approve & refuse:
            raise Refused("ContradictoryVote")
        pairs = bytes(byte for pair in vote.reasons for byte in pair)
        self.world.emit(
            *("BatchVoted", validator, vote.host, vote.root, mask(approve), mask(refuse), pairs)
        )
        ballots = batch.ballots | {validator: Ballot(approve, refuse)}
        self.settled[vote.host, vote.root] = replace(batch, ballots=ballots)
        self._decide(validator, vote.host, vote.root)

    def recount(self, host: Address, root: Digest) -> None:
        self._find(host, root)
        self._decide(self.world.sender, host, root)

    def retire(self, host: Address, root: Digest, index: int) -> bool:
        """Gives up a claim that has waited too long, for it to be made again."""
        batch = self.settled.get((host, root))
        late = batch is not None and self.world.time > batch.settled_at + WINDOW
        if batch is None or not late or index not in batch.open:
            return False
        self.settled[host, root] = replace(batch, refused=batch.refused | {index})
        self.world.emit("BatchDecided", host, root, 0, 1 << index)
        return True

    def _find(self, host: Address, root: Digest) -> Settled:
        batch = self.settled.get((host, root))
        if batch is None:
            raise Refused("UnknownBatch", host, root)
        return batch

    def _check_reasons(self, vote: BatchVote) -> None:
        approve, refuse = bits(vote.approve), bits(vote.refuse)
        for index, code in vote.reasons:
            if index in refuse:
                agrees = 129 <= code <= 143
            else:
                agrees = 144 <= code <= 159 and index not in approve
            if not agrees:
                raise Refused("ContradictoryVote")

    def _decide(self, operator: Address, host: Address, root: Digest) -> None:
        batch = self.settled[host, root]
        verified, refused = set[int](), set[int]()
        for index in batch.open:
            said = batch.ballots.items()
            approving = {who for who, ballot in said if index in ballot.approve}
            against = {who for who, ballot in said if index in ballot.refuse}
            parties = {who for who, records in batch.excluded.items() if index in records}
            outcome = self.core.judge(batch.settled_at, approving, against, parties)
            if outcome is not None:
                (verified if outcome else refused).add(index)
        if not verified | refused:
            return
        self.settled[host, root] = replace(
            batch, verified=batch.verified | verified, refused=batch.refused | refused
        )
        self.world.emit("BatchDecided", host, root, mask(verified), mask(refused))
        k1 = sum(index >= batch.confirmed for index in verified)
        self.core.mint(operator, host, 1, k1)
        self.core.mint(operator, host, 2, len(verified) - k1)
