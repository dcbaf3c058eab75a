"""The strategies of the thesis, and the one that asks nothing. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ledger.reasons import Reason
from node.admission import Evidence, Question, Side, Verdict, verdict
from node.strategy.combine import Staleness


@dataclass(frozen=True, slots=True)
class Half:
    """Accept who has at least half of one's own verified points (thesis, section 6.4.3)."""

    name = "half/1"

    def decide(self, question: Question) -> Verdict:
        evidence = question.evidence
        if evidence is None:
            return verdict(self.name, Reason.STALE_LEDGER, question)
        other, mine = points(question.judged, evidence)
        reason = Reason.ACCEPTED if other * 2 >= mine else Reason.REPUTATION
        return verdict(self.name, reason, question, **quoted(evidence))


class Thesis:
    """``Half`` on data of at most ``max_age`` seconds; anything older is no ground for trust."""

    name = "thesis/1"
    handles_age = True

    def __init__(self, max_age: float = 30.0) -> None:
        self._max_age = max_age

    def decide(self, question: Question) -> Verdict:
        evidence = question.evidence
        if evidence is None:
            return verdict(self.name, Reason.STALE_LEDGER, question)
        if evidence.age > self._max_age:
            return verdict(self.name, Reason.STALE_LEDGER, question, **quoted(evidence))
        return verdict(self.name, Half().decide(question).reason, question, **quoted(evidence))


class EachThird:
    """The thesis' vermin: takes the first of every three tasks that it would accept anyway, refuses
    the others properly. Exists to be caught (thesis, section 6.5.2.2)."""

    name = "each-third/1"
    handles_age = True

    def __init__(self) -> None:
        self._inner = Thesis()

    def decide(self, question: Question) -> Verdict:
        answer = self._inner.decide(question)
        if not answer.accept or question.count % 3 == 0:
            return answer
        return verdict(self.name, Reason.POLICY, question, **answer.numbers)


class Anybody:
    """Accept every home: for nodes of one owner, who keep the ledger for its record alone."""

    name = "anybody/1"
    handles_age = True

    def decide(self, question: Question) -> Verdict:
        numbers = quoted(question.evidence) if question.evidence else {}
        answer = verdict(self.name, Reason.ACCEPTED, question, **numbers)
        return replace(answer, freshness=Staleness().of(question.evidence))


def points(judged: Side, evidence: Evidence) -> tuple[int, int]:
    """The points of the node that is judged, and those of the node that judges."""
    pair = evidence.home_points, evidence.host_points
    return pair if judged is Side.HOME else (pair[1], pair[0])


def quoted(evidence: Evidence) -> dict[str, int]:
    """The points as verdicts quote them."""
    return {"home_points": evidence.home_points, "host_points": evidence.host_points}
