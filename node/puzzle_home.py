"""A home's puzzles: made from a secret seed, planted, and judged by their family."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from canaries.family import Family, field_of
from canaries.puzzle import PuzzleFamily, solver_source
from ledger.errors import KudosError
from ledger.ports import Entropy
from ledger.reasons import Reason
from node import shim_protocol as shim
from node.marking import KnownCanary
from node.planting import Planted, Planting
from node.puzzle_task import PYTHON, describe
from node.store import ContentStore

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Puzzles:
    """Answers ``kudos plant``."""

    entropy: Entropy
    families: Mapping[bytes, Family]
    store: ContentStore
    planting: Planting

    async def answer(self, asked: shim.Puzzle) -> shim.Result | shim.Local:
        """An empty result once it is planted; Local, with the reason, when it is not."""
        if self.planting.is_full:
            return shim.Local(Reason.CAPACITY.name)
        try:
            planted = self._make(asked)
        except (KudosError, ValueError) as error:
            log.warning("a puzzle is not planted: %s", error)
            return shim.Local(Reason.NOT_SENDABLE.name)
        self.planting.plant(planted)
        return shim.Result(0, b"", b"", ())

    def _make(self, asked: shim.Puzzle) -> Planted:
        """ValueError for a family that is not here, or a difficulty that it does not know."""
        name = field_of(asked.family)
        family = self.families.get(name)
        if not isinstance(family, PuzzleFamily):
            raise ValueError(f"this node knows no puzzles named {asked.family!r}")
        puzzle = family.generate(self.entropy(32), asked.difficulty)
        self.store.put(solver_source(family))
        canary = KnownCanary(name, puzzle.parameters)
        return Planted(describe(family, puzzle), PYTHON[0], canary, asked.within)
