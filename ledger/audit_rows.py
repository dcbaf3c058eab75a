"""What the indexed copy has to hold of migrations, Kudos and claims. Pure.

What it has to hold of the validators and of the ledger's life is in ``ledger.audit_rule_rows``.
"""

from __future__ import annotations

from eth_utils.crypto import keccak

from ledger.audit_assets import DRAWN, PUZZLE, Record
from ledger.audit_recount import Recount
from ledger.audit_rule_rows import RULE_TABLES, Row, Rows, Tables
from ledger.audit_seats import APPROVE, is_refusal
from ledger.audit_state import OPEN, Claim, Migration

_REQUEST = (
    "home, host, process_id, process_name, commitment, cpu_seconds, memory_mib, output_kib,"
    " seq, result_deadline, requested_at"
)
_KUDOS = (
    "kudos_id, repeats, attempt, level, host, home, asset_id, request_id, origin,"
    " root, batch_index, result_digest, seal_salt, epoch"
)
_ANSWER = (
    "answer_id, answered_at, rejection, confirmed_id, confirmed_at, result_id, seal, finished_at,"
    " home_signature, root, batch_index"
)
_SKIPPED = "kind, host, home, root, request_id, reason"
_OPENING = "home, result_id, task_digest, family, parameters, salt, solution, opened_at, signature"
_STATE = f"CASE WHEN decided_block > :at THEN {OPEN} ELSE state END"
"""What was decided later than the audited block was open then."""


def row_id(claim: Claim) -> bytes:
    """A Kudos claimed again has a row of its own in the copy."""
    if not claim.attempt:
        return claim.kudos_id
    return bytes(keccak(claim.kudos_id + claim.attempt.to_bytes(4, "big")))


def verdict_of(reason: int) -> int:
    """The copy's number for what a vote says: abstained 0, approved 1, refused 2."""
    return 1 if reason == APPROVE else 2 * is_refusal(reason)


def _bits(mask: int) -> bytes:
    return mask.to_bytes(16, "big")


# -- migrations and their Kudos -----------------------------------------------------------------


def _request(record: Record) -> Row:
    texts = (record.process_id, record.process_name, record.commitment)
    limits = (record.cpu_seconds, record.memory_mib, record.output_kib)
    times = (record.seq, record.deadline, record.signed_at)
    return (record.home, record.host, *texts, *limits, *times)


def _migrations(recount: Recount) -> Rows:
    places: dict[bytes, int] = {
        leaf: index
        for batch in recount.batches.batches.values()
        for index, leaf in enumerate(batch.leaves)
    }
    return {
        (migration.request_id,): (
            *_request(migration.record),
            *_answer(recount, migration),
            migration.record.signature if migration.root is not None else None,
            migration.root,
            None if migration.root is None else places.get(migration.answer_id),
        )
        for migration in recount.book.migrations.values()
    }


def _answer(recount: Recount, migration: Migration) -> Row:
    record, hasher = migration.record, recount.book.hash
    if record.reason is not None:
        return (migration.answer_id, record.answered_at, record.reason, *(None,) * 5)
    confirmed = (hasher.confirmed(record), record.confirmed_at)
    result = (migration.answer_id, record.seal, record.result_at)
    return (hasher.accepted(record), record.answered_at, None, *confirmed, *result)


