"""Events to rows: what one log of the contract adds to the indexed copy. No input or output.

What an event does not carry comes from a ``Context``: the rows of earlier events. Whatever can be
recomputed is, and must agree: the endpoint is not trusted to have sent the right log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ledger import events, merkle, record, schema
from ledger.assets import (
    K1_REJECTED,
    K2_CONFIRMED,
    K3_CANARY,
    ConfirmedMigration,
    Kudos,
    Migration,
    RejectedMigration,
    Request,
)
from ledger.changes import Changes, Claim, Context, Row, distrust, place, signed_64
from ledger.eip712 import Domain, digest
from ledger.errors import PeerError
from ledger.reasons import Reason
from ledger.tally import indices
from ledger.types import Digest


@dataclass(frozen=True, slots=True)
class Projector:
    """Turns the events of one ledger into changes."""

    domain: Domain
    epoch_seconds: int

    def project(self, log: events.RawLog, timestamp: int, context: Context) -> Changes:
        """The changes of one log; ChainError when it contradicts itself or what came before."""
        changes = Changes()
        changes.rows["logs"].append(
            (log.block_hash, log.tx_hash, b"".join(log.topics), log.data, *place(log))
        )
        event = events.decode(log)
        match event:
            case events.BatchSettled():
                self._settled(event, log, timestamp // self.epoch_seconds, changes)
            case events.MarkOpened():
                _opened(event, log, context, changes)
            case events.CanaryClaimed():
                self._canary_claimed(event, log, timestamp // self.epoch_seconds, context, changes)
            case events.KudosMinted():
                changes.unminted[event.host, event.level] -= event.count
            case events.CanarySkipped():
                row = ("canary", event.index, None, None, None, None, event.reason, *place(log))
                changes.rows["skipped"].append(row)
            case _:
                _project_vote(event, log, context, changes)
        return changes

    def _settled(
        self, event: events.BatchSettled, log: events.RawLog, epoch: int, changes: Changes
    ) -> None:
        migrations = self._unpack(event, log)
        leaves = self._leaves(event, migrations, log)
        claim_bits = event.claims.to_bytes(16, "big")
        head = (event.host, event.root, len(migrations), event.batch[2], claim_bits, *place(log))
        changes.rows["batches"].append(head)
        reasons = dict(event.skipped)
        for index, migration in enumerate(migrations):
            reason = reasons.get(index)
            if reason is not None:
                changes.rows["skipped"].append(_skipped(event, index, migration, reason, log))
                continue
            asset_id = self._record(migration, leaves[index], event.root, index, log, changes)
            if event.claims >> index & 1:
                self._batch_claim(migration, asset_id, event.root, index, epoch, log, changes)

    def _unpack(self, event: events.BatchSettled, log: events.RawLog) -> list[Migration]:
        try:
            migrations = record.decode_batch(self.domain, event.host, event.batch)
        except PeerError as error:
            distrust(log, f"has a batch that cannot be read: {error.message}")
        skipped = [index for index, _ in event.skipped]
        if event.claims >> len(migrations) or any(index >= len(migrations) for index in skipped):
            distrust(log, "names a record beyond the end of its batch")
        if any(event.claims >> index & 1 for index in skipped):
            distrust(log, "claims Kudos for a record that it skipped")
        return migrations

    def _leaves(
        self, event: events.BatchSettled, migrations: list[Migration], log: events.RawLog
    ) -> list[Digest]:
        leaves = record.leaves(self.domain, migrations, [index for index, _ in event.skipped])
        if merkle.root(leaves) != event.root:
            distrust(log, "has a root that is not the one of its records")
        return leaves

    def _record(
        self,
        migration: Migration,
        leaf: Digest,
        root: Digest,
        index: int,
        log: events.RawLog,
        changes: Changes,
    ) -> Digest:
        """Adds the row; gives the id of the asset that Kudos are claimed on."""
        answer: Row
        if isinstance(migration, ConfirmedMigration):
            accepted, confirmed, result = migration.accepted, migration.confirmed, migration.result
            request_id, asset_id = result.request_id, digest(self.domain, confirmed)
            answer = (confirmed.acceptance_id, accepted.signed_at, None)
            answer += (asset_id, confirmed.signed_at, leaf, result.seal, result.signed_at)
        else:
            rejected = migration.rejected
            request_id, asset_id = rejected.request_id, leaf
            answer = (leaf, rejected.signed_at, rejected.reason, *(None,) * 5)
        request = _request_columns(migration.request)
        settled = (migration.home_signature, root, index, *place(log))
        changes.rows["migrations"].append((request_id, *request, *answer, *settled))
        _count_migration(migration, changes)
        return asset_id

    def _batch_claim(
        self,
        migration: Migration,
        asset_id: Digest,
        root: Digest,
        index: int,
        epoch: int,
        log: events.RawLog,
        changes: Changes,
    ) -> None:
        level = K2_CONFIRMED if isinstance(migration, ConfirmedMigration) else K1_REJECTED
        kudos_id = digest(self.domain, Kudos(level, asset_id))
        request = migration.request
        row = (kudos_id, level, request.host, request.home, asset_id, _request_id(migration), None)
        changes.rows["kudos"].append((*row, root, index, None, None, epoch, *place(log)))
        changes.nodes[request.host, "claims"] += 1

    def _canary_claimed(
        self,
        event: events.CanaryClaimed,
        log: events.RawLog,
        epoch: int,
        context: Context,
        changes: Changes,
    ) -> None:
        settled = context.settled(event.request_id)
        if settled is None or settled.result_id is None or settled.host != event.host:
            distrust(log, "claims Kudos on a RESULT that is not settled")
        kudos = Kudos(K3_CANARY, settled.result_id, event.result_digest, event.seal_salt)
        if digest(self.domain, kudos) != event.kudos_id:
            distrust(log, "claims Kudos under an id that is not theirs")
        row = (event.kudos_id, K3_CANARY, event.host, settled.home, settled.result_id)
        opened = ("planted", None, None, event.result_digest, event.seal_salt)
        changes.rows["kudos"].append((*row, event.request_id, *opened, epoch, *place(log)))
        changes.nodes[event.host, "claims"] += 1


def _opened(
    event: events.MarkOpened, log: events.RawLog, context: Context, changes: Changes
) -> None:
    settled = context.settled(event.request_id)
    if settled is None or (settled.home, settled.result_id) != (event.home, event.result_id):
        distrust(log, "opens the mark of a request that is not settled so")
    mark = (event.task_digest, event.family, event.parameters, event.salt)
    signed = (signed_64(event.signed_at), event.signature)
    row = (event.request_id, event.home, event.result_id, *mark, *signed)
    changes.rows["openings"].append((*row, *place(log)))
    changes.nodes[event.home, "canaries_opened"] += 1


def _project_vote(
    event: events.BatchVoted | events.BatchDecided | events.CanaryVoted | events.CanaryDecided,
    log: events.RawLog,
    context: Context,
    changes: Changes,
) -> None:
    if isinstance(event, events.BatchVoted | events.BatchDecided):
        claims = context.batch_claims(event.host, event.root)
        if claims is None:
            distrust(log, "votes on a batch that is not settled")
        if isinstance(event, events.BatchVoted):
            _batch_voted(event, log, claims, changes)
            return
        for bitmap, state in ((event.verified, schema.VERIFIED), (event.refused, schema.REFUSED)):
            for index in indices(bitmap):
                _decide(claims.get(index), state, log, changes)
    elif isinstance(event, events.CanaryVoted):
        if context.claim(event.kudos_id) is None:
            distrust(log, "votes on Kudos that nobody claimed")
        row = (event.kudos_id, event.validator, _verdict(event.reason), event.reason, *place(log))
        changes.rows["votes"].append(row)
    else:
        state = schema.VERIFIED if event.verified else schema.REFUSED
        _decide(context.claim(event.kudos_id), state, log, changes)


def _batch_voted(
    event: events.BatchVoted, log: events.RawLog, claims: Mapping[int, Claim], changes: Changes
) -> None:
    bitmaps = (event.approve.to_bytes(16, "big"), event.refuse.to_bytes(16, "big"))
    ballot = (event.host, event.root, event.validator, *bitmaps, *place(log))
    changes.rows["ballots"].append(ballot)
    reasons = dict(event.reasons)
    for index, claim in claims.items():
        verdict, reason = schema.ABSTAIN, reasons.get(index)
        if event.approve >> index & 1:
            verdict, reason = schema.APPROVE, int(Reason.APPROVE)
        elif event.refuse >> index & 1:
            verdict = schema.REFUSE
        row = (claim.kudos_id, event.validator, verdict, reason, *place(log))
        changes.rows["votes"].append(row)


def _decide(claim: Claim | None, state: int, log: events.RawLog, changes: Changes) -> None:
    if claim is None or claim.state != schema.CLAIMED:
        distrust(log, "decides a claim that is not open")
    changes.rows["decisions"].append((claim.kudos_id, state, *place(log)))
    changes.decided.append((claim.kudos_id, state))
    if state == schema.REFUSED:
        changes.nodes[claim.host, "refused"] += 1
        return
    changes.nodes[claim.host, f"k{claim.level}"] += 1
    changes.pairs[claim.home, claim.host, claim.level, claim.epoch] += 1
    changes.unminted[claim.host, claim.level] += 1
    if claim.level == K3_CANARY:
        changes.nodes[claim.host, "canaries_passed"] += 1


def _count_migration(migration: Migration, changes: Changes) -> None:
    home, host = migration.request.home, migration.request.host
    rejected = isinstance(migration, RejectedMigration)
    changes.nodes[home, "requests"] += 1
    changes.nodes[home, "rejected" if rejected else "accepted"] += 1
    changes.nodes[host, "rejections" if rejected else "hosted"] += 1


def _request_columns(request: Request) -> Row:
    limits = (request.cpu_seconds, request.memory_mib, request.output_kib)
    texts = (request.process_id, request.process_name, request.commitment)
    times = (request.seq, request.result_deadline, request.signed_at)
    return (request.home, request.host, *texts, *limits, *times)


def _verdict(reason: int) -> int:
    if reason == Reason.APPROVE:
        return schema.APPROVE
    return schema.REFUSE if 129 <= reason <= 143 else schema.ABSTAIN


def _skipped(
    event: events.BatchSettled, index: int, migration: Migration, reason: int, log: events.RawLog
) -> Row:
    request_id, home = _request_id(migration), migration.request.home
    return ("record", index, event.host, home, event.root, request_id, reason, *place(log))


def _request_id(migration: Migration) -> Digest:
    if isinstance(migration, ConfirmedMigration):
        return migration.result.request_id
    return migration.rejected.request_id
