"""The demo from the first block to the verdict."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from ledger.audit import audit
from ledger.deployment import Deployment
from ledger.embedded import EmbeddedChain
from ledger.errors import KudosError, SetupError, UsageError
from ledger.ports import SystemClock, system_entropy
from ledger.reader import Reader
from ledger.rpc import Rpc
from node.demo import build, figures, project
from node.demo.cluster import Daemon, Member
from node.demo.ledger import Ground, prepare_ground
from node.demo.report import Report, Share, journal_counters, node_reports, shares_after

NODES = ("fair", "fair", "vermin")
VALIDATORS = 3
MARKER = ".kudos-demo"
SETTLE_SECONDS = 90.0
WARM_UP = 1 / 3
"""The share of the building time that is not judged: everybody starts from zero Kudos."""
VERMIN_JOBS = 2
"""Node 3 sends as much as it can: this many times the jobs of a fair node, and nothing is too small."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """The options of ``kudos demo``."""

    data: Path
    seed: int = 1
    jobs: int = 2
    source: Path | None = None
    report: Path | None = None
    stay: bool = False
    rpc: str | None = None
    chain_id: int | None = None
    deployer: Path | None = None
    deployer_password_file: Path | None = None
    finality_depth: int | None = None


def run_demo(options: DemoOptions) -> int:
    """0 when every check of its own held, 1 otherwise; always ends what it started."""
    console = Console(stderr=False)
    data = options.data.absolute()
    _empty(data)
    with ExitStack() as stack:
        demo = Demo(options, data, console)
        stack.callback(demo.end)
        report = demo.run(stack)
        _print_outcome(console, report, demo)
        if options.report:
            report.write(options.report)
        report.write(data / "report.json")
        if options.stay:
            demo.serve(stack)
    return 1 if report.problems else 0


@dataclass(slots=True)
class Demo:
    """One run. Methods come in the order in which things happen."""

    options: DemoOptions
    data: Path
    console: Console
    daemons: list[Daemon] = field(default_factory=list)
    figures: list[Path] = field(default_factory=list)
    ground: Ground | None = None

    def run(self, stack: ExitStack) -> Report: ...
