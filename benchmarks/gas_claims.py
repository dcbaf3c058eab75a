"""Gas of K3: puzzles that the contract checks, and replays that validators vote on."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.bench import REPLAY, Bench, Canary
from canaries.commitment import PLANTED, Mark
from canaries.dlog import Dlog
from ledger import claim_calls, merkle
from ledger.assets import Kudos
from ledger.claim_calls import ClaimVote
from ledger.contracts import contracts_of
from ledger.eip712 import digest
from ledger.keys import Key
from ledger.packed_claims import ClaimItem, Opening, PlantedOpening, PuzzleOpening
from ledger.puzzle_result import result_digest_of
from ledger.reasons import Reason
from ledger.types import Digest

_DLOG = Digest(b"dlog".ljust(32, b"\0"))
_BITS = 16
_FAMILIES = 8
"""Among so many registered numbers the family is looked for."""


class Claims:
    """A batch of 128 from eight homes whose RESULTs are canaries, with its tree."""

    def __init__(self, bench: Bench, homes: Sequence[Key], *, puzzles: bool) -> None:
        self.bench = bench
        self.contract = contracts_of(bench.deployment.contract).claims
        self._family = self._find_family()
        self._solutions: dict[bytes, Digest] = {}
        made = [self._make(homes[i % len(homes)], puzzle=puzzles) for i in range(128)]
        _, self._root = bench.settle(made)
        self._canaries = bench.in_order(made)
        self._leaves = bench.leaves(made)

    def claim(self, chosen: Sequence[int]) -> tuple[int, list[Digest]]:
        """Claims K3 at these places; the gas, and the ids of the Kudos."""
        items = [self._item(index) for index in chosen]
        receipt = self.bench.host_sender.send(self.contract, claim_calls.claim(items))
        ids = [self._kudos_id(self._canaries[index]) for index in chosen]
        for index in chosen:
            request = self._canaries[index].migration.request
            view = claim_calls.canary_claimed(request.home, request.host, request.seq)
            if not self.bench.ask(view, self.contract):
                raise SystemExit("A claim was skipped; the numbers would mean nothing.")
        return receipt.gas_used, ids

    def decide(self, ids: Sequence[Digest]) -> int:
        """Both validators commit to approving all, and reveal; the gas of all four."""
        bench, votes = self.bench, [ClaimVote(kudos, Reason.APPROVE) for kudos in ids]
        seconds = bench.deployment.constants.round_seconds
        bench.wait(seconds)
        number = bench.chain_time() // seconds
        gas, salts = 0, [bench.word() for _ in bench.voters]
        for voter, salt in zip(bench.voters, salts, strict=True):
            sealed = claim_calls.votes_commitment(bench.domain, voter.address, number, votes, salt)
            gas += voter.send(self.contract, claim_calls.commit_votes(number, sealed)).gas_used
        bench.wait(seconds)
        for voter, salt in zip(bench.voters, salts, strict=True):
            data = claim_calls.reveal_votes(voter.address, number, votes, salt)
            gas += voter.send(self.contract, data).gas_used
        return gas

    def _make(self, home: Key, *, puzzle: bool) -> Canary:
        bench = self.bench
        if not puzzle:
            return bench.canary(home, Mark(PLANTED, REPLAY, bench.word(), bench.word()))
        generated = Dlog().generate(bench.word(), _BITS)
        solution = Dlog().solve(generated.question)
        if solution is None:
            raise SystemExit("A puzzle of the benchmark has no solution.")
        word = Digest(solution.to_bytes(32, "big"))
        mark = Mark(PLANTED, _DLOG, generated.parameters, bench.word())
        canary = bench.canary(home, mark, result_digest_of(word))
        self._solutions[canary.task_digest] = word
        return canary

    def _item(self, index: int) -> ClaimItem:
        canary = self._canaries[index]
        result = canary.migration.result
        return ClaimItem(
            canary.migration.request,
            result.signed_at,
            self._opening(canary),
            tree=self._root,
            index=index,
            path=merkle.path(self._leaves, index),
        )

    def _opening(self, canary: Canary) -> Opening:
        mark, solution = canary.mark, self._solutions.get(canary.task_digest)
        secrets = (Digest(mark.parameters), Digest(mark.salt), canary.seal_salt)
        if solution is not None:
            return PuzzleOpening(self._family, canary.task_digest, *secrets, solution)
        family = Digest(mark.family)
        return PlantedOpening(family, canary.task_digest, *secrets, canary.result_digest)

    def _kudos_id(self, canary: Canary) -> Digest:
        result_id = digest(self.bench.domain, canary.migration.result)
        kudos = Kudos(3, result_id, canary.result_digest, canary.seal_salt)
        return digest(self.bench.domain, kudos)

    def _find_family(self) -> int:
        for number in range(1, _FAMILIES + 1):
            view = claim_calls.family(number)
            name, _ = view.decode(self.bench.chain.rpc.call(self.contract, view.data))
            if name == _DLOG:
                return number
        raise SystemExit("No family of puzzles is called dlog.")


def measure_claims(bench: Bench) -> dict[str, int]:
    """K3 on top of a settled batch of 128. Alone; eight of one home; one of each of eight homes.

    The home's words of claimed marks, the host's total and the batch were in use before.
    """
    homes = [bench.key() for _ in range(8)]
    puzzles = Claims(bench, homes, puzzles=True)
    puzzles.claim([place * 16 for place in range(8)])
    alone, _ = puzzles.claim([5])
    eight, _ = puzzles.claim(range(16 + 3, 16 + 11))
    spread, _ = puzzles.claim([place * 16 + 13 for place in range(8)])
    replays = Claims(bench, homes, puzzles=False)
    replays.claim([place * 16 for place in range(8)])
    one, ids = replays.claim([5])
    one += replays.decide(ids)
    many, ids = replays.claim(range(16 + 3, 16 + 11))
    many += replays.decide(ids)
    return {
        "canary_extra": alone,
        "canary_extra_8": eight // 8,
        "canary_extra_8_homes": spread // 8,
        "canary_replay": one,
        "canary_replay_8": many // 8,
    }
