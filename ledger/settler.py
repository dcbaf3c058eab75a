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

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ledger import calls
from ledger.abi import ContractReverted
from ledger.canary_claims import claim_where_settled
from ledger.deployment import Deployment
from ledger.errors import ChainError, KudosError, SetupError
from ledger.events import BatchSettled, CanarySkipped, Event, decode
from ledger.outbox import CANARY, MIGRATION, Item, Outbox
from ledger.ports import Clock
from ledger.reasons import Reason
from ledger.record import batch_order, encode_batch
from ledger.rpc import Receipt
from ledger.sender import Sender
from ledger.settled_view import Head, OpenIndex, SettledView
from ledger.types import Digest, TxHash

MAX_CLAIMS = 16
"""K3 claims per transaction; each takes about 50,000 gas and 1 kB."""

_MAX_BATCHES_PER_STEP = 4
_NEVER = frozenset(
    {
        Reason.SELF,
        Reason.PARTY_IS_VALIDATOR,
        Reason.BAD_SIGNATURE,
        Reason.BAD_DEADLINE,
        Reason.BAD_ORDER,
        Reason.EXPIRED,
        Reason.BAD_OPENING,
        Reason.BAD_SEAL,
        Reason.NOT_A_CANARY,
        Reason.NOT_AUTHORISED,
    }
)
"""Reasons that time does not heal (BAD_DEADLINE only once REQUEST's time is past)."""


@dataclass(slots=True)
class StepResult:
    """What one step did. ``error`` is why it stopped early; everything is still queued then."""

    settled: int = 0
    claimed: int = 0
    buried: int = 0
    pruned: int = 0
    waiting: int = 0
    """Queued items that are not in the index."""
    gas_used: int = 0
    error: KudosError | None = None


@dataclass(frozen=True, slots=True)
class _Step:
    """What one step works with: the index as it stands now, and the account that it gives."""

    index: SettledView
    head: Head
    result: StepResult