def _kudos(recount: Recount) -> Rows:
    epoch = recount.book.rules.epoch_seconds
    return {
        (row_id(claim),): (
            *(claim.kudos_id if claim.attempt else None, claim.attempt, claim.level),
            *(claim.host, claim.home, claim.asset_id, claim.request_id, claim.origin),
            *(claim.place or (None, None)),
            *(claim.run or (None, None)),
            *(claim.opened_at // epoch, claim.state),
        )
        for claim in recount.book.claims
    }


def _decisions(recount: Recount) -> Rows:
    return {
        (row_id(claim),): (claim.state,) for claim in recount.book.claims if claim.state != OPEN
    }


# -- batches and single assets ------------------------------------------------------------------


def _batches(recount: Recount) -> Rows:
    return {
        place: (batch.records, batch.confirmed, _bits(sum(1 << index for index in batch.claims)))
        for place, batch in recount.batches.batches.items()
    }


def _exclusions(recount: Recount) -> Rows:
    return {
        (*place, validator): (_bits(records),)
        for place, batch in recount.batches.batches.items()
        for validator, records in batch.excluded.items()
    }


def _ballots(recount: Recount) -> Rows:
    return {
        (*place, validator): tuple(map(_bits, said))
        for place, batch in recount.batches.batches.items()
        for validator, said in batch.ballots.items()
    }


def _requests(recount: Recount) -> Rows:
    requests = recount.steps.requests
    return {(request_id,): _request(step.record) for request_id, step in requests.items()}


def _steps(recount: Recount) -> Rows:
    return {(asset_id,): what for asset_id, what in recount.steps.assets.items()}


def _signatures(recount: Recount) -> Rows:
    return {(asset_id,): (words,) for asset_id, words in recount.steps.signatures.items()}


def _votes(recount: Recount) -> Rows:
    said: dict[Row, Row] = {
        (row_id(claim), voter): (verdict_of(reason), reason)
        for claim in recount.book.claims
        for voter, reason in claim.votes.values()
    }
    for batch in recount.batches.batches.values():
        for index, claim in batch.claims.items():
            for voter, reason in claim.votes.values():
                code = APPROVE if reason == APPROVE else batch.codes.get((voter, index))
                said[row_id(claim), voter] = (verdict_of(reason), code)
    return said


def _skipped(recount: Recount) -> Rows:
    return {(*place,): told for place, told in recount.book.skipped.items()}


# -- the claims contract ------------------------------------------------------------------------


def _receipts(recount: Recount) -> Rows:
    return {(result_id,): told for result_id, told in recount.claims.receipts.items()}


def _openings(recount: Recount) -> Rows:
    found: dict[Row, Row] = {}
    for request_id, (item, family) in recount.claims.opened.items():
        if item.form == DRAWN:
            continue
        result_id = recount.book.migrations[request_id].answer_id
        mark = (item.task_digest, family, item.parameters, item.salt)
        solution = item.answer if item.form == PUZZLE else None
        signed: Row = (None, None)
        if item.signature is not None:
            signed = (_signed_64(item.opened_at), item.signature)
        found[request_id,] = (item.home, result_id, *mark, solution, *signed)
    return found


def _signed_64(value: int) -> int:
    """As SQLite holds it: its integers have a sign."""
    return value - (1 << 64) if value >> 63 else value


def _draws(recount: Recount) -> Rows:
    migrations = recount.book.migrations
    return {
        (request_id,): (
            *(item.home, migrations[request_id].answer_id),
            *(item.task_digest, item.mark_hash),
        )
        for request_id, (item, _) in recount.claims.opened.items()
        if item.form == DRAWN
    }


def _tests(recount: Recount) -> Rows:
    return {(kudos_id,): shown for kudos_id, shown in recount.tests.shown.items()}


def _vote_commitments(recount: Recount) -> Rows:
    return {key: (sealed,) for key, sealed in recount.votes.sealed.items()}


def _vote_reveals(recount: Recount) -> Rows:
    return dict.fromkeys(recount.votes.revealed, ())


def _families(recount: Recount) -> Rows:
    return {(number,): what for number, what in enumerate(recount.puzzles.families, start=1)}


def _puzzles(recount: Recount) -> Rows:
    targets = recount.puzzles.targets
    return {(host, counter): target for (host, counter), target in targets.items()}


TABLES: Tables = (
    ("kudos", f"1, {_KUDOS}, {_STATE}", _kudos),
    ("migrations", f"1, request_id, {_REQUEST}, {_ANSWER}", _migrations),
    ("decisions", "1, kudos_id, state", _decisions),
    ("batches", "2, host, root, records, confirmed, claim_bits", _batches),
    ("exclusions", "3, host, root, validator, record_bits", _exclusions),
    ("ballots", "3, host, root, validator, approve, refuse", _ballots),
    ("step_requests", f"1, request_id, {_REQUEST}", _requests),
    ("steps", "1, asset_id, request_id, kind, signed_at, seal", _steps),
    ("signatures", "1, asset_id, signature", _signatures),
    ("votes", "2, kudos_id, validator, verdict, reason", _votes),
    ("skipped", f"3, block, log_index, item, {_SKIPPED}", _skipped),
    ("receipts", "1, result_id, received_at, signature", _receipts),
    ("openings", f"1, request_id, {_OPENING}", _openings),
    ("draws", "1, request_id, home, result_id, task_digest, mark_hash", _draws),
    ("tests", "1, kudos_id, request_id, result_id, seal_salt, salt", _tests),
    ("vote_commitments", "2, validator, round, commitment", _vote_commitments),
    ("vote_reveals", "2, validator, round", _vote_reveals),
    ("families", "1, number, family, implementation", _families),
    ("puzzles", "2, host, counter, difficulty, number", _puzzles),
    *RULE_TABLES,
)
"""Those of migrations, Kudos and claims, and those of the rule."""

GROUPED = {"carried": " GROUP BY host"}
"""Where a node's rows belong together."""
