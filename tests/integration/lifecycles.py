"""Random lifecycles through the contracts and through the model of them, transaction by
transaction."""

from __future__ import annotations

from collections.abc import Callable

from ledger.creation import Constants
from ledger.embedded import EmbeddedChain
from tests.integration.ledger_model.state import WINDOW
from tests.integration.ledger_model.steps import KEPT
from tests.integration.lifecycle_claims import Claimants
from tests.integration.lifecycle_duties import Duties
from tests.integration.lifecycle_views import compare_views
from tests.integration.lifecycle_votes import Validators
from tests.integration.lifecycle_ways import Ways
from tests.integration.side_by_side import SideBySide

SEATS = 5
ERA = 50
"""So many lifecycles begin before everybody waits until open claims have timed out."""


class Lifecycles:
    """All actors at work on one ledger."""

    def __init__(self, chain: EmbeddedChain, seed: str, *, k2_per_pair: int) -> None:
        rules = Constants(
            epoch_seconds=3_600,
            k1_per_host_and_epoch=3,
            k2_per_pair_and_epoch=k2_per_pair,
            queue_delay_seconds=120,
            round_seconds=300,
            draw_rate=32_768,
            puzzle_difficulty=4,
            puzzles_per_host=2,
            beacon_period_seconds=3_600,
            beacon_reveal_seconds=1_500,
        )
        self.both = SideBySide(chain, seed, rules=rules, nodes=6, seats=SEATS)
        self.random, self.model = self.both.random, self.both.model
        self.ways, self.validators = Ways(self.both), Validators(self.both)
        self.claimants = Claimants(self.both, self.ways.finished)
        self.duties = Duties(self.both, self.validators)
        self._weights: dict[Callable[[], None], int] = {
            self.ways.begin: 22,
            self.ways.settle: 7,
            self.ways.advance: 42,
            self.validators.vote: 24,
            self.validators.recount: 2,
            self.change_set: 2,
            self.claimants.claim: 10,
            self.claim_too_early: 1,
            self.claimants.claim_receipted: 4,
            self.claimants.claim_again: 1,
            self.claimants.puzzle: 2,
            self.duties.vote: 2,
            self.duties.recount: 1,
            self.judge_canaries: 3,
        }

    def run(self, count: int) -> None:
        """Goes on until so many lifecycles have begun, era after era."""
        while self.ways.begun < count:
            self.duties.begin_period()
            until = min(self.ways.begun + ERA, count)
            while self.ways.begun < until:
                (act,) = self.random.choices(list(self._weights), list(self._weights.values()))
                act()
                self.duties.keep_beacon()
            self.end_era()
        compare_views(self.both, self.ways.finished)

    def judge_canaries(self) -> None:
        """What was claimed in this round is committed to in the next, and then revealed."""
        self.duties.reveal()
        self.duties.to_next_round()
        self.duties.commit()
        if self.random.random() < 0.8:
            self.duties.to_next_round()
            self.duties.reveal()

    def change_set(self) -> None:
        """Who sits down in the second in which something is settled comes too late for it."""
        self.validators.change_set()
        self.both.stay()
        for act in (self.ways.settle, self.ways.advance, self.ways.advance):
            act()
            self.both.stay()

    def claim_too_early(self) -> None:
        """What may have been drawn, before the beacon of its period can be known."""
        self.claimants.claim(drawn=True)

    def stand_on_brinks(self) -> None:
        """Tries things in the very last second in which they can be done, or in the next."""
        brinks = self.ways.brinks() + self.claimants.brinks()
        ahead = [brink for brink in brinks if brink[0] >= self.both.time]
        chosen = self.random.sample(ahead, min(len(ahead), 10))
        for second, act in sorted(chosen, key=lambda brink: brink[0]):
            self.both.wait(max(0, second - self.both.time + self.random.randrange(2)))
            act()

    def end_era(self) -> None:
        """The beacon says what was drawn; then a week goes by, and what is open is claimed
        again."""
        self.duties.end_period()
        for _ in range(8):
            self.claimants.claim(drawn=True)
        if self.random.random() < 0.7:
            self.judge_canaries()
        self.claimants.show_tests()
        self.stand_on_brinks()
        self.both.wait(WINDOW)
        self.claimants.show_tests()
        self.ways.abandon()
        self.claimants.claim_timed_out()
        for _ in range(12):
            self.claimants.claim_again()
        self.both.wait(1)
        for _ in range(20):
            self.duties.vote()
            self.validators.vote()
        self.judge_canaries()
        if self.random.random() < 0.6:
            # Then most places of the strict way can be used again.
            self.both.wait(KEPT)
