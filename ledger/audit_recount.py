"""The audit's own ledger: applies the rules to what was logged and says what differs.

Plain on purpose: every event is judged again by itself, in the order of the chain, by the text of
the interfaces. What an event calls for has to be the next one.
"""

from __future__ import annotations

from ledger.audit_assets import Hasher
from ledger.audit_batches import Batches
from ledger.audit_beacon import Beacons
from ledger.audit_book import Book, Handlers, Witness
from ledger.audit_claims import Claims
from ledger.audit_logs import Logged
from ledger.audit_puzzles import Puzzles
from ledger.audit_queue import Life
from ledger.audit_state import Rules
from ledger.audit_steps import Steps
from ledger.audit_tests import Tests
from ledger.audit_votes import Votes
from ledger.contracts import Contracts


class Recount:
    """The ledger as the logs say it must be."""

    def __init__(
        self, hasher: Hasher, rules: Rules, contracts: Contracts, witness: Witness
    ) -> None:
        self.book = Book(hasher, rules, contracts, witness)
        self.life, self.beacons = Life(self.book), Beacons(self.book)
        self.batches, self.steps = Batches(self.book), Steps(self.book)
        self.puzzles, self.votes = Puzzles(self.book), Votes(self.book)
        self.claims = Claims(self.book, self.puzzles, self.beacons)
        self.tests = Tests(self.book)
        self._handlers: Handlers = {
            **self.life.handlers,
            **self.beacons.handlers,
            **self.batches.handlers,
            **self.steps.handlers,
            **self.puzzles.handlers,
            **self.votes.handlers,
            **self.claims.handlers,
            **self.tests.handlers,
            "TransferSingle": self._minted,
        }

    def apply(self, log: Logged) -> None:
        """Takes one log in the order of the chain."""
        book = self.book
        if not book.seats.version and log.event != "ValidatorSetChanged":
            book.differs(log.where, "the first log", "ValidatorSetChanged", log.event)
        book.differences += book.tokens.before(log)
        book.arrives(log)
        self.votes.before(log)
        self._handlers[log.event](log)

    def finish(self) -> None:
        """What only shows at the end."""
        self.book.finish()
        self.life.finish()

    def _minted(self, log: Logged) -> None:
        self.book.differences += self.book.tokens.mint(log)
