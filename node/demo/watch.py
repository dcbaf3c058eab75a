"""Looking on while things happen: progress on the screen, a daemon that dies, and how long it may
take."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ledger.errors import SetupError
from ledger.reader import Reader
from node.demo.build import SharedBuild
from node.demo.canaries import is_drawing
from node.demo.checks import outstanding, unverified
from node.demo.cluster import Daemon
from node.demo.ground import Ground
from node.demo.screen import Screen

DRAWING_WITHIN = 120.0
KNOWN_WITHIN = 60.0
SETTLED_WITHIN = 180.0
POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Watch:
    """On everything that runs; SetupError as soon as one of the daemons is gone."""

    ground: Ground
    daemons: Sequence[Daemon]
    screen: Screen

    def check(self) -> None:
        for daemon in self.daemons:
            daemon.check()

    def build(self, together: SharedBuild, until: Callable[[], bool] = lambda: False) -> float:
        """Lets the nodes build until all are done or ``until`` holds; the seconds it took."""
        with self.ground.reader() as reader, self.screen.live(self.ground.nodes, reader) as tick:

            def tick_and_check() -> None:
                tick()
                self.check()

            return together.run(tick_and_check, until)

    def until_drawing(self) -> None:
        """Results of the period in which the validators start could never be drawn: a short build
        would end in it."""
        deadline = time.monotonic() + DRAWING_WITHIN
        with self.ground.reader() as reader:
            while not is_drawing(reader, self.ground.deployment):
                if time.monotonic() > deadline:
                    raise SetupError(
                        f"The validators began no period of the beacon in {DRAWING_WITHIN:.0f} s.",
                        hint=f"Their logs say why, the first is {self.ground.validators[0].log}.",
                    )
                self.check()
                time.sleep(POLL_SECONDS)

    def until_known(self) -> None:
        """Until the Kudos of the tasks so far are verified, those of canaries aside: votes on them
        take rounds. It is no mistake if they are not, and it is said."""
        if waiting := self._while(unverified, KNOWN_WITHIN):
            self.screen.say(f"goes on after {KNOWN_WITHIN:.0f} s all the same: {waiting}")

    def until_settled(self) -> list[str]:
        """Until nothing is queued, unopened or undecided any more; a sentence if that takes too
        long."""
        waiting = self._while(outstanding, SETTLED_WITHIN)
        return [f"After {SETTLED_WITHIN:.0f} s: {waiting}."] if waiting else []

    def _while(self, what: Callable[[Ground, Reader], str], at_most: float) -> str:
        """Waits as long as there is something left of it; what is left after so many seconds."""
        deadline = time.monotonic() + at_most
        with self.ground.reader() as reader, self.screen.live(self.ground.nodes, reader) as tick:
            while waiting := what(self.ground, reader):
                if time.monotonic() > deadline:
                    return waiting
                tick()
                self.check()
                time.sleep(POLL_SECONDS)
        return ""
