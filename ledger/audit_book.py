"""What all parts of the recount share: the ledger so far, and what differed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol

from ledger.audit_assets import Hasher, Record, signed_by
from ledger.audit_logs import Logged
from ledger.audit_seats import SeatTable
from ledger.audit_state import OPEN, VERIFIED, Claim, Difference, Migration, Rules, shown
from ledger.audit_tokens import Tokens
from ledger.audit_windows import CLAIM_WINDOW, Caps
from ledger.contracts import Contracts

Handlers = dict[str, Callable[[Logged], None]]
"""How one part of the recount takes its events."""


@dataclass(frozen=True, slots=True)
class _Following:
    """What the log in hand says of the next one."""

    events: frozenset[str]
    args: dict[str, Any]
    block: int
    is_needed: bool

    def __str__(self) -> str:
        return f"{' or '.join(sorted(self.events))}{shown(tuple(self.args.values()))}"


class Witness(Protocol):
    """What the logs alone do not say; asked of the chain, at the block that it was used in."""

    def wallet_signed(self, wallet: bytes, digest: bytes, signature: bytes, block: int) -> bool:
        """Whether a contract wallet takes these bytes for its signature."""
        ...

    def solves(self, family: bytes, parameters: bytes, solution: bytes, block: int) -> bool:
        """Whether a family's contract takes the solution."""
        ...

    def block_hash(self, number: int) -> bytes | None: ...

    def totals_before(self, ledger: bytes, node: bytes, block: int) -> tuple[int, int, int]:
        """A node's totals in the ledger before this one."""
        ...

    def final_at(self, ledger: bytes, block: int) -> int:
        """When the totals of the ledger before this one are final; 0 while it is open."""
        ...


