"""`kudos explore`: the indexed copy in Datasette, in a process of its own, read-only.

Datasette opens the file anew for every query, so it shows what the indexer adds. What the shipped
metadata does not describe (raw logs, roll-ups of the desk) is hidden there, not locked away.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ledger.errors import SetupError, UsageError
from ledger.reader import Reader

SETTINGS = {
    "sql_time_limit_ms": 5_000,
    "max_returned_rows": 1_000,
    "default_page_size": 50,
    "allow_download": "off",
    "truncate_cells_html": 0,
}
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
ENDING_SECONDS = 10.0


def run_datasette(index: Path, host: str, port: int) -> int:
    """Serves the copy until Ctrl-C; Datasette's own exit status when it ends by itself."""
    check(index, host)
    with (
        as_file(files("ledger") / "explore_data" / "plugins") as plugins,
        TemporaryDirectory(prefix="kudos-explore-") as directory,
    ):
        described = Path(directory) / "metadata.json"
        described.write_text(json.dumps(metadata(index)), "utf-8")
        process = subprocess.Popen(command(index, host, port, described, plugins))
        print(f"the copy is at http://{host}:{port}/; Ctrl-C ends it", flush=True)
        try:
            return process.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            _end(process)


def check(index: Path, host: str) -> None:
    """UsageError or SetupError for what would not work, before anything is started."""
    if host not in LOOPBACK:
        raise UsageError(
            f"Datasette answers anybody's SQL, so it listens on this machine only, not on {host}.",
            hint="Use --listen 127.0.0.1:PORT; `kudos serve` is made for the network.",
        )
    if find_spec("datasette") is None:
        raise SetupError(
            "Datasette is not installed.", hint="Run `pip install 'kudos[explore]'` once."
        )
    Reader.open(index).close()


def metadata(index: Path) -> dict[str, Any]:
    """The shipped metadata under the file's own name, everything undescribed hidden."""
    text = files("ledger").joinpath("explore_data/metadata.json").read_text("utf-8")
    shipped: dict[str, Any] = json.loads(text)
    tables, queries = shipped.pop("tables"), shipped.pop("queries")
    with Reader.open(index) as reader:
        there = reader.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        hidden = {name: {"hidden": True} for (name,) in there if name not in tables}
    return {**shipped, "databases": {index.stem: {"tables": tables | hidden, "queries": queries}}}


def command(index: Path, host: str, port: int, described: Path, plugins: Path) -> Sequence[str]:
    """How Datasette is started; a file given like this is opened for reading alone."""
    settings = [("--setting", name, str(value)) for name, value in SETTINGS.items()]
    return [
        *(sys.executable, "-m", "datasette", "serve", str(index.absolute())),
        *("--host", host, "--port", str(port)),
        *("--metadata", str(described), "--plugins-dir", str(plugins)),
        *(word for setting in settings for word in setting),
    ]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
