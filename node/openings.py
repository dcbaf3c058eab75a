"""The home opens its canaries: once the RESULT is settled for good, and not before (protocol
section 4)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from canaries.vault import Opening, Sealed, Vault
from ledger.assets import CLAIM_WITHIN, CanaryOpened
from ledger.errors import PeerError
from ledger.reader import Reader
from ledger.types import Address, BlockNumber, Digest, short
from node import wire
from node.connection import Reaches
from node.handshake import Credentials

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5
ANSWER_SECONDS = 10.0
RETRY_SECONDS_MAX = 300.0


class Opener:
    """Signs the opening of every canary whose RESULT is final, and delivers it to its host."""

    def __init__(
        self,
        me: Credentials,
        vault: Vault,
        reader: Reader,
        connection: Callable[[Address], Reaches | None],
    ) -> None:
        self._me, self._vault, self._reader, self._connection = me, vault, reader, connection
        self._seen = BlockNumber(-1)
        self._retry: dict[bytes, tuple[int, float]] = {}

    async def run(self) -> None:
        """Opens and delivers until cancelled."""
        while True:
            self.open_settled()
            await self.deliver_due()
            await asyncio.sleep(POLL_SECONDS)

    async def deliver_due(self) -> None:
        """Tries every opening whose time has come; a host that does not answer holds up its own
        openings and nobody else's. After the claim window an opening is worth nothing any more."""
        now = self._me.clock.now()
        due: dict[bytes, list[Opening]] = {}
        for opening in self._vault.undelivered():
            request_id = opening.sealed.request_id
            if now - opening.opened_at > CLAIM_WITHIN:
                self._vault.delivered(request_id)
            elif self._retry.get(request_id, (0, 0.0))[1] <= now:
                due.setdefault(opening.sealed.host, []).append(opening)
        await asyncio.gather(*(self._deliver_all(openings) for openings in due.values()))

    async def _deliver_all(self, openings: list[Opening]) -> None:
        for opening in openings:
            if not await self._deliver(opening):
                return

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

    async def _deliver(self, opening: Opening) -> bool:
        """Whether the host has it now."""
        request_id = opening.sealed.request_id
        connection = self._connection(Address(opening.sealed.host))
        if connection is None:
            return False
        asset = _asset(opening.sealed, opening.result_id, opening.opened_at)
        try:
            reply = await connection.call(wire.Open(asset, opening.signature), ANSWER_SECONDS)
            wire.expect(reply, wire.Ack)
        except PeerError as error:
            self._postpone(request_id)
            log.info("the opening of %s waits: %s", short(request_id), error)
            return False
        self._retry.pop(request_id, None)
        self._vault.delivered(request_id)
        log.info("opened %s: it was a canary", short(request_id))
        return True

    def _postpone(self, request_id: bytes) -> None:
        failures = self._retry.get(request_id, (0, 0.0))[0] + 1
        pause = min(POLL_SECONDS * 2 ** min(failures, 20), RETRY_SECONDS_MAX)
        self._retry[request_id] = (failures, self._me.clock.now() + pause)


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
