"""The demo from the first block to the verdict, in the order in which things happen."""

from __future__ import annotations

import math
import os
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from ledger.errors import KudosError, UsageError
from node.demo import build, figures, ground, project
from node.demo.build import Built, SharedBuild, Workplace
from node.demo.canaries import DRAWN, PLANTED, canaries_of, total
from node.demo.checks import audit_ledger, chain_use, problems_of
from node.demo.cluster import Daemon, Member, free_endpoints, wait_for_sockets
from node.demo.ground import Ground
from node.demo.report import Report, journal_counters, node_reports, shares_after
from node.demo.screen import Screen, print_outcome
from node.demo.watch import Watch
from node.journal import CPU_MS

ROLES = ("fair", "fair", "vermin")
VALIDATORS = 3
WARM_UP_SHARE = 1 / 2
"""The part of the object files that is not judged: everybody starts from zero, and while a node
has a handful of canaries to its name, one more or less doubles or halves its Kudos. The builds are
paused after it until these tasks' Kudos are verified, or a machine that compiles faster than blocks
come would be done before anybody knew whom to help."""
MARKER = ".kudos-demo"


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
    canaries: str = PLANTED

    @property
    def external(self) -> ground.External | None:
        if self.rpc is None or self.chain_id is None or self.deployer is None:
            return None
        return ground.External(self.rpc, self.chain_id, self.deployer, self.deployer_password_file)


def run_demo(options: DemoOptions) -> int:
    """0 when every check of its own held, 1 otherwise; always ends what it started."""
    console = Console()
    # As Ctrl-C: whatever was started is stopped on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    data = options.data.absolute()
    _empty(data)
    demo = Demo(options, data, Screen(console))
    with ExitStack() as stack:
        try:
            demo.run(stack)
        except KudosError as error:
            demo.report.problems.append(str(error))
            raise
        finally:
            demo.report.write(data / "report.json")
            if options.report:
                demo.report.write(options.report)
        page = demo.start_page(stack)
        print_outcome(console, demo.report, demo.pictures, page, stays=options.stay)
        if options.stay:
            demo.stay()
    return 1 if demo.report.problems else 0


