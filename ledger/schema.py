"""The tables of the indexed copy, and the named migrations that make them.

Rows are written once, with the block and log they came from; their block's digest covers them.
Three things change afterwards, all derived: ``kudos.state`` with ``decided_block``, the roll-ups
(``nodes`` and ``pairs`` here, those of ``ledger.facet_rollups``), and the one row of ``cursor``
with ``blocks.final``, which says that no reorganisation takes this block back any more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlite_utils import Database

CLAIMED, VERIFIED, REFUSED, VOID = 1, 2, 3, 4
"""kudos.state, as IKudosSteps.State and IClaimVotes.Standing."""

ABSTAIN, APPROVE, REFUSE = 0, 1, 2
"""votes.verdict."""

_REQUEST = (
    *("request_id", "home", "host", "process_id", "process_name", "commitment"),
    *("cpu_seconds", "memory_mib", "output_kib", "seq", "result_deadline", "requested_at"),
)

ROWS: dict[str, tuple[str, ...]] = {
    "logs": ("block_hash", "tx", "contract", "topics", "data", "block", "log_index"),
    "batches": ("host", "root", "records", "confirmed", "claim_bits", "block", "log_index"),
    "exclusions": ("host", "root", "validator", "record_bits", "block", "log_index"),
    "step_requests": (*_REQUEST, "block", "log_index"),
    "steps": ("asset_id", "request_id", "kind", "signed_at", "seal", "block", "log_index"),
    "signatures": ("asset_id", "signature", "block", "log_index"),
    "migrations": (
        *_REQUEST,
        *("answer_id", "answered_at", "rejection", "confirmed_id", "confirmed_at"),
        *("result_id", "seal", "finished_at", "home_signature"),
        *("root", "batch_index", "block", "log_index"),
    ),
    "kudos": (
        *("kudos_id", "repeats", "attempt"),
        *("level", "host", "home", "asset_id", "request_id", "origin"),
        *("root", "batch_index", "result_digest", "seal_salt", "epoch", "block", "log_index"),
    ),
    "receipts": ("result_id", "received_at", "signature", "block", "log_index"),
    "ballots": ("host", "root", "validator", "approve", "refuse", "block", "log_index"),
    "votes": ("kudos_id", "validator", "verdict", "reason", "block", "log_index"),
    "vote_commitments": ("validator", "round", "commitment", "block", "log_index"),
    "vote_reveals": ("validator", "round", "block", "log_index"),
    "decisions": ("kudos_id", "state", "block", "log_index"),
    "openings": (
        *("request_id", "home", "result_id", "task_digest", "family", "parameters", "salt"),
        *("solution", "opened_at", "signature", "block", "log_index"),
    ),
    "draws": (
        *("request_id", "home", "result_id", "task_digest", "mark_hash", "block", "log_index"),
    ),
    "skipped": (
        *("kind", "item", "host", "home", "root", "request_id", "reason", "block", "log_index"),
    ),
    "validator_sets": ("version", "seats", "threshold", "block", "log_index"),
    "proposals": (
        *("proposal", "content_hash", "proposer", "kind", "set_version", "seats", "threshold"),
        *("family", "implementation", "block", "log_index"),
    ),
    "proposal_votes": ("proposal", "validator", "verdict", "block", "log_index"),
    "proposal_steps": ("proposal", "kind", "ready_at", "block", "log_index"),
    "families": ("number", "family", "implementation", "block", "log_index"),
    "beacon_commitments": ("period", "validator", "commitment", "block", "log_index"),
    "beacon_reveals": ("period", "validator", "secret", "block", "log_index"),
    "beacon_steps": ("period", "kind", "number", "beacon", "block", "log_index"),
    "tests": (*("kudos_id", "request_id", "result_id", "seal_salt", "salt", "block", "log_index"),),
    "puzzles": ("host", "counter", "difficulty", "number", "block", "log_index"),
    "carried": ("host", "k1", "k2", "k3", "block", "log_index"),
    "life": ("kind", "number", "contract", "block", "log_index"),
}
"""The written-once tables and the columns that a row's digest covers.

