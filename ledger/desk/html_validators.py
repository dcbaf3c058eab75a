"""How the validators vote, all of them and one."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse

from ledger import schema
from ledger.desk.context import Desk
from ledger.desk.html_shell import Cursor, Link, Rows, node_address, show
from ledger.desk.problems import NotFound
from ledger.desk.queries import rule, seats, validators
from ledger.types import hex_of

ROUNDS = 12
VERDICTS = {"approved": schema.APPROVE, "refused": schema.REFUSE, "abstained": schema.ABSTAIN}
Verdict = Annotated[Literal["", "approved", "refused", "abstained"], Query()]


def add_validators(app: FastAPI, desk: Desk) -> None:
    """Registers these pages."""

    @app.get("/validators", response_class=HTMLResponse, include_in_schema=False)
    def listing(request: Request) -> HTMLResponse:
        with desk.reader() as reader, reader.snapshot():
            lines = desk.once(reader, validators.list_validators, desk.members(reader))
            values = {
                "lines": lines,
                "present": reader.validator_set(),
                "history": seats.set_history(reader.connection)[::-1],
                "proposals": rule.proposals(reader),
                "rounds": rule.rounds(reader, ROUNDS),
                "beacons": rule.beacons(reader, ROUNDS),
            }
            return show(desk, request, reader, "validators.html", **values)

    @app.get("/validators/{address}", response_class=HTMLResponse, include_in_schema=False)
    def one(
        request: Request,
        address: str,
        verdict: Verdict = "",
        disagreeing: bool = False,
        limit: Rows = 50,
        cursor: Cursor = None,
    ) -> HTMLResponse:
        who = node_address(address)
        params = {"verdict": verdict, "disagreeing": disagreeing, "limit": limit}
        with desk.reader() as reader, reader.snapshot():
            lines = desk.once(reader, validators.list_validators, desk.members(reader))
            line = next((each for each in lines if each.address == who), None)
            if line is None:
                raise NotFound(f"{hex_of(who)} is no validator, and never voted.")
            wanted = VERDICTS.get(verdict)
            page = validators.ballots(reader, who, wanted, disagreeing, limit, cursor)
            link = Link(f"/validators/{hex_of(who)}", params)
            values = {"line": line, "page": page, "link": link, "chosen": params}
            return show(desk, request, reader, "validator.html", **values)
