"""Version 2 of the tables: what the auditor's desk looks things up by."""

from __future__ import annotations

from sqlite_utils import Database

from ledger import facet_rollups, facet_sums
from ledger.eip712 import Domain
from ledger.types import address_from_hex

_KEY_TYPES = {"dimension": "INTEGER", "value": "ANY", "day": "INTEGER", "unit": "INTEGER"}
_KEY_TYPES |= {"origin": "TEXT"}

_ADDITIONS = (
    "ALTER TABLE kudos ADD COLUMN process_name BLOB",
    "ALTER TABLE openings ADD COLUMN host BLOB",
    "ALTER TABLE openings ADD COLUMN process_name BLOB",
    "ALTER TABLE openings ADD COLUMN opened_id BLOB",
    *(f"ALTER TABLE steps ADD COLUMN {column} BLOB" for column in facet_rollups.STEP_PARTIES),
    "ALTER TABLE steps ADD COLUMN rejection INTEGER",
    "CREATE INDEX blocks_by_time ON blocks (timestamp)",
    "CREATE INDEX migrations_by_name ON migrations (process_name, block, log_index)",
    *(
        f"CREATE INDEX {table}_of_{column} ON {table} ({column}, block, log_index)"
        for table in ("kudos", "openings", "steps")
        for column in ("home", "host", "process_name")
    ),
    "CREATE INDEX migrations_rejected ON migrations (block, log_index) WHERE rejection IS NOT NULL",
    # The sum keeps SQLite from taking this index, which leaves a third of the table, for questions
    # that name a level beside something rarer.
    "CREATE INDEX kudos_of_level ON kudos (level + 0, block, log_index)",
    "CREATE INDEX kudos_lacking ON kudos (state, block, log_index) WHERE state != 2",
    "CREATE INDEX kudos_lacking_of ON kudos (host, state, block, log_index) WHERE state != 2",
    "CREATE INDEX skipped_of ON skipped (host, block, log_index, item)",
    "CREATE INDEX carried_of ON carried (host)",
    "CREATE INDEX openings_solved ON openings (block) WHERE solution IS NOT NULL",
    "CREATE INDEX votes_of ON votes (validator, block, log_index)",
    # Eight bytes are enough to find a digest by, and a third of the room.
    *(
        f"CREATE INDEX {name} ON {table} (substr({column}, 1, 8)) WHERE {column} IS NOT NULL"
        for name, table, column in (
            ("answers_by_id", "migrations", "answer_id"),
            ("confirmed_by_id", "migrations", "confirmed_id"),
            ("results_by_id", "migrations", "result_id"),
            ("openings_by_id", "openings", "opened_id"),
        )
    ),
    "CREATE INDEX logs_by_tx ON logs (substr(tx, 1, 8))",
    "CREATE INDEX facets_by_total ON facets (dimension, total)",
    "CREATE INDEX flows_by_points ON flows (points, home, host)",
    "CREATE INDEX flows_to ON flows (host, points, home)",
    "CREATE INDEX flows_from ON flows (home, points, host)",
    "CREATE INDEX node_days_by_day ON node_days (day)",
)


def add_facets(db: Database) -> None:
    """Version 2: roll-ups and indexes of the auditor's desk, built from the rows there are."""
    for table, (keys, counts) in facet_sums.TABLES.items():
        columns = [f"{key} {_key_type(table, key)} NOT NULL" for key in keys]
        columns += [f"{count} INTEGER NOT NULL DEFAULT 0" for count in counts]
        db.execute(
            f"CREATE TABLE {table} ({', '.join(columns)}, PRIMARY KEY ({', '.join(keys)}))"
            " STRICT, WITHOUT ROWID"
        )
    for statement in _ADDITIONS:
        db.execute(statement)
    meta = dict(db.execute("SELECT key, value FROM meta").fetchall())
    if meta:  # a copy that had blocks before this version
        domain = Domain(int(meta["chain_id"]), address_from_hex(meta["contract"]))
        facet_rollups.add(db.conn, domain, 0, (1 << 63) - 1)


def _key_type(table: str, key: str) -> str:
    if (table, key) == ("vote_latency", "value"):
        return "INTEGER"
    return _KEY_TYPES.get(key, "BLOB")
