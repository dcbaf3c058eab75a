"""Migrations on their way into the ledger: in batches, or one asset after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple
from functools import partial

from eth_hash.auto import keccak

from ledger import record
from ledger.abi import LEDGER
from ledger.assets import Asset, Batch, Migration
from ledger.eip712 import digest
from ledger.keys import Key
from ledger.types import Digest
from tests.integration.ledger_model import Signed
from tests.integration.ledger_model.batches import merkle_root
from tests.integration.ledger_model.steps import PLACES
from tests.integration.lifecycle_plans import DAY, Plan, Plans
from tests.integration.side_by_side import SideBySide
from tests.integration.strict_calls import submission

Brink = tuple[int, Callable[[], None]]
"""A second at which something ends, and what to try in it."""


class Ways:
    """Takes plans to both ledgers; ``finished`` are those that were settled."""

    def __init__(self, both: SideBySide) -> None:
        self.both, self.random, self.model = both, both.random, both.model
        self.plans = Plans(both.random, both.domain, both.nodes)
        self.waiting: list[Plan] = []
        self.moving: list[Plan] = []
        self.finished: list[Plan] = []
        self.begun = 0

    def begin(self) -> None:
        plan = self.plans.make(self.both.time)
        (self.moving if plan.is_strict else self.waiting).append(plan)
        self.begun += 1

    def abandon(self) -> None:
        """Most of what was not finished in time never will be."""
        self.moving = [plan for plan in self.moving if self.random.random() < 0.2]
        self.waiting = [plan for plan in self.waiting if self.random.random() < 0.2]

    def brinks(self) -> list[Brink]:
        """The last seconds for what is under way, and what to try then."""
        found: list[Brink] = []
        for plan in self.moving + self.waiting:
            deadline = plan.request.result_deadline
            act = partial(self.go_on, plan)
            found += [(deadline, act), (deadline + DAY, act)]
        return found

    def go_on(self, plan: Plan) -> None:
        """With one plan, if it still waits for it."""
        if plan in self.moving:
            self._advance(plan)
        elif plan in self.waiting:
            self._settle_for(plan.host)

    # -- batches -------------------------------------------------------------------------------

    def settle(self) -> None:
        """All that one host has finished, and now and then something that it has settled
        before."""
        if not self.waiting:
            return
        self._settle_for(self.random.choice(self.waiting).host)

    def _settle_for(self, host: Key) -> None:
        batch = [plan for plan in self.waiting if plan.host is host][:60]
        self.waiting = [plan for plan in self.waiting if plan not in batch]
        again = [plan for plan in self.finished if plan.host is host]
        if again and self.random.random() < 0.2:
            batch.append(self.random.choice(again))
        signers = [plan.home if self.random.random() > 0.03 else host for plan in batch]
        domain = self.both.domain
        made = [plan.record(domain, signer) for plan, signer in zip(batch, signers, strict=True)]
        records = record.batch_order(made)
        packed = record.encode_batch(records)
        sender, signed = self._batch_by(host, packed)

        def settle() -> None:
            self.model.batches.settle(host.address, records, packed, signed)

        signature = signed.signature if signed else b""
        values = (host.address, packed, signature)
        if self.both.do(sender, LEDGER, settle, "settle", *values):
            self._place(batch, records)

    def _batch_by(self, host: Key, packed: bytes) -> tuple[Key, Signed | None]:
        kind = self.random.random()
        if kind < 0.5:
            return host, None
        content = Batch(host.address, Digest(keccak(packed)))
        signer = host if kind < 0.95 else self.both.relayer
        return self.both.relayer, Signed(signer.sign(self.both.domain, content))

    def _place(self, batch: list[Plan], records: list[Migration]) -> None:
        """Where each was settled: the log tells what was skipped."""
        settled = next(event for event in self.model.world.log if event.name == "BatchSettled")
        _, root, _, pairs, _ = settled.values
        leaves = record.leaves(self.both.domain, records, pairs[::2])
        assert merkle_root(leaves) == root
        for plan in batch:
            leaf = digest(self.both.domain, plan.leaf)
            if leaf in leaves and not any(plan.root) and not plan.done:
                plan.root, plan.index = root, leaves.index(leaf)
                plan.path = path_of(leaves, plan.index)
                self.finished.append(plan)

    # -- the strict way ------------------------------------------------------------------------

    def advance(self) -> None:
        """The next asset of one migration, or one out of turn."""
        if not self.moving:
            return
        self._advance(self.random.choice(self.moving))

    def _advance(self, plan: Plan) -> None:
        step = plan.done
        kind = self.random.random()
        if kind < 0.06:
            step = self.random.randrange(4)
        last = 1 if plan.rejected is not None else 3
        taken = self._take(plan, min(step, last))
        if taken and step == plan.done:
            plan.done += 1
        if plan.done > last:
            self.moving.remove(plan)
            self.finished.append(plan)
        elif not taken and self.random.random() < 0.3:
            self.moving.remove(plan)

    def _take(self, plan: Plan, step: int) -> bool:
        name, asset, owner = self._asset(plan, step)
        sender, signed = self._by(owner, asset)
        act, values = self._call(plan, name, signed)
        if signed or sender != owner or self.random.random() < 0.2:
            signature = signed.signature if signed else b""
            return self.both.do(sender, LEDGER, act, name, *values, signature)
        return self.both.do(sender, LEDGER, act, *submission(name, values))

    def _asset(self, plan: Plan, step: int) -> tuple[str, Asset, Key]:
        if step == 0:
            return "request", plan.request, plan.home
        if plan.rejected is not None:
            return "reject", plan.rejected, plan.host
        return (
            ("accept", plan.accepted, plan.host),
            ("confirm", plan.confirmed, plan.home),
            ("result", plan.result, plan.host),
        )[step - 1]

    def _by(self, owner: Key, asset: Asset) -> tuple[Key, Signed | None]:
        """Who sends it: its owner, or anybody with the owner's signature, or with another's."""
        kind = self.random.random()
        if kind < 0.5:
            return owner, None
        if kind < 0.52:
            return self.both.relayer, None
        signer = owner if kind < 0.97 else self.both.relayer
        sender = self.random.choice((owner, self.both.relayer))
        return sender, Signed(signer.sign(self.both.domain, asset))

    def _call(
        self, plan: Plan, name: str, signed: Signed | None
    ) -> tuple[Callable[[], None], tuple[object, ...]]:
        steps, request = self.model.steps, plan.request
        seq = request.seq
        if self.random.random() < 0.02:
            # Another number of the same place.
            seq = (seq + PLACES * self.random.randrange(1, PLACES)) % (PLACES * PLACES)
        place = (request.home, request.host, seq)
        request_id = digest(self.both.domain, request)
        accepted, confirmed, result = plan.accepted, plan.confirmed, plan.result
        if name == "request":
            return lambda: steps.request(request, signed), (astuple(request),)
        if name == "accept":
            values: tuple[object, ...] = (place, request_id, accepted.signed_at)
            return lambda: steps.accept(place, accepted, signed), values
        if name == "confirm":
            values = (place, request_id, accepted.signed_at, confirmed.signed_at)
            return lambda: steps.confirm(place, accepted, confirmed.signed_at, signed), values
        if name == "result":
            values = (place, request_id, result.seal, result.signed_at)
            return lambda: steps.result(place, result, signed), values
        rejected = plan.rejected
        assert rejected is not None
        values = (place, request_id, rejected.reason, rejected.signed_at)
        return lambda: steps.reject(place, rejected, signed), values


def path_of(leaves: list[Digest], index: int) -> tuple[Digest, ...]:
    """The siblings of a leaf, from its own up."""
    nodes: list[bytes] = list(leaves)
    while len(nodes) & (len(nodes) - 1):
        nodes.append(bytes(32))
    path = []
    while len(nodes) > 1:
        path.append(Digest(nodes[index ^ 1]))
        nodes = [keccak(nodes[i] + nodes[i + 1]) for i in range(0, len(nodes), 2)]
        index >>= 1
    return tuple(path)
