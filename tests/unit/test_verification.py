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
from ledger.reasons import Reason
from ledger.types import Digest, Signature
from node.verification import CLOCK_SKEW, ballot, judge
from tests.unit.node_world import DOMAIN, NOW, ManualClock, credentials, key, make_request

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
