"""What a validator checks before it approves K1 or K2 (protocol section 5). Pure: assets in, reason
out.

The contract has checked the home's signature and the deadline against block time already. A
validator trusts neither its own RPC endpoint nor the contract's author, and checks again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from canaries.commitment import PLANTED, Mark, Place, commitment, seal
from ledger.assets import (
    ANSWER_WITHIN,
    CONFIRM_WITHIN,
    RESULT_WITHIN_MAX,
    Asset,
    ConfirmedMigration,
    Migration,
    RejectedMigration,
    Request,
)
from ledger.eip712 import Domain
from ledger.keys import signed_by
from ledger.reasons import Reason
from ledger.rows import UnvotedCanary

CLOCK_SKEW = 300
"""Seconds by which a signer's clock may run ahead of block time."""


@dataclass(frozen=True, slots=True)
class Ballot:
    """A validator's word on a batch: bitmaps, and (index, reason) for every claim not approved."""

    approve: int
    refuse: int
    reasons: tuple[tuple[int, int], ...]


def judge(domain: Domain, migration: Migration, settled_at: int) -> Reason:
    """Follows the references of one settled migration back to its REQUEST."""
    if isinstance(migration, ConfirmedMigration):
        return _judge_confirmed(domain, migration, settled_at)
    return _judge_rejected(domain, migration, settled_at)


def ballot(domain: Domain, migrations: Sequence[Migration], claims: int, settled_at: int) -> Ballot:
    """Judges every claim of a batch; ``claims`` is the bitmap of records that carry one."""
    found: Mapping[int, Reason] = {
        index: judge(domain, migration, settled_at)
        for index, migration in enumerate(migrations)
        if claims >> index & 1
    }
    approve = sum(1 << index for index, reason in found.items() if reason.is_approval)
    refuse = sum(1 << index for index, reason in found.items() if reason.is_refusal)
    doubts = tuple((i, int(reason)) for i, reason in found.items() if not reason.is_approval)
    return Ballot(approve, refuse, doubts)


def judge_canary(domain: Domain, claim: UnvotedCanary) -> Reason:
    """Follows a K3 claim back to its REQUEST: the migration, the commitment, the opening's
    signature and the host's seal. Whether the result is right is for the family to say."""
    settled, kudos = claim.settled, claim.kudos
    migration = settled.migration
    if not isinstance(migration, ConfirmedMigration):
        return Reason.REFUSE_ORDER
    found = judge(domain, migration, settled.place.timestamp)
    if found.is_approval:
        found = _judge_mark(domain, claim, migration.request)
    if not found.is_approval:
        return found
    request = migration.request
    if kudos.result_digest is None or kudos.seal_salt is None:
        return Reason.REFUSE_RESULT
    sealed = seal(kudos.result_digest, kudos.seal_salt, request.host, settled.request_id)
    return Reason.APPROVE if sealed == migration.result.seal else Reason.REFUSE_RESULT


def _judge_mark(domain: Domain, claim: UnvotedCanary, request: Request) -> Reason:
    """Whether the commitment covers this task, and, unless the beacon drew it, marks it."""
    place = Place(domain.chain_id, domain.contract, request.home, request.host, request.seq)
    ids = (claim.settled.request_id, claim.settled.result_id)
    if claim.draw is not None:
        drawn = claim.draw
        fits = (drawn.request_id, drawn.result_id) == ids
        covered = commitment(place, drawn.task_digest, drawn.mark_hash)
        return Reason.APPROVE if fits and covered == request.commitment else Reason.REFUSE_OPENING
    assert claim.opening is not None, "a canary is opened or drawn"
    opened, signature = claim.opening.asset, claim.opening.signature
    if (opened.request_id, opened.result_id) != ids or not any(opened.salt):
        return Reason.REFUSE_OPENING
    if signature is not None and not signed_by(domain, opened, signature, request.home):
        return Reason.REFUSE_SIGNATURE
    mark = Mark(PLANTED, opened.family, opened.parameters, opened.salt)
    covered = commitment(place, opened.task_digest, mark.hash)
    return Reason.APPROVE if covered == request.commitment else Reason.REFUSE_OPENING


def _judge_confirmed(domain: Domain, migration: ConfirmedMigration, settled_at: int) -> Reason:
    request = migration.request
    if not _is_signed(domain, migration, migration.confirmed):
        return Reason.REFUSE_SIGNATURE
    answered = migration.accepted.signed_at - request.signed_at
    confirmed = migration.confirmed.signed_at - migration.accepted.signed_at
    finished = migration.result.signed_at
    in_order = (
        0 <= answered <= ANSWER_WITHIN
        and 0 <= confirmed <= CONFIRM_WITHIN
        and migration.confirmed.signed_at <= finished <= request.result_deadline
        and finished <= settled_at + CLOCK_SKEW
    )
    return Reason.APPROVE if in_order and _request_holds(migration) else Reason.REFUSE_ORDER


def _judge_rejected(domain: Domain, migration: RejectedMigration, settled_at: int) -> Reason:
    request = migration.request
    if not _is_signed(domain, migration, request):
        return Reason.REFUSE_SIGNATURE
    answered = migration.rejected.signed_at - request.signed_at
    in_order = (
        0 <= answered <= ANSWER_WITHIN
        and migration.rejected.signed_at <= settled_at + CLOCK_SKEW
        and 1 <= migration.rejected.reason < 64
    )
    return Reason.APPROVE if in_order and _request_holds(migration) else Reason.REFUSE_ORDER


def _is_signed(domain: Domain, migration: Migration, asset: Asset) -> bool:
    """A migration that came the strict way has no signature in its record: there the contract took
    each asset from its owner, and says so in the log."""
    signature, home = migration.home_signature, migration.request.home
    return not signature or signed_by(domain, asset, signature, home)


def _request_holds(migration: Migration) -> bool:
    request = migration.request
    granted = request.result_deadline - request.signed_at
    return request.home != request.host and 1 <= granted <= RESULT_WITHIN_MAX
