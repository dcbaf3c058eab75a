"""What a validator approves and refuses on the record alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.assets import (
    ANSWER_WITHIN,
    CONFIRM_WITHIN,
    RESULT_WITHIN_MAX,
    Accepted,
    Confirmed,
    ConfirmedMigration,
    Migration,
    Rejected,
    RejectedMigration,
    Result,
)
from ledger.eip712 import Domain, digest
from ledger.keys import Key
from ledger.reasons import Reason
from ledger.rows import Opening, UnvotedCanary
from ledger.types import Digest, Signature
from node.verification import CLOCK_SKEW, ballot, judge, judge_canary
from tests.unit.canary_claims import ZERO, as_drawn, make_claim
from tests.unit.node_world import (
    DOMAIN,
    NOW,
    ORDINARY_MARK,
    ManualClock,
    credentials,
    key,
    make_request,
)

HOME = credentials(1, ManualClock())
HOST = key(2).address


def confirmed(
    answered: int = 1, confirmed: int = 1, finished: int = 5, **changes: Any
) -> ConfirmedMigration:
    """A finished migration, signed as it stands; times are seconds after the step before."""
    request = replace(make_request(HOME, HOST), **changes)
    accepted = Accepted(digest(DOMAIN, request), request.signed_at + answered)
    confirmation = Confirmed(digest(DOMAIN, accepted), accepted.signed_at + confirmed)
    at = confirmation.signed_at + finished
    result = Result(accepted.request_id, Digest(b"\x07" * 32), at)
    signature = HOME.key.sign(DOMAIN, confirmation)
    return ConfirmedMigration(request, accepted, confirmation, result, signature)


def rejected(answered: int = 1, reason: int = 2, **changes: Any) -> RejectedMigration:
    request = replace(make_request(HOME, HOST), **changes)
    answer = Rejected(digest(DOMAIN, request), reason, request.signed_at + answered)
    return RejectedMigration(request, answer, HOME.key.sign(DOMAIN, request))


GOOD: list[Migration] = [
    confirmed(),
    confirmed(0, 0, 0),
    confirmed(ANSWER_WITHIN, CONFIRM_WITHIN, 5),
    confirmed(0, 0, 900),
    confirmed(0, 0, 0, result_deadline=NOW + RESULT_WITHIN_MAX),
    confirmed(0, 0, 0, result_deadline=NOW + 1),
    rejected(),
    rejected(0, 1),
    rejected(ANSWER_WITHIN, 63),
]
DISORDERED: list[Migration] = [
    confirmed(answered=-1),
    confirmed(answered=ANSWER_WITHIN + 1),
    confirmed(confirmed=-1),
    confirmed(confirmed=CONFIRM_WITHIN + 1),
    confirmed(finished=-1),
    confirmed(0, 0, 901),
    confirmed(0, 0, 0, result_deadline=NOW),
    confirmed(0, 0, 0, result_deadline=NOW + RESULT_WITHIN_MAX + 1),
    confirmed(host=HOME.key.address),
    rejected(answered=-1),
    rejected(answered=ANSWER_WITHIN + 1),
    rejected(reason=0),
    rejected(reason=64),
    rejected(host=HOME.key.address),
    rejected(result_deadline=NOW),
    rejected(result_deadline=NOW + RESULT_WITHIN_MAX + 1),
]


@pytest.mark.parametrize("migration", GOOD)
def test_what_is_in_order_is_approved(migration: Migration) -> None:
    assert judge(DOMAIN, migration, NOW + 1000) is Reason.APPROVE


@pytest.mark.parametrize("migration", DISORDERED)
def test_what_is_out_of_order_is_refused(migration: Migration) -> None:
    assert judge(DOMAIN, migration, NOW + 1000) is Reason.REFUSE_ORDER


@pytest.mark.parametrize("migration", [confirmed(0, 0, 0), rejected(0)])
def test_nothing_is_signed_after_it_was_settled(migration: Migration) -> None:
    assert judge(DOMAIN, migration, NOW - CLOCK_SKEW) is Reason.APPROVE
    assert judge(DOMAIN, migration, NOW - CLOCK_SKEW - 1) is Reason.REFUSE_ORDER


@pytest.mark.parametrize("migration", [confirmed(), rejected()])
def test_only_the_homes_signature_for_this_ledger_counts(migration: Migration) -> None:
    signed = migration.confirmed if isinstance(migration, ConfirmedMigration) else migration.request
    for signature in (
        key(2).sign(DOMAIN, signed),
        HOME.key.sign(Domain(1, DOMAIN.contract), signed),
        Signature(bytes(64)),
    ):
        forged = replace(migration, home_signature=signature)
        assert judge(DOMAIN, forged, NOW + 1000) is Reason.REFUSE_SIGNATURE


def test_the_signature_of_a_request_is_no_confirmation() -> None:
    """A home that only asked has confirmed nothing."""
    migration = confirmed()
    signature = HOME.key.sign(DOMAIN, migration.request)
    forged = replace(migration, home_signature=signature)
    assert judge(DOMAIN, forged, NOW + 1000) is Reason.REFUSE_SIGNATURE


@given(
    st.lists(st.integers(0, len(GOOD) + len(DISORDERED) - 1), min_size=1, max_size=20),
    st.integers(0, (1 << 128) - 1),
)
def test_a_ballot_is_the_verdicts_on_all_claims(picks: list[int], claims: int) -> None:
    batch = [(GOOD + DISORDERED)[pick] for pick in picks]
    found = ballot(DOMAIN, batch, claims, NOW + 1000)
    reasons = dict(found.reasons)
    for index, pick in enumerate(picks):
        claimed, good = bool(claims >> index & 1), pick < len(GOOD)
        assert found.approve >> index & 1 == int(claimed and good)
        assert found.refuse >> index & 1 == int(claimed and not good)
        assert reasons.get(index) == (Reason.REFUSE_ORDER if claimed and not good else None)
    assert found.approve >> len(picks) == found.refuse >> len(picks) == 0
    assert len(reasons) == found.refuse.bit_count()


# -- K3 on paper ---------------------------------------------------------------------------------

CLAIM = make_claim(HOME, HOST)
MIGRATION = CLAIM.settled.migration
assert CLAIM.opening is not None
OPENING: Opening = CLAIM.opening
assert isinstance(MIGRATION, ConfirmedMigration)


def with_migration(migration: Migration) -> UnvotedCanary:
    return replace(CLAIM, settled=replace(CLAIM.settled, migration=migration))


def with_row(**changes: Any) -> UnvotedCanary:
    return replace(CLAIM, kudos=replace(CLAIM.kudos, **changes))


def opened_as(signer: Key = HOME.key, domain: Domain = DOMAIN, **changes: Any) -> UnvotedCanary:
    """Another opening than the home's, properly signed by whoever it is."""
    asset = replace(OPENING.asset, **changes)
    opening = replace(OPENING, asset=asset, signature=signer.sign(domain, asset))
    return replace(CLAIM, opening=opening)


