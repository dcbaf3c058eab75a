"""A validator's votes by hand: `kudos validator approve|refuse ID`.

An id names a batch by its root, or one claim. A ballot covers its whole batch and is for good, so
whoever names only some claims of a batch has to say what the others get.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ledger import browse, calls
from ledger.deployment import Deployment
from ledger.errors import UsageError
from ledger.ports import SystemClock
from ledger.reader import Reader
from ledger.reasons import Reason
from ledger.rows import UnvotedBatch
from ledger.rpc import Receipt, Rpc
from ledger.sender import Sender
from ledger.types import Address, Digest, hex_of
from node.identity import password_from, unlock
from node.service import INDEX
from node.validator import GAS_BASE, GAS_PER_VOTE

APPROVE, REFUSE = "approve", "refuse"
MOST_OPEN = 10_000
"""How far back among what is open an id is looked for."""


@dataclass(slots=True)
class Decision:
    """What was decided so far: reasons by place for each batch, and K3 votes."""

    batches: dict[tuple[Address, Digest], dict[int, Reason]] = field(default_factory=dict)
    canaries: list[calls.CanaryVote] = field(default_factory=list)


def cast_by_hand(options: argparse.Namespace) -> int:
    """Votes as the command line says, and prints the block."""
    reason = reason_of(options.action, options.reason)
    rest = None if options.rest is None else reason_of(options.rest, options.reason)
    if not options.ids:
        raise UsageError(
            f"`kudos validator {options.action}` needs an id.",
            hint="Give the root of a batch or the id of a claim; the page /approve lists them.",
        )
    deployment = Deployment.load(options.ledger)
    key = unlock(options.key, password_from(options.password_file))
    rpc = Rpc(options.rpc)
    deployment.verify(rpc)
    with Reader.open(options.data / INDEX, deployment) as reader, reader.snapshot():
        ballots, canaries = decide(reader, key.address, options.ids, reason, rest)
    sender = Sender(rpc, key, deployment.chain_id, SystemClock())
    receipt = send_votes(sender, deployment.contract, ballots, canaries)
    print(f"voted {reason.name} in block {receipt.block_number}: {hex_of(receipt.tx_hash)}")
    return 0


def send_votes(
    sender: Sender,
    contract: Address,
    batches: Sequence[calls.BatchVote],
    canaries: Sequence[calls.CanaryVote],
) -> Receipt:
    """The one place here that knows how a decision becomes a transaction."""
    data = calls.vote(batches, canaries)
    gas = GAS_BASE + GAS_PER_VOTE * (len(batches) + len(canaries))
    sender.dry_run(contract, data)
    return sender.send(contract, data, gas=gas)


def reason_of(action: str, name: str | None) -> Reason:
    """The reason code of an action; a refusal needs one."""
    if action == APPROVE:
        return Reason.APPROVE
    refusals = {reason.name: reason for reason in Reason if reason.is_refusal}
    if name is None or name.upper() not in refusals:
        raise UsageError(
            "A refusal needs a reason." if name is None else f"{name} is no reason to refuse.",
            hint=f"Give --reason with one of {', '.join(refusals)}.",
        )
    return refusals[name.upper()]


def decide(
    reader: Reader, validator: Address, ids: Sequence[Digest], reason: Reason, rest: Reason | None
) -> tuple[list[calls.BatchVote], list[calls.CanaryVote]]:
    """The votes that these ids stand for; UsageError for one on which nothing is open."""
    open_batches = {
        (each.event.host, each.event.root): each
        for each in reader.batches_unvoted(validator, MOST_OPEN)
    }
    canaries = {each.kudos.kudos_id for each in reader.canary_claims_unvoted(validator, MOST_OPEN)}
    decision = Decision()
    for wanted in dict.fromkeys(ids):
        if wanted in canaries:
            decision.canaries.append(calls.CanaryVote(wanted, reason))
        elif not _on_batches(reader, open_batches, decision, wanted, reason):
            raise UsageError(
                f"Nothing under {hex_of(wanted)} waits for this validator's vote.",
                hint="It may be voted on, decided, or not in this copy yet; see the page /approve.",
            )
    ballots = [
        _ballot(open_batches[key], reasons, rest) for key, reasons in decision.batches.items()
    ]
    return ballots, decision.canaries


def _on_batches(
    reader: Reader,
    open_batches: Mapping[tuple[Address, Digest], UnvotedBatch],
    decision: Decision,
    wanted: Digest,
    reason: Reason,
) -> bool:
    """Notes the reason for every claim in open batches that an id names; whether there is one."""
    whole = [key for key in open_batches if key[1] == wanted]
    for key in whole:
        places = _places(open_batches[key])
        decision.batches.setdefault(key, {}).update(dict.fromkeys(places, reason))
    if whole:
        return True
    for claim in browse.claims(reader.connection, "k.kudos_id = ?", (wanted,)):
        settled = reader.migration(claim.request_id)
        if settled is not None and (claim.host, settled.root) in open_batches:
            chosen = decision.batches.setdefault((claim.host, settled.root), {})
            chosen[settled.batch_index] = reason
            return True
    return False


def _ballot(
    batch: UnvotedBatch, reasons: Mapping[int, Reason], rest: Reason | None
) -> calls.BatchVote:
    missing = [index for index in _places(batch) if index not in reasons]
    if missing and rest is None:
        raise UsageError(
            f"A ballot covers its whole batch, and {len(missing)} claims of it were not named.",
            hint="Say with --rest approve or --rest refuse what they get, or name the batch's root "
            f"{hex_of(batch.event.root)}.",
        )
    said = dict(reasons) | ({} if rest is None else dict.fromkeys(missing, rest))
    approve = sum(1 << index for index, reason in said.items() if reason.is_approval)
    refuse = sum(1 << index for index, reason in said.items() if reason.is_refusal)
    doubts = tuple((i, int(r)) for i, r in sorted(said.items()) if not r.is_approval)
    return calls.BatchVote(batch.event.host, batch.event.root, approve, refuse, doubts)


def _places(batch: UnvotedBatch) -> list[int]:
    """The places in a batch that carry a claim."""
    claims = batch.event.claims
    return [index for index in range(claims.bit_length()) if claims >> index & 1]
