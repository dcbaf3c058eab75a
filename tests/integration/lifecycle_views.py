"""Everything that can be asked of a ledger, asked of the contracts and of the model."""

from __future__ import annotations

from ledger.abi import BEACON, CLAIMS, LEDGER, QUEUE
from tests.integration.ledger_model.batches import NONE, Ballot
from tests.integration.ledger_model.state import mask
from tests.integration.ledger_model.steps import PLACES, Said, State
from tests.integration.ledger_model.verdicts import Standing
from tests.integration.lifecycle_plans import Plan
from tests.integration.side_by_side import SideBySide


def compare_views(both: SideBySide, plans: list[Plan]) -> None:
    """Fails at the first answer that differs."""
    _compare_nodes(both)
    _compare_seats(both)
    _compare_batches(both)
    _compare_steps(both)
    _compare_claims(both)
    _compare_periods(both)
    for plan in plans:
        place = (plan.home.address, plan.host.address, plan.request.seq)
        assert both.view(LEDGER, "sequenceUsed", *place) == (True,)
        claimed = place in both.model.canaries.claimed
        assert both.view(CLAIMS, "canaryClaimed", *place) == (claimed,)


def _compare_nodes(both: SideBySide) -> None:
    core = both.model.core
    for node in both.nodes:
        totals = core.totals.get(node.address, (0, 0, 0))
        assert both.view(LEDGER, "kudos", node.address) == totals
        for level in (1, 2, 3):
            balance = both.view(LEDGER, "balanceOf", node.address, level)
            assert balance == (totals[level - 1],)
        for home in both.nodes:
            pair = both.view(LEDGER, "pair", home.address, node.address)
            assert pair == core.pair(home.address, node.address)


def _compare_seats(both: SideBySide) -> None:
    now = both.model.core.set
    assert both.view(LEDGER, "validators") == (tuple(now.holders),)
    assert both.view(LEDGER, "threshold") == (now.threshold,)
    assert both.view(LEDGER, "setVersion") == (now.version,)
    _, since = both.view(LEDGER, "seats")
    assert [since[number] for number, _ in now.seats] == [seat.since for _, seat in now.seats]
    for number, proposal in both.model.queue.proposals.items():
        standing = both.view(QUEUE, "standing", number)
        approving, withdrawing = bin(standing[1]).count("1"), bin(standing[2]).count("1")
        assert approving == len(proposal.approving)
        assert withdrawing == len(proposal.withdrawing)
        assert standing[3] == proposal.ready_at


def _compare_batches(both: SideBySide) -> None:
    now = both.model.core.set
    for (host, root), batch in both.model.batches.settled.items():
        fields = (batch.n, batch.confirmed, batch.settled_at)
        masks = (mask(batch.claims), mask(batch.verified), mask(batch.refused))
        assert both.view(LEDGER, "batch", host, root) == (*fields, *masks)
        pending = batch.settled_at if batch.open else 0
        assert both.view(LEDGER, "pendingSince", host, root) == (pending,)
        for judge in both.judges:
            since = now.since(judge.address)
            wanted: tuple[object, ...] = (False, 0, 0, 0)
            if since is not None and since < batch.settled_at:
                ballot = batch.ballots.get(judge.address, Ballot(NONE, NONE))
                voted = judge.address in batch.ballots
                excluded = batch.excluded.get(judge.address, NONE)
                wanted = (voted, mask(ballot.approve), mask(ballot.refuse), mask(excluded))
            assert both.view(LEDGER, "ballot", host, root, judge.address) == wanted


def _compare_steps(both: SideBySide) -> None:
    for (home, host, number), step in both.model.steps.steps.items():
        # Under any number that shares the place.
        place = (home, host, number + PLACES * both.random.randrange(PLACES))
        stage, claim, _, time = both.view(LEDGER, "step", place)
        assert (stage, claim, time) == (step.stage, step.claim, step.time)
        pending = step.time if step.claim == State.CLAIMED else 0
        assert both.view(LEDGER, "stepPendingSince", place) == (pending,)
        votes = both.view(LEDGER, "stepVotes", place)
        assert votes == (_seats(step.said), *_sides(step.said))


def _compare_claims(both: SideBySide) -> None:
    for kudos_id, claim in both.model.verdicts.claims.items():
        (shown,) = both.view(CLAIMS, "kudosClaim", kudos_id)
        fields = (int(claim.standing), claim.level, claim.origin, claim.host, claim.opened_at)
        votes = (*_sides(claim.said), _seats(claim.said))
        assert shown == (*fields, *votes, mask(claim.party_seats))
        pending = claim.opened_at if claim.standing == Standing.OPEN else 0
        assert both.view(CLAIMS, "pendingSince", kudos_id) == (pending,)
    for (judge, number), commitment in both.model.verdicts.commitments.items():
        stored = both.view(CLAIMS, "voteCommitment", judge, number)
        assert stored == (commitment or bytes(32),)


def _compare_periods(both: SideBySide) -> None:
    beacon = both.model.beacon
    head = both.rpc.header("latest")
    assert head is not None
    both.model.world.time = head.timestamp
    for period in beacon.periods:
        value = beacon.value(period)
        known = (value is not None, value or bytes(32))
        assert both.view(BEACON, "beacon", period) == known
        assert both.view(BEACON, "standing", period) == beacon.standing(period)
    for host, asked in both.model.second.asked.items():
        puzzle = both.view(CLAIMS, "puzzle", host)
        assert puzzle[2:] == (asked.counter, asked.solved)


def _seats(said: tuple[Said, ...], low: int = 128, high: int = 160) -> int:
    return mask({one.seat for one in said if low <= one.reason < high})


def _sides(said: tuple[Said, ...]) -> tuple[int, int]:
    """The seats that approve, and those that refuse."""
    return _seats(said, 128, 129), _seats(said, 129, 144)
