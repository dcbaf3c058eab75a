"""What the readers of a chain need from it: block headers, logs, calls, and which ledger it is.

``ledger.rpc.Rpc`` and ``ledger.deployment.Deployment`` satisfy these; so does a chain that is a
dict (``ledger.synthetic``). Nobody here imports web3 for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from ledger.eip712 import Domain
from ledger.events import RawLog
from ledger.types import Address, BlockHash, BlockNumber, UnixSeconds

BlockRef = BlockNumber | BlockHash | Literal["latest", "finalized"]


class ChainHeader(Protocol):
    """The part of a block header that links it to the block before."""

    @property
    def number(self) -> BlockNumber: ...
    @property
    def hash(self) -> BlockHash: ...
    @property
    def parent(self) -> BlockHash: ...
    @property
    def timestamp(self) -> UnixSeconds: ...


class ChainSource(Protocol):
    """Answers about blocks and logs; ChainError when the chain cannot be reached."""

    def header(self, block: BlockRef, /) -> ChainHeader | None: ...

    def logs(
        self, contracts: Sequence[Address], from_block: BlockNumber, to_block: BlockNumber, /
    ) -> list[RawLog]: ...

    def logs_of_block(
        self, contracts: Sequence[Address], block_hash: BlockHash, /
    ) -> list[RawLog]: ...


class CallableChain(ChainSource, Protocol):
    """A chain whose contract can be asked too."""

    def call(self, to: Address, data: bytes, block: BlockNumber, /) -> bytes: ...


class LedgerIdentity(Protocol):
    """Which contract on which chain, and the constants that it was deployed with."""

    @property
    def chain_id(self) -> int: ...
    @property
    def contract(self) -> Address: ...
    @property
    def deployed_block(self) -> BlockNumber: ...
    @property
    def validators(self) -> tuple[Address, ...]: ...
    @property
    def threshold(self) -> int: ...
    @property
    def epoch_seconds(self) -> int: ...
    @property
    def round_seconds(self) -> int: ...
    @property
    def draw_rate(self) -> int: ...
    @property
    def period_seconds(self) -> int: ...
    @property
    def reveal_seconds(self) -> int: ...
    @property
    def finality_depth(self) -> int: ...
    @property
    def finality(self) -> Literal["depth", "chain"]: ...
    @property
    def domain(self) -> Domain: ...
