"""What a strategy would have answered to the requests of the past.

Each request is judged by what the ledger said at the last block before it was signed. What is not
on the ledger is taken to be at its best: the copy was up to date, and the host idle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from ledger.reader import Reader
from ledger.standing import PastRequest
from ledger.types import Address, BlockNumber, hex_of, short
from node.admission import Evidence, Question, Strategy, Verdict, needs_of
from node.strategy.evidence import DAY, evidence_at

CACHED = 4_096


@dataclass(frozen=True, slots=True)
class Replayed:
    """One request, and the verdict that it would have had."""

    request: PastRequest
    verdict: Verdict

    @property
    def was_accepted(self) -> bool:
        return self.request.rejection is None

    @property
    def is_change(self) -> bool:
        return self.verdict.accept != self.was_accepted

    def text(self) -> str:
        """One line for people."""
        request, answer = self.request, self.verdict
        who = f"{hex_of(request.home)} to {short(request.host)} at block {request.known}"
        was, now = ("accepted", "reject") if self.was_accepted else ("rejected", "accept")
        numbers = "".join(f" {name}={value}" for name, value in answer.numbers.items())
        return f"{who}: was {was}, would {now}: {answer.reason.name} by {answer.rule}{numbers}"


def replay(
    reader: Reader,
    strategy: Strategy,
    *,
    since: int = 0,
    host: Address | None = None,
    epoch_seconds: int = DAY,
) -> Iterator[Replayed]:
    """Every settled request from a second on (to one host), in the order of signing, with its
    verdict; all from one snapshot."""

    @lru_cache(CACHED)
    def known(home: Address, host: Address, at: BlockNumber, epoch: int) -> Evidence:
        return evidence_at(reader, home, host, at, epoch, needs_of(strategy), host)

    counts: Counter[Address] = Counter()
    with reader.snapshot():
        for request in reader.past_requests(since, host):
            epoch = request.known_at // epoch_seconds
            evidence = known(request.home, request.host, request.known, epoch)
            question = Question(
                *(request.home, request.host, request.process_name, evidence),
                counts[request.host],
                now=request.signed_at,
                cpu_seconds=request.cpu_seconds,
                memory_mib=request.memory_mib,
            )
            counts[request.host] += 1
            yield Replayed(request, strategy.decide(question))


@dataclass(slots=True)
class Summary:
    """What would have changed, in numbers."""

    requests: int = 0
    accepted: int = 0
    would_accept: int = 0
    newly_accepted: int = 0
    newly_rejected: int = 0

    @property
    def changes(self) -> int:
        return self.newly_accepted + self.newly_rejected

    def text(self) -> str:
        """For people."""
        return (
            f"{self.requests} requests, {self.accepted} were accepted; this strategy would have"
            f" accepted {self.would_accept}:\n{self.newly_accepted} that were rejected would have"
            f" been accepted, {self.newly_rejected} that were accepted would have been rejected"
        )

    def add(self, replayed: Replayed) -> None:
        """Counts one more."""
        self.requests += 1
        self.accepted += replayed.was_accepted
        self.would_accept += replayed.verdict.accept
        if replayed.is_change:
            self.newly_accepted += replayed.verdict.accept
            self.newly_rejected += not replayed.verdict.accept
