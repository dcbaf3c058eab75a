"""Chain to indexed copy: follows the head, takes back what a reorganisation replaced.

    behind the final height   logs by ranges; a header for each block that has logs and for the last
    from there to the head    header by header, each linked to the one before, logs by block hash

The copy agrees with the chain up to some block and not above it, so the common ancestor is found by
bisection over the blocks it holds: a deep reorganisation costs a few more questions, no long walk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from ledger.contracts import contracts_of
from ledger.errors import ChainError
from ledger.events import RawLog
from ledger.ports import Clock
from ledger.source import ChainHeader, ChainSource, LedgerIdentity
from ledger.store import Cursor, IndexStore
from ledger.types import BlockNumber, UnixSeconds

MAX_BLOCKS = 500


@dataclass(frozen=True, slots=True)
class Progress:
    """What one step did. ``reorganised_from`` is the height from which the copy went back."""

    head: BlockNumber
    indexed: BlockNumber
    reorganised_from: BlockNumber | None
    events: int

    @property
    def is_caught_up(self) -> bool:
        return self.indexed >= self.head


class Indexer:
    """Brings one copy up to the head of one chain, step by step."""

    def __init__(
        self, rpc: ChainSource, store: IndexStore, deployment: LedgerIdentity, clock: Clock
    ) -> None:
        self._rpc = rpc
        self._store = store
        self._deployment = deployment
        self._contracts = contracts_of(deployment.contract).all
        self._clock = clock

    def step(self, max_blocks: int = MAX_BLOCKS) -> Progress:
        """Indexes up to ``max_blocks`` blocks; a ChainError leaves the copy at a whole block."""
        head = self._head()
        reorganised_from = self._follow_fork(head)
        final = self._final_number(head)
        cursor = self._store.cursor()
        start = cursor.number + 1 if cursor else self._deployment.deployed_block
        end = min(head.number, start + max_blocks - 1)
        events = 0
        # One commit for the far past, where nothing changes any more; then one per block.
        if start <= (past := min(end, final)):
            events += self._index_range(BlockNumber(start), BlockNumber(past))
            start = past + 1
        for number in range(start, end + 1):
            taken = self._index_block(BlockNumber(number))
            if taken is None:
                break
            events += taken
        self._store.note_head(head.number, final, UnixSeconds(int(self._clock.now())))
        cursor = self._store.cursor()
        indexed = cursor.number if cursor else BlockNumber(self._deployment.deployed_block - 1)
        return Progress(head.number, indexed, reorganised_from, events)

    def _head(self) -> ChainHeader:
        head = self._rpc.header("latest")
        if head is None or head.number < self._deployment.deployed_block:
            height = "no block" if head is None else f"block {head.number}"
            raise ChainError(
                f"The chain is at {height}, but the ledger was deployed in block"
                f" {self._deployment.deployed_block}.",
                hint="The chain was reset or is another one: deploy again or change the endpoint.",
            )
        return head

    def _final_number(self, head: ChainHeader) -> BlockNumber:
        if self._deployment.finality == "chain":
            final = self._rpc.header("finalized")
            return BlockNumber(min(final.number, head.number) if final else -1)
        return BlockNumber(head.number - self._deployment.finality_depth)

    def _follow_fork(self, head: ChainHeader) -> BlockNumber | None:
        """Rolls back to the last block that the chain still has, when the cursor's is gone."""
        cursor = self._store.cursor()
        if cursor is None or self._still_there(cursor, head):
            return None
        low, high = 0, self._store.blocks() - 1
        while low < high:  # everything below `low` is still there, the block at `high` is not
            middle = (low + high) // 2
            if self._still_there(self._store.block_at(middle), head):
                low = middle + 1
            else:
                high = middle
        ancestor = self._store.block_at(low - 1).number if low else None
        self._store.roll_back(ancestor)
        return cursor.number

    def _still_there(self, block: Cursor, head: ChainHeader) -> bool:
        # A chain that was killed comes back younger: our block's number is above its head.
        if block.number > head.number:
            return False
        header = head if block.number == head.number else self._rpc.header(block.number)
        return header is not None and header.hash == block.hash

    def _index_block(self, number: BlockNumber) -> int | None:
        """Indexes the block after the cursor; None when the chain changed under our hands."""
        header = self._rpc.header(number)
        if header is None:
            return None
        self._check_number(header, number)
        cursor = self._store.cursor()
        if cursor and cursor.number == number - 1 and header.parent != cursor.hash:
            self._fork_or_fraud(cursor)
            return None
        logs = self._rpc.logs_of_block(self._contracts, header.hash)
        self._store.add_block(header, self._checked(logs, header))
        return len(logs)

    def _index_range(self, start: BlockNumber, end: BlockNumber) -> int:
        logs = self._rpc.logs(self._contracts, start, end)
        logs = sorted(logs, key=lambda log: (log.block_number, log.log_index))
        if logs and not start <= logs[0].block_number <= logs[-1].block_number <= end:
            raise _damaged(f"logs of blocks {start} to {end} were asked for, others came")
        by_block = {
            number: list(group) for number, group in groupby(logs, lambda log: log.block_number)
        }
        by_block.setdefault(end, [])
        headers = [self._past_header(number) for number in by_block]
        with self._store.transaction():
            for header in headers:
                self._store.add_block(header, self._checked(by_block[header.number], header))
        return len(logs)

    def _past_header(self, number: BlockNumber) -> ChainHeader:
        header = self._rpc.header(number)
        if header is None:
            raise _damaged(f"block {number} is below the final height, but was not given")
        self._check_number(header, number)
        cursor = self._store.cursor()
        if cursor and cursor.number == number - 1 and header.parent != cursor.hash:
            self._fork_or_fraud(cursor)
            raise _damaged(f"block {number} was replaced while it was read")
        return header

    def _fork_or_fraud(self, cursor: Cursor) -> None:
        """A block does not continue ours: if ours still stands, the endpoint contradicts itself."""
        header = self._rpc.header(cursor.number)
        if header is not None and header.hash == cursor.hash:
            raise _damaged(f"block {cursor.number + 1} does not continue block {cursor.number}")

    def _checked(self, logs: Sequence[RawLog], header: ChainHeader) -> list[RawLog]:
        """The logs in order, if all are our contracts' and this block's, and none comes twice."""
        for log in logs:
            if log.address not in self._contracts:
                raise _damaged(f"block {header.number} came with a log of another contract")
            if (log.block_number, log.block_hash) != (header.number, header.hash):
                raise _damaged(f"block {header.number} came with a log of another block")
        if len({log.log_index for log in logs}) != len(logs):
            raise _damaged(f"block {header.number} came with the same log twice")
        return sorted(logs, key=lambda log: log.log_index)

    def _check_number(self, header: ChainHeader, number: BlockNumber) -> None:
        if header.number != number:
            raise _damaged(f"block {number} was asked for, block {header.number} came")


def _damaged(what: str) -> ChainError:
    return ChainError(
        f"The endpoint's answer cannot be right: {what}.",
        hint="If it happens again, try another endpoint.",
    )
