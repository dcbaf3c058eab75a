"""The beacon, worked out again from the secrets and the named blocks."""

from __future__ import annotations

from dataclasses import dataclass, field

from eth_abi.abi import encode as abi_encode
from eth_utils.crypto import keccak

from ledger.audit_book import Book, Handlers
from ledger.audit_logs import Logged

MAX_PERIODS_AHEAD = 64
BLOCKS_IN_REACH = 256


@dataclass(slots=True)
class Period:
    """What validators committed to and revealed, and what became of it."""

    commitments: dict[bytes, bytes] = field(default_factory=dict)
    revealed: dict[bytes, bytes] = field(default_factory=dict)
    """The secrets, by validator."""
    mix: int = 0
    block: int = 0
    """The named one; 0 before one is named."""
    named: list[int] = field(default_factory=list)
    """All that were named."""
    value: bytes | None = None
    has_none: bool = False


class Beacons:
    """All periods."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self.periods: dict[int, Period] = {}
        self.handlers: Handlers = {
            "SecretCommitted": self._committed,
            "SecretRevealed": self._revealed,
            "BlockNamed": self._named,
            "BeaconKnown": self._known,
            "NoBeacon": self._none,
        }

    def value_at(self, time: int) -> bytes | None:
        """The beacon of the period that a time lies in, if it is known."""
        period = self.periods.get(time // self._book.rules.period_seconds)
        return period.value if period else None

    def _committed(self, log: Logged) -> None:
        book, number, validator = self._book, log.args["period"], log.args["validator"]
        seconds = book.rules.period_seconds
        book.holds(log, "a commitment before the period", log.timestamp < number * seconds)
        furthest = log.timestamp // seconds + MAX_PERIODS_AHEAD
        book.holds(log, "a period that is not too far ahead", number <= furthest)
        self._check_seated(log)
        period = self._period(log)
        first = validator not in period.commitments
        book.holds(log, "a validator's first commitment", first)
        book.holds(log, "a commitment that is not zero", any(log.args["commitment"]))
        period.commitments[validator] = log.args["commitment"]

    def _revealed(self, log: Logged) -> None:
        book, number = self._book, log.args["period"]
        validator, secret = log.args["validator"], log.args["secret"]
        self._check_seated(log)
        start = (number + 1) * book.rules.period_seconds
        in_time = start <= log.timestamp < start + book.rules.reveal_seconds
        book.holds(log, "a reveal in its time", in_time)
        period = self._period(log)
        book.holds(log, "a first reveal", validator not in period.revealed)
        place = (book.hash.chain_id, book.contracts.beacon, validator, number, secret)
        kinds = ["uint256", "address", "address", "uint64", "bytes32"]
        committed = period.commitments.get(validator)
        book.same(log, "the commitment revealed", committed, keccak(abi_encode(kinds, place)))
        period.revealed[validator] = secret
        hashed = keccak(abi_encode(["address", "bytes32"], [validator, secret]))
        period.mix ^= int.from_bytes(hashed, "big")

    def _named(self, log: Logged) -> None:
        """The first time, or again when the hash of the one named before is out of reach."""
        book, period = self._book, self._waiting(log)
        enough = len(period.revealed) >= book.seats.threshold
        missed = log.block > period.block + BLOCKS_IN_REACH
        book.holds(log, "a block to name", missed if period.block else enough)
        book.same(log, "the block named", log.block + 1, log.args["blockNumber"])
        period.block = log.args["blockNumber"]
        period.named.append(period.block)

    def _known(self, log: Logged) -> None:
        book, period = self._book, self._waiting(log)
        in_reach = 0 < log.block - period.block <= BLOCKS_IN_REACH and period.block > 0
        book.holds(log, "a named block in reach", in_reach)
        book.same(log, "the reveals", len(period.revealed), log.args["reveals"])
        mixed = book.witness.block_hash(period.block) or bytes(32)
        parts = (log.args["period"], period.mix.to_bytes(32, "big"), mixed)
        value = keccak(abi_encode(["uint64", "bytes32", "bytes32"], parts))
        book.same(log, "the beacon", value, log.args["value"])
        period.value = value

    def _none(self, log: Logged) -> None:
        book, period = self._book, self._waiting(log)
        too_few = period.block == 0 and len(period.revealed) < book.seats.threshold
        book.holds(log, "too few reveals", too_few)
        counts = (len(period.commitments), len(period.revealed))
        told = (log.args["commitments"], log.args["reveals"])
        book.same(log, "commitments and reveals", counts, told)
        period.has_none = True

    def _waiting(self, log: Logged) -> Period:
        """The period, which must be waiting for its end."""
        book, period, rules = self._book, self._period(log), self._book.rules
        over = (log.args["period"] + 1) * rules.period_seconds + rules.reveal_seconds
        waits = log.timestamp >= over and period.value is None and not period.has_none
        book.holds(log, "a period that waits for its beacon", waits)
        return period

    def _check_seated(self, log: Logged) -> None:
        seated = self._book.seats.seat_of(log.args["validator"]) is not None
        self._book.holds(log, "a registered validator", seated)

    def _period(self, log: Logged) -> Period:
        return self.periods.setdefault(log.args["period"], Period())
