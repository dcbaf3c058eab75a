"""How the validators vote, all of them and one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse

from ledger import schema
from ledger.desk.context import Desk
from ledger.desk.html_shell import Cursor, Link, Rows, node_address, show
from ledger.desk.problems import NotFound
from ledger.desk.queries import rule, seats, validator_tests, validators
from ledger.desk.queries.common import MAX_LIMIT
from ledger.desk.views_participation import ended, stand, with_gaps, words
from ledger.reader import Reader
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
                **_participation(desk, reader),
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
            approved = validator_tests.Said.APPROVED
            values = {"line": line, "page": page, "link": link, "chosen": params}
            values["tests"] = validator_tests.opened_tests(reader, who, approved, MAX_LIMIT)
            return show(desk, request, reader, "validator.html", **values)


def _participation(desk: Desk, reader: Reader) -> dict[str, Any]:
    """Rounds of votes and periods of the beacon as they stand at the newest block."""
    head, ledger = reader.head(), desk.deployment
    now = head.timestamp if head else 0
    periods = with_gaps(rule.beacons(reader, ROUNDS), now // ledger.period_seconds, ROUNDS)
    seconds = (ledger.period_seconds, ledger.reveal_seconds)
    standing = [stand(each, now, *seconds) for each in periods]
    return {
        "rounds": [ended(each, now, ledger.round_seconds) for each in rule.rounds(reader, ROUNDS)],
        "beacons": [(each, words(each)) for each in standing],
    }