@dataclass(frozen=True, slots=True)
class _Load:
    """One transaction: what it carries, and how to ask about a single item of it."""

    kind: str
    keys: Sequence[Digest]
    data: bytes
    single: Callable[[Digest], bytes]


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
        self._clock = clock
        self._min_batch = min_batch
        self._max_age = max_age
        self._max_batch = max_batch
        self._resend_after = resend_after

    def step(self) -> StepResult:
        """Does what can be done now. Never raises for a chain or an index out of reach."""
        result = StepResult()
        try:
            with self._open_index() as index:
                result.pruned = self._outbox.prune_final(index)
                head = index.head()
                if head is not None:
                    step = _Step(index, head, result)
                    self._settle(step)
                    self._claim(step)
        except (ChainError, SetupError) as error:
            result.error = error
        return result

    # -- migrations ----------------------------------------------------------------------------

    def _settle(self, step: _Step) -> None:
        pending = self._outbox.pending(MIGRATION)
        unsettled = [item for item in pending if not step.index.is_settled(item.key)]
        step.result.waiting += len(unsettled)
        ready = self._ready(unsettled, step)
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

    def _settle_batch(self, keys: Sequence[Digest], step: _Step) -> None:
        by_migration = {self._outbox.migration(key): key for key in keys}
        ordered = [by_migration[migration] for migration in batch_order(by_migration)]
        data = calls.settle(self._sender.address, encode_batch(by_migration))
        receipt = self._send(_Load(MIGRATION, ordered, data, self._single_settlement), step)
        if receipt is None:
            return
        settled = [event for event in self._events(receipt) if isinstance(event, BatchSettled)]
        if len(settled) != 1:
            raise ChainError(
                f"A settlement was mined and announced {len(settled)} batches.",
                hint="Do not trust this endpoint with the ledger; use another one.",
            )
        step.result.settled += len(ordered) - len(settled[0].skipped)
        for place, reason in settled[0].skipped:
            self._skipped(MIGRATION, ordered[place], reason, receipt.block_number, step)

    def _single_settlement(self, key: Digest) -> bytes:
        return calls.settle(self._sender.address, encode_batch([self._outbox.migration(key)]))

    # -- canaries ------------------------------------------------------------------------------

    def _claim(self, step: _Step) -> None:
        pending = self._outbox.pending(CANARY)
        unclaimed = [item for item in pending if not step.index.is_claimed(item.key)]
        step.result.waiting += len(unclaimed)
        claims: dict[Digest, calls.CanaryClaim] = {}
        for item in self._ready(unclaimed, step):
            claim = self._claim_for(item.key, step.index)
            if claim is not None:
                claims[item.key] = claim
            if len(claims) == MAX_CLAIMS:
                break
        if not claims:
            return
        data = calls.claim_canaries(list(claims.values()))
        load = _Load(CANARY, list(claims), data, lambda key: calls.claim_canaries([claims[key]]))
        receipt = self._send(load, step)
        if receipt is None:
            return
        skips = [event for event in self._events(receipt) if isinstance(event, CanarySkipped)]
        step.result.claimed += len(claims) - len(skips)
        for skip in skips:
            self._skipped(CANARY, load.keys[skip.index], skip.reason, receipt.block_number, step)

    def _claim_for(self, key: Digest, index: SettledView) -> calls.CanaryClaim | None:
        canary = self._outbox.canary(key)
        settled = index.migration(canary.opened.request_id)
        if settled is None:
            return None
        return claim_where_settled(self._sender.rpc, self._deployment.domain, canary, settled)

    # -- both ----------------------------------------------------------------------------------

    def _ready(self, items: Iterable[Item], step: _Step) -> list[Item]:
        """Those that no transaction is under way for."""
        under_way: dict[TxHash, bool] = {}
        ready = []
        for item in items:
            if item.kind == MIGRATION and item.skip_reason == Reason.SEQUENCE_USED:
                self._resolve_conflict(item, step)
            elif self._is_quiet(item):
                if item.tx is not None and item.tx not in under_way:
                    under_way[item.tx] = self._is_under_way(item.tx, step.head)
                if item.tx is None or not under_way[item.tx]:
                    ready.append(item)
        return ready

    def _is_quiet(self, item: Item) -> bool:
        """Whether enough time has passed since something was last tried with it."""
        return not 0 <= self._clock.now() - item.sent_at < self._resend_after

    def _is_under_way(self, tx: TxHash, head: Head) -> bool:
        """Whether a transaction may still have effects that the index has not seen."""
        receipt = self._sender.rpc.receipt(tx)
        if receipt is not None:
            return head.number < receipt.block_number
        # A transaction in the mempool holds its nonce: what is sent behind it would wait with it.
        return self._sender.rpc.knows(tx)

    def _send(self, load: _Load, step: _Step) -> Receipt | None:
        """Sends; None when the contract wants none of it, and each item knows why."""
        try:
            receipt = self._sender.send(
                self._deployment.contract,
                load.data,
                on_signed=lambda tx: self._outbox.mark_sent(load.kind, load.keys, tx),
            )
        except ContractReverted as error:
            if error.error != "NothingToSettle":
                raise
            self._explain(load, error, step)
            return None
        step.result.gas_used += receipt.gas_used
        return receipt

    def _explain(self, load: _Load, error: ContractReverted, step: _Step) -> None:
        """The contract gives the reason of the first item alone, so the others are asked singly."""
        block = self._sender.rpc.block_number()
        self._skipped(load.kind, load.keys[0], error.values[0], block, step)
        for key in load.keys[1:]:
            try:
                self._sender.dry_run(self._deployment.contract, load.single(key))
            except ContractReverted as single:
                if single.error != "NothingToSettle":
                    raise
                self._skipped(load.kind, key, single.values[0], block, step)

    def _skipped(self, kind: str, key: Digest, reason: int, block: int, step: _Step) -> None:
        if reason in _NEVER and not self._is_early(kind, key, reason, step.head):
            self._outbox.bury(kind, key, reason)
            step.result.buried += 1
        else:
            # SEQUENCE_USED and CLAIMED_BEFORE mostly mean: settled, and the index is behind.
            self._outbox.mark_skipped(kind, key, reason, block)

    def _is_early(self, kind: str, key: Digest, reason: int, head: Head) -> bool:
        """Whether only the home's clock is ahead of the chain's."""
        if kind != MIGRATION or reason != Reason.BAD_DEADLINE:
            return False
        return self._outbox.migration(key).request.signed_at > head.timestamp

    def _resolve_conflict(self, item: Item, step: _Step) -> None:
        """A used sequence number, and not by this request as far as the index knows.

        Once the number is used in a final block that the index has, and still not by this request,
        it was another one's for good. Before that a reorganisation may free it.
        """
        if step.head.final_number < item.skip_block:
            return
        request = self._outbox.migration(item.key).request
        used = calls.sequence_used(request.home, request.host, request.seq)
        contract, block = self._deployment.contract, step.head.final_number
        # An endpoint without the state of old blocks cannot say; the others must not wait for it.
        with suppress(ChainError):
            if used.decode(self._sender.rpc.call(contract, used.data, block)):
                self._outbox.bury(MIGRATION, item.key, Reason.SEQUENCE_USED)
                step.result.buried += 1
            else:
                self._outbox.unmark(MIGRATION, [item.key])

    def _events(self, receipt: Receipt) -> list[Event]:
        ours = (log for log in receipt.logs if log.address == self._deployment.contract)
        return [decode(log) for log in ours]
