"""Rules to combine in a strategy file. Pure; integers only.

A rule is a ``Strategy``; the fields of its dataclass are the keys of its table in the file. Rules
look neither at the clock nor at the age of the data: the combination does (``combine``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from ledger.reasons import Reason
from ledger.types import Address
from node.admission import Need, Question, Side, Standing, Strangers, Verdict, verdict

Nodes = Mapping[Address, int | None]
"""Nodes with the second in which their entry ends; None for never."""

SCALE_BITS = 16
"""Decayed points keep this many bits behind the point, so that one K1 does not vanish at once."""


@dataclass(frozen=True, slots=True)
class Balance:
    """UC5: whoever takes must give. I run at most ``credit`` tasks more for a node than it ran for
    me, and none while more than ``missing_percent`` of the last requests between us left nothing
    on the ledger (``patience`` of them are forgiven)."""

    credit: int = 20
    missing_percent: int = 50
    patience: int = 10
    name = "balance/1"
    needs = frozenset({Need.PAIR})

    def decide(self, question: Question) -> Verdict:
        pair = question.evidence.pair if question.evidence else None
        if pair is None:
            return verdict(self.name, Reason.STALE_LEDGER, question)
        gave, got = pair.host_ran, pair.home_ran
        # What I ask of a host is what it gives: it owes me nothing, it must only deliver.
        owes = gave - got if question.judged is Side.HOME else 0
        unreliable = pair.missing > self.patience and (
            pair.missing * 100 > pair.asked * self.missing_percent
        )
        reason = Reason.REPUTATION if owes > self.credit or unreliable else Reason.ACCEPTED
        numbers = {"host_ran": gave, "home_ran": got, "asked": pair.asked, "missing": pair.missing}
        return verdict(self.name, reason, question, **numbers)


@dataclass(frozen=True, slots=True)
class Capacity:
    """At most ``tasks`` taken on at once, and none that asks for more than this; 0 is no bound."""

    tasks: int = 0
    cpu_seconds: int = 0
    memory_mib: int = 0
    name = "capacity/1"

    def decide(self, question: Question) -> Verdict:
        reason = Reason.ACCEPTED
        if _above(question.cpu_seconds, self.cpu_seconds) or _above(
            question.memory_mib, self.memory_mib
        ):
            reason = Reason.LIMITS
        elif self.tasks and question.load >= self.tasks:
            reason = Reason.CAPACITY
        return verdict(self.name, reason, question, load=question.load)


@dataclass(frozen=True, slots=True)
class Names:
    """Task names by shell patterns: none of ``refuse`` may match, and one of ``accept`` must."""

    accept: tuple[str, ...] = ("*",)
    refuse: tuple[str, ...] = ()
    name = "names/1"

    def decide(self, question: Question) -> Verdict:
        task = question.process_name
        refused = any(fnmatchcase(task, pattern) for pattern in self.refuse)
        wanted = any(fnmatchcase(task, pattern) for pattern in self.accept)
        reason = Reason.ACCEPTED if wanted and not refused else Reason.POLICY
        return verdict(self.name, reason, question)


@dataclass(frozen=True, slots=True)
class Allow:
    """These nodes and no others."""

    nodes: Nodes = field(default_factory=dict)
    name = "allow/1"

    def decide(self, question: Question) -> Verdict:
        reason = Reason.ACCEPTED if _listed(self.nodes, question) else Reason.POLICY
        return verdict(self.name, reason, question)


@dataclass(frozen=True, slots=True)
class Deny:
    """Anybody but these nodes."""

    nodes: Nodes = field(default_factory=dict)
    name = "deny/1"

    def decide(self, question: Question) -> Verdict:
        reason = Reason.POLICY if _listed(self.nodes, question) else Reason.ACCEPTED
        return verdict(self.name, reason, question)


@dataclass(frozen=True, slots=True)
class Minimum:
    """At least this much verified: points, tasks run (K2 and K3), canaries passed (K3)."""

    points: int = 0
    work: int = 0
    canaries: int = 0
    name = "minimum/1"

    def decide(self, question: Question) -> Verdict:
        evidence = question.evidence
        if evidence is None:
            return verdict(self.name, Reason.STALE_LEDGER, question)
        at_home = question.judged is Side.HOME
        points = evidence.home_points if at_home else evidence.host_points
        other = evidence.home if at_home else evidence.host
        enough = (points, other.work, other.k3)
        wanted = (self.points, self.work, self.canaries)
        met = all(has >= least for has, least in zip(enough, wanted, strict=True))
        reason = Reason.ACCEPTED if met else Reason.REPUTATION
        numbers = {"points": points, "work": other.work, "canaries": other.k3}
        return verdict(self.name, reason, question, **numbers)


@dataclass(frozen=True, slots=True)
class Drawn:
    """At least so many canaries passed that the validators' beacon drew: friends can plant as many
    as they like for one another, and draw none."""

    canaries: int = 1
    name = "drawn/1"
    needs = frozenset({Need.DRAWN})

    def decide(self, question: Question) -> Verdict:
        evidence = question.evidence
        other = None
        if evidence is not None:
            other = evidence.home if question.judged is Side.HOME else evidence.host
        if other is None or other.drawn is None:
            return verdict(self.name, Reason.STALE_LEDGER, question)
        reason = Reason.ACCEPTED if other.drawn >= self.canaries else Reason.REPUTATION
        return verdict(self.name, reason, question, drawn=other.drawn)


@dataclass(frozen=True, slots=True)
class Decay:
    """The half rule on points that lose half of their worth every ``half_life`` epochs: neither
    sleepers nor the idle live on old merits."""

    half_life: int = 30
    name = "decay/1"
    needs = frozenset({Need.EPOCHS})

    def decide(self, question: Question) -> Verdict:
        evidence = question.evidence
        if evidence is None or evidence.home.epochs is None or evidence.host.epochs is None:
            return verdict(self.name, Reason.STALE_LEDGER, question)
        home = decayed(evidence.home, evidence.epoch, self.half_life)
        host = decayed(evidence.host, evidence.epoch, self.half_life)
        other, mine = (home, host) if question.judged is Side.HOME else (host, home)
        reason = Reason.ACCEPTED if other * 2 >= mine else Reason.REPUTATION
        numbers = {"home_decayed": home >> SCALE_BITS, "host_decayed": host >> SCALE_BITS}
        return verdict(self.name, reason, question, **numbers, epoch=evidence.epoch)


@dataclass(frozen=True, slots=True)
class Newcomers:
    """A few tasks for nodes that have done no verified work yet, while fewer than ``spare_load``
    tasks are taken on: one request in ``one_in_at_first``, and from there to ``one_in_at_best``
    or ``one_in_at_worst`` as earlier strangers turned out. Refuses everybody else, so it belongs
    beside another rule in an ``any`` group.

    The rate is for all strangers together: a thousand new identities get no more than one."""

    one_in_at_first: int = 20
    one_in_at_best: int = 5
    one_in_at_worst: int = 200
    spare_load: int = 1
    name = "newcomers/1"
    needs = frozenset({Need.STRANGERS})

    def decide(self, question: Question) -> Verdict:
        evidence = question.evidence
        if evidence is None or evidence.strangers is None:
            return verdict(self.name, Reason.STALE_LEDGER, question)
        other = evidence.home if question.judged is Side.HOME else evidence.host
        one_in = self.one_in(evidence.strangers)
        reason = Reason.ACCEPTED
        if other.work > 0 or question.count % one_in != 0:
            reason = Reason.REPUTATION
        elif question.load >= self.spare_load:
            reason = Reason.CAPACITY
        tried, good = evidence.strangers.tried, evidence.strangers.good
        numbers = {"work": other.work, "one_in": one_in, "tried": tried, "good": good}
        return verdict(self.name, reason, question, **numbers)

    def one_in(self, strangers: Strangers) -> int:
        """The rate after these experiences: between best and worst by the share of bad ones, the
        rate at first counting as much as eight of them."""
        bad, prior = strangers.tried - strangers.good, 8
        best, worst = self.one_in_at_best, self.one_in_at_worst
        weighed = prior * self.one_in_at_first + strangers.good * best + bad * worst
        return max(1, weighed // (prior + strangers.tried))


def decayed(standing: Standing, epoch: int, half_life: int) -> int:
    """A node's points as of an epoch, times ``2 ** SCALE_BITS``: halved for each whole half-life,
    on a straight line in between."""
    total = 0
    for earned, points in standing.epochs or ():
        halvings, rest = divmod(max(0, epoch - earned), half_life)
        worth = (points << SCALE_BITS) >> halvings
        total += worth - worth * rest // (2 * half_life)
    return total


def _above(asked: int, bound: int) -> bool:
    return bound > 0 and asked > bound


def _listed(nodes: Nodes, question: Question) -> bool:
    if question.other not in nodes:
        return False
    until = nodes[question.other]
    return until is None or question.now < until
