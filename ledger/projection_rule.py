"""Events about the ledger's rule to rows: its validators, what they propose, the beacon, its life.

None of these touches a claim or a total, but for what is carried over from the ledger before.
"""

from __future__ import annotations

from ledger import event_types as events
from ledger import schema
from ledger.changes import Changes, Context
from ledger.errors import ChainError
from ledger.events import RawLog

_KINDS = {1: "set", 2: "family", 3: "close"}


def project_rule(event: events.Event, log: RawLog, changes: Changes) -> None:
    """Adds the event's row; ChainError for an event that nobody takes."""
    if not any(project(event, log, changes) for project in (_life, _queue, _beacon)):
        raise ChainError(
            f"Nobody indexes {type(event).__name__}.", hint="This is a mistake of this program."
        )


def _life(event: events.Event, log: RawLog, changes: Changes) -> bool:
    match event:
        case events.ValidatorSetChanged():
            row = (event.version, b"".join(event.seats), event.threshold)
            changes.add("validator_sets", log, *row)
        case events.Carried():
            changes.add("carried", log, event.node, 0, 0, 0)
        case events.LedgerClosed():
            changes.add("life", log, "closed", event.final_at, None)
        case events.SatelliteBuilt():
            changes.add("life", log, "built", event.number, event.satellite)
        case _:
            return False
    return True


def project_mint(
    event: events.KudosMinted, log: RawLog, context: Context, changes: Changes
) -> None:
    """Tokens of verified Kudos, or, right behind Carried and one another, those of an earlier
    ledger: each such mint has a row of its own."""
    if context.carried_before(log.block_number, log.log_index) != event.host:
        changes.unminted[event.host, event.level] -= event.count
        return
    counts = [event.count * (level == event.level) for level in (1, 2, 3)]
    changes.add("carried", log, event.host, *counts)
    changes.nodes[event.host, f"k{event.level}"] += event.count


def _queue(event: events.Event, log: RawLog, changes: Changes) -> bool:
    match event:
        case events.Proposed():
            what = event.content
            row = (event.proposal, event.content_hash, event.proposer, _KINDS[what.kind])
            change = (what.set_version, b"".join(what.seats), what.quorum)
            changes.add("proposals", log, *row, *change, what.family, what.implementation)
        case events.ProposalVoted():
            verdict = schema.APPROVE if event.approve else schema.REFUSE
            changes.add("proposal_votes", log, event.proposal, event.validator, verdict)
        case events.ProposalApproved():
            changes.add("proposal_steps", log, event.proposal, "approved", event.ready_at)
        case events.ProposalWithdrawn():
            changes.add("proposal_steps", log, event.proposal, "withdrawn", None)
        case events.ProposalExecuted():
            changes.add("proposal_steps", log, event.proposal, "executed", None)
        case _:
            return False
    return True


def _beacon(event: events.Event, log: RawLog, changes: Changes) -> bool:
    match event:
        case events.SecretCommitted():
            secret = (event.validator, event.commitment)
            changes.add("beacon_commitments", log, event.period, *secret)
        case events.SecretRevealed():
            changes.add("beacon_reveals", log, event.period, event.validator, event.secret)
        case events.BlockNamed():
            changes.add("beacon_steps", log, event.period, "named", event.block_number, None)
        case events.BeaconKnown():
            row = (event.period, "known", event.reveals, event.value)
            changes.add("beacon_steps", log, *row)
        case events.NoBeacon():
            changes.add("beacon_steps", log, event.period, "none", event.reveals, None)
        case _:
            return False
    return True
