"""The audit's view of the tokens: that exactly what is verified is minted, at once, and to whom.

Behind each decision comes one transfer per level that it verified Kudos of, from zero. Its operator
is the validator that voted, in a recount whoever asked for it, and for all that the claims contract
decides that contract. That one mints neighbouring claims together, so a few votes may lie between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ledger.audit_logs import Logged
from ledger.audit_state import Difference
from ledger.types import hex_of

LEVELS = (1, 2, 3)
BETWEEN = frozenset({"TransferSingle", "ClaimVoted", "VoteSkipped", "ClaimDecided"})
"""What the claims contract may log between a decision and its tokens."""


class Tokens:
    """Tokens that the last decision has to mint, and those that were."""

    def __init__(self, claims_contract: bytes) -> None:
        self.minted: Counter[tuple[bytes, int]] = Counter()
        """By host and level, over the whole ledger."""
        self._claims = claims_contract
        self._due: Counter[tuple[bytes, int]] = Counter()
        self._operator: bytes | None = None
        self._block = 0

    def due(self, log: Logged, host: bytes, level: int, count: int, operator: bytes | None) -> None:
        """So many tokens have to be minted; by anybody where the operator is None."""
        self._due += Counter({(host, level): count})
        self._operator, self._block = operator, log.block

    def mint(self, log: Logged) -> Iterator[Difference]:
        """A transfer, held against what is due."""
        args = log.args
        token = (args["to"], args["id"])
        self.minted[token] += args["value"]
        name = f"K{args['id']} minted for {hex_of(args['to'])}"
        due = self._due.pop(token, 0)
        operator = args["operator"] if self._operator is None else self._operator
        checks = (
            ("the source of tokens", hex_of(bytes(20)), hex_of(args["from"])),
            ("the operator", hex_of(operator), hex_of(args["operator"])),
            (name, str(due) if due else "none due", str(args["value"])),
        )
        for what, expected, found in checks:
            if expected != found:
                yield Difference(log.where, what, expected, found)

    def before(self, log: Logged) -> Iterator[Difference]:
        """Nothing may be due any more when something else happens."""
        may_wait = BETWEEN if self._operator == self._claims else frozenset({"TransferSingle"})
        if log.event not in may_wait or log.block != self._block:
            yield from self.settle(log.where)

    def settle(self, where: str) -> Iterator[Difference]:
        """Nothing may be due any more."""
        for (host, level), due in self._due.items():
            yield Difference(where, f"K{level} minted for {hex_of(host)}", str(due), "none")
        self._due.clear()