def unsigned(**changes: Any) -> UnvotedCanary:
    """An opening that the home has not signed: the commitment alone speaks for it."""
    opening = replace(OPENING, asset=replace(OPENING.asset, signed_at=0, **changes), signature=None)
    return replace(CLAIM, opening=opening)


DRAWN = as_drawn(CLAIM)


def drawn_as(**changes: Any) -> UnvotedCanary:
    assert DRAWN.draw is not None
    return replace(DRAWN, draw=replace(DRAWN.draw, **changes))


def test_a_migration_that_came_the_strict_way_has_no_signature_to_check() -> None:
    """The contract took each asset from its owner."""
    for migration in (confirmed(), rejected()):
        bare = replace(migration, home_signature=Signature(b""))
        assert judge(DOMAIN, bare, NOW + 1000) is Reason.APPROVE


def test_a_claim_that_holds_on_paper_is_approved() -> None:
    for claim in (unsigned(), DRAWN):
        assert judge_canary(DOMAIN, claim) is Reason.APPROVE
    assert judge_canary(DOMAIN, CLAIM) is Reason.APPROVE
    assert judge_canary(DOMAIN, make_claim(HOME, HOST, 7, answer=ZERO)) is Reason.APPROVE


DISHONEST: dict[str, tuple[UnvotedCanary, Reason]] = {
    "a rejection": (with_migration(rejected()), Reason.REFUSE_ORDER),
    "out of order": (
        with_migration(replace(MIGRATION, result=replace(MIGRATION.result, signed_at=NOW + 901))),
        Reason.REFUSE_ORDER,
    ),
    "never confirmed": (
        with_migration(replace(MIGRATION, home_signature=Signature(bytes(64)))),
        Reason.REFUSE_SIGNATURE,
    ),
    "opened by the host": (opened_as(key(2)), Reason.REFUSE_SIGNATURE),
    "opened elsewhere": (opened_as(domain=Domain(1, DOMAIN.contract)), Reason.REFUSE_SIGNATURE),
    "changed after it was signed": (
        replace(
            CLAIM,
            opening=replace(OPENING, asset=replace(OPENING.asset, signed_at=NOW + 1)),
        ),
        Reason.REFUSE_SIGNATURE,
    ),
    "another task": (opened_as(task_digest=ZERO), Reason.REFUSE_OPENING),
    "another family": (opened_as(family=ZERO), Reason.REFUSE_OPENING),
    "other parameters": (opened_as(parameters=ZERO), Reason.REFUSE_OPENING),
    "another salt": (opened_as(salt=Digest(b"\x01" * 32)), Reason.REFUSE_OPENING),
    "no salt": (opened_as(salt=ZERO), Reason.REFUSE_OPENING),
    "committed to another place": (
        make_claim(HOME, HOST, changes={"seq": 1}),
        Reason.REFUSE_OPENING,
    ),
    "an ordinary task": (
        make_claim(
            HOME,
            HOST,
            changes={"commitment": make_request(HOME, HOST, mark=ORDINARY_MARK).commitment},
        ),
        Reason.REFUSE_OPENING,
    ),
    "unsigned, another task": (unsigned(task_digest=ZERO), Reason.REFUSE_OPENING),
    "unsigned, no salt": (unsigned(salt=ZERO), Reason.REFUSE_OPENING),
    "drawn, another task": (drawn_as(task_digest=ZERO), Reason.REFUSE_OPENING),
    "drawn, another mark": (drawn_as(mark_hash=ZERO), Reason.REFUSE_OPENING),
    "drawn, another result": (drawn_as(result_id=ZERO), Reason.REFUSE_OPENING),
    "no answer": (with_row(result_digest=None), Reason.REFUSE_RESULT),
    "no salt of the seal": (with_row(seal_salt=None), Reason.REFUSE_RESULT),
    "another answer than sealed": (with_row(result_digest=ZERO), Reason.REFUSE_RESULT),
    "another salt of the seal": (with_row(seal_salt=ZERO), Reason.REFUSE_RESULT),
}


@pytest.mark.parametrize("what", DISHONEST)
def test_a_claim_that_does_not_hold_on_paper_is_refused(what: str) -> None:
    claim, reason = DISHONEST[what]
    assert judge_canary(DOMAIN, claim) is reason
