"""The ledger's answer inside another program: shall I take this task, and whom shall I ask?

    from node.plugin import Reputation, Task

    with Reputation.open("node-1/index.db", me="0xA…") as reputation:
        verdict = reputation.decide("0xB…", "cc main.c")

Reads the local copy in the caller's own process: no network, no lock, and the indexer may write
meanwhile. A ``Reputation`` belongs to the thread that opened it; ``AsyncReputation`` has its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from ledger import schema
from ledger.errors import UsageError
from ledger.ports import Clock, SystemClock
from ledger.reader import Reader
from ledger.rows import Totals
from ledger.source import LedgerIdentity
from ledger.standing import ClaimSummary, PairSummary
from ledger.types import Address, BlockNumber, address_from_hex
from node.admission import Question, Side, Strategy, Verdict, needs_of
from node.strategy.evidence import DAY, View, live_evidence
from node.strategy.thesis import points
from node.strategy_file import load_strategy

SHOWN_CLAIMS = 100

Node = Address | str
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Task:
    """What a scheduler knows of a task; what it does not know is 0."""

    name: str = ""
    cpu_seconds: int = 0
    memory_mib: int = 0


@dataclass(frozen=True, slots=True)
class Ranked:
    """One host as a home sees it."""

    host: Address
    points: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Level:
    """The claims of one level, by what became of them; ``void`` are canaries whose runs
    differed."""

    verified: int
    open: int
    refused: int
    void: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where a node's Kudos come from. ``open`` and ``refused`` are the newest claims in that
    state, each with the reason codes that validators gave."""

    node: Address
    block: int | None
    age: float | None
    totals: Totals
    levels: Mapping[int, Level]
    open: tuple[ClaimSummary, ...]
    refused: tuple[ClaimSummary, ...]
    pairs: tuple[PairSummary, ...]


class Reputation:
    """One open copy and the strategy by which it is judged."""

    def __init__(
        self, reader: Reader, me: Address, strategy: Strategy, clock: Clock, view: View
    ) -> None:
        self._reader, self._me, self._strategy = reader, me, strategy
        self._clock, self._view = clock, view
        self._asked = 0

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        me: Node,
        strategy: Strategy | Path | str = "thesis",
        deployment: LedgerIdentity | None = None,
        clock: Clock | None = None,
    ) -> Reputation:
        """Opens a copy for node ``me``; ``strategy`` is an object, the name of an installed one, or
        a TOML file. With a deployment, the copy of another ledger is refused, and the ledger's
        epoch and finality count; without, epochs are days and every block counts."""
        clock = clock or SystemClock()
        if isinstance(strategy, Path | str):
            strategy = load_strategy(str(strategy), clock)
        view = View(epoch_seconds=DAY)
        if deployment is not None:
            view = View(deployment.finality == "chain", deployment.epoch_seconds)
        reader = Reader.open(Path(path), deployment)
        return cls(reader, _address(me), strategy, clock, view)

    def close(self) -> None:
        """Closes the copy; further questions fail."""
        self._reader.close()

    def __enter__(self) -> Reputation:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def decide(self, home: Node, task: Task | str = "", *, load: int = 0) -> Verdict:
        """Shall I, who run ``load`` tasks for others, take this one from that home?"""
        verdict, _ = self._judge(_address(home), self._me, task, load, Side.HOME)
        self._asked += 1
        return verdict

    def rank(self, hosts: Iterable[Node], task: Task | str = "") -> list[Ranked]:
        """Hosts to send a task to, the best first: those that the strategy accepts, by points."""
        ranked = []
        for host in map(_address, hosts):
            verdict, earned = self._judge(self._me, host, task, 0, Side.HOST)
            ranked.append(Ranked(host, earned, verdict))
        return sorted(ranked, key=lambda r: (not r.verdict.accept, -r.points, r.host))

    def kudos(self, node: Node, at_block: int | None = None) -> Totals:
        """A node's verified Kudos, now or as of a block; UsageError for a block that the copy has
        not reached."""
        if at_block is None:
            return self._reader.kudos_at(_address(node), None)
        with self._reader.snapshot():
            head = self._reader.head()
            if head is None or at_block > head.number:
                raise UsageError(
                    f"The copy does not reach block {at_block}.",
                    hint="Ask for an earlier block, or wait for the indexer.",
                )
            return self._reader.kudos_at(_address(node), BlockNumber(at_block))

    def explain(self, node: Node) -> Explanation:
        """Every level's count, claims with their reasons, and pairs; reads each of the node's
        Kudos."""
        address = _address(node)
        with self._reader.snapshot():
            head = self._reader.head()
            dealings = self._reader.dealings(address, SHOWN_CLAIMS)
            totals = self._reader.kudos_at(address, None)
        states = (schema.VERIFIED, schema.CLAIMED, schema.REFUSED, schema.VOID)
        levels = {
            level: Level(*(dealings.counts.get((level, state), 0) for state in states))
            for level in (1, 2, 3)
        }
        return Explanation(
            address,
            head.number if head else None,
            head.age(self._clock.now()) if head else None,
            totals,
            levels,
            open=tuple(dealings.open),
            refused=tuple(dealings.refused),
            pairs=tuple(dealings.pairs),
        )

    def _judge(
        self, home: Address, host: Address, task: Task | str, load: int, judged: Side
    ) -> tuple[Verdict, int]:
        task = Task(task) if isinstance(task, str) else task
        now, needs = self._clock.now(), needs_of(self._strategy)
        evidence = live_evidence(self._reader, home, host, now, self._view, needs, judged)
        question = Question(
            *(home, host, task.name, evidence, self._asked, int(now), load),
            *(task.cpu_seconds, task.memory_mib, judged),
        )
        earned = points(judged, evidence)[0] if evidence else 0
        return self._strategy.decide(question), earned


