"""Batches, judged again record by record in the order in which the contract looks."""

from __future__ import annotations

from ledger.audit_assets import Record, merkle_root, read_batch, signed_by
from ledger.audit_book import Book, Handlers
from ledger.audit_logs import Logged
from ledger.audit_seats import APPROVE, is_refusal, is_vote
from ledger.audit_state import OPEN, REFUSED, VERIFIED, Batch
from ledger.audit_windows import CLAIM_WINDOW, deadline_reason
from ledger.reasons import Reason

REFUSAL, ABSTENTION = 129, 144
"""What stands for a ballot's bit; the codes beside it only say why."""


class Batches:
    """Settlement of batches, and the votes on their claims."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self.batches: dict[tuple[bytes, bytes], Batch] = {}
        self._excluded: dict[bytes, int] = {}
        self._voter = b""
        self.handlers: Handlers = {
            "ValidatorExcluded": self._validator_excluded,
            "BatchSettled": self._batch_settled,
            "BatchVoted": self._batch_voted,
            "BatchDecided": self._batch_decided,
        }

    def _validator_excluded(self, log: Logged) -> None:
        """Comes before the batch, one for each of its parties that is a validator."""
        args = log.args
        first = args["validator"] not in self._excluded
        self._book.holds(log, "a validator's only exclusion", first)
        self._excluded[args["validator"]] = args["records"]
        follows = ("ValidatorExcluded", "BatchSettled")
        self._book.expect(log, follows, host=args["host"], root=args["root"])

    def _batch_settled(self, log: Logged) -> None:
        book, host, root = self._book, log.args["host"], log.args["root"]
        excluded, self._excluded = self._excluded, {}
        book.holds(log, "a batch of a ledger that is not closed", not book.final_at)
        try:
            records = read_batch(host, log.args["batch"])
        except (ValueError, IndexError) as error:
            book.differs(log.where, "the batch", "in the packed form", str(error))
            return
        named = _parties(records, host, book.seats.validators)
        book.same(log, "the validators excluded", sorted(named.items()), sorted(excluded.items()))
        batch = Batch(len(records), log.args["batch"][2], log.timestamp, named)
        skipped = self._settle_records(batch, records, root, log)
        self.batches[host, root] = batch
        claims = sum(1 << index for index in batch.claims)
        book.same(log, "the list of skipped records", list(skipped), list(log.args["skipped"]))
        book.same(log, "the claims of the batch", hex(claims), hex(log.args["claims"]))
        book.same(log, "the Merkle root", merkle_root(batch.leaves), root)
        book.holds(log, "a batch that settles anything", len(skipped) < 2 * len(records))

    def _settle_records(
        self, batch: Batch, records: list[Record], root: bytes, log: Logged
    ) -> bytes:
        book, time, skipped = self._book, log.timestamp, b""
        for index, record in enumerate(records):
            reason = self._skip_reason(record, time)
            if reason is not None:
                skipped += bytes((index, reason))
                batch.leaves.append(bytes(32))
                request_id = book.hash.request(record)
                told = ("record", record.host, record.home, root, request_id, int(reason))
                book.skipped[log.block, log.log_index, index] = told
                continue
            migration = book.settle(record, time, root)
            batch.leaves.append(migration.answer_id)
            book.assets += 4 if migration.is_result else 2
            if claim := book.earn(migration, time):
                batch.claims[index], claim.place = claim, (root, index)
        return skipped

    def _skip_reason(self, record: Record, time: int) -> Reason | None:
        """Why the contract must have skipped this record."""
        if record.home == record.host:
            return Reason.SELF
        if (late := deadline_reason(record, time)) is not None:
            return late
        is_confirmed = record.reason is None
        ordered = record.answered_at <= record.confirmed_at <= record.result_at
        if is_confirmed and not ordered:
            return Reason.BAD_ORDER
        if record.place in self._book.used:
            return Reason.SEQUENCE_USED
        hasher = self._book.hash
        signed = hasher.confirmed(record) if is_confirmed else hasher.request(record)
        return None if signed_by(signed, record.signature, record.home) else Reason.BAD_SIGNATURE

    def _batch_voted(self, log: Logged) -> None:
        book, batch = self._book, self._batch_of(log)
        if batch is None:
            return
        validator, approve, refuse = (log.args[n] for n in ("validator", "approve", "refuse"))
        known = book.seats.is_eligible(validator, batch.settled_at)
        book.holds(log, "a vote of a registered validator, seated before the batch", known)
        book.holds(log, "a validator's first vote", validator not in batch.ballots)
        book.not_final(log)
        votable = sum(1 << index for index in batch.claims) & ~batch.excluded.get(validator, 0)
        book.same(log, "votes on no claim", "0x0", hex((approve | refuse) & ~votable))
        book.same(log, "claims both approved and refused", "0x0", hex(approve & refuse))
        self._check_reasons(log, votable)
        batch.ballots[validator] = (approve, refuse)
        given = log.args["reasons"]
        for index, code in zip(given[::2], given[1::2], strict=False):
            batch.codes[validator, index] = code
        self._voter = validator
        seat = book.seats.seat_of(validator)
        if seat is None:
            return
        for index, claim in batch.claims.items():
            words = (REFUSAL if refuse >> index & 1 else ABSTENTION, APPROVE)
            claim.votes[seat] = (validator, words[approve >> index & 1])
        verified, refused = self._due(batch)
        if verified | refused:
            place = {name: log.args[name] for name in ("host", "root")}
            book.expect(log, "BatchDecided", **place, verified=verified, refused=refused)

    def _check_reasons(self, log: Logged, votable: int) -> None:
        """Codes that agree with the bits. Of what is no claim, only that they are no approval."""
        given, approve, refuse = (log.args[n] for n in ("reasons", "approve", "refuse"))
        book = self._book
        book.holds(log, "reasons in at most 128 pairs", len(given) % 2 == 0 and len(given) <= 256)
        for index, code in zip(given[::2], given[1::2], strict=False):
            refuses = is_refusal(code)
            agrees = is_vote(code) and code != APPROVE and not approve >> index & 1
            if votable >> index & 1:
                agrees = agrees and refuses == bool(refuse >> index & 1)
            book.holds(log, f"the reason {code} for record {index}", agrees)

    def _due(self, batch: Batch) -> tuple[int, int]:
        """The claims that the votes decide now and had not decided before."""
        masks = {OPEN: 0, VERIFIED: 0, REFUSED: 0}
        for index, claim in batch.claims.items():
            if claim.state == OPEN:
                masks[self._book.seats.standing_in_ledger(claim)] |= 1 << index
        return masks[VERIFIED], masks[REFUSED]

    def _batch_decided(self, log: Logged) -> None:
        """Behind a vote, by a recount, or as the end of a claim that is made again elsewhere."""
        book, batch = self._book, self._batch_of(log)
        if batch is None:
            return
        decided = (log.args["verified"], log.args["refused"])
        operator = self._voter if book.was_due else None
        if not book.was_due:
            self._check_without_vote(log, batch, decided)
        for index in range(128):
            for bits, state in zip(decided, (VERIFIED, REFUSED), strict=True):
                if bits >> index & 1:
                    self._decide(log, batch, index, state, operator)

    def _check_without_vote(self, log: Logged, batch: Batch, decided: tuple[int, int]) -> None:
        """A recount, or the one claim that waited too long; where it may be either, the log behind
        it tells."""
        book, due = self._book, self._due(batch)
        again = {"host": log.args["host"]}
        if self._may_be_retired(log, batch):
            again["assetId"] = batch.leaves[decided[1].bit_length() - 1]
            if decided != due:
                book.expect(log, "ClaimedAgain", **again)
                return
            book.allow(log, "ClaimedAgain", **again)
        book.not_final(log)
        book.same(log, "what a recount decides", tuple(map(hex, due)), tuple(map(hex, decided)))

    def _may_be_retired(self, log: Logged, batch: Batch) -> bool:
        """Whether this is the end of one open claim, which nobody decided in time."""
        verified, refused = log.args["verified"], log.args["refused"]
        claim = batch.claims.get(refused.bit_length() - 1)
        waited = log.timestamp > batch.settled_at + CLAIM_WINDOW
        is_open = claim is not None and claim.state == OPEN
        return waited and is_open and not verified and refused.bit_count() == 1

    def _decide(
        self, log: Logged, batch: Batch, index: int, state: int, operator: bytes | None
    ) -> None:
        claim = batch.claims.get(index)
        if claim is None or claim.state != OPEN:
            self._book.differs(log.where, f"record {index}", "an open claim", "decided without one")
            return
        claim.state = state
        if state == VERIFIED:
            self._book.tokens.due(log, claim.host, claim.level, 1, operator)

    def _batch_of(self, log: Logged) -> Batch | None:
        batch = self.batches.get((log.args["host"], log.args["root"]))
        if batch is None:
            self._book.differs(log.where, "the batch voted on", "settled", "unknown")
        return batch


def _parties(records: list[Record], host: bytes, validators: list[bytes]) -> dict[bytes, int]:
    """Which records each validator is a party to, skipped ones included."""
    found: dict[bytes, int] = {}
    for index, record in enumerate(records):
        for party in {record.home, host}:
            if party in validators:
                found[party] = found.get(party, 0) | 1 << index
    return found
