"""`kudos validators`: who they are, and the queue by which they change that themselves.

Everything is read from the chain at one block, not from an indexed copy: the command needs none.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from ledger import calls, queue_calls
from ledger.contracts import Contracts, contracts_of
from ledger.deployment import Deployment
from ledger.errors import UsageError
from ledger.event_types import ProposalContent
from ledger.ports import SystemClock
from ledger.queue_calls import Status
from ledger.rpc import Receipt, Rpc
from ledger.sender import Sender
from ledger.types import ZERO_ADDRESS, Address, BlockNumber, hex_of
from node.identity import password_from, unlock

T = TypeVar("T")
SHOWN = 50
"""As many proposals, the newest, are listed."""


@dataclass(frozen=True, slots=True)
class Queue:
    """The validators' queue of one ledger, as of one block."""

    rpc: Rpc
    contracts: Contracts
    block: BlockNumber

    def ask(self, view: calls.View[T]) -> T:
        """A view of the queue."""
        return view.decode(self.rpc.call(self.contracts.queue, view.data, self.block))

    def ask_ledger(self, view: calls.View[T]) -> T:
        """A view of the ledger."""
        return view.decode(self.rpc.call(self.contracts.ledger, view.data, self.block))

    def known(self, number: int) -> ProposalContent:
        """What a proposal says; UsageError when there is none of the number."""
        content = self.ask(queue_calls.content(number)) if number > 0 else None
        if content is None or content.kind == 0:
            raise UsageError(
                f"There is no proposal {number}.", hint="`kudos validators status` lists them."
            )
        return content


def run_validators(options: argparse.Namespace) -> int:
    """One action on the set of validators."""
    deployment, rpc = Deployment.load(options.ledger), Rpc(options.rpc)
    deployment.verify(rpc)
    queue = Queue(rpc, contracts_of(deployment.contract), rpc.block_number())
    _ACTIONS[options.action](options, queue)
    return 0


def _list(_: argparse.Namespace, queue: Queue) -> None:
    seats = queue.ask_ledger(calls.seats())
    for seat, validator in enumerate(seats):
        if validator != ZERO_ADDRESS:
            print(f"seat {seat:2}  {hex_of(validator)}")
    print(f"threshold {queue.ask_ledger(calls.threshold())} of {_count(seats)}")
    print(f"set {queue.ask_ledger(calls.set_version())}, as of block {queue.block}")


def _status(options: argparse.Namespace, queue: Queue) -> None:
    last = queue.ask(queue_calls.proposals())
    if options.proposal is not None:
        queue.known(options.proposal)
        _show(queue, options.proposal)
        return
    if not last:
        print("no proposals")
    for number in range(max(1, last - SHOWN + 1), last + 1):
        _show(queue, number)


def _show(queue: Queue, number: int) -> None:
    content, stands = queue.known(number), queue.ask(queue_calls.standing(number))
    seats = queue.ask_ledger(calls.seats())
    print(f"proposal {number}: {_words(content, seats)}")
    counted = f"{stands.approvals.bit_count()} approve, {stands.withdrawals.bit_count()} withdraw"
    print(f"  {stands.status.name.lower()}; {counted}{_times(stands)}")


def _times(stands: queue_calls.ProposalStanding) -> str:
    if stands.status == Status.WAITING:
        return f"; can be executed from {_moment(stands.ready_at)} on"
    if stands.status in (Status.OPEN, Status.READY):
        return f"; lapses at {_moment(stands.expires_at)}"
    return ""


def _words(content: ProposalContent, seats: tuple[Address, ...]) -> str:
    """What a proposal would change, against the set in force."""
    if content.kind == queue_calls.FAMILY:
        name = content.family.rstrip(b"\0").decode("ascii", "replace")
        return f"register the family {name} at {hex_of(content.implementation)}"
    if content.kind == queue_calls.CLOSE:
        return "close the ledger"
    changed = [
        f"seat {seat}: {_holder(old)} -> {_holder(new)}"
        for seat, (old, new) in enumerate(zip(seats, content.seats, strict=True))
        if old != new
    ]
    return "; ".join([*changed, f"threshold {content.quorum} of {_count(content.seats)}"])


def _propose(options: argparse.Namespace, queue: Queue) -> None:
    content = queue.ask(_proposed(options, queue))
    receipt = _send(options, queue, queue_calls.propose(content))
    # Somebody else's may have come in between; ours is the newest with this content.
    now = Queue(queue.rpc, queue.contracts, receipt.block_number)
    number = now.ask(queue_calls.proposals())
    while number > 1 and now.known(number) != content:
        number -= 1
    _show(now, number)


def _proposed(options: argparse.Namespace, queue: Queue) -> calls.View[ProposalContent]:
    if options.change == "rotate":
        return queue_calls.rotating(options.old, options.new)
    if options.change == "threshold":
        return queue_calls.setting_threshold(options.threshold)
    adds = options.change == "add"
    count = _count(queue.ask_ledger(calls.seats())) + (1 if adds else -1)
    threshold = options.threshold or _fitting(queue.ask_ledger(calls.threshold()), count)
    change = queue_calls.adding if adds else queue_calls.removing
    return change(options.validator, threshold)


def _fitting(threshold: int, validators: int) -> int:
    """The threshold in force, or the nearest one that so many validators can have."""
    return min(max(threshold, validators // 2 + 1), max(validators, 1))


def _vote(options: argparse.Namespace, queue: Queue) -> None:
    content = queue.known(options.proposal)
    approve = options.action == "approve"
    receipt = _send(options, queue, queue_calls.vote(options.proposal, content, approve=approve))
    _show(Queue(queue.rpc, queue.contracts, receipt.block_number), options.proposal)


def _execute(options: argparse.Namespace, queue: Queue) -> None:
    queue.known(options.proposal)
    receipt = _send(options, queue, queue_calls.execute(options.proposal))
    print(f"executed in block {receipt.block_number}")
    _list(options, Queue(queue.rpc, queue.contracts, receipt.block_number))


def _send(options: argparse.Namespace, queue: Queue, data: bytes) -> Receipt:
    key = unlock(options.key, password_from(options.password_file))
    sender = Sender(queue.rpc, key, queue.rpc.chain_id(), SystemClock())
    return sender.send(queue.contracts.queue, data)


def _count(seats: tuple[Address, ...]) -> int:
    return sum(seat != ZERO_ADDRESS for seat in seats)


def _holder(validator: Address) -> str:
    return "empty" if validator == ZERO_ADDRESS else hex_of(validator)


def _moment(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat(sep=" ")


_ACTIONS: dict[str, Callable[[argparse.Namespace, Queue], None]] = {
    "list": _list,
    "status": _status,
    "propose": _propose,
    "approve": _vote,
    "withdraw": _vote,
    "execute": _execute,
}
