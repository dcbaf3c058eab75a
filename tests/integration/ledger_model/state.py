"""What all parts of the model work on: tables that can be put back, the clock, and the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from eth_hash.auto import keccak

from ledger.assets import Asset
from ledger.creation import Constants
from ledger.eip712 import Domain, digest
from ledger.keys import recover
from ledger.types import Address, Digest

K = TypeVar("K")
V = TypeVar("V")

NOBODY = Address(bytes(20))
WINDOW = 7 * 86_400
"""How long a claim waits for votes before it can be made again."""


class Event(NamedTuple):
    """A log: the event's name and its values in the order of the interface."""

    name: str
    values: tuple[Any, ...]


class Signed(NamedTuple):
    """A signature that rides along; None instead means that the sender speaks for itself."""

    signature: bytes


class Refused(Exception):
    """The call changes nothing; ``error`` and ``values`` are those of the contract's error."""

    def __init__(self, error: str, *values: Any) -> None:
        super().__init__(error, *values)
        self.error, self.values = error, values


class Table(dict[K, V]):
    """A dictionary of unchangeable values that remembers what stood there before."""

    def __init__(self, undo: list[Callable[[], None]]) -> None:
        super().__init__()
        self._undo = undo

    def __setitem__(self, key: K, value: V) -> None:
        if key in self:
            before = self[key]
            self._undo.append(lambda: dict.__setitem__(self, key, before))
        else:
            self._undo.append(lambda: dict.__delitem__(self, key))
        super().__setitem__(key, value)


class World:
    """The chain as one transaction sees it, and the log that it writes."""

    def __init__(
        self, domain: Domain, rules: Constants, block_hash: Callable[[int], bytes]
    ) -> None:
        self.domain, self.rules = domain, rules
        self.time = self.block = 0
        self.sender = NOBODY
        self.log: list[Event] = []
        self._block_hash = block_hash
        self._undo: list[Callable[[], None]] = []

    def table(self) -> Table[Any, Any]:
        return Table(self._undo)

    def transact(self, sender: Address, time: int, block: int, act: Callable[[], object]) -> None:
        """Does it as a whole or not at all; the log is that of this transaction alone."""
        self.sender, self.time, self.block = sender, time, block
        self.log.clear()
        self._undo.clear()
        try:
            act()
        except Refused:
            while self._undo:
                self._undo.pop()()
            self.log.clear()
            raise

    def emit(self, name: str, *values: Any) -> None:
        self.log.append(Event(name, values))

    def id(self, asset: Asset) -> Digest:
        return digest(self.domain, asset)

    def has_signed(self, owner: Address, asset: Asset, signature: bytes) -> bool:
        return recover(self.id(asset), signature) == owner

    def block_hash(self, number: int) -> bytes | None:
        """The hash of one of the 256 blocks before this one."""
        return self._block_hash(number) if self.block - 256 <= number < self.block else None


def words(*values: int | bytes) -> bytes:
    """keccak256 of the values as 32-byte words."""
    return keccak(
        b"".join(
            value.to_bytes(32, "big") if isinstance(value, int) else value.rjust(32, b"\0")
            for value in values
        )
    )


def mask(numbers: frozenset[int] | set[int]) -> int:
    """A bit for each number."""
    return sum(1 << number for number in numbers)
