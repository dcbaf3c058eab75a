"""The pages."""

from __future__ import annotations

from fastapi import FastAPI

from ledger.desk.context import Desk
from ledger.desk.html_explore import add_explore
from ledger.desk.html_export import add_exports
from ledger.desk.html_nodes import add_nodes
from ledger.desk.html_overview import add_overview
from ledger.desk.html_validators import add_validators


def add_pages(app: FastAPI, desk: Desk) -> None:
    """Every page, and the files that hold what lists show."""
    add_overview(app, desk)
    add_nodes(app, desk)
    add_validators(app, desk)
    add_explore(app, desk)
    add_exports(app, desk)
