"""The words of ``ledger.projection``: what an event changes, what it may ask of earlier ones."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

from ledger import schema
from ledger.assets import K3_CANARY, Request
from ledger.errors import ChainError
from ledger.events import RawLog
from ledger.reasons import Reason
from ledger.types import Address, Digest, hex_of

Row = tuple[object, ...]
_SIGN = 1 << 63


@dataclass(frozen=True, slots=True)
class Claim:
    """What later events need to know of a Kudos claim."""

    kudos_id: Digest
    level: int
    host: Address
    home: Address
    epoch: int
    state: int


@dataclass(frozen=True, slots=True)
class Settled:
    """What a claim needs to know of the migration that it stands on."""

    request_id: Digest
    home: Address
    host: Address
    answer_id: Digest
    """ACCEPTED or REJECTED."""
    confirmed_id: Digest | None
    result_id: Digest | None


@dataclass(frozen=True, slots=True)
class Strict:
    """A migration that comes step by step, as far as it has come."""

    request: Request
    accepted_at: int | None
    confirmed_at: int | None


class Context(Protocol):
    """The ledger as the earlier events left it."""

    def batch_claims(self, host: Address, root: Digest) -> Mapping[int, Claim] | None:
        """The claims of a batch by index; None when there is no such batch."""
        ...

    def claim(self, kudos_id: Digest) -> Claim | None:
        """The latest claim of this Kudos."""
        ...

    def attempts(self, kudos_id: Digest) -> int:
        """How often this Kudos was claimed."""
        ...

    def is_test(self, kudos_id: Digest) -> bool:
        """Whether this Kudos was shown to be a test of the validators."""
        ...

    def step_claim(self, request_id: Digest) -> Claim | None:
        """The K1 or K2 claim of a migration that came the strict way."""
        ...

    def settled(self, request_id: Digest) -> Settled | None: ...

    def settled_at(self, home: Address, host: Address, seq: int) -> Settled | None: ...

    def settled_as(self, asset_id: Digest) -> Settled | None:
        """The migration whose RESULT or REJECTED this is."""
        ...

    def strict(self, request_id: Digest) -> Strict | None: ...

    def family(self, number: int) -> Digest | None:
        """The name of a registered family."""
        ...

    def carried_before(self, block: int, log_index: int) -> Address | None:
        """Whose Kudos of an earlier ledger the log right before this one brought."""
        ...


@dataclass(slots=True)
class Changes:
    """What one event does: rows by table, decided claims, and what it adds to the roll-ups."""

    rows: defaultdict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    decided: list[tuple[Digest, int]] = field(default_factory=list)
    nodes: Counter[tuple[Address, str]] = field(default_factory=Counter)
    pairs: Counter[tuple[Address, Address, int, int]] = field(default_factory=Counter)
    unminted: Counter[tuple[Address, int]] = field(default_factory=Counter)
    """By host and level: Kudos that the event verified, less the tokens that it minted."""

    def add(self, table: str, log: RawLog, *values: object) -> None:
        """A row that came from this log."""
        self.rows[table].append((*values, log.block_number, log.log_index))

    def decide(self, claim: Claim | None, state: int, log: RawLog) -> None:
        """Makes an open claim final, with what that means for the totals."""
        if claim is None or claim.state != schema.CLAIMED:
            distrust(log, "decides a claim that is not open")
        self.add("decisions", log, claim.kudos_id, state)
        self.decided.append((claim.kudos_id, state))
        if state != schema.VERIFIED:
            self.nodes[claim.host, "refused" if state == schema.REFUSED else "void"] += 1
            return
        self.nodes[claim.host, f"k{claim.level}"] += 1
        self.pairs[claim.home, claim.host, claim.level, claim.epoch] += 1
        self.unminted[claim.host, claim.level] += 1
        if claim.level == K3_CANARY:
            self.nodes[claim.host, "canaries_passed"] += 1

    def settle(self, request: Request, rejected: bool) -> None:
        """Counts an answered request for both parties."""
        self.nodes[request.home, "requests"] += 1
        self.nodes[request.home, "rejected" if rejected else "accepted"] += 1
        self.nodes[request.host, "rejections" if rejected else "hosted"] += 1

    def vote(self, claim: Claim | None, validator: Address, reason: int, log: RawLog) -> Claim:
        """One validator's word on one claim."""
        if claim is None:
            distrust(log, "votes on Kudos that nobody claimed")
        self.add("votes", log, claim.kudos_id, validator, verdict_of(reason), reason)
        return claim


def verdict_of(reason: int) -> int:
    """What a vote code says: one of three."""
    if reason == Reason.APPROVE:
        return schema.APPROVE
    return schema.REFUSE if 129 <= reason <= 143 else schema.ABSTAIN


def request_columns(request: Request) -> Row:
    """A REQUEST's columns behind its id."""
    limits = (request.cpu_seconds, request.memory_mib, request.output_kib)
    texts = (request.process_id, request.process_name, request.commitment)
    times = (request.seq, request.result_deadline, request.signed_at)
    return (request.home, request.host, *texts, *limits, *times)


def signed_64(value: int) -> int:
    """A uint64 as SQLite's signed integer: a home may sign any time, and must stop no indexer."""
    return value - 2 * _SIGN if value >= _SIGN else value


def unsigned_64(value: int) -> int:
    """The reverse of ``signed_64``."""
    return value + 2 * _SIGN if value < 0 else value


def check_minted(block: int, unminted: Mapping[tuple[Address, int], int]) -> None:
    """Decisions and tokens are logged apart, in one transaction: over a block they come out even.

    Tokens add nothing to what decisions say, so no row is kept of them; they are a check.
    """
    for (host, level), missing in unminted.items():
        if missing:
            raise ChainError(
                f"Block {block} verifies {missing} K{level} of {hex_of(host)} more than it mints.",
                hint="The RPC endpoint left out or changed a log; try another one.",
            )


def distrust(log: RawLog, what: str) -> NoReturn:
    """A log that cannot be true: nothing of its block is taken over."""
    raise ChainError(
        f"Log {log.log_index} of block {log.block_number} {what}.",
        hint="The RPC endpoint left out or changed a log; try another one.",
    )
