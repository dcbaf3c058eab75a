"""The desk's roll-ups are the same whichever way they came about: block by block, after a
reorganisation, loaded in bulk, or by an upgrade; and damage to them is found."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ledger import schema
from ledger.eip712 import digest
from ledger.facet_rollups import check_facets
from ledger.facet_sums import TABLES
from ledger.indexer import Indexer
from ledger.ports import SystemClock
from ledger.reader import Reader
from ledger.store import IndexStore
from ledger.synthetic import SyntheticChain
from ledger.synthetic_actors import Settings
from ledger.synthetic_load import load
from ledger.types import Digest

DERIVED = {
    "kudos": "kudos_id, process_name, state, decided_block",
    "openings": "request_id, host, process_name, opened_id",
    "nodes": "*",
    "pairs": "*",
}


@pytest.fixture
def chain() -> SyntheticChain:
    made = SyntheticChain(Settings(nodes=5, refused=0.1, finality_depth=3, signatures=False))
    for _ in range(7):
        made.mine(30)
    return made


def index(chain: SyntheticChain, path: Path) -> Path:
    with IndexStore.open(path, chain.deployment) as store:
        Indexer(chain, store, chain.deployment, SystemClock()).step()
    return path


def derived(path: Path) -> dict[str, set[tuple[Any, ...]]]:
    """All that is worked out from the rows; a count that came back to nothing does not count."""
    conn = sqlite3.connect(path)
    found = {
        table: set(conn.execute(f"SELECT {columns} FROM {table}"))
        for table, columns in DERIVED.items()
    }
    for table, (_, counts) in TABLES.items():
        some = " OR ".join(f"{count} != 0" for count in counts)
        found[table] = set(conn.execute(f"SELECT * FROM {table} WHERE {some}"))
    conn.close()
    assert all(found.values()), "a table without a row proves nothing"
    return found


def test_loaded_in_bulk_they_are_those_of_the_indexer(
    chain: SyntheticChain, tmp_path: Path
) -> None:
    ordinary, bulk = index(chain, tmp_path / "ordinary.db"), tmp_path / "bulk.db"
    conn = sqlite3.connect(ordinary)
    rows: dict[str, list[tuple[object, ...]]] = {
        "blocks": list(conn.execute("SELECT * FROM blocks"))
    }
    for table, columns in schema.ROWS.items():
        rows[table] = list(conn.execute(f"SELECT {', '.join(columns)} FROM {table}"))
    conn.close()
    load(bulk, chain.deployment, [rows], indexed_at=1)
    assert derived(bulk) == derived(ordinary)
    with IndexStore.open(bulk, chain.deployment) as store:
        assert store.verify_digests() == []
    names = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
    with sqlite3.connect(bulk) as first, sqlite3.connect(ordinary) as second:
        assert list(first.execute(names)) == list(second.execute(names))
    first.close()
    second.close()


@pytest.mark.parametrize(("depth", "blocks"), [(1, 2), (4, 3), (7, 7)])
def test_after_a_reorganisation_they_are_those_of_the_new_chain(
    chain: SyntheticChain, tmp_path: Path, depth: int, blocks: int
) -> None:
    path = index(chain, tmp_path / "index.db")
    before = derived(path)
    chain.fork(depth, blocks, migrations=20)
    index(chain, path)
    fresh = derived(index(chain, tmp_path / "fresh.db"))
    assert derived(path) == fresh != before
    conn = sqlite3.connect(path)
    assert list(check_facets(conn)) == []
    conn.close()


def test_a_copy_of_version_1_is_brought_up_to_date(chain: SyntheticChain, tmp_path: Path) -> None:
    path = index(chain, tmp_path / "index.db")
    expected = derived(path)
    conn = sqlite3.connect(path, isolation_level=None)
    # What version 1 did not have.
    ours = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    first = SyntheticChain(chain.settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
        with IndexStore.open(tmp_path / "version1.db", first.deployment) as store:
            kept = {row[0] for row in store.connection.execute(ours)}
    for (name,) in conn.execute(ours).fetchall():
        if name not in kept:
            conn.execute(f"DROP INDEX {name}")
    for table in TABLES:
        conn.execute(f"DROP TABLE {table}")
    conn.execute("ALTER TABLE kudos DROP COLUMN process_name")
    for column in ("home", "host", "process_name", "rejection"):
        conn.execute(f"ALTER TABLE steps DROP COLUMN {column}")
    for column in ("host", "process_name", "opened_id"):
        conn.execute(f"ALTER TABLE openings DROP COLUMN {column}")
    conn.execute("PRAGMA user_version = 1")
    conn.close()
    with IndexStore.open(path, chain.deployment) as store:
        assert store.verify_digests() == []
    assert derived(path) == expected


def test_the_id_of_an_opening_is_its_digest(chain: SyntheticChain, tmp_path: Path) -> None:
    path = index(chain, tmp_path / "index.db")
    conn = sqlite3.connect(path)
    ids = dict(conn.execute("SELECT request_id, opened_id FROM openings"))
    conn.close()
    with Reader.open(path, chain.deployment) as reader:
        for request_id, opened_id in ids.items():
            opening = reader.opening(Digest(request_id))
            assert opening is not None
            assert digest(chain.deployment.domain, opening.asset) == opened_id


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("change", ["changed", "lost"])
def test_damage_is_found(chain: SyntheticChain, tmp_path: Path, table: str, change: str) -> None:
    path = index(chain, tmp_path / "index.db")
    keys, counts = TABLES[table]
    conn = sqlite3.connect(path, isolation_level=None)
    count, key = counts[0], ", ".join(keys)
    one = f"({key}) = (SELECT {key} FROM {table} WHERE {count} > 0 LIMIT 1)"
    if change == "changed":
        conn.execute(f"UPDATE {table} SET {count} = {count} + 1 WHERE {one}")
    else:
        conn.execute(f"DELETE FROM {table} WHERE {one}")
    found = list(check_facets(conn))
    conn.close()
    assert found and all(f"roll-up {table} at" in sentence for sentence in found)
