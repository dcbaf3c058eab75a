"""The host's side of drawn canaries: when a period's beacon is known, it claims K3 for every result
of its own that was drawn (protocol section 4).

Nobody knew before, so there is nothing to keep secret and nothing to remember: what was drawn
follows from the beacon, what was claimed from the ledger, and after a restart it is all looked at
again.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

from canaries.draw import is_drawn
from ledger.assets import CLAIM_WITHIN, ConfirmedMigration
from ledger.outbox import Outbox
from ledger.outbox_codec import DrawnCanary
from ledger.reader import Reader
from ledger.rows import SettledMigration
from ledger.types import Digest, short
from node.handshake import Credentials
from node.journal import Journal

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5


@dataclass(slots=True)
class Draws:
    """Claims for one host. ``rate`` of 65,536 requests are drawn, from periods of so many seconds
    of block time."""

    me: Credentials
    reader: Reader
    journal: Journal
    outbox: Outbox
    rate: int
    period_seconds: int
    _done: set[int] = field(default_factory=set)

    async def run(self) -> None:
        """Looks for new beacons until cancelled."""
        while True:
            self.claim_drawn()
            await asyncio.sleep(POLL_SECONDS)

    def claim_drawn(self) -> int:
        """Queues what the beacons that came since have drawn; how many claims."""
        since = (int(self.me.clock.now()) - CLAIM_WITHIN) // self.period_seconds
        queued = 0
        for period, beacon in self.reader.known_beacons(since):
            if period not in self._done:
                queued += self._claim_period(period, beacon)
                self._done.add(period)
        self._done = {period for period in self._done if period >= since}
        return queued

    def _claim_period(self, period: int, beacon: Digest) -> int:
        """One period's. All its results are final: its beacon came out of a later, final block."""
        begin = period * self.period_seconds
        settled = self.reader.results_of_host(
            self.me.key.address, begin, begin + self.period_seconds
        )
        queued = sum(
            self._claim(result)
            for result in settled
            if is_drawn(beacon, result.request_id, self.rate)
        )
        log.info("beacon of period %d: %d drawn", period, queued)
        return queued

    def _claim(self, settled: SettledMigration) -> bool:
        """Queues one claim, unless it can earn nothing."""
        migration, seal = settled.migration, self.journal.seal(settled.request_id)
        if not isinstance(migration, ConfirmedMigration):
            return False
        if settled.place.timestamp > migration.request.result_deadline:
            return False
        if seal is None or not seal.mark_hash:
            log.warning("%s was drawn, and how it opens is not known", short(settled.request_id))
            return False
        if self.journal.task(seal.task_digest) is None:
            log.info("%s was drawn, and nobody has its inputs", short(settled.request_id))
            return False
        canary = DrawnCanary(
            migration, seal.task_digest, Digest(seal.mark_hash), seal.result_digest, seal.salt
        )
        return self.outbox.append_canary(canary)
