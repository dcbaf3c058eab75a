"""A tester's claims, from their settlement until they are shown for what they are.

Nothing is remembered: which claims are tests follows from the ledger and the home's key, and what
still has to be shown from the index. So it does no harm to die at any point, nor to show a test
twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from canaries.validator_test import digest_of, salt_of
from ledger import schema
from ledger.abi import ContractReverted
from ledger.assets import CLAIM_WITHIN, K3_CANARY
from ledger.claim_calls import open_test
from ledger.contracts import contracts_of
from ledger.errors import ChainError
from ledger.reader import Reader
from ledger.rows import KudosRow, SettledMigration
from ledger.sender import Sender
from ledger.types import Address, BlockNumber, Digest, short
from node.handshake import Credentials

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
ROUNDS = 3
"""From the round of a claim: its votes are committed in the next, and revealed in the one after."""
_NEVER = BlockNumber(-1)


@dataclass(slots=True)
class OwnTests:
    """The tests that one home, ``me``, made with one host; ``planted`` says which requests the home
    has planted."""

    me: Credentials
    host: Address
    reader: Reader
    sender: Sender
    round_seconds: int
    planted: Callable[[Digest], bool]
    _since: BlockNumber = _NEVER
    _sent: dict[Digest, BlockNumber] = field(default_factory=dict)

    async def run(self) -> None:
        """Shows what is due until cancelled."""
        while True:
            try:
                await self.show_due()
            except ChainError as error:
                log.warning("tests wait to be shown: %s", error)
            await asyncio.sleep(POLL_SECONDS)

    def unfinished(self) -> list[SettledMigration]:
        """Settled migrations of the two that are tests not shown for good, or may become claims."""
        found = []
        for settled in self.reader.results(self.me.key.address, self._since):
            if not self._is_finished(settled):
                found.append(settled)
            elif not found:
                self._since = BlockNumber(settled.place.block - 1)
        return found

    async def show_due(self) -> int:
        """Shows every test that is decided or timed out; how many there were."""
        head = self.reader.head()
        reached = head.number if head else _NEVER
        shown = 0
        for settled in self.unfinished():
            request_id, claim = settled.request_id, self._claim(settled)
            # What the index should have seen by now and has not, a reorganisation took back.
            waits = self._sent.get(request_id, _NEVER) > reached
            if claim is None or waits or self.reader.validator_test(request_id) is not None:
                continue
            if self._may_be_shown(claim):
                shown += await self._show(settled, claim)
        return shown

    async def _show(self, settled: SettledMigration, claim: KudosRow) -> bool:
        request_id, seal_salt = settled.request_id, claim.seal_salt
        assert seal_salt is not None and settled.result_id is not None, "a K3 opens a RESULT's seal"
        data = open_test(request_id, settled.result_id, seal_salt, self._salt(settled))
        contract = contracts_of(self.me.domain.contract).claims
        try:
            receipt = await asyncio.to_thread(self.sender.send, contract, data)
        except ContractReverted as error:
            if error.error != "TestTooEarly":
                raise
            return False
        self._sent[request_id] = receipt.block_number
        log.info("showed that the claim on %s was a test of the validators", short(request_id))
        return True

    def _is_finished(self, settled: SettledMigration) -> bool:
        if settled.request.host != self.host:
            return True
        test = self.reader.validator_test(settled.request_id)
        if test is not None:
            return test.place.final
        claim = self._claim(settled)
        if claim is None:  # no canary, not claimed yet, or never in time
            late = self.me.clock.now() > settled.place.timestamp + CLAIM_WITHIN
            return late or not self.planted(settled.request_id)
        return claim.result_digest != digest_of(settled.request_id, self._salt(settled))

    def _claim(self, settled: SettledMigration) -> KudosRow | None:
        """The last K3 claim on it."""
        claims = self.reader.claims_of(settled.request_id)
        return next((each for each in reversed(claims) if each.level == K3_CANARY), None)

    def _may_be_shown(self, claim: KudosRow) -> bool:
        """Whether it is over, and no validator can hide its vote any more."""
        now, opened_at = int(self.me.clock.now()), claim.place.timestamp
        rounds = now // self.round_seconds - opened_at // self.round_seconds
        over = claim.state != schema.CLAIMED or now > opened_at + CLAIM_WITHIN
        return over and rounds >= ROUNDS

    def _salt(self, settled: SettledMigration) -> Digest:
        return Digest(salt_of(self.me.key.expose_secret(), settled.request_id))
