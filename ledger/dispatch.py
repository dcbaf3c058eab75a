"""How queued items leave in transactions, whatever they claim: one at a time under way for each
item, marked in the queue before it goes, and for what a contract did not take the reason noted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ledger.abi import ContractReverted
from ledger.event_types import Event
from ledger.events import decode
from ledger.outbox import MIGRATION, Item, Outbox
from ledger.ports import Clock
from ledger.reasons import Reason
from ledger.refused_items import RefusedItems, Step
from ledger.rpc import Receipt
from ledger.sender import Sender
from ledger.settled_view import Head
from ledger.types import Address, Digest, TxHash

_NOTHING = ("NothingToSettle", "NothingToClaim")
"""What the contracts answer when they want none of it."""


@dataclass(frozen=True, slots=True)
class Load:
    """One transaction: what it carries, and how to ask about a single item of it."""

    kind: str
    contract: Address
    keys: Sequence[Digest]
    data: bytes
    single: Callable[[Digest], bytes]


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Sends what one queue holds; what was sent and has not shown is left alone for
    ``resend_after`` seconds."""

    outbox: Outbox
    sender: Sender
    refused: RefusedItems
    clock: Clock
    contracts: Sequence[Address]
    """Whose events count."""
    resend_after: float

    def ready(self, items: Iterable[Item], step: Step) -> list[Item]:
        """Those that no transaction is under way for."""
        under_way: dict[TxHash, bool] = {}
        ready = []
        for item in items:
            if item.kind == MIGRATION and item.skip_reason == Reason.SEQUENCE_USED:
                self.refused.resolve(item, step)
            elif self._is_quiet(item):
                if item.tx is not None and item.tx not in under_way:
                    under_way[item.tx] = self._is_under_way(item.tx, step.head)
                if item.tx is None or not under_way[item.tx]:
                    ready.append(item)
        return ready

    def send(self, load: Load, step: Step) -> Receipt | None:
        """Sends; None when the contract wants none of it, and each item knows why."""
        try:
            receipt = self.sender.send(
                load.contract,
                load.data,
                on_signed=lambda tx: self.outbox.mark_sent(load.kind, load.keys, tx),
            )
        except ContractReverted as error:
            if error.error not in _NOTHING:
                raise
            self._explain(load, error, step)
            return None
        step.result.gas_used += receipt.gas_used
        return receipt

    def events(self, receipt: Receipt) -> list[Event]:
        """What the ledger's contracts said of a transaction."""
        ours = (log for log in receipt.logs if log.address in self.contracts)
        return [decode(log) for log in ours]

    def _is_quiet(self, item: Item) -> bool:
        """Whether enough time has passed since something was last tried with it."""
        return not 0 <= self.clock.now() - item.sent_at < self.resend_after

    def _is_under_way(self, tx: TxHash, head: Head) -> bool:
        """Whether a transaction may still have effects that the index has not seen."""
        receipt = self.sender.rpc.receipt(tx)
        if receipt is not None:
            return head.number < receipt.block_number
        # A transaction in the mempool holds its nonce: what is sent behind it would wait with it.
        return self.sender.rpc.knows(tx)

    def _explain(self, load: Load, error: ContractReverted, step: Step) -> None:
        """The contract gives the reason of the first item alone, so the others are asked singly."""
        block = self.sender.rpc.block_number()
        self.refused.note(load.kind, load.keys[0], error.values[0], block, step)
        for key in load.keys[1:]:
            try:
                self.sender.dry_run(load.contract, load.single(key))
            except ContractReverted as single:
                if single.error not in _NOTHING:
                    raise
                self.refused.note(load.kind, key, single.values[0], block, step)
