"""K3 claims made from queued canaries, or made again from what stands on the ledger, and the places
in which their RESULTs stand now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ledger.assets import ConfirmedMigration, Migration
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
from ledger.rows import Draw, KudosRow
from ledger.rows import Opening as Opened
from ledger.settled_view import Settled
from ledger.types import Address, BlockNumber, Digest

FamilyNumber = Callable[[Digest], int | None]
"""The number under which the contract checks a family's answers; None where it does not."""


class LogSource(Protocol):
    """The chain, as far as its logs go."""

    def logs(
        self, contracts: Sequence[Address], from_block: BlockNumber, to_block: BlockNumber, /
    ) -> list[RawLog]: ...


@dataclass(frozen=True, slots=True)
class Leaf:
    """A place in a batch, with the siblings from the leaf up; no root for the strict way."""

    root: Digest | None = None
    index: int = 0
    path: tuple[Digest, ...] = ()


def claim_where_settled(
    chain: LogSource,
    domain: Domain,
    canary: Canary,
    settled: Settled,
    number_of: FamilyNumber,
) -> ClaimItem | None:
    """The claim with its Merkle path, for the batch that the index names; None as for
    ``leaf_where_settled``."""
    leaf = leaf_where_settled(chain, domain, settled)
    if leaf is None:
        return None
    return claim_of(canary, number_of, leaf.root, leaf.index, leaf.path)


def leaf_where_settled(chain: LogSource, domain: Domain, settled: Settled) -> Leaf | None:
    """Where in which batch a migration stands.

    None when the chain has no such batch in that block any more: the block was replaced since it
    was indexed, and the index is about to notice.
    """
    if settled.root is None or settled.batch_index is None:
        return Leaf()
    block = settled.place.block
    for log in chain.logs((domain.contract,), block, block):
        event = decode(log)
        if isinstance(event, BatchSettled) and event.root == settled.root:
            siblings = _path(domain, event, settled.batch_index)
            return Leaf(settled.root, settled.batch_index, siblings)
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


def repeated_claim(
    claim: KudosRow,
    migration: Migration,
    leaf: Leaf,
    opened: Opened | None,
    draw: Draw | None,
) -> ClaimItem | None:
    """A claim that stands on the ledger, as it is made again; None where it was no canary's."""
    salt, result = claim.seal_salt, claim.result_digest
    if not isinstance(migration, ConfirmedMigration) or salt is None or result is None:
        return None
    opening: Opening
    words = None
    if opened is not None:
        asset = opened.asset
        mark = (asset.family, asset.task_digest, asset.parameters, asset.salt)
        opening = PlantedOpening(*mark, salt, result)
        words = opened.signature and HomesWords(asset.signed_at, opened.signature)
    elif draw is not None:
        opening = DrawnOpening(draw.task_digest, draw.mark_hash, salt, result)
    else:
        return None
    return ClaimItem(
        request=migration.request,
        result_signed_at=migration.result.signed_at,
        opening=opening,
        words=words or None,
        tree=leaf.root,
        index=leaf.index,
        path=leaf.path,
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
