"""The audit's view of the tokens: that exactly what is verified is minted, at once, and to whom.

Each decision is followed at once by one transfer per level that it verified Kudos of, from zero, by
the validator whose vote decided.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ledger.audit_logs import Logged
from ledger.audit_state import Difference
from ledger.types import hex_of

LEVELS = (1, 2, 3)


class Tokens:
    """Tokens that the last vote has to mint, and those that it did."""

    def __init__(self) -> None:
        self.minted: Counter[tuple[bytes, int]] = Counter()
        """By host and level, over the whole ledger."""
        self._due: Counter[tuple[bytes, int]] = Counter()
        self._voter = b""

    def voted(self, validator: bytes) -> None:
        """Whose vote the next decision is."""
        self._voter = validator

    def verified(self, host: bytes, level: int) -> None:
        """One Kudos more was announced as verified."""
        self._due[host, level] += 1

    def mint(self, log: Logged) -> Iterator[Difference]:
        """A transfer, held against what is due."""
        args = log.args
        token = (args["to"], args["id"])
        self.minted[token] += args["value"]
        name = f"K{args['id']} minted for {hex_of(args['to'])}"
        due = self._due.pop(token, 0)
        checks = (
            ("the source of tokens", hex_of(bytes(20)), hex_of(args["from"])),
            ("the operator", hex_of(self._voter), hex_of(args["operator"])),
            (name, str(due) if due else "none due", str(args["value"])),
        )
        for what, expected, found in checks:
            if expected != found:
                yield Difference(log.where, what, expected, found)

    def settle(self, where: str) -> Iterator[Difference]:
        """Nothing may be due any more when something else happens."""
        for (host, level), due in self._due.items():
            yield Difference(where, f"K{level} minted for {hex_of(host)}", str(due), "none")
        self._due.clear()
