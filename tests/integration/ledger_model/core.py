"""Seats, totals, caps and sequence numbers: what every way of earning Kudos shares."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ledger.contracts import contracts_of
from ledger.reasons import Reason
from ledger.types import Address
from tests.integration.ledger_model.state import NOBODY, Refused, Table, World

SEATS = 16
DAY = 86_400


@dataclass(frozen=True)
class Seat:
    """Who holds a seat, and since when."""

    holder: Address
    since: int


@dataclass(frozen=True)
class ValidatorSet:
    """The seats that are held, by number, and how many approvals a claim needs."""

    version: int
    threshold: int
    seats: tuple[tuple[int, Seat], ...]

    def seat_of(self, node: Address) -> int | None:
        return next((number for number, seat in self.seats if seat.holder == node), None)

    def since(self, node: Address) -> int | None:
        return next((seat.since for _, seat in self.seats if seat.holder == node), None)

    @property
    def holders(self) -> list[Address]:
        return [seat.holder for _, seat in self.seats]

    def eligible(self, opened_at: int) -> set[Address]:
        """Who sat down before a claim was opened."""
        return {seat.holder for _, seat in self.seats if seat.since < opened_at}


class Core:
    """Totals by node and level, and who may vote."""

    def __init__(self, world: World, validators: Sequence[Address], threshold: int) -> None:
        self.world = world
        self.addresses = contracts_of(world.domain.contract)
        self._set: Table[None, ValidatorSet] = world.table()
        seats = ((number, Seat(node, 0)) for number, node in enumerate(validators))
        self._set[None] = ValidatorSet(1, threshold, tuple(seats))
        self.totals: Table[Address, tuple[int, int, int]] = world.table()
        self._used: Table[tuple[Address, Address, int], bool] = world.table()
        self._pairs: Table[tuple[Address, Address], tuple[int, int, int, int]] = world.table()
        self._hosts: Table[Address, tuple[int, int]] = world.table()

    # -- validators ----------------------------------------------------------------------------

    @property
    def set(self) -> ValidatorSet:
        return self._set[None]

    def require_validator(self, node: Address) -> None:
        if self.set.seat_of(node) is None:
            raise Refused("NotAValidator")

    def apply_set(self, holders: Sequence[Address], threshold: int) -> None:
        """Whoever stays where it sat keeps its time; everybody else sits down now."""
        before = {seat.holder: (number, seat.since) for number, seat in self.set.seats}
        seats = []
        for number, holder in enumerate(holders):
            if holder == NOBODY:
                continue
            old = before.get(holder)
            stays = old is not None and old[0] == number
            since = old[1] if old is not None and stays else self.world.time
            seats.append((number, Seat(holder, since)))
        version = self.set.version + 1
        self._set[None] = ValidatorSet(version, threshold, tuple(seats))
        self.world.emit("ValidatorSetChanged", version, tuple(holders), threshold)

    def judge(
        self,
        opened_at: int,
        approving: Iterable[Address],
        refusing: Iterable[Address],
        parties: Iterable[Address],
    ) -> bool | None:
        """Whether a claim of the ledger's own is verified or refused; None for neither. It takes
        a refusal to refuse: where the parties alone leave too few, it stays open."""
        able = self.set.eligible(opened_at)
        if len(able & set(approving)) >= self.set.threshold:
            return True
        able -= set(parties)
        if len(able) < self.set.threshold:
            return None
        return False if len(able - set(refusing)) < self.set.threshold else None

    # -- totals --------------------------------------------------------------------------------

    def mint(self, operator: Address, host: Address, level: int, count: int) -> None:
        if count == 0:
            return
        total = list(self.totals.get(host, (0, 0, 0)))
        total[level - 1] += count
        self.totals[host] = (total[0], total[1], total[2])
        self.world.emit("TransferSingle", operator, NOBODY, host, level, count)

    # -- pairs ---------------------------------------------------------------------------------

    def is_used(self, home: Address, host: Address, seq: int) -> bool:
        return (home, host, seq) in self._used

    def use(self, home: Address, host: Address, seq: int) -> None:
        self._used[home, host, seq] = True

    def pair(self, home: Address, host: Address) -> tuple[int, int, int, int]:
        """The last epoch that saw a claim that is counted, and the claims by level."""
        return self._pairs.get((home, host), (0, 0, 0, 0))

    def admit(self, home: Address, host: Address, level: int) -> bool:
        """Counts a claim in this epoch, unless it is one too many."""
        rules = self.world.rules
        if level != 1 and rules.k2_per_pair_and_epoch == 0:
            return True
        epoch = self.world.time // rules.epoch_seconds
        last, *counts = self.pair(home, host)
        if last != epoch:
            counts = [0, 0, 0]
        if level == 2 and counts[1] >= rules.k2_per_pair_and_epoch:
            return False
        if level == 1:
            host_epoch, of_host = self._hosts.get(host, (epoch, 0))
            if host_epoch != epoch:
                of_host = 0
            if counts[0] or of_host >= rules.k1_per_host_and_epoch:
                return False
            self._hosts[host] = (epoch, of_host + 1)
        counts[level - 1] += 1
        self._pairs[home, host] = (epoch, counts[0], counts[1], counts[2])
        return True

    def time_reason(self, signed_at: int, deadline: int) -> Reason | None:
        """What chain time says against a REQUEST that is settled now."""
        now = self.world.time
        if not signed_at < deadline <= signed_at + 7 * DAY:
            return Reason.BAD_DEADLINE
        if signed_at > now + 300 or deadline > now + 7 * DAY:
            return Reason.BAD_DEADLINE
        return Reason.EXPIRED if now > deadline + DAY else None
