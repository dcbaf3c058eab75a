"""Rows of the copy as the API's models."""

from __future__ import annotations

from ledger import schema, validator_test
from ledger.assets import ConfirmedMigration, RejectedMigration, process_name_text
from ledger.desk import api_asset_models as assets
from ledger.desk import api_models as models
from ledger.desk import api_rule_models as rules
from ledger.desk.checks import checks
from ledger.desk.queries import validator_tests, why
from ledger.desk.queries.explore import AssetRow
from ledger.eip712 import digest
from ledger.reader import Reader
from ledger.reasons import describe
from ledger.rows import KudosRow, Place, SettledMigration, Step, ValidatorTest, Vote
from ledger.types import Digest, hex_of

STATES: dict[int, models.StateText] = {
    schema.CLAIMED: "waiting",
    schema.VERIFIED: "verified",
    schema.REFUSED: "refused",
    schema.VOID: "void",
}
VERDICTS: dict[int, models.VerdictText] = {
    schema.ABSTAIN: "abstained",
    schema.APPROVE: "approved",
    schema.REFUSE: "refused",
}


def reason_text(code: int | None) -> str | None:
    """A reason code in words."""
    return None if code is None else describe(code)


def asset(row: AssetRow) -> assets.Asset:
    fields = {name: getattr(row, name) for name in assets.Asset.model_fields}
    return assets.Asset.model_validate(fields | {"reason": reason_text(row.reason)})


def reasoned(found: why.Why) -> assets.Why:
    fields = {name: getattr(found, name) for name in assets.Why.model_fields}
    votes = [
        assets.Said(
            validator=hex_of(said.validator),
            verdict=VERDICTS[said.verdict],
            reason=reason_text(said.reason),
            block=said.block,
        )
        for said in found.votes
    ]
    return assets.Why.model_validate(fields | {"reason": reason_text(found.reason), "votes": votes})


def claim(row: KudosRow) -> assets.KudosClaim:
    return assets.KudosClaim.model_validate(_claim_fields(row))


def claim_detail(reader: Reader, row: KudosRow) -> assets.KudosDetail:
    votes = [vote(row.kudos_id, each) for each in reader.votes(row.kudos_id)]
    return assets.KudosDetail.model_validate(_claim_fields(row) | {"votes": votes})


def vote(kudos_id: Digest, row: Vote) -> assets.Vote:
    fields = {"kudos_id": kudos_id, **_vote_fields(row)}
    return assets.Vote.model_validate(fields)


def migration(reader: Reader, settled: SettledMigration) -> assets.Migration:
    return assets.Migration.model_validate(_migration_fields(reader, settled))


def life_cycle(reader: Reader, settled: SettledMigration) -> assets.LifeCycle:
    """The whole life of a migration, and what can be recomputed of it."""
    opening = reader.opening(settled.request_id)
    claims = reader.claims_of(settled.request_id)
    alone = reader.steps(settled.request_id)
    test = reader.validator_test(settled.request_id)
    found = checks(reader.domain, settled, opening, claims, alone, test)
    signatures = {step.asset_id: step.signature for step in alone}
    steps = [
        _step(reader, settled, each, signatures.get(each.id))
        for each in reader.lifecycle(settled.request_id)
    ]
    return assets.LifeCycle.model_validate(
        _migration_fields(reader, settled)
        | {"steps": steps, "checks": [assets.Check.model_validate(each) for each in found]}
        | {"test": None if test is None else _test(test)}
    )


