"""Brings what is queued onto the ledger: exactly once, and again when a reorganisation drops it.

Whether something is settled is for the index to say, and that nothing is settled twice is for the
contract. So it does no harm to die between any two steps here, and nothing is concluded from a
transaction that was sent: its items are looked at again when the index had time to see them.

    pending ──index has it──▶ (waits) ──index calls it final──▶ removed
       │  ▲
       ▼  └── no receipt, not in the mempool; or mined without effect; or its block was dropped
      sent ──contract: never──▶ dead
"""

from __future__ import annotations

from collections.abc import Sequence

from ledger import calls, claim_calls
from ledger.canary_claims import claim_where_settled, in_claim_order
from ledger.contracts import contracts_of
from ledger.deployment import Deployment
from ledger.dispatch import Dispatch, Load
from ledger.eip712 import digest
from ledger.errors import ChainError, SetupError
from ledger.event_types import BatchSettled, ClaimSkipped
from ledger.outbox import CANARY, MIGRATION, Item, Outbox
from ledger.packed_claims import ClaimItem
from ledger.ports import Clock
from ledger.record import batch_order, encode_batch
from ledger.refused_items import RefusedItems, Step, StepResult
from ledger.sender import Sender
from ledger.settled_view import OpenIndex, SettledView
from ledger.types import Digest

MAX_CLAIMS = 16
"""K3 claims per transaction; each takes 25,000 to 60,000 gas and half a kB."""

_MAX_BATCHES_PER_STEP = 4


class Settler:
    """Settles one host's queue. ``step`` is called again and again, from one thread at a time."""

    def __init__(
        self,
        outbox: Outbox,
        open_index: OpenIndex,
        sender: Sender,
        deployment: Deployment,
        clock: Clock,
        *,
        min_batch: int = 32,
        max_age: float = 2.0,
        max_batch: int = 128,
        resend_after: float = 10.0,
    ) -> None:
        """A batch goes out with ``min_batch`` items or when its oldest has waited ``max_age``
        seconds. The host is the sender: its transactions need no further signature."""
        self._outbox = outbox
        self._open_index = open_index
        self._sender = sender
        self._deployment = deployment
        self._contracts = contracts_of(deployment.contract)
        self._refused = RefusedItems(outbox, sender.rpc, deployment.contract)
        self._dispatch = Dispatch(
            *(outbox, sender, self._refused, clock, self._contracts.all), resend_after
        )
        self._clock = clock
        self._min_batch = min_batch
        self._max_age = max_age
        self._max_batch = max_batch

    def step(self) -> StepResult:
        """Does what can be done now. Never raises for a chain or an index out of reach."""
        result = StepResult()
        try:
            with self._open_index() as index:
                result.pruned = self._outbox.prune_final(index)
                head = index.head()
                if head is not None:
                    step = Step(index, head, result)
                    self._settle(step)
                    self._claim(step)
        except (ChainError, SetupError) as error:
            result.error = error
        return result

    # -- migrations ----------------------------------------------------------------------------

    def _settle(self, step: Step) -> None:
        pending = self._outbox.pending(MIGRATION)
        unsettled = [item for item in pending if not step.index.is_settled(item.key)]
        step.result.waiting += len(unsettled)
        ready = self._dispatch.ready(unsettled, step)
        for _ in range(_MAX_BATCHES_PER_STEP):
            if not self._worth_sending(ready):
                return
            batch, ready = ready[: self._max_batch], ready[self._max_batch :]
            self._settle_batch([item.key for item in batch], step)

    def _worth_sending(self, ready: Sequence[Item]) -> bool:
        if not ready:
            return False
        age = self._clock.now() - min(item.added_at for item in ready)
        return len(ready) >= self._min_batch or not 0 <= age < self._max_age

    def _settle_batch(self, keys: Sequence[Digest], step: Step) -> None:
        by_migration = {self._outbox.migration(key): key for key in keys}
        ordered = [by_migration[migration] for migration in batch_order(by_migration)]
        data = calls.settle(self._sender.address, encode_batch(by_migration))
        contract = self._contracts.ledger
        load = Load(MIGRATION, contract, ordered, data, self._single_settlement)
        receipt = self._dispatch.send(load, step)
        if receipt is None:
            return
        settled = [
            event for event in self._dispatch.events(receipt) if isinstance(event, BatchSettled)
        ]
        if len(settled) != 1:
            raise ChainError(
                f"A settlement was mined and announced {len(settled)} batches.",
                hint="Do not trust this endpoint with the ledger; use another one.",
            )
        step.result.settled += len(ordered) - len(settled[0].skipped)
        for place, reason in settled[0].skipped:
            self._refused.note(MIGRATION, ordered[place], reason, receipt.block_number, step)

    def _single_settlement(self, key: Digest) -> bytes:
        return calls.settle(self._sender.address, encode_batch([self._outbox.migration(key)]))

    # -- canaries ------------------------------------------------------------------------------

    def _claim(self, step: Step) -> None:
        pending = self._outbox.pending(CANARY)
        unclaimed = [item for item in pending if not step.index.is_claimed(item.key)]
        step.result.waiting += len(unclaimed)
        claims: dict[Digest, ClaimItem] = {}
        for item in self._dispatch.ready(unclaimed, step):
            claim = self._claim_for(item.key, step.index)
            if claim is not None:
                claims[item.key] = claim
            if len(claims) == MAX_CLAIMS:
                break
        if not claims:
            return
        keys = in_claim_order(claims)
        data = claim_calls.claim([claims[key] for key in keys])

        def single(key: Digest) -> bytes:
            return claim_calls.claim([claims[key]])

        load = Load(CANARY, self._contracts.claims, keys, data, single)
        receipt = self._dispatch.send(load, step)
        if receipt is None:
            return
        skips = [
            event for event in self._dispatch.events(receipt) if isinstance(event, ClaimSkipped)
        ]
        step.result.claimed += len(claims) - len(skips)
        for skip in skips:
            key = load.keys[skip.item]
            self._refused.note(CANARY, key, skip.reason, receipt.block_number, step)

    def _claim_for(self, key: Digest, index: SettledView) -> ClaimItem | None:
        canary = self._outbox.canary(key)
        rpc, domain = self._sender.rpc, self._deployment.domain
        settled = index.migration(digest(domain, canary.migration.request))
        if settled is None:
            return None
        return claim_where_settled(rpc, domain, canary, settled, index.family_number)
