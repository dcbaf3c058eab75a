"""Rules into one strategy: all of them, any of a group, and what holds when the ledger is old.
Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ledger.reasons import Reason
from node.admission import (
    Evidence,
    Freshness,
    Need,
    Question,
    Strategy,
    Verdict,
    needs_of,
    verdict,
)


@dataclass(frozen=True, slots=True)
class Staleness:
    """Up to ``fresh_seconds`` data is judged by as it is, then for ``grace_seconds`` more while the
    verdict says so; after that the answer is the configured one."""

    fresh_seconds: int = 30
    grace_seconds: int = 120
    accept_when_stale: bool = False

    def of(self, evidence: Evidence | None) -> Freshness:
        """How fresh this evidence is; none at all is stale."""
        if evidence is None or evidence.age > self.fresh_seconds + self.grace_seconds:
            return Freshness.STALE
        return Freshness.FRESH if evidence.age <= self.fresh_seconds else Freshness.GRACE


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Accepts what one of its rules accepts."""

    rules: tuple[Strategy, ...]

    @property
    def name(self) -> str:
        return "any"

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset().union(*map(needs_of, self.rules))

    def decide(self, question: Question) -> Verdict:
        refusals = []
        for rule in self.rules:
            answer = rule.decide(question)
            if answer.accept:
                return answer
            refusals.append(answer)
        # A rule that could not tell might have accepted: that is the answer then.
        unknown = (answer for answer in refusals if answer.reason == Reason.STALE_LEDGER)
        return next(unknown, refusals[0])


@dataclass(frozen=True, slots=True)
class AllOf:
    """Accepts what every rule accepts, on data that is not too old; the first refusal gives the
    reason."""

    name: str
    rules: tuple[Strategy, ...]
    staleness: Staleness = Staleness()

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset().union(*map(needs_of, self.rules))

    def decide(self, question: Question) -> Verdict:
        freshness = self.staleness.of(question.evidence)
        judge = self._stale if freshness is Freshness.STALE else self._judge
        answer = judge(question)
        return replace(answer, strategy=self.name, rule=answer.strategy, freshness=freshness)

    def _judge(self, question: Question) -> Verdict:
        numbers: dict[str, int] = {}
        for rule in self.rules:
            answer = rule.decide(question)
            if not answer.accept:
                return answer
            numbers |= answer.numbers
        return verdict("all", Reason.ACCEPTED, question, **numbers)

    def _stale(self, question: Question) -> Verdict:
        """The configured answer stands for what only the ledger could tell: a list of nodes or
        names holds whatever the age of the data."""
        if not self.staleness.accept_when_stale:
            return verdict("ledger", Reason.STALE_LEDGER, question)
        blind = replace(question, evidence=None)
        for rule in self.rules:
            answer = rule.decide(blind)
            if not answer.accept and answer.reason != Reason.STALE_LEDGER:
                return answer
        return verdict("ledger", Reason.ACCEPTED, question)
