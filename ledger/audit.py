"""An audit that trusts nobody: recomputes the ledger from raw logs and compares.

    raw logs ──▶ own decoder ──▶ own rules ──▶ compared with the contracts' views, and with SQLite

Nothing here comes from the indexer: a mistake there would otherwise hide itself.

What it takes on trust, because no log says it: that batches, claims, votes, and assets of the
strict way without a signature were sent or signed by their owners, and that revealed votes are
those that were committed to. The contracts have checked all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ledger.audit_assets import Hasher
from ledger.audit_copy import Copy
from ledger.audit_logs import read_logs
from ledger.audit_recount import Recount
from ledger.audit_state import VERIFIED, Difference
from ledger.audit_views import Views
from ledger.contracts import contracts_of
from ledger.errors import ChainError
from ledger.source import CallableChain, ChainHeader, LedgerIdentity
from ledger.types import BlockNumber

Progress = Callable[[int, int], None]
"""Called with the blocks read and the blocks to read."""


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit found; ``assets`` and ``kudos`` (verified) are counts of its own."""

    block: BlockNumber
    assets: int
    kudos: int
    totals: Mapping[bytes, tuple[int, int, int]]
    differences: tuple[Difference, ...]

    @property
    def ok(self) -> bool:
        return not self.differences


def audit(
    rpc: CallableChain,
    deployment: LedgerIdentity,
    store_path: Path | None = None,
    at_block: int | None = None,
    *,
    progress: Progress = lambda done, of: None,
) -> AuditReport:
    """Recomputes everything up to a block (default: the copy's last, else the head) and compares.

    ChainError when the chain cannot be read or changes meanwhile; differences are not errors.
    """
    if store_path is None:
        return _audit(rpc, deployment, None, at_block, progress)
    with closing(Copy(store_path)) as copy:
        return _audit(rpc, deployment, copy, at_block, progress)


def _audit(
    rpc: CallableChain,
    deployment: LedgerIdentity,
    copy: Copy | None,
    at_block: int | None,
    progress: Progress,
) -> AuditReport:
    cursor = copy.cursor if copy else None
    block = _block(rpc, at_block if at_block is not None or cursor is None else cursor[0])
    views = Views(rpc, deployment, block.number)
    contracts = contracts_of(deployment.contract)
    hasher = Hasher(deployment.chain_id, deployment.contract)
    recount = Recount(hasher, views.rules(), contracts, views)
    if block.number >= deployment.deployed_block:
        first = deployment.deployed_block
        for log in read_logs(rpc, contracts, first, block.number, progress):
            recount.apply(log)
    recount.finish()
    differences = recount.book.differences
    differences += views.compare(recount)
    if copy is not None:
        differences += copy.compare(recount, block)
    again = rpc.header(block.number)
    if again is None or again.hash != block.hash:
        raise ChainError(
            f"Block {block.number} was replaced while it was audited.",
            hint="Audit again, or at a block that is final (--at).",
        )
    verified = sum(claim.state == VERIFIED for claim in recount.book.claims)
    totals = recount.book.totals()
    return AuditReport(block.number, recount.book.assets, verified, totals, tuple(differences))


def _block(rpc: CallableChain, number: int | None) -> ChainHeader:
    header = rpc.header("latest" if number is None else BlockNumber(number))
    if header is None:
        raise ChainError(
            f"The chain has no block {number}.",
            hint="The copy is ahead of this endpoint, or the chain went back: try again later.",
        )
    return header
