"""Events to rows: what one log of the contracts adds to the indexed copy. No input or output.

What an event does not carry comes from a ``Context``: the rows of earlier events. Whatever can be
recomputed is, and must agree: the endpoint is not trusted to have sent the right log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ledger import event_types as events
from ledger import merkle, record, schema
from ledger.assets import (
    K1_REJECTED,
    K2_CONFIRMED,
    ConfirmedMigration,
    Kudos,
    Migration,
)
from ledger.changes import Changes, Claim, Context, Row, distrust, request_columns
from ledger.contracts import contracts_of
from ledger.eip712 import Domain, digest
from ledger.errors import PeerError
from ledger.events import EMITTER, RawLog, decode
from ledger.projection_claims import project_claims
from ledger.projection_rule import project_mint, project_rule
from ledger.projection_steps import project_steps
from ledger.reasons import Reason
from ledger.tally import indices
from ledger.types import Digest


@dataclass(frozen=True, slots=True)
class Projector:
    """Turns the events of one ledger into changes."""

    domain: Domain
    epoch_seconds: int

    def project(self, log: RawLog, timestamp: int, context: Context) -> Changes:
        """The changes of one log; ChainError when it contradicts itself or what came before."""
        changes = Changes()
        origin = (log.block_hash, log.tx_hash, log.address)
        changes.add("logs", log, *origin, b"".join(log.topics), log.data)
        event = decode(log)
        if contracts_of(self.domain.contract).role(log.address) != EMITTER[type(event)]:
            distrust(log, "is an event of another contract than the one that it came from")
        epoch = timestamp // self.epoch_seconds
        match event:
            case events.BatchSettled():
                self._settled(event, log, epoch, changes)
            case events.BatchVoted() | events.BatchDecided() | events.ValidatorExcluded():
                _project_ballot(event, log, context, changes)
            case events.KudosMinted():
                project_mint(event, log, context, changes)
            case _ if project_steps(self.domain, event, log, epoch, context, changes):
                pass
            case _ if project_claims(self.domain, event, log, epoch, context, changes):
                pass
            case _:
                project_rule(event, log, changes)
        return changes

    def _settled(
        self, event: events.BatchSettled, log: RawLog, epoch: int, changes: Changes
    ) -> None:
        migrations = self._unpack(event, log)
        leaves = self._leaves(event, migrations, log)
        claim_bits = event.claims.to_bytes(16, "big")
        batch = (event.host, event.root, len(migrations), event.batch[2], claim_bits)
        changes.add("batches", log, *batch)
        reasons = dict(event.skipped)
        for index, migration in enumerate(migrations):
            reason = reasons.get(index)
            if reason is not None:
                changes.add("skipped", log, *_skipped(event, index, migration, reason))
                continue
            asset_id = self._record(migration, leaves[index], event.root, index, log, changes)
            if event.claims >> index & 1:
                self._claim(migration, asset_id, event.root, index, epoch, log, changes)

    def _unpack(self, event: events.BatchSettled, log: RawLog) -> list[Migration]:
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
        self, event: events.BatchSettled, migrations: list[Migration], log: RawLog
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
        log: RawLog,
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
        settled = (migration.home_signature, root, index)
        request = request_columns(migration.request)
        changes.add("migrations", log, request_id, *request, *answer, *settled)
        changes.settle(migration.request, rejected=migration_level(migration) == K1_REJECTED)
        return asset_id

    def _claim(
        self,
        migration: Migration,
        asset_id: Digest,
        root: Digest,
        index: int,
        epoch: int,
        log: RawLog,
        changes: Changes,
    ) -> None:
        level, request = migration_level(migration), migration.request
        kudos_id = digest(self.domain, Kudos(level, asset_id))
        parties = (level, request.host, request.home)
        stands_on = (asset_id, _request_id(migration), None, root, index, None, None)
        changes.add("kudos", log, kudos_id, None, 0, *parties, *stands_on, epoch)
        changes.nodes[request.host, "claims"] += 1


def _project_ballot(
    event: events.BatchVoted | events.BatchDecided | events.ValidatorExcluded,
    log: RawLog,
    context: Context,
    changes: Changes,
) -> None:
    if isinstance(event, events.ValidatorExcluded):
        records = event.records.to_bytes(16, "big")
        changes.add("exclusions", log, event.host, event.root, event.validator, records)
        return
    claims = context.batch_claims(event.host, event.root)
    if claims is None:
        distrust(log, "votes on a batch that is not settled")
    if isinstance(event, events.BatchVoted):
        _batch_voted(event, log, claims, changes)
        return
    for bitmap, state in ((event.verified, schema.VERIFIED), (event.refused, schema.REFUSED)):
        for index in indices(bitmap):
            changes.decide(claims.get(index), state, log)


def _batch_voted(
    event: events.BatchVoted, log: RawLog, claims: Mapping[int, Claim], changes: Changes
) -> None:
    bitmaps = (event.approve.to_bytes(16, "big"), event.refuse.to_bytes(16, "big"))
    changes.add("ballots", log, event.host, event.root, event.validator, *bitmaps)
    reasons = dict(event.reasons)
    for index, claim in claims.items():
        verdict, reason = schema.ABSTAIN, reasons.get(index)
        if event.approve >> index & 1:
            verdict, reason = schema.APPROVE, int(Reason.APPROVE)
        elif event.refuse >> index & 1:
            verdict = schema.REFUSE
        changes.add("votes", log, claim.kudos_id, event.validator, verdict, reason)


def migration_level(migration: Migration) -> int:
    """The level of the Kudos that a settled migration can earn by itself."""
    return K2_CONFIRMED if isinstance(migration, ConfirmedMigration) else K1_REJECTED


def _skipped(event: events.BatchSettled, index: int, migration: Migration, reason: int) -> Row:
    request_id, home = _request_id(migration), migration.request.home
    return ("record", index, event.host, home, event.root, request_id, reason)


def _request_id(migration: Migration) -> Digest:
    if isinstance(migration, ConfirmedMigration):
        return migration.result.request_id
    return migration.rejected.request_id
