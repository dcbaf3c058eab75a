"""K1 and K2 that are claimed again, K2 on the home's word, and puzzles asked of the contract."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ledger.assets import Kudos, OpenPuzzle, Receipt, Rejected, Request, Result
from ledger.reasons import Reason
from ledger.types import Address, Digest
from tests.integration.ledger_model.canaries import FAMILIES, Canaries, climb
from tests.integration.ledger_model.state import WINDOW, Refused, Signed, Table, words
from tests.integration.ledger_model.steps import Stage

HARDEST = 64


@dataclass(frozen=True)
class Record:
    """A RESULT (level 2) or REJECTED (level 1) with its place; without a root it is strict."""

    request: Request
    level: int
    seal: Digest
    rejection: int
    answered_at: int
    root: Digest
    index: int
    path: tuple[Digest, ...]

    @property
    def is_strict(self) -> bool:
        return not any(self.root)


@dataclass(frozen=True)
class Asked:
    """A host's puzzle; ``block`` is 0 when there is none to solve."""

    counter: int = 0
    solved: int = 0
    block: int = 0
    difficulty: int = 0


class SecondClaims:
    """What the ledger did not decide, or did not see in time."""

    def __init__(self, canaries: Canaries) -> None:
        self.canaries, self.verdicts = canaries, canaries.verdicts
        self.core, self.world = canaries.core, canaries.world
        self.batches, self.steps = canaries.batches, canaries.steps
        self.asked: Table[Address, Asked] = self.world.table()

    def claim_again(self, record: Record) -> None:
        asset_id = self._asset_id(record)
        kudos_id = self.world.id(Kudos(record.level, asset_id))
        if kudos_id not in self.verdicts.claims:
            self._retire(record, asset_id)
        self._open(kudos_id, record, Reason.NOT_TIMED_OUT)
        self.world.emit("ClaimedAgain", kudos_id, record.request.host, asset_id, record.level)

    def claim_receipted(self, record: Record, received_at: int, signature: bytes) -> None:
        _require(record.level == 2, Reason.NOT_SETTLED)
        result_id = self._asset_id(record)
        settled_at = self._settled_at(record, result_id)
        request = record.request
        _require(settled_at > request.result_deadline, Reason.NOT_LATE)
        _require(received_at >= record.answered_at, Reason.BAD_ORDER)
        _require(received_at <= request.result_deadline, Reason.EXPIRED)
        _require(self.world.time <= settled_at + WINDOW, Reason.EXPIRED)
        receipt = Receipt(result_id, received_at)
        signed = self.world.has_signed(request.home, receipt, signature)
        _require(signed, Reason.BAD_SIGNATURE)
        kudos_id = self.world.id(Kudos(2, result_id))
        _require(kudos_id not in self.verdicts.claims, Reason.CLAIMED_BEFORE)
        self._open(kudos_id, record, Reason.CLAIMED_BEFORE)
        self.world.emit("Receipted", kudos_id, request.host, result_id, received_at, signature)
        _require(self.core.admit(request.home, request.host, 2), Reason.OVER_CAP)

    def _open(self, kudos_id: Digest, record: Record, otherwise: Reason) -> None:
        request = record.request
        opened = self.verdicts.open(kudos_id, request.home, request.host, record.level, 0)
        _require(opened, otherwise)

    def _retire(self, record: Record, asset_id: Digest) -> None:
        request = record.request
        if record.is_strict:
            place = (request.home, request.host, request.seq)
            step = self.steps.of(place)
            _require(step is not None and step.latest == asset_id, Reason.NOT_SETTLED)
            _require(self.steps.retire(place), Reason.NOT_TIMED_OUT)
            return
        _require(self._leads_to_root(record, asset_id), Reason.NOT_SETTLED)
        retired = self.batches.retire(request.host, record.root, record.index)
        _require(retired, Reason.NOT_TIMED_OUT)

    def _settled_at(self, record: Record, result_id: Digest) -> int:
        request = record.request
        if record.is_strict:
            step = self.steps.of((request.home, request.host, request.seq))
            done = step is not None and step.stage in (Stage.RESULT, Stage.LATE_RESULT)
            _require(done, Reason.NOT_SETTLED)
            assert step is not None
            _require(step.latest == result_id, Reason.NOT_SETTLED)
            return step.time
        batch = self.batches.settled.get((request.host, record.root))
        fits = batch is not None and self._leads_to_root(record, result_id)
        _require(fits, Reason.NOT_SETTLED)
        assert batch is not None
        return batch.settled_at

    def _asset_id(self, record: Record) -> Digest:
        request_id = self.world.id(record.request)
        if record.level == 2:
            return self.world.id(Result(request_id, record.seal, record.answered_at))
        _require(record.level == 1, Reason.NOT_SETTLED)
        return self.world.id(Rejected(request_id, record.rejection, record.answered_at))

    def _leads_to_root(self, record: Record, leaf: Digest) -> bool:
        return len(record.path) <= 7 and climb(leaf, record.index, record.path) == record.root

    # -- puzzles -------------------------------------------------------------------------------

    def ask_puzzle(self, host: Address, difficulty: int, signed: Signed | None) -> None:
        asked = self.asked.get(host, Asked())
        rules = self.world.rules
        asset = OpenPuzzle(host, asked.counter, difficulty)
        if self.world.sender != host and not (
            signed and self.world.has_signed(host, asset, signed.signature)
        ):
            raise Refused("NotSigned")
        if not rules.puzzle_difficulty <= difficulty <= HARDEST:
            raise Refused("BadDifficulty", rules.puzzle_difficulty)
        if asked.solved >= rules.puzzles_per_host:
            raise Refused("PuzzlesUsedUp", rules.puzzles_per_host)
        counter, block = asked.counter + 1, self.world.block + 1
        self.asked[host] = Asked(counter, asked.solved, block, difficulty)
        self.world.emit("PuzzleAsked", host, counter, difficulty, block)

    def solve_puzzle(self, host: Address, solution: Digest) -> None:
        asked = self.asked.get(host, Asked())
        parameters = self.parameters(host)
        if parameters is None:
            raise Refused("NoPuzzle")
        if not FAMILIES[2].verify(parameters, int.from_bytes(solution, "big")):
            raise Refused("NotSolved")
        self.asked[host] = replace(asked, block=0, solved=asked.solved + 1)
        self.world.emit("PuzzleSolved", host, asked.counter, parameters, solution)
        self.core.mint(self.core.addresses.claims, host, 3, 1)

    def parameters(self, host: Address) -> bytes | None:
        """Of the host's puzzle, once it can be solved."""
        asked = self.asked.get(host, Asked())
        block_hash = self.world.block_hash(asked.block) if asked.block else None
        if block_hash is None:
            return None
        challenge = words(self.core.addresses.claims, host, asked.counter, block_hash)
        return challenge[:31] + bytes([asked.difficulty])


def _require(holds: bool, reason: Reason) -> None:
    if not holds:
        raise Refused("NothingToClaim", int(reason))
