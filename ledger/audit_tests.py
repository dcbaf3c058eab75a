"""Claims that were shown to be tests of the validators, judged again."""

from __future__ import annotations

from ledger.audit_book import Book, Handlers
from ledger.audit_logs import Logged
from ledger.audit_state import OPEN
from ledger.audit_windows import CLAIM_WINDOW

CANARY = 3
ROUNDS = 3
"""From the round of the claim: commitments in the next, revealed in the one after."""


class Tests:
    """What was shown, by the claim's id: REQUEST, RESULT, and the two salts."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self.shown: dict[bytes, tuple[bytes, bytes, bytes, bytes]] = {}
        self.handlers: Handlers = {"TestOpened": self._test_opened}

    def _test_opened(self, log: Logged) -> None:
        book, args = self._book, log.args
        kudos_id, result_id = args["kudosId"], args["resultId"]
        digest = book.hash.test(args["requestId"], args["salt"])
        expected = book.hash.kudos(CANARY, result_id, digest, args["sealSalt"])
        book.same(log, "the claim of the test", expected, kudos_id)
        migration = book.answered.get(result_id)
        request_id = migration.request_id if migration else None
        book.same(log, "the request of the test", request_id, args["requestId"])
        self._in_time(log, kudos_id)
        told = (args["requestId"], result_id, args["sealSalt"], args["salt"])
        self.shown.setdefault(kudos_id, told)

    def _in_time(self, log: Logged, kudos_id: bytes) -> None:
        """Not while its votes can still be hidden."""
        book, claim = self._book, self._book.single.get(kudos_id)
        if claim is None:
            book.differs(log.where, "the claim of the test", "claimed", "unknown")
            return
        over = claim.state != OPEN or book.has_timed_out(kudos_id, log.timestamp, CLAIM_WINDOW)
        book.holds(log, "a test whose claim is decided or timed out", over)
        seconds = book.rules.round_seconds
        rounds = log.timestamp // seconds - claim.opened_at // seconds
        book.holds(log, "a test whose votes can all be revealed", rounds >= ROUNDS)
