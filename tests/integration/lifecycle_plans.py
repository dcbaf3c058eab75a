"""Migrations with all their assets, good ones and bad ones, as one stream of random numbers makes
them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

from eth_hash.auto import keccak

from canaries.commitment import ORDINARY, PLANTED, Mark, Place, commitment, seal
from canaries.family import field_of
from ledger.assets import (
    Accepted,
    Confirmed,
    ConfirmedMigration,
    Migration,
    Rejected,
    RejectedMigration,
    Request,
    Result,
)
from ledger.eip712 import Domain, digest
from ledger.keys import Key
from ledger.packed_claims import DrawnOpening, Opening, PlantedOpening, PuzzleOpening
from ledger.puzzle_result import result_digest_of
from ledger.types import Digest, Signature
from tests.integration.ledger_model.canaries import FAMILIES
from tests.integration.ledger_model.opened_tests import stands_for
from tests.integration.ledger_model.steps import PLACES

DAY = 86_400
DIFFICULTIES = (8, 16, 4)
TESTS = 128
"""Of 256 canaries to run again: whose results are none."""


@dataclass
class Plan:
    """One migration: what its parties sign, what its home hides, and where it was settled."""

    home: Key
    host: Key
    request: Request
    accepted: Accepted
    confirmed: Confirmed
    result: Result
    rejected: Rejected | None
    drawn: DrawnOpening
    planted: Opening | None
    is_strict: bool
    done: int = 0
    """How many of its assets were taken, where it comes the strict way."""
    root: Digest = field(default_factory=lambda: Digest(bytes(32)))
    index: int = 0
    path: tuple[Digest, ...] = ()
    test_salt: Digest | None = None
    """Of a test of the validators."""

    @property
    def leaf(self) -> Result | Rejected:
        return self.rejected or self.result

    def record(self, domain: Domain, signer: Key) -> Migration:
        """As a batch has it, signed by ``signer`` in the home's place."""
        if self.rejected is not None:
            signature = signer.sign(domain, self.request)
            return RejectedMigration(self.request, self.rejected, signature)
        signature = Signature(signer.sign(domain, self.confirmed))
        return ConfirmedMigration(
            self.request, self.accepted, self.confirmed, self.result, signature
        )


