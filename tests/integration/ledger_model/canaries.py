"""K3 on settled RESULTs: solved puzzles at once, planted and drawn ones open to votes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from eth_hash.auto import keccak

from canaries.commitment import PLANTED as PLANTED_MARK
from canaries.commitment import Mark, Place, commitment, seal
from canaries.dlog import Dlog
from canaries.factor import Factor
from canaries.family import field_of
from canaries.preimage import Preimage
from canaries.puzzle import PuzzleFamily
from ledger.assets import CanaryOpened, Claims, Kudos, Request, Result
from ledger.packed_claims import (
    ClaimedCanary,
    ClaimItem,
    DrawnOpening,
    Opening,
    PuzzleOpening,
    encode_claimed,
)
from ledger.puzzle_result import result_digest_of
from ledger.reasons import Reason
from ledger.types import Address, Digest
from tests.integration.ledger_model.batches import Batches
from tests.integration.ledger_model.beacon import Beacon
from tests.integration.ledger_model.core import Core
from tests.integration.ledger_model.state import WINDOW, Refused, Signed, Table, words
from tests.integration.ledger_model.steps import Stage, Steps
from tests.integration.ledger_model.verdicts import DRAWN, PLANTED, Verdicts

FAMILIES: tuple[PuzzleFamily, ...] = (Dlog(), Factor(), Preimage())


@dataclass(frozen=True)
class Spoken:
    """The RESULT that a claim speaks of, worked out from its opening."""

    request: Request
    request_id: Digest
    result_id: Digest
    result_digest: Digest


class Canaries:
    """Claims of K3 as hosts make them."""

    def __init__(
        self, core: Core, ways: tuple[Batches, Steps], beacon: Beacon, verdicts: Verdicts
    ) -> None:
        self.core, self.world = core, core.world
        self.batches, self.steps = ways
        self.beacon, self.verdicts = beacon, verdicts
        self.claimed: Table[tuple[Address, Address, int], bool] = core.world.table()

    def claim(
        self, host: Address, items: Sequence[ClaimItem], packed: bytes, signed: Signed | None
    ) -> None:
        content = Claims(host, Digest(keccak(packed)))
        if signed and not self.world.has_signed(host, content, signed.signature):
            raise Refused("NotSignedByHost")
        taken, reasons, solved = list[ClaimedCanary](), list[Reason](), 0
        for number, item in enumerate(items):
            reason = self._claim(host, item)
            if reason is not None:
                reasons.append(reason)
                self.world.emit("ClaimSkipped", host, number, int(reason))
                continue
            solved += isinstance(item.opening, PuzzleOpening)
            place = (item.request.home, item.request.seq)
            taken.append(ClaimedCanary(*place, item.opening, item.words))
        if not taken:
            raise Refused("NothingToClaim", int(reasons[0]) if reasons else 0)
        self.world.emit("CanariesClaimed", host, encode_claimed(taken))
        self.core.mint(self.core.addresses.claims, host, 3, solved)

    def _claim(self, host: Address, item: ClaimItem) -> Reason | None:
        spoken = self._spoken(host, item)
        if spoken is None:
            return Reason.UNKNOWN_FAMILY
        settled_at = self._settled_at(spoken, item)
        reason = self._reason_against(spoken, item, settled_at)
        if reason is not None:
            return reason
        place = (item.request.home, host, item.request.seq)
        again = place in self.claimed
        expired = self.world.time > settled_at + WINDOW
        if isinstance(item.opening, PuzzleOpening):
            reason = self._solve(item.opening, again, expired)
        else:
            reason = self._open(spoken, item.opening, again, expired)
        if reason is None and not again:
            self.claimed[place] = True
            if self.world.rules.k2_per_pair_and_epoch:
                self.core.admit(item.request.home, host, 3)
        return reason

    def _spoken(self, host: Address, item: ClaimItem) -> Spoken | None:
        opening, request = item.opening, item.request
        mark = mark_of(opening)
        if mark is None:
            return None
        domain = self.world.domain
        place = Place(domain.chain_id, domain.contract, request.home, host, request.seq)
        committed = Digest(commitment(place, opening.task_digest, mark))
        request = replace(request, host=host, commitment=committed)
        request_id = self.world.id(request)
        answer = digest_in(opening)
        sealed = Digest(seal(answer, opening.seal_salt, host, request_id))
        result_id = self.world.id(Result(request_id, sealed, item.result_signed_at))
        return Spoken(request, request_id, result_id, answer)

    def _settled_at(self, spoken: Spoken, item: ClaimItem) -> int:
        """0 when it was not settled."""
        request = spoken.request
        if item.tree is None:
            step = self.steps.of((request.home, request.host, request.seq))
            done = step is not None and step.stage in (Stage.RESULT, Stage.LATE_RESULT)
            fits = step is not None and done and step.latest == spoken.result_id
            return step.time if step is not None and fits else 0
        root = climb(spoken.result_id, item.index, item.path)
        batch = self.batches.settled.get((request.host, root)) if root else None
        return batch.settled_at if batch is not None and item.index < batch.confirmed else 0

    def _reason_against(self, spoken: Spoken, item: ClaimItem, settled_at: int) -> Reason | None:
        if not settled_at:
            return Reason.NOT_SETTLED
        receipted = self.world.id(Kudos(2, spoken.result_id)) in self.verdicts.claims
        if settled_at > spoken.request.result_deadline and not receipted:
            return Reason.EXPIRED
        if isinstance(item.opening, DrawnOpening):
            return self._reason_against_draw(spoken, settled_at)
        if item.words is None:
            return None
        opened = CanaryOpened(
            *(spoken.request_id, spoken.result_id, item.opening.task_digest),
            *(family_in(item.opening), item.opening.parameters, item.opening.salt),
            item.words.opened_at,
        )
        good = self.world.has_signed(spoken.request.home, opened, item.words.signature)
        return None if good else Reason.BAD_SIGNATURE

    def _reason_against_draw(self, spoken: Spoken, settled_at: int) -> Reason | None:
        value = self.beacon.value(self.beacon.period_of(settled_at))
        if value is None:
            return Reason.NO_BEACON
        draw = int.from_bytes(words(value, spoken.request_id)[:2], "big")
        return None if draw < self.world.rules.draw_rate else Reason.NOT_DRAWN

    def _solve(self, opening: PuzzleOpening, again: bool, expired: bool) -> Reason | None:
        if again:
            return Reason.CLAIMED_BEFORE
        if expired:
            return Reason.EXPIRED
        family = FAMILIES[opening.family - 1]
        solution = int.from_bytes(opening.solution, "big")
        return None if family.verify(opening.parameters, solution) else Reason.BAD_SOLUTION

    def _open(self, spoken: Spoken, opening: Opening, again: bool, expired: bool) -> Reason | None:
        if expired and not again:
            return Reason.EXPIRED
        kudos = Kudos(3, spoken.result_id, spoken.result_digest, opening.seal_salt)
        kudos_id = self.world.id(kudos)
        if again and not self.verdicts.has_timed_out(kudos_id):
            return Reason.CLAIMED_BEFORE
        origin = DRAWN if isinstance(opening, DrawnOpening) else PLANTED
        request = spoken.request
        opened = self.verdicts.open(kudos_id, request.home, request.host, 3, origin)
        return None if opened else Reason.CLAIMED_BEFORE


def family_in(opening: Opening) -> Digest:
    """The family's name; zero where there is none."""
    if isinstance(opening, PuzzleOpening):
        known = 1 <= opening.family <= len(FAMILIES)
        return Digest(field_of(FAMILIES[opening.family - 1].name) if known else bytes(32))
    return Digest(bytes(32)) if isinstance(opening, DrawnOpening) else opening.family


def mark_of(opening: Opening) -> bytes | None:
    """The mark's hash; None for a puzzle of no family."""
    if isinstance(opening, DrawnOpening):
        return opening.mark_hash
    family = family_in(opening)
    if not any(family):
        return None
    return Mark(PLANTED_MARK, family, opening.parameters, opening.salt).hash


def digest_in(opening: Opening) -> Digest:
    """The digest of the answer."""
    if isinstance(opening, PuzzleOpening):
        return result_digest_of(opening.solution)
    return opening.result_digest


def climb(leaf: Digest, index: int, path: Sequence[Digest]) -> Digest | None:
    """The root above a leaf; None for an index outside of the tree."""
    node: bytes = leaf
    for sibling in path:
        node = keccak(sibling + node if index & 1 else node + sibling)
        index >>= 1
    return Digest(node) if index == 0 else None
