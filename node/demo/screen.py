"""What the demo shows while it runs and when it is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table

from ledger.reader import Reader
from ledger.rows import NodeRow
from node.demo.cluster import Member
from node.demo.report import Report, journal_counters

PLAIN_SECONDS = 5.0
"""How often a line is printed where there is no terminal to redraw."""


class Screen:
    """Progress for people: a table that redraws itself on a terminal, lines elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()

    def phase(self, name: str) -> None:
        self.say(f"[bold]{name}[/bold]")

    def say(self, text: str) -> None:
        self._console.print(
            f"[dim]{time.monotonic() - self._started:6.1f} s[/dim]  {text}", soft_wrap=True
        )

    @contextmanager
    def live(self, nodes: Sequence[Member], reader: Reader) -> Iterator[Callable[[], None]]:
        """Gives a function that shows how things stand now."""
        if self._console.is_terminal:
            first = _table(nodes, reader)
            with Live(first, console=self._console, auto_refresh=False, transient=True) as live:
                yield lambda: live.update(_table(nodes, reader), refresh=True)
            return
        last = [float("-inf")]

        def line() -> None:
            if time.monotonic() - last[0] >= PLAIN_SECONDS:
                last[0] = time.monotonic()
                self.say(_summary(nodes, reader))

        yield line
        self.say(_summary(nodes, reader))


def print_outcome(
    console: Console, report: Report, pictures: Sequence[Path], page: str, *, stays: bool
) -> None:
    """The table, the figures, the page, and the verdict."""
    for table in _final_tables(report):
        console.print(table)
    build, audit, chain = report.build, report.audit, report.chain
    console.print(
        f"{build['identical']} of {build['units']} object files are identical to plain cc's;"
        f" the shared build took {build['seconds']:.0f} s,"
        f" a plain one {build['seconds_local']:.0f} s.",
        soft_wrap=True,
    )
    console.print(
        f"Audit at block {audit['block']}: {audit['assets']} assets,"
        f" {audit['kudos']} verified Kudos, {audit['differences']} differences."
        f" {chain['transactions']} transactions,"
        f" {chain['gas']:,} gas in {chain['blocks']} blocks.",
        soft_wrap=True,
    )
    console.print(_canaries(report), soft_wrap=True)
    console.print("Figures: " + " ".join(str(path) for path in pictures), soft_wrap=True)
    state = "Ctrl-C ends it" if stays else "ends with this command; keep it with --stay"
    console.print(f"Ledger page: {page} ({state})", soft_wrap=True)
    phases = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in report.phases.items())
    console.print(
        f"{report.seconds:.0f} s without the reference builds ({phases}).", soft_wrap=True
    )
    if not report.shares["judged"]:
        console.print("The build is too small to judge whom the nodes helped.")
    for problem in report.problems:
        console.print(f"[bold red]PROBLEM[/bold red] {problem}")
    if not report.problems:
        console.print("[bold green]Every check held.[/bold green]")


def _canaries(report: Report) -> str:
    """Rate, cost and detection in two sentences."""
    found = report.canaries
    origins = []
    for origin in ("planted", "drawn"):
        fate = found[origin]
        if fate["canaries"] or found["mode"] in (origin, "both"):
            others = "".join(
                f", {fate[name]} {name}"
                for name in ("refused", "void", "waiting", "unclaimed")
                if fate[name]
            )
            origins.append(f"{fate['canaries']} {origin} ({fate['passed']} passed{others})")
    text = (
        f"Canaries: {found['rate']:.1%} of {found['results']} results, {' and '.join(origins)};"
        f" validators ran {found['cpu_seconds_again']} CPU seconds again for"
        f" {found['cpu_seconds_worked']} of work, {found['cost']:.2f} per second."
    )
    if found["found_within"]:
        text += (
            " Whoever falsifies one result in ten meets a canary with a false one within"
            f" {found['found_within']} tasks, in 95 of 100 cases."
        )
    return text


def _rows(nodes: Sequence[Member], reader: Reader) -> Iterator[tuple[Member, NodeRow]]:
    found = {row.address: row for row in reader.nodes()}
    for node in nodes:
        yield node, found.get(node.address) or NodeRow(node.address)


def _table(nodes: Sequence[Member], reader: Reader) -> Table:
    head = reader.head()
    table = Table(title=f"block {head.number if head else 0}")
    for column in ("node", "Kudos", "k1", "k2", "k3", "asked", "accepted", "hosted", "at home"):
        table.add_column(column, justify="left" if column == "node" else "right")
    for node, row in _rows(nodes, reader):
        counters = journal_counters(node)
        local = counters.get("local", 0) + counters.get("not_worth", 0)
        numbers = (
            row.points,
            row.k1,
            row.k2,
            row.k3,
            row.requests,
            row.accepted,
            row.hosted,
            local,
        )
        table.add_row(f"{node.name} ({node.role})", *map(str, numbers))
    return table


def _summary(nodes: Sequence[Member], reader: Reader) -> str:
    head = reader.head()
    parts = [
        f"{node.name}: {row.points} Kudos, {row.accepted}/{row.requests} accepted"
        for node, row in _rows(nodes, reader)
    ]
    return f"block {head.number if head else 0} · " + " · ".join(parts)


def _final_tables(report: Report) -> Iterator[Table]:
    """What the ledger says, and what became of each node's own compiles."""
    ledger = Table(title="On the ledger: what each node asked for and gave", box=box.SIMPLE_HEAD)
    columns = ("node", "Kudos", "K1", "K2", "K3", "asked", "accepted", "share*", "hosted")
    work = Table(title="The nodes' own compiles, and their canaries", box=box.SIMPLE_HEAD)
    for table, names in (
        (ledger, columns),
        (work, ("node", "sent", "at home", "too small", "canaries given", "canaries passed")),
    ):
        for name in names:
            table.add_column(name, justify="left" if name == "node" else "right")
    shares = report.shares["nodes"]
    for number, (node, share) in enumerate(zip(report.nodes, shares, strict=True), 1):
        name, kudos = f"{number} {node.role}", node.kudos
        points = (kudos["points"], kudos["k1"], kudos["k2"], kudos["k3"])
        asked = (node.requests, node.accepted_by_others, f"{share['share']:.0%}", node.hosted)
        ledger.add_row(name, *map(str, (*points, *asked)))
        own = (node.sent, node.local, node.not_worth, node.canaries_given, node.canaries_passed)
        work.add_row(name, *map(str, own))
    ledger.caption = f"* of the requests after the warm-up of {report.shares['warm_up_seconds']} s"
    yield ledger
    yield work