class Plans:
    """Makes plans; numbers between two parties mostly go up by one."""

    def __init__(self, random: Random, domain: Domain, nodes: list[Key]) -> None:
        self.random, self.domain, self.nodes = random, domain, nodes
        self._numbers: dict[tuple[bytes, bytes], int] = {}
        self._made: dict[tuple[bytes, bytes], list[int]] = {}

    def make(self, now: int) -> Plan:
        home, host = self.random.sample(self.nodes, 2)
        if self.random.random() < 0.01:
            home = host
        signed_at, deadline = self._times(now)
        seq = self._number(home, host)
        self._made.setdefault((home.address, host.address), []).append(seq)
        planted = self._opening()
        drawn = self._drawn(planted)
        place = Place(self.domain.chain_id, self.domain.contract, home.address, host.address, seq)
        committed = Digest(commitment(place, drawn.task_digest, drawn.mark_hash))
        request = Request(
            *(home.address, host.address, self._digest(), self._digest(), committed),
            *(self._below(1 << 24), self._below(1 << 24), self._below(1 << 32), seq),
            *(deadline, signed_at),
        )
        return self._answered(home, host, request, planted, drawn)

    def _answered(
        self, home: Key, host: Key, request: Request, planted: Opening | None, drawn: DrawnOpening
    ) -> Plan:
        request_id = digest(self.domain, request)
        test_salt = None
        if isinstance(planted, PlantedOpening) and planted.salt[0] < TESTS:
            test_salt = Digest(keccak(planted.salt))
            answer = stands_for(request_id, test_salt)
            planted = replace(planted, result_digest=answer)
            drawn = replace(drawn, result_digest=answer)
        at = request.signed_at
        times = [at + self._below(20), at + 20 + self._below(20), at + 40 + self._below(100)]
        if self.random.random() < 0.03:
            self.random.shuffle(times)
        accepted = Accepted(request_id, times[0])
        confirmed = Confirmed(digest(self.domain, accepted), times[1])
        sealed = seal(drawn.result_digest, drawn.seal_salt, request.host, request_id)
        result = Result(request_id, Digest(sealed), times[2])
        rejected = None
        if self.random.random() < 0.25:
            rejected = Rejected(request_id, self.random.randrange(1, 8), at + self._below(10))
        return Plan(
            *(home, host, request, accepted, confirmed, result, rejected, drawn, planted),
            is_strict=self.random.random() < 0.5,
            test_salt=test_salt,
        )

    def _times(self, now: int) -> tuple[int, int]:
        """Mostly time enough; some are too late already, or over before they are settled."""
        kind = self.random.random()
        if kind < 0.02:
            return now - 3 * DAY, now - 2 * DAY
        if kind < 0.05:
            ahead, lasts = self.random.choice(((0, 0), (0, 8 * DAY), (400, 60), (200, 7 * DAY)))
            return now + ahead, now + ahead + lasts
        lasts = self.random.choice((15, 150, 200, 300, 600, 3_600, 3_600, DAY, 5 * DAY))
        signed_at = now - self._below(10)
        return signed_at, signed_at + lasts

    def _number(self, home: Key, host: Key) -> int:
        pair = (home.address, host.address)
        last = self._numbers.get(pair, -1)
        kind = self.random.random()
        if kind < 0.05 and last >= 0:
            return self.random.randrange(last + 1)
        if kind < 0.1:
            return last + 1 + self._below(600)
        if kind < 0.12:
            return (1 << 32) - 1 - self._below(3)
        if kind < 0.3 and pair in self._made:
            # One that shares the place of an earlier one.
            earlier = self.random.choice(self._made[pair])
            return (earlier + PLACES * self._below(4)) % (PLACES * PLACES)
        self._numbers[pair] = last + self.random.choice((1, 1, 1, 1, 2, 300))
        return self._numbers[pair]

    def _opening(self) -> Opening | None:
        """Puzzles with right and wrong solutions, canaries to run again, and ordinary tasks."""
        kind = self.random.random()
        task, salt, seal_salt = self._digest(), self._digest(), self._digest()
        if kind < 0.35:
            number = self.random.randrange(3)
            puzzle = FAMILIES[number].generate(self._digest(), DIFFICULTIES[number])
            solution = FAMILIES[number].solve(puzzle.question) or 0
            if self.random.random() < 0.1:
                solution += 1 << 40
            words = (task, Digest(puzzle.parameters), salt, seal_salt)
            return PuzzleOpening(number + 1, *words, Digest(solution.to_bytes(32, "big")))
        if kind < 0.75:
            family = Digest(field_of("replay"))
            return PlantedOpening(family, task, Digest(bytes(32)), salt, seal_salt, self._digest())
        return None

    def _drawn(self, planted: Opening | None) -> DrawnOpening:
        """The same seen without its mark; of an ordinary task that is all there is."""
        if planted is None:
            mark = Mark(ORDINARY, bytes(32), bytes(32), self._digest())
            return DrawnOpening(self._digest(), Digest(mark.hash), self._digest(), self._digest())
        assert not isinstance(planted, DrawnOpening)
        if isinstance(planted, PuzzleOpening):
            family = field_of(FAMILIES[planted.family - 1].name)
            answer = result_digest_of(planted.solution)
        else:
            family, answer = planted.family, planted.result_digest
        mark = Mark(PLANTED, family, planted.parameters, planted.salt)
        return DrawnOpening(planted.task_digest, Digest(mark.hash), planted.seal_salt, answer)

    def _digest(self) -> Digest:
        return Digest(self.random.randbytes(32))

    def _below(self, bound: int) -> int:
        return self.random.randrange(bound)


def spoiled(opening: Opening, random: Random) -> Opening:
    """Another opening, which no RESULT fits."""
    if isinstance(opening, PuzzleOpening) and random.random() < 0.5:
        return replace(opening, family=9)
    return replace(opening, task_digest=Digest(random.randbytes(32)))
