"""The words of ``ledger.projection``: what an event changes, what it may ask of earlier ones."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

from ledger.errors import ChainError
from ledger.events import RawLog
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
    """What a K3 claim needs to know of the migration that it stands on."""

    home: Address
    host: Address
    result_id: Digest | None


class Context(Protocol):
    """The ledger as the earlier events left it."""

    def batch_claims(self, host: Address, root: Digest) -> Mapping[int, Claim] | None: ...

    def claim(self, kudos_id: Digest) -> Claim | None: ...

    def settled(self, request_id: Digest) -> Settled | None: ...


@dataclass(slots=True)
class Changes:
    """What one event does: rows by table, decided claims, and what it adds to the roll-ups."""

    rows: defaultdict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    decided: list[tuple[Digest, int]] = field(default_factory=list)
    nodes: Counter[tuple[Address, str]] = field(default_factory=Counter)
    pairs: Counter[tuple[Address, Address, int, int]] = field(default_factory=Counter)
    unminted: Counter[tuple[Address, int]] = field(default_factory=Counter)
    """By host and level: Kudos that the event verified, less the tokens that it minted."""


def signed_64(value: int) -> int:
    """A uint64 as SQLite's signed integer: a home may sign any time, and must stop no indexer."""
    return value - 2 * _SIGN if value >= _SIGN else value


def unsigned_64(value: int) -> int:
    """The reverse of ``signed_64``."""
    return value + 2 * _SIGN if value < 0 else value


def place(log: RawLog) -> tuple[int, int]:
    """Where a row came from; the last two columns of every table of rows."""
    return log.block_number, log.log_index


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
