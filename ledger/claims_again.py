"""Makes a host's claims again that no quorum has decided in time (protocol section 5).

All that such a claim takes is in the index: a claim that leaves is in the queue only so that it is
not sent twice. Each waits longer than the one before it, and after a few there is no next one:
validators that stay away for weeks are no reason to pay for ever.

    open ──claim window, and a wait──▶ queued ──▶ sent ──index: made again, for good──▶ forgotten
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ledger import claim_calls
from ledger.abi import ContractReverted
from ledger.assets import CLAIM_WITHIN, K3_CANARY
from ledger.canary_claims import (
    Leaf,
    in_claim_order,
    leaf_where_settled,
    repeated_claim,
)
from ledger.contracts import contracts_of
from ledger.deployment import Deployment
from ledger.dispatch import Dispatch, Load
from ledger.errors import ChainError, SetupError
from ledger.event_types import ClaimSkipped
from ledger.outbox import AGAIN, Item, Outbox
from ledger.packed_claims import ClaimItem
from ledger.ports import Clock
from ledger.reasons import Reason
from ledger.refused_items import RefusedItems, Step, StepResult
from ledger.rows import KudosRow
from ledger.sender import Sender
from ledger.settled_view import OpenClaims, OpenClaimsIndex, Settled
from ledger.settler import MAX_CLAIMS
from ledger.timed_out import OpenClaim
from ledger.types import Digest

MAX_SINGLES = 8
"""K1 and K2 a step; each is a transaction of its own."""
MAX_OPEN = 256
"""Claims looked at in one step, the oldest first."""
REFUSED_SECONDS = 3_600.0
"""How long an item rests that the contract did not take."""


@dataclass(frozen=True, slots=True)
class Again:
    """How often a claim is made again, and how long after the end of its window for the first time;
    each time twice as long as before."""

    times: int = 3
    wait_seconds: int = 600

    def due_at(self, claim: OpenClaim) -> int:
        """The second of block time from which a claim is to be made again."""
        window_ends = claim.kudos.place.timestamp + CLAIM_WITHIN
        return window_ends + (self.wait_seconds << (claim.times - 1))


class ClaimsAgain:
    """One host's claims that timed out. ``step`` is called again and again, from one thread at a
    time; ``keep(task digest, second)`` holds what validators run a canary again with."""

    def __init__(
        self,
        outbox: Outbox,
        open_index: OpenClaimsIndex,
        sender: Sender,
        deployment: Deployment,
        clock: Clock,
        again: Again,
        *,
        keep: Callable[[Digest, float], None] = lambda task, until: None,
        look_seconds: float = 10.0,
        resend_after: float = 10.0,
    ) -> None:
        self._outbox, self._open_index, self._sender = outbox, open_index, sender
        self._deployment, self._clock, self._again, self._keep = deployment, clock, again, keep
        contracts = contracts_of(deployment.contract)
        self._claims = contracts.claims
        refused = RefusedItems(outbox, sender.rpc, deployment.contract)
        self._dispatch = Dispatch(outbox, sender, refused, clock, contracts.all, resend_after)
        self._look_seconds, self._looked = look_seconds, float("-inf")

    def step(self) -> StepResult:
        """Does what can be done now. Never raises for a chain or an index out of reach."""
        result = StepResult()
        now = self._clock.monotonic()
        if not self._again.times or now - self._looked < self._look_seconds:
            return result
        try:
            with self._open_index() as index:
                head = index.head()
                if head is not None:
                    self._make_again(index, Step(index, head, result))
            if not result.claimed:
                # Else there may be more, or the next step sees what became of these.
                self._looked = now
        except (ChainError, SetupError) as error:
            result.error = error
        return result

    def _make_again(self, index: OpenClaims, step: Step) -> None:
        now = step.head.timestamp
        # From half of the window on, so that nothing is thrown away before it is needed.
        me, since = self._sender.address, now - CLAIM_WITHIN // 2
        found = index.open_claims(me, since, self._again.times, MAX_OPEN)
        due = {each.kudos.kudos_id: each for each in found if now > self._again.due_at(each)}
        for claim in found:
            self._keep_inputs(index, claim)
        for key in due:
            self._outbox.append_again(key)
        pending = self._outbox.pending(AGAIN)
        over = [item.key for item in pending if index.is_over(item.key)]
        self._outbox.forget(AGAIN, over)
        step.result.pruned = len(over)
        waiting = [item for item in pending if item.key in due and self._is_rested(item)]
        ready = [due[item.key].kudos for item in self._dispatch.ready(waiting, step)]
        self._claim_singles([claim for claim in ready if claim.level < K3_CANARY], index, step)
        self._claim_canaries([claim for claim in ready if claim.level == K3_CANARY], index, step)

    def _keep_inputs(self, index: OpenClaims, claim: OpenClaim) -> None:
        kudos = claim.kudos
        if kudos.level != K3_CANARY:
            return
        opening, draw = index.opening(kudos.request_id), index.draw(kudos.request_id)
        shown = opening.asset if opening else draw
        if shown is not None:
            self._keep(shown.task_digest, self._again.due_at(claim) + CLAIM_WITHIN)

    def _is_rested(self, item: Item) -> bool:
        rest = REFUSED_SECONDS if item.skip_reason is not None else 0.0
        return not 0 <= self._clock.now() - item.sent_at < rest

    # -- K1 and K2 -----------------------------------------------------------------------------

    def _claim_singles(self, claims: list[KudosRow], index: OpenClaims, step: Step) -> None:
        for claim in claims[:MAX_SINGLES]:
            found = self._place_of(claim, index)
            if found is None:
                continue
            settled, leaf = found
            data = claim_calls.claim_again(settled.migration, leaf.root, leaf.index, leaf.path)
            self._send([claim.kudos_id], data, step)

    # -- K3 ------------------------------------------------------------------------------------

    def _claim_canaries(self, claims: list[KudosRow], index: OpenClaims, step: Step) -> None:
        """In the packed form, as the first time."""
        items = {claim.kudos_id: self._item_of(claim, index) for claim in claims[:MAX_CLAIMS]}
        ready = {key: item for key, item in items.items() if item is not None}
        if ready:
            keys = in_claim_order(ready)
            self._send(keys, claim_calls.claim([ready[key] for key in keys]), step, ready)

    def _item_of(self, claim: KudosRow, index: OpenClaims) -> ClaimItem | None:
        found = self._place_of(claim, index)
        if found is None:
            return None
        opening, draw = index.opening(claim.request_id), index.draw(claim.request_id)
        settled, leaf = found
        return repeated_claim(claim, settled.migration, leaf, opening, draw)

    # -- both ----------------------------------------------------------------------------------

    def _place_of(self, claim: KudosRow, index: OpenClaims) -> tuple[Settled, Leaf] | None:
        settled = index.migration(claim.request_id)
        if settled is None:
            return None
        leaf = leaf_where_settled(self._sender.rpc, self._deployment.domain, settled)
        return None if leaf is None else (settled, leaf)

    def _send(
        self,
        keys: list[Digest],
        data: bytes,
        step: Step,
        items: dict[Digest, ClaimItem] | None = None,
    ) -> None:
        def single(key: Digest) -> bytes:
            return claim_calls.claim([items[key]]) if items else data

        load = Load(AGAIN, self._claims, keys, data, single)
        try:
            receipt = self._dispatch.send(load, step)
        except ContractReverted as error:
            if error.error != "Closed":
                raise
            # Nothing is minted on this ledger any more.
            for key in keys:
                self._outbox.bury(AGAIN, key, Reason.EXPIRED)
            step.result.buried += len(keys)
            return
        if receipt is None:
            return
        events = self._dispatch.events(receipt)
        skips = [event for event in events if isinstance(event, ClaimSkipped)]
        step.result.claimed += len(keys) - len(skips)
        for skip in skips:
            key, block = keys[skip.item], receipt.block_number
            self._dispatch.refused.note(AGAIN, key, skip.reason, block, step)
