"""A validator's part in the beacon: a secret per period, committed before it and revealed after it.

    before period e: commit | e: RESULTs are settled | then: reveal, name a block, mix its hash in

Secrets follow from the validator's key, so there is nothing to lose between commitment and reveal,
and nobody without the key can tell the next one from all that were revealed before.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from dataclasses import dataclass, field

from ledger import claim_calls
from ledger.abi import ContractReverted
from ledger.contracts import contracts_of
from ledger.keys import Key
from ledger.reader import Reader
from ledger.sender import Sender
from ledger.types import BlockNumber, Digest
from node.handshake import Credentials

log = logging.getLogger(__name__)

AHEAD = 2
"""Periods that a commitment is made for before they begin."""
BACK = 4
"""Periods that are looked after when they are over."""
GAS = 250_000


def secret_of(key: Key, domain_contract: bytes, chain_id: int, period: int) -> Digest:
    """The secret of one period; only the holder of the key can tell it before it is revealed."""
    place = domain_contract + chain_id.to_bytes(32, "big") + period.to_bytes(8, "big")
    label = b"kudos beacon secret "
    return Digest(hmac.digest(key.expose_secret(), label + place, hashlib.sha256))


@dataclass(slots=True)
class BeaconDuty:
    """What one validator does for the beacon; a round is one look at what is due."""

    me: Credentials
    reader: Reader
    sender: Sender
    period_seconds: int
    reveal_seconds: int
    _sent: dict[tuple[str, int], BlockNumber] = field(default_factory=dict)

    async def round(self) -> int:
        """Commits, reveals or fixes what is due; how many transactions were sent."""
        now = int(self.me.clock.now())
        running = now // self.period_seconds
        sent = 0
        for period in range(running + 1, running + 1 + AHEAD):
            sent += await self._commit(period)
        for period in range(max(0, running - BACK), running):
            ended = (period + 1) * self.period_seconds
            if now < ended + self.reveal_seconds:
                sent += await self._reveal(period)
            else:
                sent += await self._fix(period)
        self._sent = {key: block for key, block in self._sent.items() if key[1] >= running - BACK}
        return sent

    async def _commit(self, period: int) -> int:
        duty = self.reader.beacon(self.me.key.address, period)
        if duty.committed or self._is_under_way("commit", period):
            return 0
        me = self.me.key.address
        commitment = claim_calls.secret_commitment(self.me.domain, me, period, self._secret(period))
        return await self._send("commit", period, claim_calls.commit_secret(period, commitment))

    async def _reveal(self, period: int) -> int:
        duty = self.reader.beacon(self.me.key.address, period)
        if not duty.committed or duty.revealed or self._is_under_way("reveal", period):
            return 0
        data = claim_calls.reveal_secret(self.me.key.address, period, self._secret(period))
        return await self._send("reveal", period, data)

    async def _fix(self, period: int) -> int:
        """Names the block, and mixes its hash in. All validators see that it is due, and one of
        them is first: what the contract refuses the others is no error."""
        duty = self.reader.beacon(self.me.key.address, period)
        if duty.is_settled or duty.commitments == 0 or self._is_under_way("fix", period):
            return 0
        return await self._send("fix", period, claim_calls.fix_beacon(period))

    def _secret(self, period: int) -> Digest:
        domain = self.me.domain
        return secret_of(self.me.key, domain.contract, domain.chain_id, period)

    def _is_under_way(self, what: str, period: int) -> bool:
        head = self.reader.head()
        sent_in = self._sent.get((what, period))
        return sent_in is not None and (head is None or head.number < sent_in)

    async def _send(self, what: str, period: int, data: bytes) -> int:
        contract = contracts_of(self.me.domain.contract).beacon
        try:
            await asyncio.to_thread(self.sender.dry_run, contract, data)
        except ContractReverted as error:
            log.debug("beacon of period %d, %s: %s", period, what, error)
            return 0
        receipt = await asyncio.to_thread(self.sender.send, contract, data, gas=GAS)
        self._sent[what, period] = receipt.block_number
        log.info("beacon of period %d: %s", period, what)
        return 1
