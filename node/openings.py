"""The home opens its canaries: once the RESULT is settled for good, and not before (protocol
section 4)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from canaries.vault import Opening, Sealed, Vault
from ledger.assets import CanaryOpened
from ledger.errors import PeerError
from ledger.reader import Reader
from ledger.types import Address, BlockNumber, Digest, short
from node import wire
from node.handshake import Credentials
from node.transport import Connection

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5
ANSWER_SECONDS = 10.0


class Opener:
    """Signs the opening of every canary whose RESULT is final, and delivers it to its host."""

    def __init__(
        self,
        me: Credentials,
        vault: Vault,
        reader: Reader,
        connection: Callable[[Address], Connection | None],
    ) -> None:
        self._me, self._vault, self._reader, self._connection = me, vault, reader, connection
        self._seen = BlockNumber(-1)

    async def run(self) -> None:
        """Opens and delivers until cancelled; what was not delivered is tried again, for ever."""
        while True:
            self.open_settled()
            for opening in self._vault.undelivered():
                await self._deliver(opening)
            await asyncio.sleep(POLL_SECONDS)

    def open_settled(self) -> int:
        """Fixes the openings that have become due; how many there were."""
        head = self._reader.head()
        if head is None:
            return 0
        opened = 0
        for settled in self._reader.results(self._me.key.address, self._seen):
            if settled.place.block > head.final_number:
                break
            self._seen = BlockNumber(settled.place.block - 1)
            sealed = self._vault.canary(settled.request_id)
            if sealed is not None and settled.result_id is not None:
                asset = _asset(sealed, settled.result_id, int(self._me.clock.now()))
                signature = self._me.key.sign(self._me.domain, asset)
                self._vault.open(settled.request_id, settled.result_id, asset.signed_at, signature)
                opened += 1
        return opened

    async def _deliver(self, opening: Opening) -> None:
        connection = self._connection(Address(opening.sealed.host))
        if connection is None:
            return
        asset = _asset(opening.sealed, opening.result_id, opening.opened_at)
        message = wire.Open(asset, opening.signature)
        try:
            wire.expect(await connection.call(message, ANSWER_SECONDS), wire.Ack)
        except PeerError as error:
            log.info("the opening of %s waits: %s", short(opening.sealed.request_id), error)
            return
        self._vault.delivered(opening.sealed.request_id)
        log.info("opened %s: it was a canary", short(opening.sealed.request_id))


def _asset(sealed: Sealed, result_id: bytes, opened_at: int) -> CanaryOpened:
    mark = sealed.mark
    return CanaryOpened(
        request_id=Digest(sealed.request_id),
        result_id=Digest(result_id),
        task_digest=Digest(sealed.task_digest),
        family=Digest(mark.family),
        parameters=Digest(mark.parameters),
        salt=Digest(mark.salt),
        signed_at=opened_at,
    )