class Book:
    """The ledger as the logs so far say it must be."""

    def __init__(
        self, hasher: Hasher, rules: Rules, contracts: Contracts, witness: Witness
    ) -> None:
        self.hash, self.rules, self.contracts, self.witness = hasher, rules, contracts, witness
        self.differences: list[Difference] = []
        self.assets = 0
        self.seats = SeatTable()
        self.tokens = Tokens(contracts.claims)
        self.caps = Caps(
            rules.epoch_seconds, rules.k1_per_host_and_epoch, rules.k2_per_pair_and_epoch
        )
        self.migrations: dict[bytes, Migration] = {}
        """Settled ones, by request id."""
        self.answered: dict[bytes, Migration] = {}
        """The same by RESULT or REJECTED."""
        self.places: dict[tuple[bytes, bytes, int], Migration] = {}
        self.used: set[tuple[bytes, bytes, int]] = set()
        """Sequence numbers of (home, host)."""
        self.claims: list[Claim] = []
        self.single: dict[bytes, Claim] = {}
        """The latest claim of each Kudos in the claims contract."""
        self.attempts: dict[bytes, int] = {}
        self.skipped: dict[tuple[int, int, int], tuple[object, ...]] = {}
        """What changed nothing, by the log that says so and the place in it."""
        self.carried: dict[bytes, tuple[int, int, int]] = {}
        self.final_at = 0
        self._following: _Following | None = None
        self.was_due = False
        """Whether the log in hand is one that the log before it called for."""

    # -- what differs ---------------------------------------------------------------------------

    def same(self, log: Logged, what: str, expected: Any, found: Any) -> None:
        if expected != found:
            self.differs(log.where, what, expected, found)

    def holds(self, log: Logged, what: str, truth: bool) -> None:
        """A plain yes or no."""
        if not truth:
            self.differs(log.where, what, "so", "not so")

    def differs(self, where: str, what: str, expected: Any, found: Any) -> None:
        self.differences.append(Difference(where, what, shown(expected), shown(found)))

    # -- what must follow -----------------------------------------------------------------------

    def expect(self, log: Logged, events: str | Collection[str], **args: Any) -> None:
        """The next log must be one of these events, with these arguments among its own."""
        names = frozenset({events} if isinstance(events, str) else events)
        self._following = _Following(names, args, log.block, is_needed=True)

    def allow(self, log: Logged, event: str, **args: Any) -> None:
        """The next log may be this event, which comes only where it is called for."""
        self._following = _Following(frozenset({event}), args, log.block, is_needed=False)

    def arrives(self, log: Logged) -> None:
        """Holds a log against what was expected, if anything was."""
        following, self._following = self._following, None
        self.was_due = False
        if following is None:
            return
        found = {name: log.args.get(name) for name in following.args}
        is_the_one = log.event in following.events and found == following.args
        self.was_due = is_the_one and following.block == log.block
        if following.is_needed and not self.was_due:
            told = f"{log.event}{shown(tuple(found.values()))}"
            self.differs(log.where, "what follows the log before", following, told)

    def must_be_due(self, log: Logged) -> None:
        """For events that come only behind another that calls for them."""
        self.holds(log, f"{log.event} called for by the log before", self.was_due)

    def finish(self) -> None:
        where = "the end of the log"
        if self._following is not None and self._following.is_needed:
            self.differs(where, "what follows the last log", self._following, "nothing")
        self.differences += self.tokens.settle(where)

    # -- what several parts do ------------------------------------------------------------------

    def signed(self, log: Logged, signer: bytes, digest: bytes, signature: bytes) -> bool:
        """A key's signature, or a contract wallet's as it answered then."""
        return signed_by(digest, signature, signer) or self.witness.wallet_signed(
            signer, digest, signature, log.block
        )

    def settle(self, record: Record, time: int, root: bytes | None) -> Migration:
        """Takes in a migration that is settled now."""
        request_id, answer_id = self.hash.request(record), self.hash.answer(record)
        migration = Migration(record, request_id, answer_id, time, root)
        self.migrations[request_id] = migration
        self.answered[answer_id] = migration
        self.places[record.place] = migration
        self.used.add(record.place)
        return migration

    def earn(self, migration: Migration, time: int) -> Claim | None:
        """The claim that a settled migration opens in the ledger, if it is in time and the caps
        leave room."""
        record = migration.record
        level = 2 if migration.is_result else 1
        if level == 2 and not migration.in_time:
            return None
        if not self.caps.admit(record.home, record.host, level, time):
            return None
        asset_id = self.hash.confirmed(record) if level == 2 else migration.answer_id
        return self.open(migration, level, asset_id, self.hash.kudos(level, asset_id), time)

    def open(
        self,
        migration: Migration,
        level: int,
        asset_id: bytes,
        kudos_id: bytes,
        time: int,
        origin: str | None = None,
    ) -> Claim:
        """Opens a claim on a migration, for the first time or again."""
        record = migration.record
        attempt = self.attempts.get(kudos_id, 0)
        self.attempts[kudos_id] = attempt + 1
        parties = (record.host, record.home)
        claim = Claim(kudos_id, level, *parties, migration.request_id, asset_id, time)
        claim.origin, claim.attempt = origin, attempt
        held = {self.seats.seat_of(party) for party in parties}
        claim.party_seats = sum(1 << seat for seat in held if seat is not None)
        self.claims.append(claim)
        self.assets += 1
        return claim

    def not_final(self, log: Logged) -> None:
        """After closing what is there already can be claimed and decided, for a while."""
        in_time = not self.final_at or log.timestamp <= self.final_at
        self.holds(log, f"{log.event} before the totals are final", in_time)

    def closed_before(self, time: int) -> bool:
        """Whether the ledger was closed before something was opened then."""
        return 0 < self.final_at < time + CLAIM_WINDOW

    def totals(self) -> dict[bytes, tuple[int, int, int]]:
        """Verified Kudos by node and level, those carried over included."""
        counts: defaultdict[bytes, list[int]] = defaultdict(lambda: [0, 0, 0])
        for node, before in self.carried.items():
            counts[node] = list(before)
        for claim in self.claims:
            counts[claim.host][claim.level - 1] += claim.state == VERIFIED
        return {node: (k1, k2, k3) for node, (k1, k2, k3) in counts.items()}

    def has_timed_out(self, kudos_id: bytes, time: int, window: int) -> bool:
        """Whether a single claim is open still, and has been for longer than the window."""
        claim = self.single.get(kudos_id)
        return claim is not None and claim.state == OPEN and time > claim.opened_at + window
