"""An endpoint whose answers are kept, and whose logs a test may change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ledger.events import RawLog
from ledger.rpc import Header, Rpc
from ledger.source import BlockRef
from ledger.types import Address, BlockHash, BlockNumber

Change = Callable[[RawLog], Sequence[RawLog]]
"""What an endpoint tells in place of a log."""


class Recorded:
    """Asks the chain everything once."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc
        self._kept: dict[tuple[Any, ...], Any] = {}
        self.change: Change = lambda log: [log]

    def header(self, block: BlockRef, /) -> Header | None:
        found: Header | None = self._keep("header", block)
        return found

    def call(self, to: Address, data: bytes, block: BlockNumber, /) -> bytes:
        return bytes(self._keep("call", to, data, block))

    def logs(
        self, contracts: Sequence[Address], from_block: BlockNumber, to_block: BlockNumber, /
    ) -> list[RawLog]:
        honest = self._keep("logs", tuple(contracts), from_block, to_block)
        return [told for log in honest for told in self.change(log)]

    def logs_of_block(self, contracts: Sequence[Address], block_hash: BlockHash, /) -> list[RawLog]:
        return list(self._keep("logs_of_block", tuple(contracts), block_hash))

    def _keep(self, method: str, *arguments: Any) -> Any:
        asked = (method, *arguments)
        if asked not in self._kept:
            self._kept[asked] = getattr(self._rpc, method)(*arguments)
        return self._kept[asked]
