"""A K3 claim made from a queued canary and the batch in which its RESULT stands now."""

from __future__ import annotations

from typing import Protocol

from ledger.calls import CanaryClaim
from ledger.eip712 import Domain
from ledger.events import BatchSettled, RawLog, decode
from ledger.merkle import path
from ledger.outbox_codec import OpenedCanary
from ledger.record import decode_batch, leaves
from ledger.settled_view import Settled
from ledger.types import Address, BlockNumber, Digest


class LogSource(Protocol):
    """The chain, as far as its logs go."""

    def logs(
        self, contract: Address, from_block: BlockNumber, to_block: BlockNumber, /
    ) -> list[RawLog]: ...


def claim_where_settled(
    chain: LogSource, domain: Domain, canary: OpenedCanary, settled: Settled
) -> CanaryClaim | None:
    """The claim with its Merkle path, for the batch that the index names.

    None when the chain has no such batch in that block any more: the block was replaced since it
    was indexed, and the index is about to notice.
    """
    block = settled.place.block
    for log in chain.logs(domain.contract, block, block):
        event = decode(log)
        if isinstance(event, BatchSettled) and event.root == settled.root:
            siblings = _path(domain, event, settled.batch_index)
            return claim_of(canary, settled.root, settled.batch_index, siblings)
    return None


def claim_of(
    canary: OpenedCanary, root: Digest, index: int, path: tuple[Digest, ...]
) -> CanaryClaim:
    """The claim as it is sent, for the batch in which the RESULT stands now."""
    opened, result = canary.opened, canary.migration.result
    return CanaryClaim(
        request=canary.migration.request,
        seal=result.seal,
        result_signed_at=result.signed_at,
        root=root,
        index=index,
        path=path,
        task_digest=opened.task_digest,
        family=opened.family,
        parameters=opened.parameters,
        salt=opened.salt,
        opened_at=opened.signed_at,
        opening_signature=canary.opening_signature,
        result_digest=canary.result_digest,
        seal_salt=canary.seal_salt,
    )


def _path(domain: Domain, event: BatchSettled, index: int) -> tuple[Digest, ...]:
    migrations = decode_batch(domain, event.host, event.batch)
    return path(leaves(domain, migrations, (place for place, _ in event.skipped)), index)
