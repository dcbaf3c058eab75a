"""The validators' randomness: committed before a period, revealed after it, mixed with a block."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from functools import reduce

from ledger.assets import BeaconCommitment
from ledger.types import Address, Digest
from tests.integration.ledger_model.core import Core
from tests.integration.ledger_model.state import Refused, Signed, Table, words

AHEAD = 64


class Status(IntEnum):
    COMMITTING = 0
    RUNNING = 1
    REVEALING = 2
    WAITING = 3
    KNOWN = 4
    NONE = 5


@dataclass(frozen=True)
class Period:
    """What is known of a period; ``secrets`` are those revealed."""

    commitments: dict[Address, Digest]
    secrets: dict[Address, Digest]
    named: int = 0
    value: bytes | None = None
    given_up: bool = False


class Beacon:
    """One value per period, or none."""

    def __init__(self, core: Core) -> None:
        self.core, self.world = core, core.world
        self.periods: Table[int, Period] = core.world.table()

    def period_of(self, time: int) -> int:
        return time // self.world.rules.beacon_period_seconds

    def commitment(self, validator: Address, period: int, secret: Digest) -> Digest:
        bound = (self.world.domain.chain_id, self.core.addresses.beacon)
        return Digest(words(*bound, validator, period, secret))

    def commit(
        self, validator: Address, period: int, commitment: Digest, signed: Signed | None
    ) -> None:
        asset = BeaconCommitment(period, commitment)
        if signed and not self.world.has_signed(validator, asset, signed.signature):
            raise Refused("NotSigned")
        status = self._by_time(period)
        if status != Status.COMMITTING:
            raise Refused("NotNow", int(status))
        furthest = self.period_of(self.world.time) + AHEAD
        if period > furthest:
            raise Refused("TooFarAhead", furthest)
        self.core.require_validator(validator)
        if not any(commitment):
            raise Refused("NothingToReveal")
        found = self._find(period)
        if validator in found.commitments:
            raise Refused("CommittedBefore")
        made = found.commitments | {validator: commitment}
        self.periods[period] = replace(found, commitments=made)
        self.world.emit("SecretCommitted", period, validator, commitment)

    def reveal(self, validator: Address, period: int, secret: Digest) -> None:
        self._require(period, Status.REVEALING)
        found = self._find(period)
        fits = found.commitments.get(validator) == self.commitment(validator, period, secret)
        if not fits or validator in found.secrets:
            raise Refused("NothingToReveal")
        self.core.require_validator(validator)
        self.periods[period] = replace(found, secrets=found.secrets | {validator: secret})
        self.world.emit("SecretRevealed", period, validator, secret)

    def fix(self, period: int) -> None:
        self._require(period, Status.WAITING)
        found = self._find(period)
        reveals = len(found.secrets)
        if not found.named and reveals < self.core.set.threshold:
            self.periods[period] = replace(found, given_up=True)
            self.world.emit("NoBeacon", period, len(found.commitments), reveals)
            return
        if found.named >= self.world.block:
            raise Refused("TooEarly", found.named)
        block_hash = self.world.block_hash(found.named) if found.named else None
        if block_hash is None:
            self.periods[period] = replace(found, named=self.world.block + 1)
            self.world.emit("BlockNamed", period, self.world.block + 1)
            return
        mixed = reduce(_xor, (words(*pair) for pair in found.secrets.items()))
        value = words(period, mixed, block_hash)
        self.periods[period] = replace(found, value=value)
        self.world.emit("BeaconKnown", period, value, reveals)

    def value(self, period: int) -> bytes | None:
        return self._find(period).value

    def standing(self, period: int) -> tuple[int, int, int, int]:
        found = self._find(period)
        return (
            int(self._status(period)),
            len(found.commitments),
            len(found.secrets),
            found.named,
        )

    def _require(self, period: int, wanted: Status) -> None:
        status = self._status(period)
        if status != wanted:
            raise Refused("NotNow", int(status))

    def _find(self, period: int) -> Period:
        return self.periods.get(period, Period({}, {}))

    def _status(self, period: int) -> Status:
        found = self._find(period)
        if found.value is not None:
            return Status.KNOWN
        return Status.NONE if found.given_up else self._by_time(period)

    def _by_time(self, period: int) -> Status:
        rules = self.world.rules
        begins = period * rules.beacon_period_seconds
        ends = begins + rules.beacon_period_seconds
        if self.world.time < begins:
            return Status.COMMITTING
        if self.world.time < ends:
            return Status.RUNNING
        late = self.world.time >= ends + rules.beacon_reveal_seconds
        return Status.WAITING if late else Status.REVEALING


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
