"""What becomes of queued items that the contract did not take: noted for later, or buried.

A reason that time does not heal buries an item. Everything else is noted beside it, with the block
in which the contract said so, and it is tried again.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from ledger import calls
from ledger.errors import ChainError, KudosError
from ledger.outbox import MIGRATION, Item, Outbox
from ledger.reasons import Reason
from ledger.rpc import Rpc
from ledger.settled_view import Head, SettledView
from ledger.types import Address, Digest

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
        Reason.BAD_SOLUTION,
        Reason.NOT_DRAWN,
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
class Step:
    """What one step works with: the index as it stands now, and the account that it gives."""

    index: SettledView
    head: Head
    result: StepResult


@dataclass(frozen=True, slots=True)
class RefusedItems:
    """Notes refusals in one queue, and resolves them by what a chain says of the ledger."""

    outbox: Outbox
    rpc: Rpc
    contract: Address

    def note(self, kind: str, key: Digest, reason: int, block: int, step: Step) -> None:
        """Takes down why the contract skipped an item."""
        if reason in _NEVER and not self._is_early(kind, key, reason, step.head):
            self.outbox.bury(kind, key, reason)
            step.result.buried += 1
        else:
            # SEQUENCE_USED and CLAIMED_BEFORE mostly mean: settled, and the index is behind.
            self.outbox.mark_skipped(kind, key, reason, block)

    def _is_early(self, kind: str, key: Digest, reason: int, head: Head) -> bool:
        """Whether only the home's clock is ahead of the chain's."""
        if kind != MIGRATION or reason != Reason.BAD_DEADLINE:
            return False
        return self.outbox.migration(key).request.signed_at > head.timestamp

    def resolve(self, item: Item, step: Step) -> None:
        """A used sequence number, and not by this request as far as the index knows.

        Once the number is used in a final block that the index has, and still not by this request,
        it was another one's for good. Before that a reorganisation may free it.
        """
        if step.head.final_number < item.skip_block:
            return
        request = self.outbox.migration(item.key).request
        used = calls.sequence_used(request.home, request.host, request.seq)
        contract, block = self.contract, step.head.final_number
        # An endpoint without the state of old blocks cannot say; the others must not wait for it.
        with suppress(ChainError):
            if used.decode(self.rpc.call(contract, used.data, block)):
                self.outbox.bury(MIGRATION, item.key, Reason.SEQUENCE_USED)
                step.result.buried += 1
            else:
                self.outbox.unmark(MIGRATION, [item.key])
