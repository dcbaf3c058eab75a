"""The half rule on points that no single node can have given. Pure; integers only.

Two friends can plant as many canaries for each other as they like, and every one is verified: the
validators check that the work was done, not that anybody needed it. What friends cannot fake
is being many. So of a node's points no counterparty may make up more than a share, and the share is
one of what counts, not of what there is: however much a ring certifies, its own sum is no excuse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.reasons import Reason
from node.admission import LARGEST, Need, Question, Side, Verdict, verdict


@dataclass(frozen=True, slots=True)
class Pairs:
    """Accept who has at least half of one's own points, where of both at most ``percent`` of what
    counts comes from one counterparty; ``free`` points of each count in any case, so that a node
    with one customer is not a node without work. A ring needs 100 / ``percent`` members besides
    each one, and all of them at work, to count in full."""

    percent: int = 20
    free: int = 100
    name = "pairs/1"
    needs = frozenset({Need.COUNTERPARTIES})
    bounds = (("percent", 100 // LARGEST, 100),)

    def decide(self, question: Question) -> Verdict:
        evidence = question.evidence
        if evidence is None or evidence.home.largest is None or evidence.host.largest is None:
            return verdict(self.name, Reason.STALE_LEDGER, question)
        points = {"home_points": evidence.home_points, "host_points": evidence.host_points}
        home = self.counted(evidence.home_points, evidence.home.largest)
        host = self.counted(evidence.host_points, evidence.host.largest)
        other, mine = (home, host) if question.judged is Side.HOME else (host, home)
        reason = Reason.ACCEPTED if other * 2 >= mine else Reason.REPUTATION
        most = {
            "home_largest": max(evidence.home.largest, default=0),
            "host_largest": max(evidence.host.largest, default=0),
        }
        counted = {"home_counted": home, "host_counted": host}
        return verdict(self.name, reason, question, **points, **counted, **most)

    def counted(self, points: int, largest: Sequence[int]) -> int:
        """The points that count, of a node that has so many of them from single counterparties."""
        bound = max(self.free, share_of_counted(points, largest, self.percent))
        return points - sum(given - bound for given in largest if given > bound)


def share_of_counted(points: int, largest: Sequence[int], percent: int) -> int:
    """The most that one counterparty may have given so that it is no more than ``percent`` of all
    that counts; ``largest`` are the greatest amounts, in falling order.

    With k of them cut to the bound c and R left, c is percent of k c + R. The first k whose next
    amount is within that is the one. It comes before k reaches 100 / percent: R holds that amount,
    and more than R would be within the bound then.
    """
    rest = points
    for cut, given in enumerate(largest):
        bound = percent * rest // (100 - percent * cut)
        if given <= bound:
            return bound
        rest -= given
    return percent * rest // (100 - percent * len(largest))
