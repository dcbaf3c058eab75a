"""K3 claims made from queued canaries and the places in which their RESULTs stand now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from ledger.eip712 import Domain
from ledger.event_types import BatchSettled
from ledger.events import RawLog, decode
from ledger.merkle import path
from ledger.outbox_codec import Canary, DrawnCanary
from ledger.packed_claims import (
    ClaimItem,
    DrawnOpening,
    HomesWords,
    Opening,
    PlantedOpening,
    PuzzleOpening,
)
from ledger.record import decode_batch, leaves
from ledger.settled_view import Settled
from ledger.types import Address, BlockNumber, Digest

FamilyNumber = Callable[[Digest], int | None]
"""The number under which the contract checks a family's answers; None where it does not."""


class LogSource(Protocol):
    """The chain, as far as its logs go."""

    def logs(
        self, contracts: Sequence[Address], from_block: BlockNumber, to_block: BlockNumber, /
    ) -> list[RawLog]: ...


def claim_where_settled(
    chain: LogSource,
    domain: Domain,
    canary: Canary,
    settled: Settled,
    number_of: FamilyNumber,
) -> ClaimItem | None:
    """The claim with its Merkle path, for the batch that the index names.

    None when the chain has no such batch in that block any more: the block was replaced since it
    was indexed, and the index is about to notice.
    """
    if settled.root is None or settled.batch_index is None:
        return claim_of(canary, number_of)
    block = settled.place.block
    for log in chain.logs((domain.contract,), block, block):
        event = decode(log)
        if isinstance(event, BatchSettled) and event.root == settled.root:
            siblings = _path(domain, event, settled.batch_index)
            return claim_of(canary, number_of, settled.root, settled.batch_index, siblings)
    return None


def claim_of(
    canary: Canary,
    number_of: FamilyNumber,
    root: Digest | None = None,
    index: int = 0,
    path: tuple[Digest, ...] = (),
) -> ClaimItem:
    """The claim as it is sent, for the batch in which the RESULT stands now (None: none)."""
    opening, words = _opening(canary, number_of), _words(canary)
    return ClaimItem(
        request=canary.migration.request,
        result_signed_at=canary.migration.result.signed_at,
        opening=opening,
        words=words,
        tree=root,
        index=index,
        path=path,
    )


def _opening(canary: Canary, number_of: FamilyNumber) -> Opening:
    if isinstance(canary, DrawnCanary):
        return DrawnOpening(
            canary.task_digest, canary.mark_hash, canary.seal_salt, canary.result_digest
        )
    opened = canary.opened
    shown = (opened.task_digest, opened.parameters, opened.salt, canary.seal_salt)
    number = number_of(opened.family)
    if number is not None and canary.solution is not None:
        return PuzzleOpening(number, *shown, canary.solution)
    return PlantedOpening(opened.family, *shown, canary.result_digest)


def _words(canary: Canary) -> HomesWords | None:
    if isinstance(canary, DrawnCanary):
        return None
    return HomesWords(canary.opened.signed_at, canary.opening_signature)


def in_claim_order(claims: dict[Digest, ClaimItem]) -> list[Digest]:
    """The keys in the order in which their claims share most."""
    return sorted(claims, key=lambda key: (claims[key].tree or b"", claims[key].index))


def _path(domain: Domain, event: BatchSettled, index: int) -> tuple[Digest, ...]:
    migrations = decode_batch(domain, event.host, event.batch)
    return path(leaves(domain, migrations, (place for place, _ in event.skipped)), index)
