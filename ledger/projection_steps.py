"""Events of the strict way to rows: single assets as they come, the migration when it is answered
or has its RESULT, and the votes on its claim."""

from __future__ import annotations

from ledger import event_types as events
from ledger import schema
from ledger.assets import K1_REJECTED, K2_CONFIRMED, Accepted, Confirmed, Kudos, Rejected, Result
from ledger.changes import Changes, Claim, Context, Row, Strict, distrust, request_columns
from ledger.eip712 import Domain, digest
from ledger.events import RawLog
from ledger.types import Digest


def project_steps(
    domain: Domain,
    event: events.Event,
    log: RawLog,
    epoch: int,
    context: Context,
    changes: Changes,
) -> bool:
    """Whether this event is one of the strict way's; then its changes are made."""
    match event:
        case events.Requested():
            if digest(domain, event.request) != event.request_id:
                distrust(log, "has a REQUEST under an id that is not its own")
            changes.add("step_requests", log, event.request_id, *request_columns(event.request))
            step = (event.request_id, event.request_id, "REQUEST")
            changes.add("steps", log, *step, event.request.signed_at, None)
        case events.Accepted():
            asset_id = digest(domain, Accepted(event.request_id, event.signed_at))
            step = (asset_id, event.request_id, "ACCEPTED")
            changes.add("steps", log, *step, event.signed_at, None)
        case events.Confirmed():
            _confirmed(domain, event, log, context, changes)
        case events.Rejected():
            _rejected(domain, event, log, epoch, context, changes)
        case events.Resulted():
            _resulted(domain, event, log, epoch, context, changes)
        case events.Signed():
            changes.add("signatures", log, event.id, event.signature)
        case events.StepVoted() | events.StepDecided():
            _judged(event, log, context, changes)
        case _:
            return False
    return True


def _confirmed(
    domain: Domain, event: events.Confirmed, log: RawLog, context: Context, changes: Changes
) -> None:
    strict = _strict(context, event.request_id, log)
    if strict.accepted_at is None:
        distrust(log, "confirms what was not accepted")
    accepted_id = digest(domain, Accepted(event.request_id, strict.accepted_at))
    asset_id = digest(domain, Confirmed(accepted_id, event.signed_at))
    changes.add("steps", log, asset_id, event.request_id, "CONFIRMED", event.signed_at, None)


def _rejected(
    domain: Domain,
    event: events.Rejected,
    log: RawLog,
    epoch: int,
    context: Context,
    changes: Changes,
) -> None:
    strict = _strict(context, event.request_id, log)
    asset_id = digest(domain, Rejected(event.request_id, event.reason, event.signed_at))
    changes.add("steps", log, asset_id, event.request_id, "REJECTED", event.signed_at, None)
    answer: Row = (asset_id, event.signed_at, event.reason, *(None,) * 5)
    _settle(strict, event.request_id, answer, log, changes)
    if event.claimed:
        kudos = Kudos(K1_REJECTED, asset_id)
        _claim(digest(domain, kudos), kudos, strict, event.request_id, epoch, log, changes)


def _resulted(
    domain: Domain,
    event: events.Resulted,
    log: RawLog,
    epoch: int,
    context: Context,
    changes: Changes,
) -> None:
    strict = _strict(context, event.request_id, log)
    if strict.accepted_at is None or strict.confirmed_at is None:
        distrust(log, "has a RESULT of what was not confirmed")
    accepted_id = digest(domain, Accepted(event.request_id, strict.accepted_at))
    confirmed_id = digest(domain, Confirmed(accepted_id, strict.confirmed_at))
    asset_id = digest(domain, Result(event.request_id, event.seal, event.signed_at))
    changes.add("steps", log, asset_id, event.request_id, "RESULT", event.signed_at, event.seal)
    answer: Row = (accepted_id, strict.accepted_at, None, confirmed_id, strict.confirmed_at)
    answer += (asset_id, event.seal, event.signed_at)
    _settle(strict, event.request_id, answer, log, changes)
    if event.claimed:
        kudos = Kudos(K2_CONFIRMED, confirmed_id)
        _claim(digest(domain, kudos), kudos, strict, event.request_id, epoch, log, changes)


def _settle(strict: Strict, request_id: Digest, answer: Row, log: RawLog, changes: Changes) -> None:
    request = request_columns(strict.request)
    changes.add("migrations", log, request_id, *request, *answer, None, None, None)
    changes.settle(strict.request, rejected=answer[2] is not None)


def _claim(
    kudos_id: Digest,
    kudos: Kudos,
    strict: Strict,
    request_id: Digest,
    epoch: int,
    log: RawLog,
    changes: Changes,
) -> None:
    parties = (kudos.level, strict.request.host, strict.request.home)
    stands_on = (kudos.asset_id, request_id, None, None, None, None, None)
    changes.add("kudos", log, kudos_id, None, 0, *parties, *stands_on, epoch)
    changes.nodes[strict.request.host, "claims"] += 1


def _judged(
    event: events.StepVoted | events.StepDecided, log: RawLog, context: Context, changes: Changes
) -> None:
    claim = _claim_of(event, context)
    if isinstance(event, events.StepVoted):
        claim = changes.vote(claim, event.validator, event.reason, log)
        if claim.state != schema.CLAIMED or event.state == schema.CLAIMED:
            return
    changes.decide(claim, event.state, log)


def _claim_of(event: events.StepVoted | events.StepDecided, context: Context) -> Claim | None:
    if isinstance(event, events.StepVoted):
        settled = context.settled_as(event.id)
    else:
        settled = context.settled_at(event.home, event.host, event.seq)
    return context.step_claim(settled.request_id) if settled else None


def _strict(context: Context, request_id: Digest, log: RawLog) -> Strict:
    strict = context.strict(request_id)
    if strict is None:
        distrust(log, "belongs to a REQUEST that nobody recorded")
    return strict
