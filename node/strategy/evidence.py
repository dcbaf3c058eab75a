"""What a verdict rests on, read from a copy of the ledger in one snapshot of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from ledger.reader import Reader
from ledger.rows import Totals
from ledger.types import Address, BlockNumber
from node.admission import LARGEST, Evidence, Need, Pair, Side, Standing, Strangers

DAY = 86_400


@dataclass(frozen=True, slots=True)
class View:
    """How a copy is looked at: ``final_only`` where the chain has finality, and the ledger's
    epoch."""

    final_only: bool = False
    epoch_seconds: int = DAY


def live_evidence(
    reader: Reader,
    home: Address,
    host: Address,
    now: float,
    view: View,
    needs: Collection[Need] = (),
    judged: Side = Side.HOME,
) -> Evidence | None:
    """The evidence as the copy stands; None while it holds no block."""
    with reader.snapshot():
        head = reader.head()
        if head is None:
            return None
        at = head.final_number if view.final_only else None
        judge = host if judged is Side.HOME else home
        epoch = head.timestamp // view.epoch_seconds
        found = evidence_at(reader, home, host, at, epoch, needs, judge)
        return replace(found, block=head.number, age=head.age(now))


def evidence_at(
    reader: Reader,
    home: Address,
    host: Address,
    at: BlockNumber | None,
    epoch: int,
    needs: Collection[Need],
    judge: Address,
) -> Evidence:
    """What the ledger said as of a block (None: all that the copy holds), by data of age 0."""
    totals = reader.kudos_at(home, at), reader.kudos_at(host, at)
    standings = [
        _standing(reader, node, total, at, needs)
        for node, total in zip((home, host), totals, strict=True)
    ]
    strangers = Strangers(*reader.strangers(judge, at)) if Need.STRANGERS in needs else None
    return Evidence(
        home_points=totals[0].points,
        host_points=totals[1].points,
        block=0 if at is None else at,
        age=0.0,
        home=standings[0],
        host=standings[1],
        pair=_pair(reader, home, host, at) if Need.PAIR in needs else None,
        epoch=epoch,
        strangers=strangers,
    )


def _pair(reader: Reader, home: Address, host: Address, at: BlockNumber | None) -> Pair:
    asked, missing = reader.unsettled(home, host, at)
    host_ran, home_ran = reader.pair_totals(home, host, at), reader.pair_totals(host, home, at)
    return Pair(host_ran.k2, home_ran.k2, asked, missing)


def _standing(
    reader: Reader,
    node: Address,
    totals: Totals,
    at: BlockNumber | None,
    needs: Collection[Need],
) -> Standing:
    epochs = tuple(reader.epoch_points(node, at)) if Need.EPOCHS in needs else None
    drawn = reader.drawn_passed(node, at) if Need.DRAWN in needs else None
    largest = None
    if Need.COUNTERPARTIES in needs:
        largest = tuple(reader.largest_amounts(node, LARGEST, at))
    return Standing(totals.k1, totals.k2, totals.k3, epochs, drawn, largest)