class AsyncReputation:
    """``Reputation`` for an event loop: the same questions, asked in one thread of its own."""

    def __init__(self, inner: Reputation, thread: ThreadPoolExecutor) -> None:
        self._inner, self._thread = inner, thread

    @classmethod
    async def open(
        cls,
        path: Path | str,
        *,
        me: Node,
        strategy: Strategy | Path | str = "thesis",
        deployment: LedgerIdentity | None = None,
        clock: Clock | None = None,
    ) -> AsyncReputation:
        """As ``Reputation.open``."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="reputation")
        make = partial(
            Reputation.open, path, me=me, strategy=strategy, deployment=deployment, clock=clock
        )
        try:
            return cls(await asyncio.get_running_loop().run_in_executor(thread, make), thread)
        except BaseException:
            thread.shutdown(wait=False)
            raise

    async def close(self) -> None:
        """Closes the copy and ends the thread."""
        await self._ask(self._inner.close)
        self._thread.shutdown(wait=False)

    async def __aenter__(self) -> AsyncReputation:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self.close()

    async def decide(self, home: Node, task: Task | str = "", *, load: int = 0) -> Verdict:
        """As ``Reputation.decide``."""
        return await self._ask(partial(self._inner.decide, home, task, load=load))

    async def rank(self, hosts: Iterable[Node], task: Task | str = "") -> list[Ranked]:
        """As ``Reputation.rank``."""
        return await self._ask(partial(self._inner.rank, hosts, task))

    async def kudos(self, node: Node, at_block: int | None = None) -> Totals:
        """As ``Reputation.kudos``."""
        return await self._ask(partial(self._inner.kudos, node, at_block))

    async def explain(self, node: Node) -> Explanation:
        """As ``Reputation.explain``."""
        return await self._ask(partial(self._inner.explain, node))

    async def _ask(self, question: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, question)


def _address(node: Node) -> Address:
    if isinstance(node, str):
        try:
            return address_from_hex(node)
        except ValueError as error:
            raise UsageError(
                f"{node!r} is no address: {error}.", hint="Write 0x and 40 hexadecimal digits."
            ) from None
    return node
