"""A ledger that the real demo makes: three nodes build a C project, one of them takes and does not
give, homes plant canaries and the beacon draws others."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.types import Address, address_from_hex
from tests.e2e.desk_world import RealLedger

UNITS = 36
"""Compiles of each node."""
BIG_ENOUGH = 20 * 1024
"""What is smaller a fair node compiles itself."""
DEMO_SECONDS = 600

MAKEFILE = """\
OBJECTS = $(patsubst %.c,%.o,$(wildcard *.c))
all: $(OBJECTS)
%.o: %.c
\t$(CC) -O1 -c $< -o $@
"""


@dataclass(frozen=True, slots=True)
class DemoLedger:
    """The demo's directory after its end, its report, and whose keys are in it."""

    data: Path
    report: dict[str, Any]
    ledger: RealLedger
    nodes: tuple[Address, ...]


def run_demo(directory: Path) -> DemoLedger:
    """Runs it to its end, which is a success or fails the test with what it said."""
    source, data = directory / "units", directory / "demo"
    _write_project(source)
    command = [sys.executable, "-m", "node.cli", "demo", "--data", str(data), "--canaries", "both"]
    command += ["--source", str(source), "--seed", "1"]
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEMO_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"the demo ended with {done.returncode}:\n{done.stdout[-4000:]}"
    keystores = sorted(data.glob("node-*/key.json"))
    return DemoLedger(
        data,
        json.loads((data / "report.json").read_text("utf-8")),
        RealLedger(data / "node-1" / "index.db", data / "ledger.json"),
        tuple(address_from_hex(json.loads(file.read_text())["address"]) for file in keystores),
    )


def _write_project(source: Path) -> None:
    """Many units, each different from the others and worth sending."""
    source.mkdir()
    (source / "Makefile").write_text(MAKEFILE, "utf-8")
    remark = "/* long enough */\n" * (BIG_ENOUGH // 18 + 1)
    for unit in range(UNITS):
        text = f"int step_{unit}(int x) {{ return x * 3 + {unit}; }}\n"
        (source / f"unit_{unit}.c").write_text(remark + text, "utf-8")
