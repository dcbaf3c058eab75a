"""Claims for K3, and K1 and K2 that are claimed again or receipted, judged again."""

from __future__ import annotations

from eth_abi.abi import encode as abi_encode
from eth_utils.crypto import keccak

from ledger import audit_assets as assets
from ledger.audit_assets import CanaryItem
from ledger.audit_beacon import Beacons
from ledger.audit_book import Book, Handlers
from ledger.audit_logs import Logged
from ledger.audit_puzzles import Puzzles
from ledger.audit_state import VERIFIED, Migration
from ledger.audit_windows import CLAIM_WINDOW

CANARY = 3
ORIGINS = {assets.PUZZLE: "planted", assets.PLANTED: "planted", assets.DRAWN: "drawn"}


class Claims:
    """What is claimed in the claims contract."""

    def __init__(self, book: Book, puzzles: Puzzles, beacons: Beacons) -> None:
        self._book, self._puzzles, self._beacons = book, puzzles, beacons
        self.marks: set[tuple[bytes, bytes, int]] = set()
        """The RESULTs with a K3, by (home, host, sequence number)."""
        self.opened: dict[bytes, tuple[CanaryItem, bytes]] = {}
        """By request id: what was claimed first, and its family's name."""
        self.receipts: dict[bytes, tuple[int, bytes]] = {}
        """By RESULT: when its home had received it, and the home's signature."""
        self.handlers: Handlers = {
            "CanariesClaimed": self._canaries_claimed,
            "ClaimSkipped": self._claim_skipped,
            "ClaimedAgain": self._claimed_again,
            "Receipted": self._receipted,
        }

    def _claim_skipped(self, log: Logged) -> None:
        """Of an item that was not taken nothing else is logged; but others of its list were."""
        self._book.holds(log, "a code for skipped items", 64 <= log.args["reason"] <= 127)
        follows = ("ClaimSkipped", "CanariesClaimed")
        host, item = log.args["host"], log.args["item"]
        self._book.expect(log, follows, host=host)
        told = ("canary", host, None, None, None, log.args["reason"])
        self._book.skipped[log.block, log.log_index, item] = told

    def _canaries_claimed(self, log: Logged) -> None:
        book, host = self._book, log.args["host"]
        try:
            items = list(assets.read_canaries(log.args["claims"]))
        except ValueError as error:
            book.differs(log.where, "the claims", "in the packed form", str(error))
            return
        book.holds(log, "a list that claims anything", bool(items))
        book.not_final(log)
        for item in items:
            migration = book.places.get((item.home, host, item.seq))
            if migration is None or not migration.is_result:
                book.differs(log.where, "the canary's RESULT", "settled", "unknown")
            else:
                self._canary(log, item, migration)

    def _canary(self, log: Logged, item: CanaryItem, migration: Migration) -> None:
        book, record = self._book, migration.record
        answer = self._opened(log, item, migration)
        self._earns(log, migration)
        kudos_id = book.hash.kudos(CANARY, migration.answer_id, answer, item.seal_salt)
        self._is_free(log, item, migration, kudos_id)
        if item.form == assets.DRAWN:
            self._was_drawn(log, migration)
        if item.signature is not None:
            self._home_opened(log, item, migration)
        if record.place not in self.marks:
            book.caps.admit(record.home, record.host, CANARY, log.timestamp)
        self.marks.add(record.place)
        claim = book.open(
            *(migration, CANARY, migration.answer_id, kudos_id, log.timestamp),
            ORIGINS[item.form],
        )
        claim.run = (answer, item.seal_salt)
        if item.form != assets.PUZZLE:
            book.single[kudos_id] = claim
            return
        claim.state = VERIFIED
        book.tokens.due(log, record.host, CANARY, 1, book.contracts.claims)

    def _opened(self, log: Logged, item: CanaryItem, migration: Migration) -> bytes:
        """Checks commitment and seal, of a puzzle the solution too; gives the result digest."""
        book, record = self._book, migration.record
        mark, family = item.mark_hash, b""
        if item.form != assets.DRAWN:
            family = self._family(log, item)
            mark = assets.planted_mark(family, item.parameters, item.salt)
        self.opened.setdefault(migration.request_id, (item, family))
        commitment = book.hash.commitment(record, item.task_digest, mark)
        book.same(log, "the commitment opened", record.commitment, commitment)
        answer = item.answer
        if item.form == assets.PUZZLE:
            answer = assets.puzzle_digest(item.answer)
            number = item.family[0]
            known = self._puzzles.family(number) is not None
            asked = (number, item.parameters, item.answer, log.block)
            book.holds(log, "a solution", known and self._puzzles.solves(*asked))
        opened = assets.seal(answer, item.seal_salt, record.host, migration.request_id)
        book.same(log, "the seal", record.seal, opened)
        return answer

    def _family(self, log: Logged, item: CanaryItem) -> bytes:
        """The name that the mark was made with."""
        if item.form == assets.PLANTED:
            return item.family
        name = self._puzzles.family(item.family[0])
        self._book.holds(log, "a puzzle of a registered family", name is not None)
        return name or bytes(32)

    def _earns(self, log: Logged, migration: Migration) -> None:
        receipted = self._book.hash.kudos(2, migration.answer_id) in self._book.single
        earns = migration.in_time or receipted
        self._book.holds(log, "a RESULT in time, or receipted", earns)
        self._from_before_closing(log, migration)

    def _from_before_closing(self, log: Logged, migration: Migration) -> None:
        """A strict RESULT of a ledger that is closed is a record without consequences."""
        late = migration.root is None and self._book.closed_before(migration.settled_at)
        self._book.holds(log, "a RESULT from before the ledger was closed", not late)

    def _is_free(
        self, log: Logged, item: CanaryItem, migration: Migration, kudos_id: bytes
    ) -> None:
        """One RESULT has one K3. Only what is voted on can time out, and be claimed again."""
        book = self._book
        if migration.record.place not in self.marks:
            in_time = log.timestamp <= migration.settled_at + CLAIM_WINDOW
            book.holds(log, "a claim in time", in_time)
            return
        again = book.has_timed_out(kudos_id, log.timestamp, CLAIM_WINDOW)
        first = item.form != assets.PUZZLE and again
        book.holds(log, "a first claim, or one after the claim before timed out", first)

    def _was_drawn(self, log: Logged, migration: Migration) -> None:
        book = self._book
        value = self._beacons.value_at(migration.settled_at)
        if value is None:
            book.differs(log.where, "the beacon of the RESULT's period", "known", "unknown")
            return
        draw = keccak(abi_encode(["bytes32", "bytes32"], [value, migration.request_id]))
        drawn = int.from_bytes(draw[:2], "big") < book.rules.draw_rate
        book.holds(log, "a request that the beacon has drawn", drawn)

    def _home_opened(self, log: Logged, item: CanaryItem, migration: Migration) -> None:
        book = self._book
        book.assets += 1
        ids = (migration.request_id, migration.answer_id, item.task_digest)
        mark = (self._family(log, item), item.parameters, item.salt)
        opened = book.hash.digest("CanaryOpened", *ids, *mark, item.opened_at)
        holds = book.signed(log, item.home, opened, item.signature or b"")
        book.holds(log, "the opening's signature, the home's", holds)

    def _claimed_again(self, log: Logged) -> None:
        book, args = self._book, log.args
        migration = self._migration_of(log, args["assetId"])
        if migration is None:
            return
        level, kudos_id = 2 if migration.is_result else 1, args["kudosId"]
        book.same(log, "the level", level, args["level"])
        self._check_id(log, level, migration)
        if kudos_id in book.single:
            retired = book.has_timed_out(kudos_id, log.timestamp, CLAIM_WINDOW)
        else:
            retired = book.was_due
            book.holds(log, "a claim of a ledger that is not closed", not book.final_at)
        book.holds(log, "a claim whose time was over", retired)
        book.not_final(log)
        asset_id, time = migration.answer_id, log.timestamp
        book.single[kudos_id] = book.open(migration, level, asset_id, kudos_id, time)

    def _receipted(self, log: Logged) -> None:
        book, args = self._book, log.args
        migration = self._migration_of(log, args["resultId"])
        if migration is None or not migration.is_result:
            book.differs(log.where, "the asset receipted", "a RESULT", "none")
            return
        record, received, time = migration.record, args["receivedAt"], log.timestamp
        self._check_id(log, 2, migration)
        book.not_final(log)
        self._from_before_closing(log, migration)
        book.holds(log, "a RESULT that was settled late", not migration.in_time)
        ordered = record.result_at <= received <= record.deadline
        book.holds(log, "a RESULT received in time", ordered)
        book.holds(log, "a receipt in time", time <= migration.settled_at + CLAIM_WINDOW)
        book.holds(log, "a first claim", args["kudosId"] not in book.single)
        receipt = book.hash.digest("Receipt", args["resultId"], received)
        signed = book.signed(log, record.home, receipt, args["signature"])
        book.holds(log, "the receipt's signature, the home's", signed)
        admitted = book.caps.admit(record.home, record.host, 2, time)
        book.holds(log, "room under the cap", admitted)
        kudos_id, asset_id = args["kudosId"], migration.answer_id
        book.single[kudos_id] = book.open(migration, 2, asset_id, kudos_id, time)
        self.receipts[asset_id] = (received, args["signature"])

    def _check_id(self, log: Logged, level: int, migration: Migration) -> None:
        kudos_id = self._book.hash.kudos(level, migration.answer_id)
        self._book.same(log, "the Kudos id", kudos_id, log.args["kudosId"])
        self._book.same(log, "the host", migration.record.host, log.args["host"])

    def _migration_of(self, log: Logged, asset_id: bytes) -> Migration | None:
        migration = self._book.answered.get(asset_id)
        if migration is None:
            self._book.differs(log.where, "the asset claimed on", "settled", "unknown")
        return migration
