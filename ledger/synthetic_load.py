"""Writes rows straight into the tables of a new copy, past the indexer; roll-ups come last."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ledger import facet_rollups, rollups, schema
from ledger.errors import UsageError
from ledger.store import IndexStore
from ledger.synthetic_actors import SyntheticDeployment
from ledger.synthetic_progress import INSTRUCTIONS, Progress, silent
from ledger.types import BlockNumber, UnixSeconds


def load(
    path: Path,
    deployment: SyntheticDeployment,
    batches: Iterable[dict[str, list[tuple[object, ...]]]],
    indexed_at: int,
    progress: Progress | None = None,
) -> None:
    """Makes a copy from rows in the order of ``schema.ROWS`` (and of ``blocks``), past the indexer.

    Indexes come after the rows, roll-ups after the indexes.
    """
    if path.exists():
        raise UsageError(f"{path} exists.", hint="Give another file name, or delete it first.")
    progress = progress or silent()
    with IndexStore.open(path, deployment) as store:
        conn = store.connection
        conn.set_progress_handler(progress.look, INSTRUCTIONS)
        conn.execute("PRAGMA synchronous = OFF")
        conn.execute("PRAGMA cache_size = -1000000")
        sql = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        indexes = conn.execute(sql).fetchall()
        for name, _ in indexes:
            conn.execute(f"DROP INDEX {name}")
        for tables in batches:
            with store.transaction():
                for table, rows in tables.items():
                    if rows:
                        names = "" if table == "blocks" else f"({', '.join(schema.ROWS[table])})"
                        marks = ", ".join("?" * len(rows[0]))
                        conn.executemany(f"INSERT INTO {table} {names} VALUES ({marks})", rows)
        with store.transaction():
            progress.step("what was decided")
            conn.execute(
                "UPDATE kudos SET state = d.state, decided_block = d.block FROM decisions d"
                " WHERE d.kudos_id = kudos.kudos_id"
            )
            for number, (name, create) in enumerate(indexes, 1):
                progress.step(f"index {number} of {len(indexes)}, {name}")
                conn.execute(create)
            conn.execute(
                "UPDATE cursor SET (number, hash, timestamp) ="
                " (SELECT number, hash, timestamp FROM blocks ORDER BY number DESC LIMIT 1)"
            )
        _build_rollups(store, deployment, indexed_at, progress)


def _build_rollups(
    store: IndexStore, deployment: SyntheticDeployment, indexed_at: int, progress: Progress
) -> None:
    conn = store.connection
    with store.transaction():
        for column, sql in rollups.NODE_COUNTS.items():
            progress.step(f"totals of nodes, {column}")
            conn.execute(
                f"INSERT INTO nodes (address, {column}) {sql.format(who='1')}"
                f" ON CONFLICT (address) DO UPDATE SET {column} = excluded.{column}"
            )
        progress.step("totals of pairs")
        conn.execute(f"INSERT INTO pairs {rollups.PAIR_COUNTS}")
        progress.step("roll-ups of the desk")
        facet_rollups.add(conn, deployment.domain, 0, (1 << 63) - 1)
    cursor = store.cursor()
    if cursor:
        final = cursor.number - deployment.finality_depth
        store.note_head(cursor.number, BlockNumber(final), UnixSeconds(indexed_at))
