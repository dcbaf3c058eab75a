"""All nodes, and one of them with the reasons for what it has."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import Field

from ledger.desk.context import Desk
from ledger.desk.html_shell import EMPTY, Block, Cursor, Link, Rows, node_address, show
from ledger.desk.problems import NotFound
from ledger.desk.queries import facets, node, nodes, rule, why
from ledger.desk.queries.explore_query import Kind
from ledger.desk.queries.explore_query import Query as AssetQuery
from ledger.desk.views_nodes import COLUMNS, chart
from ledger.reader import Reader
from ledger.types import Address, BlockNumber, hex_of

Sort = Annotated[str, Query(max_length=30)]
Order = Annotated[Literal["asc", "desc"], Query()]
Prefix = Annotated[str, Query(max_length=42, pattern="^\\s*(0[xX])?[0-9a-fA-F]*\\s*$")]
Least = Annotated[Annotated[int, Field(ge=0, lt=1 << 53)] | None, EMPTY]
Named = Annotated[bool | None, EMPTY]
Outcomes = Annotated[why.Outcome | None, EMPTY]

PARTNERS = 10
REASONS = 25


def add_nodes(app: FastAPI, desk: Desk) -> None:
    """Registers these pages."""
    _add_listing(app, desk)
    _add_one(app, desk)


def _add_listing(app: FastAPI, desk: Desk) -> None:
    @app.get("/nodes", response_class=HTMLResponse, include_in_schema=False)
    def listing(
        request: Request,
        sort: Sort = "points",
        order: Order = "desc",
        prefix: Prefix = "",
        least: Least = None,
        named: Named = None,
        at: Block = None,
        limit: Rows = 50,
        cursor: Cursor = None,
    ) -> HTMLResponse:
        query = nodes_query(desk, sort, order, prefix, least or 0, bool(named), at, limit, cursor)
        chosen = {"sort": sort, "order": order, "prefix": prefix.strip(), "least": least}
        chosen |= {"named": named, "at": at, "limit": limit}
        with desk.reader() as reader, reader.snapshot():
            page = desk.once(reader, nodes.list_nodes, query)
            sparks = nodes.sparklines(reader, [line.address for line in page.rows])
            values = {"page": page, "sparks": sparks, "columns": COLUMNS, "chosen": chosen}
            link = Link("/nodes", chosen)
            return show(desk, request, reader, "nodes.html", link=link, query=query, **values)


def _add_one(app: FastAPI, desk: Desk) -> None:
    @app.get("/nodes/{address}", response_class=HTMLResponse, include_in_schema=False)
    def one(
        request: Request,
        address: str,
        outcome: Outcomes = None,
        at: Block = None,
        cursor: Cursor = None,
        earned: Cursor = None,
        gave: Cursor = None,
    ) -> HTMLResponse:
        who = node_address(address)
        params = {"outcome": outcome, "at": at, "earned": earned, "gave": gave}
        with desk.reader() as reader, reader.snapshot():
            line = nodes.node_line(reader, who, None if at is None else BlockNumber(at))
            if line is None:
                raise NotFound(f"No asset on this ledger names {hex_of(who)} so far.")
            values = _node(desk, reader, who, outcome, cursor)
            values["earned"] = node.earned_from(reader, who, PARTNERS, earned)
            values["gave"] = node.gave_to(reader, who, PARTNERS, gave)
            link = Link(f"/nodes/{hex_of(who)}", params)
            values |= {"who": who, "line": line, "at": at, "link": link}
            return show(desk, request, reader, "node.html", **values)


def nodes_query(
    desk: Desk,
    sort: str,
    order: str,
    prefix: str,
    least: int,
    named: bool,
    at: int | None,
    limit: int = 50,
    cursor: str | None = None,
) -> nodes.NodesQuery:
    """What the form on the page of nodes stands for."""
    return nodes.NodesQuery(
        sort=sort,
        descending=order == "desc",
        prefix=prefix.strip(),
        min_points=least,
        among=frozenset(desk.names) if named else None,
        at_block=None if at is None else BlockNumber(at),
        limit=limit,
        cursor=cursor,
    )


def _node(
    desk: Desk, reader: Reader, who: Address, outcome: why.Outcome | None, cursor: str | None
) -> dict[str, Any]:
    validators = desk.members(reader)
    assets = {kind: AssetQuery(node=who, kind=kind) for kind in Kind}
    return {
        "chart": chart(reader, who),
        "canaries": node.canary_record(reader, who),
        "assets": [(kind, query, facets.count(reader, query)) for kind, query in assets.items()],
        "puzzles": rule.puzzles(reader, who),
        "outcome": outcome.value if outcome else "",
        "outcomes": list(why.Outcome),
        "why": why.why(
            reader, who, validators, outcome, REASONS, cursor, desk.deployment.round_seconds
        ),
    }
