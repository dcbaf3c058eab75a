"""`kudos explore` over the real Datasette: what is shown, how, and that nothing can be written."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import requests

from ledger import explore
from ledger.errors import SetupError, UsageError
from ledger.indexer import Indexer
from ledger.ports import SystemClock
from ledger.reader import Reader
from ledger.store import IndexStore
from ledger.synthetic import SyntheticChain
from ledger.synthetic_actors import Settings

STARTING_SECONDS = 30.0
PAGE = 50


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("copy") / "copy.db"
    chain = SyntheticChain(Settings(nodes=4, refused=0.1, repeated=0.8))
    for _ in range(12):
        chain.mine(16)
    with IndexStore.open(path, chain.deployment) as store:
        Indexer(chain, store, chain.deployment, SystemClock()).step()
    return path


@pytest.fixture(scope="module")
def site(index: Path) -> Iterator[str]:
    """The command as it is run; afterwards its database is what it was, and the process is gone."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = ["explore", "--index", str(index), "--listen", f"127.0.0.1:{port}"]
    before = contents(index)
    process = subprocess.Popen([sys.executable, "-m", "node.cli", *arguments])
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(url, process)
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        try:
            status = process.wait(30)
        except subprocess.TimeoutExpired:
            # A job in the background of a shell ignores SIGINT, and so do its children.
            process.terminate()
            raise
    assert status == 0 and contents(index) == before
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=5)


def contents(index: Path) -> list[str]:
    with closing(sqlite3.connect(f"file:{index}?mode=ro", uri=True)) as conn:
        return list(conn.iterdump())


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + STARTING_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "kudos explore ended by itself: see its output above"
        try:
            requests.get(url, timeout=5).close()
            return
        except requests.ConnectionError:
            time.sleep(0.2)
    pytest.fail(f"Datasette did not answer at {url} within {STARTING_SECONDS} s")


def text(url: str) -> str:
    with requests.get(url, timeout=30) as answer:
        answer.raise_for_status()
        return unescape(answer.text)


def rows(url: str, **values: str) -> list[dict[str, Any]]:
    with requests.get(url, {"_shape": "array", **values}, timeout=30) as answer:
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()
        return found


def test_described_tables_are_shown_and_the_others_hidden(site: str, index: Path) -> None:
    shown = set(re.findall(r'<h3><a href="/copy/(\w+)">', text(f"{site}/copy")))
    described = explore.metadata(index)["databases"]["copy"]["tables"]
    assert shown == {name for name, table in described.items() if "hidden" not in table}
    assert {"nodes", "migrations", "kudos", "votes"} <= shown
    assert not shown & {"logs", "cursor", "meta", "ballots"}
    assert "Points are k1 + 10·k2 + 100·k3" in text(site)


def test_every_column_is_described_and_every_description_has_a_column(index: Path) -> None:
    described = explore.metadata(index)["databases"]["copy"]["tables"]
    with closing(sqlite3.connect(index)) as conn:
        for name, table in described.items():
            columns = {row[1] for row in conn.execute(f"PRAGMA table_info({name})")}
            assert columns, f"the metadata describes {name}, which is gone"
            if "hidden" not in table:
                assert set(table["columns"]) == columns, name
                assert set(table.get("units", {})) <= columns


def test_bytes_are_shown_in_hex_names_and_times_as_text(site: str, index: Path) -> None:
    with Reader.open(index) as reader:
        newest = reader.migrations(1)[0]
    assert newest.root is not None
    page = text(f"{site}/copy/migrations/0x{newest.request_id.hex()}")
    assert f"0x{newest.request.home.hex()}" in page and f"0x{newest.root.hex()}" in page
    assert newest.request.process_name.rstrip(b"\0").decode() in page
    assert "UTC" in page and "b'" not in page.split("<tbody>")[1].split("</tbody>")[0]
    assert f"0x{newest.request.home.hex()}" in text(f"{site}/copy/nodes")


def test_pages_of_a_list_hold_every_row_once(site: str, index: Path) -> None:
    url, seen = f"{site}/copy/migrations", list[str]()
    for _ in range(20):
        page = text(url)
        seen += re.findall(r'type-pk"><a href="/copy/migrations/(0x[0-9a-f]{64})"', page)
        following = re.search(r'<a href="([^"]*_next=[^"]*)">Next page</a>', page)
        if following is None:
            break
        url = following[1]
    with Reader.open(index) as reader:
        every = {f"0x{m.request_id.hex()}" for m in reader.migrations(500)}
    assert len(every) > 2 * PAGE and len(seen) == len(every) and set(seen) == every


def test_every_canned_query_answers(site: str, index: Path) -> None:
    with Reader.open(index) as reader:
        best = reader.nodes()[0]
        claims = (c for m in reader.migrations(99) for c in reader.claims_of(m.request_id))
        claim = next(claim for claim in claims if claim.decided is not None)
        votes = reader.votes(claim.kudos_id)
        steps = reader.lifecycle(claim.request_id)
    parameters = {
        "kudos_of_node": {"node": "0x" + best.address.hex()},
        "life_of_a_migration": {"request": "0x" + claim.request_id.hex()},
        "votes_on_kudos": {"kudos": "0x" + claim.kudos_id.hex()},
    }
    queries = explore.metadata(index)["databases"]["copy"]["queries"]
    found = {name: rows(f"{site}/copy/{name}.json", **parameters.get(name, {})) for name in queries}
    assert [name for name in found if not found[name]] == [], "a query finds nothing"
    assert found["standings"][0]["points"] == best.points
    assert found["standings"][0]["node"] == "0x" + best.address.hex()
    assert len(found["kudos_of_node"]) == best.claims
    assert [row["id"] for row in found["life_of_a_migration"]] == [f"0x{s.id.hex()}" for s in steps]
    assert [row["validator"] for row in found["votes_on_kudos"]] == [
        "0x" + vote.validator.hex() for vote in votes
    ]


@pytest.mark.parametrize("sql", ["DELETE FROM nodes", "PRAGMA user_version = 7", "ATTACH 'x' AS x"])
def test_sql_that_writes_is_refused(site: str, sql: str) -> None:
    with requests.get(f"{site}/copy.json", {"sql": sql}, timeout=30) as answer:
        assert answer.status_code == 400 and not answer.json()["ok"]


def test_without_datasette_it_says_what_to_do(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explore, "find_spec", lambda name: None)
    with pytest.raises(SetupError) as missing:
        explore.run_datasette(index, "127.0.0.1", 8090)
    assert "kudos[explore]" in missing.value.hint


def test_it_listens_on_this_machine_alone(index: Path) -> None:
    with pytest.raises(UsageError, match="this machine"):
        explore.run_datasette(index, "0.0.0.0", 8090)


def test_a_missing_copy_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="no indexed copy"):
        explore.run_datasette(tmp_path / "none.db", "127.0.0.1", 8090)


def test_a_copy_of_any_name_is_described(index: Path, tmp_path: Path) -> None:
    other = Path(shutil.copy(index, tmp_path / "other name.db"))
    assert set(explore.metadata(other)["databases"]) == {"other name"}
