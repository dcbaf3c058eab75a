"""A daemon's own copy of the ledger: an indexer that follows the chain, and a reader of what it
wrote."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection

from ledger.deployment import Deployment
from ledger.errors import ChainError
from ledger.indexer import Indexer
from ledger.ports import Clock
from ledger.reader import Reader
from ledger.types import Address
from node.admission import Evidence, Need
from node.strategy.evidence import View, live_evidence

log = logging.getLogger(__name__)

POLL_SECONDS = 0.3
RETRY_SECONDS = 1.0


class LedgerCopy:
    """Follows the chain in a thread; reads happen in the caller's."""

    def __init__(
        self, indexer: Indexer, reader: Reader, deployment: Deployment, me: Address, clock: Clock
    ) -> None:
        self._indexer, self.reader = indexer, reader
        self._deployment, self._me, self._clock = deployment, me, clock

    async def catch_up(self) -> None:
        """Indexes up to the head; ChainError when the chain cannot be read."""
        while not (progress := await asyncio.to_thread(self._indexer.step)).is_caught_up:
            log.info("indexing: block %d of %d", progress.indexed, progress.head)

    async def follow(self) -> None:
        """Follows the head until cancelled. An unreachable chain is waited for; verdicts then rest
        on data that grows old, and say so."""
        reachable = True
        while True:
            try:
                progress = await asyncio.to_thread(self._indexer.step)
            except ChainError as error:
                if reachable:
                    log.warning("the ledger copy stands still: %s", error)
                reachable = False
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if not reachable:
                log.info("the chain answers again")
            reachable = True
            if progress.reorganised_from is not None:
                log.warning(
                    "reorganisation: back from block %d, now at %d",
                    progress.reorganised_from,
                    progress.indexed,
                )
            if progress.is_caught_up:
                await asyncio.sleep(POLL_SECONDS)

    def evidence(self, home: Address, needs: Collection[Need] = ()) -> Evidence | None:
        """What admission may rest on: where the chain has finality, final rows only."""
        final_only = self._deployment.finality == "chain"
        view = View(final_only, self._deployment.epoch_seconds)
        return live_evidence(self.reader, home, self._me, self._clock.now(), view, needs)
