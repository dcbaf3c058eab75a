"""/api/v1: what the validators decide about the ledger itself, and the canaries that they draw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from fastapi import APIRouter

from ledger.assets import process_name_text
from ledger.desk import api_convert as convert
from ledger.desk import api_models as models
from ledger.desk import api_rule_models as rules
from ledger.desk.api_params import AddressPath, CursorText, PageLimit, Parties
from ledger.desk.conditional import Ask, Question
from ledger.desk.queries import explore, rule, seats
from ledger.desk.queries.common import read_cursor, write_cursor
from ledger.desk.queries.explore_query import Kind, Origin
from ledger.desk.views_migration import drawn
from ledger.desk.views_participation import ended, stand
from ledger.reader import Reader
from ledger.types import Digest, address_from_hex

router = APIRouter(prefix="/api/v1")
Numbered = TypeVar("Numbered", rule.Proposal, rule.Participation)
Listing = Callable[[Reader, int, int | None], tuple[Numbered, ...]]


@router.get("/validators/sets", tags=["validators"])
def validator_sets(ask: Ask) -> list[rules.ValidatorSet]:
    """Every set of validators so far, the first one first; the last is in force."""
    with ask.snapshot() as reader:
        found = seats.set_history(reader.connection)
    return [rules.ValidatorSet.model_validate(line) for line in found]


@router.get("/proposals", tags=["validators"])
def list_proposals(
    ask: Ask, limit: PageLimit = 50, cursor: CursorText = None
) -> models.Page[rules.Proposal]:
    """What validators proposed in their queue, the newest first."""
    with ask.snapshot() as reader:
        rows, following = _page(reader, rule.proposals, limit, cursor)
    found = [rules.Proposal.model_validate(row) for row in rows]
    return models.Page(rows=found, next=following)


@router.get("/rounds", tags=["votes"])
def list_rounds(
    ask: Ask, limit: PageLimit = 50, cursor: CursorText = None
) -> models.Page[rules.Round]:
    """Rounds of committed votes on K3, the newest first: who committed, who never revealed."""
    with ask.snapshot() as reader:
        rows, following = _page(reader, rule.rounds, limit, cursor)
        now = _now(reader)
    seconds = ask.desk.deployment.round_seconds
    found = [rules.Round.model_validate(ended(row, now, seconds)) for row in rows]
    return models.Page(rows=found, next=following)


@router.get("/beacon", tags=["canaries"])
def list_periods(
    ask: Ask, limit: PageLimit = 50, cursor: CursorText = None
) -> models.Page[rules.Period]:
    """Periods of the beacon, the newest first: who took part, and the value if there is one."""
    with ask.snapshot() as reader:
        rows, following = _page(reader, rule.beacons, limit, cursor)
        now = _now(reader)
    ledger = ask.desk.deployment
    seconds = (ledger.period_seconds, ledger.reveal_seconds)
    found = [rules.Period.model_validate(stand(row, now, *seconds)) for row in rows]
    return models.Page(rows=found, next=following)


@router.get("/draws", tags=["canaries"])
def list_draws(
    ask: Ask, parties: Parties, limit: PageLimit = 50, cursor: CursorText = None
) -> models.Page[rules.Draw]:
    """Canaries that the beacon drew and their hosts claimed, with the draw, the newest first."""
    with ask.snapshot() as reader:
        query = parties.query(limit, cursor, Kind.KUDOS)
        page = explore.page(reader, replace(query, level=3, origin=Origin.DRAWN))
        rows = [made for row in page.rows if (made := _draw(ask, reader, row.request_id, row.id))]
    return models.Page(rows=rows, next=page.next)


@router.get("/nodes/{address}/puzzles", tags=["nodes", "canaries"])
def node_puzzles(ask: Ask, address: AddressPath, limit: PageLimit = 50) -> list[rules.Puzzle]:
    """The puzzles that this node asked the contract for, the newest first."""
    with ask.snapshot() as reader:
        found = rule.puzzles(reader, address_from_hex(address), limit)
    return [rules.Puzzle.model_validate(each) for each in found]


def _now(reader: Reader) -> int:
    """The chain's own time, as far as the copy has come."""
    head = reader.head()
    return head.timestamp if head else 0


def _page(
    reader: Reader, listing: Listing[Numbered], limit: int, cursor: str | None
) -> tuple[Sequence[Numbered], str | None]:
    """One page of what is numbered, and the cursor of the next one."""
    below = None if cursor is None else int(read_cursor(cursor, (int,))[0])
    rows = listing(reader, limit + 1, below)
    more = len(rows) > limit
    return rows[:limit], write_cursor((rows[limit - 1].number,)) if more else None


def _draw(ask: Question, reader: Reader, request_id: Digest, claim: Digest) -> rules.Draw | None:
    """None for the second claim on a draw, which is in the list once."""
    settled, draw = reader.migration(request_id), reader.draw(request_id)
    thirds = [each for each in reader.claims_of(request_id) if each.level == 3]
    if settled is None or draw is None or thirds[0].kudos_id != claim:
        return None
    period = settled.place.timestamp // ask.desk.deployment.period_seconds
    _, value = rule.beacon_of(reader.connection, period)
    made = drawn(settled, value, period, ask.desk.deployment.draw_rate)
    return rules.Draw.model_validate(
        {
            **{name: getattr(draw.place, name) for name in models.Place.model_fields},
            "request_id": request_id,
            "home": settled.request.home,
            "host": settled.request.host,
            "process_name": process_name_text(settled.request.process_name),
            "result_id": draw.result_id,
            "task_digest": draw.task_digest,
            "mark_hash": draw.mark_hash,
            "period": period,
            "beacon": value,
            "number": made.number or None,
            "threshold": made.threshold,
            "kudos_id": thirds[-1].kudos_id,
            "state": convert.STATES[thirds[-1].state],
        }
    )