@dataclass(slots=True)
class Demo:
    """One run."""

    options: DemoOptions
    data: Path
    screen: Screen
    report: Report = field(init=False)
    pictures: list[Path] = field(default_factory=list)
    _daemons: list[Daemon] = field(default_factory=list)
    _ground: Ground | None = None

    def __post_init__(self) -> None:
        self.report = Report(self.options.seed)

    @property
    def ground(self) -> Ground:
        assert self._ground is not None, "the ground is prepared first"
        return self._ground

    @property
    def _watch(self) -> Watch:
        return Watch(self.ground, self._daemons, self.screen)

    def run(self, stack: ExitStack) -> None:
        """Everything up to the verdict; the report is complete afterwards."""
        with self._phase("project"):
            work = self._project()
        started = time.monotonic()
        with self._phase("chain and ledger"):
            self._prepare(stack)
        places = [
            Workplace(node, self.data / "build" / node.name / work.name)
            for node in self.ground.nodes
        ]
        paused = time.monotonic()
        with self._phase("reference builds"):
            references = [self._reference(work, place) for place in places]
        started += time.monotonic() - paused
        with self._phase("daemons"):
            self._start_daemons(stack)
        if self.ground.deployment.draw_rate:
            with self._phase("first beacon"):
                self._watch.until_drawing()
        together = SharedBuild(work)
        stack.callback(together.end)
        shared_from = time.time()
        with self._phase("warm-up"):
            seconds = self._warm_up(together, places, references)
        with self._phase("its Kudos"), together.paused():
            self._watch.until_known()
        judged_from = time.time()
        with self._phase("the other half"):
            seconds += self._watch.build(together)
        with self._phase("settling"):
            self.report.problems += self._watch.until_settled()
        with self._phase("checks"):
            self.report.set_build(places, references, seconds)
            self._judge(work, places, shared_from, judged_from)
        self.report.seconds = round(time.monotonic() - started, 1)

    def start_page(self, stack: ExitStack) -> str:
        """Serves node 1's copy of the ledger on loopback; the page's address."""
        endpoint = free_endpoints(1)[0]
        arguments = ["serve", "--ledger", str(self.ground.ledger_file)]
        arguments += ["--index", str(self.ground.nodes[0].index), "--listen", endpoint]
        page = Daemon(Member("page", "page", self.ground.nodes[0].key, self.data), arguments)
        page.start()
        stack.callback(page.stop)
        return f"http://{endpoint}/"

    def stay(self) -> None:
        """Keeps everything running until Ctrl-C."""
        while True:
            time.sleep(1.0)
            self._watch.check()

    def _project(self) -> project.Project:
        if self.options.source is not None:
            return project.from_directory(self.options.source)
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kudos"
        return project.redis(cache)

    def _prepare(self, stack: ExitStack) -> None:
        options = self.options
        self._ground = ground.prepare(
            self.data,
            ROLES,
            VALIDATORS,
            options.seed,
            options.external,
            options.finality_depth,
            stack,
            ground.CONSTANTS if options.canaries == PLANTED else ground.DRAWING,
        )
        plants = options.canaries != DRAWN
        self._daemons = ground.daemons(self._ground, options.seed, plants=plants)

    def _reference(self, work: project.Project, place: Workplace) -> Built:
        self.screen.say(f"building {work.name} plainly for {place.member.name}")
        built = build.build_plainly(work, place, os.cpu_count() or 1)
        project.copy_into(work, place.tree)
        return built

    def _start_daemons(self, stack: ExitStack) -> None:
        for daemon in self._daemons:
            daemon.start()
            stack.callback(daemon.stop)
        wait_for_sockets(self._daemons)

    def _warm_up(
        self, together: SharedBuild, places: Sequence[Workplace], references: Sequence[Built]
    ) -> float:
        half = WARM_UP_SHARE * sum(len(reference.objects) for reference in references)
        for place in places:
            # Node 3 sends as much as it can: nothing is too small for it.
            greedy = {"KUDOS_MIN_BYTES": "0"} if place.member.role == "vermin" else {}
            together.start(place, self.options.jobs, greedy)
        return self._watch.build(together, lambda: together.made() >= half)

    def _judge(
        self,
        work: project.Project,
        places: list[Workplace],
        shared_from: float,
        judged_from: float,
    ) -> None:
        report = self.report
        with self.ground.reader() as reader:
            report.nodes = node_reports(self.ground.nodes, reader)
            report.set_shares(
                shares_after(reader, self.ground.nodes, math.ceil(judged_from)),
                math.ceil(judged_from - shared_from),
            )
            worked, again = (
                total([journal_counters(member) for member in members], CPU_MS)
                for members in (self.ground.nodes, self.ground.validators)
            )
            report.canaries = canaries_of(
                reader, self.ground.deployment, self.options.canaries, worked, again
            ).as_json()
            report.audit, differences = audit_ledger(self.ground, reader)
            report.chain = chain_use(self.ground)
            self.pictures = figures.draw(self.ground.nodes, reader, self.data)
        report.problems += differences
        report.problems += problems_of(report, work, places)

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        self.screen.phase(name)
        started = time.monotonic()
        yield
        self.report.phases[name] = round(time.monotonic() - started, 1)


def _empty(data: Path) -> None:
    """Makes a fresh data directory; only one that a demo made before is ever deleted."""
    if data.exists() and any(data.iterdir()):
        if not (data / MARKER).exists():
            raise UsageError(
                f"{data} is not empty and no demo made it.", hint="Choose another --data directory."
            )
        shutil.rmtree(data)
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    (data / MARKER).touch()
