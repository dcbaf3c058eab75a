"""K3 as hosts claim it and validators judge it, claims made again, receipts, puzzles asked for."""

from __future__ import annotations

from dataclasses import astuple, replace
from functools import partial

from eth_hash.auto import keccak

from ledger.abi import CLAIMS
from ledger.assets import CanaryOpened, Claims, Kudos, OpenPuzzle, Receipt
from ledger.eip712 import digest
from ledger.keys import Key
from ledger.packed_claims import (
    ClaimItem,
    DrawnOpening,
    HomesWords,
    Opening,
    encode_claims,
)
from ledger.types import Digest
from tests.integration.ledger_model import Signed
from tests.integration.ledger_model.canaries import FAMILIES, family_in
from tests.integration.ledger_model.second import Record
from tests.integration.ledger_model.state import WINDOW
from tests.integration.ledger_model.steps import State
from tests.integration.lifecycle_plans import Plan, spoiled
from tests.integration.lifecycle_ways import Brink
from tests.integration.side_by_side import SideBySide

HARD = 65


class Claimants:
    """Hosts who want more than the ledger gave them at settlement."""

    def __init__(self, both: SideBySide, finished: list[Plan]) -> None:
        self.both, self.random, self.model = both, both.random, both.model
        self.finished = finished

    # -- K3 ------------------------------------------------------------------------------------

    def claim(self, *, drawn: bool = False) -> None:
        """Some of one host's canaries, some of them claimed before."""
        plans = [
            plan
            for plan in self._recent()
            if plan.rejected is None
            and (drawn or plan.planted is not None)
            and (self.random.random() < 0.1 or not self._was_claimed(plan))
        ]
        if plans:
            self._claim_of(plans, drawn)

    def _recent(self) -> list[Plan]:
        """Those that can still be claimed, and now and then those that cannot."""
        careless = self.random.random() < 0.05
        begin = 0 if careless else self.both.time - WINDOW
        return [plan for plan in self.finished[-80:] if plan.request.signed_at > begin]

    def _claim_of(self, plans: list[Plan], drawn: bool) -> None:
        host = self.random.choice(plans).host
        own = [plan for plan in plans if plan.host is host]
        own = self.random.sample(own, min(len(own), self.random.randrange(1, 6)))
        own.sort(key=lambda plan: (plan.request.home, plan.root, plan.index))
        items = [self._item(plan, drawn) for plan in own]
        packed = encode_claims(items)
        sender, signed = self._by(host, Claims(host.address, Digest(keccak(packed))))

        def claim() -> None:
            self.model.canaries.claim(host.address, items, packed, signed)

        if signed is None:
            self.both.do(sender, CLAIMS, claim, "claim", packed)
        else:
            values = (host.address, packed, signed.signature)
            self.both.do(sender, CLAIMS, claim, "claimFor", *values)

    def claim_timed_out(self) -> None:
        """K3 again, of what was claimed and never decided."""
        self.model.world.time = self.both.time
        timed_out = [
            plan
            for plan in self.finished
            if plan.rejected is None and self.model.verdicts.has_timed_out(self._kudos_id(plan))
        ]
        for plan in timed_out:
            self._claim_of([plan], plan.planted is None)

    def show_tests(self) -> None:
        """Of the validators: those that can be shown now, once; and some with another salt."""
        for plan in self.finished:
            if plan.test_salt is None or not self._was_claimed(plan):
                continue
            if plan.test_salt[0] % 2:
                self._show_test(plan, Digest(bytes(32)))
            if self._show_test(plan, plan.test_salt):
                plan.test_salt = None

    def _show_test(self, plan: Plan, salt: Digest) -> bool:
        domain = self.both.domain
        ids = (digest(domain, plan.request), digest(domain, plan.result))
        shown = (*ids, plan.drawn.seal_salt, salt)
        act = partial(self.model.tests.show, *shown)
        return self.both.do(self.both.relayer, CLAIMS, act, "openTest", *shown)

    def _kudos_id(self, plan: Plan) -> Digest:
        result_id, opening = digest(self.both.domain, plan.result), plan.drawn
        kudos = Kudos(3, result_id, opening.result_digest, opening.seal_salt)
        return digest(self.both.domain, kudos)

    def _was_claimed(self, plan: Plan) -> bool:
        place = (plan.home.address, plan.host.address, plan.request.seq)
        return place in self.model.canaries.claimed

    def _item(self, plan: Plan, drawn: bool) -> ClaimItem:
        opening: Opening = plan.drawn if drawn or plan.planted is None else plan.planted
        if self.random.random() < 0.05:
            opening = spoiled(opening, self.random)
        tree = plan.root if any(plan.root) else None
        index, path = plan.index, plan.path
        if self.random.random() < 0.03:
            index = (index + self.random.choice((1, 128))) % 256
        words = self._words(plan, opening) if self.random.random() < 0.3 else None
        after = plan.result.signed_at
        return ClaimItem(plan.request, after, opening, words, tree, index, path)

    def _words(self, plan: Plan, opening: Opening) -> HomesWords | None:
        if isinstance(opening, DrawnOpening):
            return None
        domain, at = self.both.domain, plan.result.signed_at + 1
        opened = CanaryOpened(
            digest(domain, plan.request),
            digest(domain, plan.result),
            opening.task_digest,
            family_in(opening),
            opening.parameters,
            opening.salt,
            at,
        )
        signer = plan.home if self.random.random() < 0.9 else plan.host
        return HomesWords(at, signer.sign(domain, opened))

    def _by(self, owner: Key, asset: Claims | OpenPuzzle) -> tuple[Key, Signed | None]:
        kind = self.random.random()
        if kind < 0.6:
            return owner, None
        signer = owner if kind < 0.97 else self.both.relayer
        return self.both.relayer, Signed(signer.sign(self.both.domain, asset))

    # -- K1 and K2 -----------------------------------------------------------------------------

    def claim_again(self) -> None:
        plans = [plan for plan in self.finished if self._is_open(plan)]
        if not plans or self.random.random() < 0.2:
            plans = self.finished
        if not plans:
            return
        self._claim_again(self.random.choice(plans))

    def brinks(self) -> list[Brink]:
        """The last seconds of claims that wait for votes, and then trying to make them again."""
        waiting = [plan for plan in self.finished if self._is_open(plan)]
        return [
            (self._settled_at(plan) + WINDOW, partial(self._claim_again, plan)) for plan in waiting
        ]

    def _claim_again(self, plan: Plan) -> None:
        record = self._record(plan)
        act = lambda: self.model.second.claim_again(record)  # noqa: E731
        self.both.do(self.both.relayer, CLAIMS, act, "claimAgain", _values(record))

    def _is_open(self, plan: Plan) -> bool:
        """Whether the ledger's own claim still waits for votes."""
        if any(plan.root):
            return plan.index in self.model.batches.settled[plan.host.address, plan.root].open
        place = (plan.home.address, plan.host.address, plan.request.seq)
        step = self.model.steps.of(place)
        return step is not None and step.claim == State.CLAIMED

    def claim_receipted(self) -> None:
        """On the home's word, of a RESULT that was late, or was not."""
        late = [plan for plan in self._recent() if plan.rejected is None]
        if self.random.random() < 0.9:
            late = [plan for plan in late if self._is_late(plan)]
        if not late:
            return
        plan = self.random.choice(late)
        record = self._record(plan)
        kind = self.random.random()
        received = record.answered_at
        if kind < 0.1:
            received += self.random.choice((-1, 1, 10_000_000))
        receipt = Receipt(digest(self.both.domain, plan.result), received)
        signer = plan.home if kind < 0.95 else plan.host
        signature = signer.sign(self.both.domain, receipt)
        act = lambda: self.model.second.claim_receipted(record, received, signature)  # noqa: E731
        values = (_values(record), received, signature)
        self.both.do(self.both.relayer, CLAIMS, act, "claimReceipted", *values)

    def _is_late(self, plan: Plan) -> bool:
        return self._settled_at(plan) > plan.request.result_deadline

    def _settled_at(self, plan: Plan) -> int:
        if any(plan.root):
            return self.model.batches.settled[plan.host.address, plan.root].settled_at
        place = (plan.home.address, plan.host.address, plan.request.seq)
        step = self.model.steps.of(place)
        # Where another migration has taken the place, nobody can say when this one was settled.
        return step.time if step is not None else 0

    def _record(self, plan: Plan) -> Record:
        level, rejection, answered = 2, 0, plan.result.signed_at
        if plan.rejected is not None:
            level, rejection, answered = 1, plan.rejected.reason, plan.rejected.signed_at
        record = Record(
            *(plan.request, level, plan.result.seal, rejection, answered),
            *(plan.root, plan.index, plan.path),
        )
        kind = self.random.random()
        if kind < 0.03:
            return replace(record, level=self.random.choice((0, 1, 3)))
        if kind < 0.05:
            return replace(record, index=(record.index + self.random.choice((1, 128))) % 256)
        if kind < 0.07:
            return replace(record, answered_at=answered + 1)
        return record

    # -- puzzles -------------------------------------------------------------------------------

    def puzzle(self) -> None:
        """A host asks for one, and solves it, or asks again, or tries what is no solution."""
        host = self.random.choice(self.both.nodes)
        second = self.model.second
        difficulty = self.random.choice((4, 4, 4, 6, 3, HARD))
        counter = (
            self.model.second.asked[host.address].counter if host.address in second.asked else 0
        )
        sender, signed = self._by(host, OpenPuzzle(host.address, counter, difficulty))
        signature = signed.signature if signed else b""
        act = lambda: second.ask_puzzle(host.address, difficulty, signed)  # noqa: E731
        self.both.do(sender, CLAIMS, act, "askPuzzle", host.address, difficulty, signature)
        # The block that fixes the target has to be behind us.
        for _ in range(self.random.choice((0, 1, 1, 1, 1))):
            self._solve(host, 0)
        if self.random.random() < 0.05:
            self.both.mine(300)
        self._solve(host, self._solution(host))

    def _solution(self, host: Key) -> int:
        self.model.world.block = self.both.block + 1
        parameters = self.model.second.parameters(host.address)
        if parameters is None:
            return 1
        return FAMILIES[2].solve((parameters.hex(), str(parameters[31]))) or 0

    def _solve(self, host: Key, solution: int) -> None:
        given = Digest(solution.to_bytes(32, "big"))
        act = lambda: self.model.second.solve_puzzle(host.address, given)  # noqa: E731
        self.both.do(self.both.relayer, CLAIMS, act, "solvePuzzle", host.address, given)


def _values(record: Record) -> tuple[object, ...]:
    return (astuple(record.request), *astuple(record)[1:])
