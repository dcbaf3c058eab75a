"""How a ledger of ``ledger.synthetic_bulk`` is made up."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from ledger import schema
from ledger.reasons import Reason


@dataclass(frozen=True, slots=True)
class Shape:
    """How the ledger is made up; shares are those of ``Settings``, in a thousand."""

    per_block: int = 128
    per_batch: int = 32
    nodes: int = 1000
    validators: int = 5
    threshold: int = 3
    names: int = 200
    rejected: int = 250
    first_claims: int = 100
    canaries: int = 154
    drawn: int = 300
    unsigned: int = 500
    void: int = 3
    again: int = 5
    strict: int = 20
    puzzles: int = 10
    carried: int = 1
    refused: int = 20
    dissent: int = 5
    abstained: int = 5
    silent: int = 50
    stuck: int = 1
    skipped: int = 2

    def verdict(self, random: Random, bad: bool, stuck: bool) -> tuple[int, int]:
        """What a validator says of a claim, and why."""
        chance = random.random() * 1000
        if stuck or chance < self.abstained:
            return schema.ABSTAIN, int(Reason.ABSTAIN_INPUTS)
        if bad != (chance > 1000 - self.dissent):
            return schema.REFUSE, int(Reason.REFUSE_RESULT)
        return schema.APPROVE, int(Reason.APPROVE)
