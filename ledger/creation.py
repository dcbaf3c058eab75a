"""What a ledger is created with, and the code that creates it. Pure.

The ledger's constructor is given the hashes of its satellites' creation codes, so the ledger's own
creation code, and with a salt its address, fixes the whole of it. What one of them is created with
cannot be chosen later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from eth_hash.auto import keccak

from ledger.abi import BEACON, CLAIMS, LEDGER, QUEUE, encode_creation
from ledger.assets import CLAIM_WITHIN
from ledger.contracts import contracts_of, creation_address
from ledger.errors import UsageError
from ledger.types import Address, Digest, hex_of

CREATED_BY_CLAIMS = ("Dlog", "Factor", "Preimage", "ClaimDecisions")
"""What the constructor of the claims contract creates, in its order: the standard families of
puzzles, and the code that votes run in."""

PARTS = (LEDGER, QUEUE, CLAIMS, BEACON, *CREATED_BY_CLAIMS)
"""All contracts of one ledger, by the names of their artifacts; the order of ``code_hashes``."""

SATELLITES = (QUEUE, CLAIMS, BEACON)
"""Those that ``build`` creates, in its order."""

NO_PREDECESSOR = Address(bytes(20))


@dataclass(frozen=True, slots=True)
class Constants:
    """What is fixed at deployment, but for the first validators. Times in seconds.

    ``draw_rate`` of 65,536 results are drawn as canaries; ``puzzle_difficulty`` is the least number
    of leading zero bits of an open puzzle, of which a host may solve ``puzzles_per_host`` in its
    life; ``k2_per_pair_and_epoch`` 0 means no cap; ``predecessor`` is the closed ledger whose
    totals are carried over.
    """

    epoch_seconds: int = 86_400
    k1_per_host_and_epoch: int = 100
    k2_per_pair_and_epoch: int = 0
    queue_delay_seconds: int = 2 * 86_400
    round_seconds: int = 600
    draw_rate: int = 4_096
    puzzle_difficulty: int = 20
    puzzles_per_host: int = 5
    beacon_period_seconds: int = 86_400
    beacon_reveal_seconds: int = 21_600
    predecessor: Address = NO_PREDECESSOR

    def check(self) -> None:
        """What no contract looks at; UsageError for a ledger on which nothing could be drawn."""
        if self.beacon_period_seconds + self.beacon_reveal_seconds >= CLAIM_WITHIN:
            raise UsageError(
                "The beacon would be known only when its canaries can no longer be claimed.",
                hint=f"Choose a period and a time for reveals of less than {CLAIM_WITHIN} s"
                " together.",
            )

    def as_json(self) -> dict[str, Any]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return values | {"predecessor": hex_of(self.predecessor)}

    @classmethod
    def from_json(cls, read: Mapping[str, Any]) -> Constants:
        """Exactly these fields; KeyError or ValueError says what is wrong."""
        values = {name: read[name] for name in cls.__slots__}
        if surplus := read.keys() - values.keys():
            raise ValueError(f"unknown constants {sorted(surplus)}")
        address = Address(bytes.fromhex(values.pop("predecessor").removeprefix("0x")))
        if len(address) != 20:
            raise ValueError("predecessor is no address")
        for name, value in values.items():
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ValueError(f"{name} is no natural number")
        return cls(**values, predecessor=address)


@dataclass(frozen=True, slots=True)
class CreationCodes:
    """Code with constructor values, of the ledger and of its satellites in their order."""

    ledger: bytes
    satellites: tuple[bytes, ...]


def creation_codes(
    validators: tuple[Address, ...], threshold: int, constants: Constants
) -> CreationCodes:
    """What creates this ledger and no other."""
    satellites = satellite_codes(constants)
    ledger = encode_creation(
        list(validators),
        threshold,
        constants.epoch_seconds,
        constants.k1_per_host_and_epoch,
        constants.k2_per_pair_and_epoch,
        [keccak(code) for code in satellites],
        constants.predecessor,
    )
    return CreationCodes(ledger, satellites)


def satellite_codes(constants: Constants) -> tuple[bytes, ...]:
    """What creates the satellites, in their order: the same for all ledgers of these constants."""
    return (
        encode_creation(constants.queue_delay_seconds, contract=QUEUE),
        encode_creation(
            constants.round_seconds,
            constants.draw_rate,
            constants.puzzle_difficulty,
            constants.puzzles_per_host,
            contract=CLAIMS,
        ),
        encode_creation(
            constants.beacon_period_seconds, constants.beacon_reveal_seconds, contract=BEACON
        ),
    )


def part_addresses(ledger: Address) -> dict[str, Address]:
    """Where each of ``PARTS`` is, in their order."""
    parts = contracts_of(ledger)
    created = (
        creation_address(parts.claims, number + 1) for number in range(len(CREATED_BY_CLAIMS))
    )
    return dict(zip(PARTS, (*parts.all, *created), strict=True))


def code_hash(code: bytes) -> Digest:
    return Digest(keccak(code))
