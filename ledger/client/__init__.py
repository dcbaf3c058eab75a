"""A client of the ledger's service, for programs: the names of the API, typed.

with Client("http://127.0.0.1:8080") as ledger:
    print(ledger.stats().counts.points)
    for claim in ledger.kudos(state="refused"):
        print(claim.host, claim.request_id)
"""

from ledger.client.client import Client
from ledger.client.errors import (
    BlockNotIndexed,
    InvalidParameter,
    NotFound,
    ServiceProblem,
    Unavailable,
    Unreachable,
)
from ledger.client.stream import Event

__all__ = [
    "BlockNotIndexed",
    "Client",
    "Event",
    "InvalidParameter",
    "NotFound",
    "ServiceProblem",
    "Unavailable",
    "Unreachable",
]