``kudos.kudos_id`` is the id of the KUDOS asset where it is claimed for the first time; a claim that
is made again names that id in ``repeats`` and has one of its own, made from it and ``attempt``.
``home`` is zero where the contract itself gave the puzzle. A migration that came the strict way has
no ``root``; its single assets are in ``steps``, the signatures of those in ``signatures``, and
where there is none the owner sent the transaction. ``tests`` are claims that tested the validators;
``kudos_id`` is the id of the first claim.
"""

NODE_TOTALS = (
    *("k1", "k2", "k3", "claims", "refused", "void"),
    *("requests", "accepted", "rejected", "hosted", "rejections"),
    *("canaries_opened", "canaries_passed"),
)
"""Roll-up columns of ``nodes``: Kudos as host; requests as home; answers as host; canaries. A claim
that takes the place of an open one is counted once: ``claims`` less those decided is what waits."""

_INTEGERS = frozenset(
    {
        *("block", "log_index", "records", "confirmed", "cpu_seconds", "memory_mib", "output_kib"),
        *("seq", "result_deadline", "requested_at", "answered_at", "rejection", "confirmed_at"),
        *("finished_at", "batch_index", "level", "epoch", "attempt", "verdict", "reason", "state"),
        *("signed_at", "received_at", "opened_at", "item", "round", "version", "threshold"),
        *("proposal", "set_version", "ready_at", "period", "counter"),
        *("difficulty", "number", "timestamp", "logs", "final", "count", "indexed_at", "head"),
        *("final_number", "decided_block", *NODE_TOTALS),
    }
)
_TEXTS = frozenset({"origin", "kind", "key", "value", "name"})

Migration = Callable[[Database], None]


def _create(
    db: Database, table: str, columns: tuple[str, ...], pk: Any, optional: set[str]
) -> None:
    db.table(table).create(
        {column: _kind(column) for column in columns},
        pk=pk,
        not_null=set(columns) - optional,
        strict=True,
    )


def _kind(column: str) -> type:
    if column in _INTEGERS:
        return int
    return str if column in _TEXTS else bytes


def create_tables(db: Database) -> None:
    """Version 1: everything that the first release reads and writes."""
    _create(db, "meta", ("key", "value"), "key", set())
    block = ("number", "hash", "parent", "timestamp", "logs", "digest", "final")
    _create(db, "blocks", block, "number", set())
    columns = ("id", "number", "hash", "timestamp", "indexed_at", "head", "final_number")
    db.table("cursor").create(
        {"id": int, **{column: _kind(column) for column in columns[1:]}}, pk="id", strict=True
    )
    for table, row in ROWS.items():
        key = _KEYS.get(table, ("block", "log_index"))
        _create(db, table, row, key, _NULLABLE.get(table, set()))
    _create_totals(db)
    for statement in _ADDITIONS:
        db.execute(statement)


def _create_totals(db: Database) -> None:
    db.table("nodes").create(
        {"address": bytes, **dict.fromkeys(NODE_TOTALS, int)},
        pk="address",
        not_null={"address", *NODE_TOTALS},
        defaults=dict.fromkeys(NODE_TOTALS, 0),
        strict=True,
    )
    pair = ("home", "host", "level", "epoch", "count")
    _create(db, "pairs", pair, ("home", "host", "level", "epoch"), set())


_KEYS: dict[str, Any] = {
    "logs": ("block_hash", "log_index"),
    "batches": ("host", "root"),
    "exclusions": ("host", "root", "validator"),
    "step_requests": "request_id",
    "steps": "asset_id",
    "signatures": "asset_id",
    "migrations": "request_id",
    "kudos": "kudos_id",
    "receipts": "result_id",
    "ballots": ("host", "root", "validator"),
    "votes": ("kudos_id", "validator"),
    "vote_commitments": ("validator", "round"),
    "vote_reveals": ("validator", "round"),
    "decisions": "kudos_id",
    "openings": "request_id",
    "tests": "kudos_id",
    "draws": "request_id",
    "skipped": ("block", "log_index", "item"),
    "validator_sets": "version",
    "proposals": "proposal",
    "families": "number",
    "beacon_commitments": ("period", "validator"),
    "beacon_reveals": ("period", "validator"),
}
"""What a row is found by; elsewhere the log that it came from."""

_NULLABLE: dict[str, set[str]] = {
    "steps": {"signed_at", "seal"},
    "migrations": {
        *("rejection", "confirmed_id", "confirmed_at", "result_id", "seal", "finished_at"),
        *("home_signature", "root", "batch_index"),
    },
    "kudos": {"repeats", "origin", "root", "batch_index", "result_digest", "seal_salt"},
    "votes": {"reason"},
    "openings": {"solution", "opened_at", "signature"},
    "skipped": {"host", "home", "root", "request_id"},
    "proposal_steps": {"ready_at"},
    "beacon_steps": {"number", "beacon"},
    "life": {"number", "contract"},
}

_ADDITIONS = (
    "CREATE INDEX blocks_open ON blocks (number) WHERE final = 0",
    f"ALTER TABLE kudos ADD COLUMN state INTEGER NOT NULL DEFAULT {CLAIMED}",
    "ALTER TABLE kudos ADD COLUMN decided_block INTEGER",
    # One index per table finds a block's rows, for rolling back and for checking digests.
    *(f"CREATE INDEX {table}_by_block ON {table} (block, log_index)" for table in ROWS),
    "CREATE INDEX migrations_by_home ON migrations (home, block, log_index)",
    "CREATE INDEX migrations_by_host ON migrations (host, block, log_index)",
    "CREATE UNIQUE INDEX migrations_by_sequence ON migrations (home, host, seq)",
    "CREATE INDEX kudos_by_host ON kudos (host, decided_block)",
    "CREATE INDEX kudos_by_request ON kudos (request_id)",
    "CREATE INDEX kudos_by_place ON kudos (host, root, batch_index) WHERE level < 3",
    f"CREATE INDEX kudos_open ON kudos (block, log_index) WHERE state = {CLAIMED}",
    "CREATE INDEX kudos_by_repeats ON kudos (repeats, attempt) WHERE repeats IS NOT NULL",
    "CREATE INDEX beacon_steps_by_period ON beacon_steps (period)",
    "CREATE INDEX steps_by_request ON steps (request_id)",
    "CREATE INDEX migrations_by_result ON migrations (substr(result_id, 1, 8))"
    " WHERE result_id IS NOT NULL",
    "CREATE INDEX migrations_by_answer ON migrations (substr(answer_id, 1, 8))",
    "CREATE INDEX skipped_by_request ON skipped (request_id)",
    "CREATE INDEX tests_by_request ON tests (request_id)",
    "CREATE INDEX openings_by_home ON openings (home)",
    "CREATE INDEX votes_by_validator ON votes (validator, verdict)",
)


def add_facets(db: Database) -> None:
    """Version 2: what the auditor's desk looks things up by."""
    from ledger import facet_schema  # its tables are described in this module's words

    facet_schema.add_facets(db)


MIGRATIONS: tuple[Migration, ...] = (create_tables, add_facets)
"""In order; PRAGMA user_version counts how many of them a file has had."""

VERSION = len(MIGRATIONS)


def migrate(db: Database) -> None:
    """Brings a file to this version; each migration is committed together with its own record."""
    (done,) = db.execute("PRAGMA user_version").fetchone()
    for number, migration in enumerate(MIGRATIONS[done:], start=done + 1):
        with db.atomic():
            migration(db)
            db.execute(f"PRAGMA user_version = {number}")