def canary(
    reader: Reader, request_id: Digest, first_claim: Digest | None = None
) -> assets.Canary | None:
    """The opened canary of a request; None when its mark is not open, or the first claim on it is
    another one."""
    settled, opening = reader.migration(request_id), reader.opening(request_id)
    if settled is None or opening is None:
        return None
    asset = opening.asset
    thirds = [each for each in reader.claims_of(request_id) if each.level == 3]
    if first_claim is not None and thirds[0].kudos_id != first_claim:
        return None
    third = thirds[-1] if thirds else None
    return assets.Canary.model_validate(
        {
            "id": digest(reader.domain, asset) if opening.signature else None,
            "request_id": request_id,
            "home": settled.request.home,
            "host": settled.request.host,
            "process_name": process_name_text(settled.request.process_name),
            "result_id": asset.result_id,
            "task_digest": asset.task_digest,
            "family": asset.family,
            "parameters": asset.parameters,
            "salt": asset.salt,
            "solution": opening.solution,
            "opened_at": asset.signed_at if opening.signature else None,
            "kudos_id": None if third is None else third.kudos_id,
            "state": None if third is None else STATES[third.state],
            **_place(opening.place),
        }
    )


def _migration_fields(reader: Reader, settled: SettledMigration) -> dict[str, object]:
    request, asset = settled.request, settled.migration
    rejection = asset.rejected.reason if isinstance(asset, RejectedMigration) else None
    kudos = [
        assets.KudosBrief.model_validate(_brief(row))
        for row in reader.claims_of(settled.request_id)
    ]
    return {
        "request_id": settled.request_id,
        "home": request.home,
        "host": request.host,
        "process_name": process_name_text(request.process_name),
        "sequence": request.seq,
        "accepted": isinstance(asset, ConfirmedMigration),
        "rejection": reason_text(rejection),
        "canary_opened": reader.opening(settled.request_id) is not None,
        "strict": settled.root is None,
        "kudos": kudos,
        **_place(settled.place),
    }


def _claim_fields(row: KudosRow) -> dict[str, object]:
    return {
        "id": row.kudos_id,
        "level": row.level,
        "state": STATES[row.state],
        "host": row.host,
        "home": row.home,
        "asset_id": row.asset_id,
        "request_id": row.request_id,
        "epoch": row.epoch,
        "origin": row.origin,
        "repeats": row.repeats,
        "attempt": row.attempt,
        "decided_block": None if row.decided is None else row.decided.block,
        **_place(row.place),
    }


def _brief(row: KudosRow) -> dict[str, object]:
    state = STATES[row.state]
    return {"id": row.kudos_id, "level": row.level, "state": state, "origin": row.origin}


def _step(
    reader: Reader, settled: SettledMigration, step: Step, signature: bytes | None
) -> assets.Step:
    detail, votes = "", []
    if step.kudos is not None:
        detail = f"K{step.kudos.level} {STATES[step.kudos.state]}"
        votes = [_vote_fields(each) for each in reader.votes(step.id)]
    elif isinstance(settled.migration, RejectedMigration) and step.asset == "REJECTED":
        detail = describe(settled.migration.rejected.reason)
    return assets.Step.model_validate(
        {
            "asset": step.asset,
            "id": step.id,
            "owner": step.owner,
            "signed_at": step.signed_at,
            "signature": None if signature is None else "0x" + signature.hex(),
            "detail": detail,
            "votes": votes,
            **_place(step.place),
        }
    )


def _test(test: ValidatorTest) -> rules.ValidatorTest:
    fields = {name: getattr(test, name) for name in ("kudos_id", "result_id", "seal_salt", "salt")}
    digest = validator_test.digest_of(test.request_id, test.salt)
    made = fields | {"result_digest": digest, **_place(test.place)}
    return rules.ValidatorTest.model_validate(made)


def tested(row: validator_tests.Tested) -> rules.Tested:
    fields = {name: getattr(row, name) for name in rules.Tested.model_fields}
    return rules.Tested.model_validate(fields | {"state": STATES[row.state]})


def _vote_fields(row: Vote) -> dict[str, object]:
    return {
        "validator": row.validator,
        "verdict": VERDICTS[row.verdict],
        "reason": reason_text(row.reason),
        **_place(row.place),
    }


def _place(place: Place) -> dict[str, object]:
    return {name: getattr(place, name) for name in models.Place.model_fields}
