"""Sending votes on K1 and K2: all of a round in one transaction, but none that the contract would
refuse, as that would take all others with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from ledger.abi import ContractReverted
from ledger.ports import Clock
from ledger.sender import Sender
from ledger.types import Address, BlockNumber, hex_of

log = logging.getLogger(__name__)

GAS_BASE, GAS_PER_VOTE = 100_000, 200_000
REST_SECONDS = 10.0

Vote = TypeVar("Vote")
Key = tuple[bytes, ...]
"""What a vote is on."""


@dataclass(slots=True)
class VoteSender:
    """Remembers what was sent and what was refused, until it is time to look again."""

    sender: Sender
    clock: Clock
    _sent: dict[Key, BlockNumber] = field(default_factory=dict)
    _resting: dict[Key, float] = field(default_factory=dict)

    def forget(self, reached: BlockNumber) -> None:
        """Votes that the index should have seen by this block: if it has not, a reorganisation took
        them, and they are given again. And refusals that have rested: they are tried again."""
        self._sent = {key: block for key, block in self._sent.items() if block > reached}
        now = self.clock.monotonic()
        self._resting = {key: until for key, until in self._resting.items() if until > now}

    def knows(self, key: Key) -> bool:
        """Whether there is nothing to do about it at the moment."""
        return key in self._sent or key in self._resting

    @property
    def resting(self) -> int:
        """How many votes were refused lately."""
        return len(self._resting)

    async def send(
        self, contract: Address, votes: Mapping[Key, Vote], encode: Callable[[list[Vote]], bytes]
    ) -> None:
        """One transaction with all that would not be refused; ChainError when the chain cannot be
        asked, or takes each but not all of them."""
        try:
            await self._try(contract, encode(list(votes.values())))
        except ContractReverted:
            votes = {
                key: vote
                for key, vote in votes.items()
                if await self._would_hold(contract, key, encode([vote]))
            }
            if not votes:
                return
            await self._try(contract, encode(list(votes.values())))
        # Not an estimate: the vote that decides a claim costs more than the one before it, and
        # which of two validators comes first is known only when the block is made.
        gas = GAS_BASE + GAS_PER_VOTE * len(votes)
        data = encode(list(votes.values()))
        receipt = await asyncio.to_thread(self.sender.send, contract, data, gas=gas)
        self._sent |= dict.fromkeys(votes, receipt.block_number)
        log.info("voted in block %d, %d gas", receipt.block_number, receipt.gas_used)

    async def _would_hold(self, contract: Address, key: Key, data: bytes) -> bool:
        try:
            await self._try(contract, data)
        except ContractReverted as error:
            self._resting[key] = self.clock.monotonic() + REST_SECONDS
            what = " ".join(hex_of(part) for part in key)
            log.warning("the vote on %s waits: %s", what, error)
            return False
        return True

    async def _try(self, contract: Address, data: bytes) -> None:
        await asyncio.to_thread(self.sender.dry_run, contract, data)
