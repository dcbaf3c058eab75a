"""/api/v1: nodes, whom they dealt with, and why they have the Kudos that they have."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from ledger.desk import api_asset_models as assets
from ledger.desk import api_convert as convert
from ledger.desk import api_models as models
from ledger.desk import api_rule_models as rules
from ledger.desk.api_params import (
    AddressPath,
    AtBlock,
    CursorText,
    PageLimit,
    checked_block,
)
from ledger.desk.conditional import Ask, Question
from ledger.desk.problems import BadRequest, NotFound
from ledger.desk.queries import flow, node, nodes, validator_tests, validators, why
from ledger.reader import Reader
from ledger.types import Address, address_from_hex

router = APIRouter(prefix="/api/v1")
Days = Annotated[int, Query(ge=1, le=3_650, description="the last days, at most so many")]


def _node(ask: Question, line: nodes.NodeLine) -> models.Node:
    found = models.Node.model_validate(line)
    name = ask.desk.names.get(line.address, "")
    return found.model_copy(update={"name": name}) if name else found


def _known(reader: Reader, address: str) -> Address:
    node_address = address_from_hex(address)
    if nodes.node_line(reader, node_address) is None:
        raise NotFound(f"No node {address} has taken part in anything.")
    return node_address


@router.get("/nodes", tags=["nodes"])
def list_nodes(
    ask: Ask,
    sort: Annotated[
        str, Query(description=f"one of {', '.join(nodes.SORTS)}", max_length=32)
    ] = "points",
    descending: bool = True,
    prefix: Annotated[
        str, Query(pattern="^(0x)?[0-9a-fA-F]{0,40}$", description="beginning of an address")
    ] = "",
    min_points: Annotated[int, Query(ge=0, le=1 << 53)] = 0,
    at_block: AtBlock = None,
    limit: PageLimit = 50,
    cursor: CursorText = None,
) -> models.Page[models.Node]:
    """Nodes with their totals. All pages of one list show the block of its first page."""
    if sort not in nodes.SORTS:
        raise BadRequest("sort", f"one of {', '.join(nodes.SORTS)}, not {sort!r}.")
    with ask.snapshot() as reader:
        at = checked_block(reader, at_block)
        query = nodes.NodesQuery(sort, descending, prefix, min_points, None, at, limit, cursor)
        page = ask.desk.once(reader, nodes.list_nodes, query)
    return models.Page(rows=[_node(ask, line) for line in page.rows], next=page.next)


@router.get("/nodes/{address}", tags=["nodes"])
def node_totals(ask: Ask, address: AddressPath, at_block: AtBlock = None) -> models.Node:
    """One node's totals, exact at any block."""
    with ask.snapshot() as reader:
        at = checked_block(reader, at_block)
        line = nodes.node_line(reader, address_from_hex(address), at)
    if line is None:
        raise NotFound(f"No node {address} has taken part in anything.")
    return _node(ask, line)


@router.get("/nodes/{address}/days", tags=["nodes"])
def node_days(ask: Ask, address: AddressPath, days: Days = 365) -> list[models.NodeDay]:
    """A node's points and work day by day, the oldest first, without gaps."""
    with ask.snapshot() as reader:
        found = node.series(reader, _known(reader, address), days)
    return [models.NodeDay.model_validate(day) for day in found]


@router.get("/nodes/{address}/earned", tags=["nodes"])
def node_earned(
    ask: Ask, address: AddressPath, limit: PageLimit = 50, cursor: CursorText = None
) -> models.Page[models.Edge]:
    """Who gave this node Kudos or work, the most points first."""
    with ask.snapshot() as reader:
        page = node.earned_from(reader, _known(reader, address), limit, cursor)
    return models.Page(rows=[models.Edge.model_validate(e) for e in page.rows], next=page.next)


@router.get("/nodes/{address}/gave", tags=["nodes"])
def node_gave(
    ask: Ask, address: AddressPath, limit: PageLimit = 50, cursor: CursorText = None
) -> models.Page[models.Edge]:
    """Whom this node gave Kudos or work, the most points first."""
    with ask.snapshot() as reader:
        page = node.gave_to(reader, _known(reader, address), limit, cursor)
    return models.Page(rows=[models.Edge.model_validate(e) for e in page.rows], next=page.next)


@router.get("/nodes/{address}/canaries", tags=["nodes", "canaries"])
def node_canaries(ask: Ask, address: AddressPath) -> models.CanaryRecord:
    """How this node stands with canaries."""
    with ask.snapshot() as reader:
        record = node.canary_record(reader, _known(reader, address))
    return models.CanaryRecord.model_validate(record)


@router.get("/nodes/{address}/why", tags=["nodes"])
def node_why(
    ask: Ask,
    address: AddressPath,
    outcome: why.Outcome | None = None,
    limit: PageLimit = 50,
    cursor: CursorText = None,
) -> models.Page[assets.Why]:
    """Each point that a node has and each claim that it does not have, with the reason."""
    with ask.snapshot() as reader:
        known, desk = _known(reader, address), ask.desk
        present, seconds = desk.members(reader), desk.deployment.round_seconds
        page = why.why(reader, known, present, outcome, limit, cursor, seconds)
    return models.Page(rows=[convert.reasoned(each) for each in page.rows], next=page.next)


@router.get("/validators", tags=["validators"])
def list_validators(ask: Ask) -> list[assets.Validator]:
    """The present set first, then everybody else who ever voted."""
    with ask.snapshot() as reader:
        return _validators(ask, reader)


@router.get("/validators/{address}", tags=["validators"])
def one_validator(ask: Ask, address: AddressPath) -> assets.Validator:
    """How one validator votes."""
    with ask.snapshot() as reader:
        for found in _validators(ask, reader):
            if found.address == address.lower():
                return found
    raise NotFound(f"{address} is no validator, and never was one that voted.")


@router.get("/validators/{address}/tests", tags=["validators"])
def validator_tests_of(
    ask: Ask,
    address: AddressPath,
    said: validator_tests.Said | None = None,
    limit: PageLimit = 50,
    cursor: CursorText = None,
) -> models.Page[rules.Tested]:
    """Claims that tested the validators, once opened, the newest first; what this one said."""
    with ask.snapshot() as reader:
        who = address_from_hex(address)
        page = validator_tests.opened_tests(reader, who, said, limit, cursor)
    return models.Page(rows=[convert.tested(each) for each in page.rows], next=page.next)


@router.get("/flow", tags=["flow"])
def top_flow(ask: Ask, edges: Annotated[int, Query(ge=1, le=flow.MAX_EDGES)] = 100) -> models.Flow:
    """Who gave Kudos to whom: the heaviest edges, and how much of the whole they are."""
    with ask.snapshot() as reader:
        return models.Flow.model_validate(ask.desk.once(reader, flow.top, edges))


@router.get("/flow/edges", tags=["flow"])
def flow_edges(
    ask: Ask, limit: PageLimit = 50, cursor: CursorText = None
) -> models.Page[models.Edge]:
    """All edges with points, the most first."""
    with ask.snapshot() as reader:
        page = flow.table(reader, limit, cursor)
    return models.Page(rows=[models.Edge.model_validate(e) for e in page.rows], next=page.next)


def _validators(ask: Question, reader: Reader) -> list[assets.Validator]:
    lines = ask.desk.once(reader, validators.list_validators, ask.desk.members(reader))
    names = ask.desk.names
    return [
        assets.Validator.model_validate(line).model_copy(
            update={"name": names.get(line.address, "")}
        )
        for line in lines
    ]
