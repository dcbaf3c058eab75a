"""What the first page answers in words: is the copy current, do the validators decide, what was
earned. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.desk.queries.overview import Counts, DayTotals, Overview, QuorumHealth
from ledger.desk.views import Freshness
from ledger.desk.wording import count_of, duration
from ledger.rows import IndexHead

SLOW_SECONDS = 600
STUCK_SECONDS = 3_600
"""How long the oldest claim may wait for its quorum before the page warns, and before it alarms."""

FORTNIGHT = 14


@dataclass(frozen=True, slots=True)
class Answer:
    """One of the three answers; ``tone`` is good, warn, alarm or plain."""

    tone: str
    question: str
    says: str
    details: tuple[str, ...]

    @property
    def mark(self) -> str:
        return {"good": "✓", "warn": "!", "alarm": "✕", "plain": ""}[self.tone]


def answers(view: Overview, fresh: Freshness) -> tuple[Answer, ...]:
    """What an auditor wants to know first."""
    return (
        _copy(view.head, view.lag_blocks, fresh),
        _quorum(view.quorum, view.head),
        _worth(view.counts),
    )


def since_first(days: tuple[DayTotals, ...]) -> tuple[DayTotals, ...]:
    """Without the days before anything happened, but at least two weeks, to see a rhythm."""
    active = [index for index, day in enumerate(days) if day.points or day.migrations]
    first = active[0] if active else len(days)
    return days[min(first, max(0, len(days) - FORTNIGHT)) :]


def _copy(head: IndexHead | None, lag: int, fresh: Freshness) -> Answer:
    question = "Is this copy current?"
    if head is None:
        return Answer("alarm", question, "No data yet", ("The indexer has not read a block.",))
    final = f"Final up to block {max(0, head.final_number):,}."
    if fresh.stale:
        says, tone = f"No, {fresh.text}", "alarm"
    elif lag:
        says, tone = f"Behind by {count_of(lag, 'block')}", "warn"
    else:
        says, tone = f"Yes, at block {head.number:,}", "good"
    read = f"Block {head.number:,} of {head.chain_head:,} is read"
    return Answer(tone, question, says, (f"{read}, {count_of(lag, 'block')} behind.", final))


def _quorum(quorum: QuorumHealth, head: IndexHead | None) -> Answer:
    question = "Do the validators decide?"
    if not quorum.waiting or quorum.oldest_since is None or head is None:
        return Answer("good", question, "Yes, nothing waits", ("Every claim has its quorum.",))
    age = max(0, head.timestamp - quorum.oldest_since)
    tone = "good" if age < SLOW_SECONDS else "warn" if age < STUCK_SECONDS else "alarm"
    word = {"good": "Yes", "warn": "Slowly", "alarm": "Not all"}[tone]
    waiting = f"{quorum.waiting:,}{'' if quorum.exact else '+'}"
    details = (
        f"{waiting} {'claim waits' if waiting == '1' else 'claims wait'} for votes.",
        f"The oldest has waited {duration(age)}.",
    )
    return Answer(tone, question, f"{word}, {waiting} under way", details)


def _worth(counts: Counts) -> Answer:
    levels = f"{counts.k1:,} K1, {counts.k2:,} K2 and {counts.k3:,} K3 are verified."
    others = f"{counts.refused:,} refused, {counts.waiting:,} undecided."
    says = count_of(counts.points, "point")
    return Answer("plain", "What has been earned?", says, (levels, others))
