"""The contracts of one ledger: the core and its three satellites.

The core creates its satellites, so their addresses follow from its own (EIP-161: a contract's
creations are numbered from 1): who knows the ledger's address knows all four.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from eth_hash.auto import keccak

from ledger.types import Address


@dataclass(frozen=True, slots=True)
class Contracts:
    """Where the parts of one ledger are."""

    ledger: Address
    queue: Address
    claims: Address
    beacon: Address

    @property
    def all(self) -> tuple[Address, ...]:
        return (self.ledger, self.queue, self.claims, self.beacon)

    def role(self, address: Address) -> str | None:
        """ "ledger", "queue", "claims" or "beacon"; None for a stranger."""
        roles = {getattr(self, name): name for name in self.__slots__}
        return roles.get(address)


def creation_address(creator: Address, number: int) -> Address:
    """Where the ``number``th creation (1 to 127) of an account goes: keccak256 of the RLP list."""
    if not 1 <= number <= 127:
        raise ValueError(f"creations are numbered from 1 to 127 here, not {number}")
    return Address(keccak(b"\xd6\x94" + creator + bytes([number]))[12:])


@cache
def contracts_of(ledger: Address) -> Contracts:
    """The parts of the ledger at this address."""
    return Contracts(ledger, *(creation_address(ledger, number) for number in (1, 2, 3)))
