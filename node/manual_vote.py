"""A validator's votes by hand: `kudos validator approve|refuse ID`, `kudos validator reveal`.

An id names a batch by its root, or one claim. A ballot covers its whole batch and is for good, so
whoever names only some claims of a batch has to say what the others get. K1 and K2 are voted at
once; K3 votes are committed, and opened by `reveal` or by the next vote: ``node.manual_canaries``.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ledger import browse, calls, claim_calls
from ledger.claim_calls import ClaimVote
from ledger.contracts import contracts_of
from ledger.deployment import Deployment
from ledger.errors import UsageError
from ledger.ports import SystemClock, system_entropy
from ledger.reader import Reader
from ledger.reasons import Reason
from ledger.rows import UnvotedBatch, UnvotedCanary
from ledger.rpc import Receipt, Rpc
from ledger.sender import Sender
from ledger.types import Address, Digest, hex_of
from node.identity import password_from, unlock
from node.manual_canaries import Booth, booth
from node.service import INDEX
from node.validator import step_vote
from node.vote_sender import GAS_BASE, GAS_PER_VOTE

APPROVE, REFUSE, REVEAL = "approve", "refuse", "reveal"
MOST_OPEN = 10_000
"""How far back among what is open an id is looked for."""


@dataclass(frozen=True, slots=True)
class Votes:
    """What the ids on a command line stand for."""

    batches: list[calls.BatchVote] = field(default_factory=list)
    steps: list[calls.StepVote] = field(default_factory=list)
    claims: list[ClaimVote] = field(default_factory=list)
    canaries: list[UnvotedCanary] = field(default_factory=list)


def cast_by_hand(options: argparse.Namespace) -> int:
    """Votes as the command line says, and prints the blocks."""
    _check_words(options)
    deployment = Deployment.load(options.ledger)
    key = unlock(options.key, password_from(options.password_file))
    rpc, clock = Rpc(options.rpc), SystemClock()
    deployment.verify(rpc)
    sender = Sender(rpc, key, deployment.chain_id, clock)
    place = booth(sender, deployment.domain, options.data, clock, system_entropy)
    with Reader.open(options.data / INDEX, deployment) as reader:
        opened = place.reveal(reader)
        for number, receipt in opened:
            print(f"opened the votes of round {number} {_where(receipt)}")
        if options.action == REVEAL:
            if not opened:
                print("no votes to open: none are sealed here, or their time has not come")
            return 0
        reason = reason_of(options.action, options.reason)
        rest = None if options.rest is None else reason_of(options.rest, options.reason)
        with reader.snapshot():
            votes = decide(reader, key.address, options.ids, reason, rest)
    _cast(sender, deployment.contract, place, votes, reason)
    return 0


def _check_words(options: argparse.Namespace) -> None:
    if options.action == REVEAL:
        if options.ids:
            raise UsageError(
                "`kudos validator reveal` takes no ids.", hint="It opens all votes that are due."
            )
        return
    for action in (options.action, options.rest):
        if action is not None:
            reason_of(action, options.reason)
    if not options.ids:
        raise UsageError(
            f"`kudos validator {options.action}` needs an id.",
            hint="Give the root of a batch or the id of a claim; the page /approve lists them.",
        )


def _cast(sender: Sender, contract: Address, place: Booth, votes: Votes, reason: Reason) -> None:
    place.check(votes.canaries)
    if votes.batches or votes.steps:
        data, count = calls.vote(votes.batches, votes.steps), len(votes.batches) + len(votes.steps)
        print(f"voted {reason.name} {_where(_send(sender, contract, data, count))}")
    if votes.claims:
        data = claim_calls.vote(votes.claims)
        receipt = _send(sender, contracts_of(contract).claims, data, len(votes.claims))
        print(f"voted {reason.name} {_where(receipt)}")
    if votes.canaries:
        said = [ClaimVote(claim.kudos.chain_id, reason) for claim in votes.canaries]
        print(f"committed to {len(said)} votes on K3 {_where(place.commit(said))}")
        wait = (place.running + 1) * place.commit_seconds - int(place.clock.now())
        print(f"they count once opened: run `kudos validator reveal` in {wait} s or later")


def _send(sender: Sender, contract: Address, data: bytes, votes: int) -> Receipt:
    sender.dry_run(contract, data)
    return sender.send(contract, data, gas=GAS_BASE + GAS_PER_VOTE * votes)


def _where(receipt: Receipt) -> str:
    return f"in block {receipt.block_number}: {hex_of(receipt.tx_hash)}"


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
) -> Votes:
    """The votes that these ids stand for; UsageError for one on which nothing is open."""
    open_batches = {
        (each.event.host, each.event.root): each
        for each in reader.batches_unvoted(validator, MOST_OPEN)
    }
    canaries = {
        each.kudos.kudos_id: each for each in reader.canary_claims_unvoted(validator, MOST_OPEN)
    }
    singles = {each.kudos.kudos_id: each for each in reader.singles_unvoted(validator, MOST_OPEN)}
    votes, places = Votes(), dict[tuple[Address, Digest], dict[int, Reason]]()
    for wanted in dict.fromkeys(ids):
        if wanted in canaries:
            votes.canaries.append(canaries[wanted])
        elif wanted in singles and singles[wanted].by_step:
            votes.steps.append(step_vote(singles[wanted], reason))
        elif wanted in singles:
            votes.claims.append(ClaimVote(singles[wanted].kudos.chain_id, reason))
        elif not _on_batches(reader, open_batches, places, wanted, reason):
            raise UsageError(
                f"Nothing under {hex_of(wanted)} waits for this validator's vote.",
                hint="It may be voted on, decided, or not in this copy yet; see the page /approve.",
            )
    votes.batches.extend(
        _ballot(open_batches[key], reasons, rest) for key, reasons in places.items()
    )
    return votes


def _on_batches(
    reader: Reader,
    open_batches: Mapping[tuple[Address, Digest], UnvotedBatch],
    chosen: dict[tuple[Address, Digest], dict[int, Reason]],
    wanted: Digest,
    reason: Reason,
) -> bool:
    """Notes the reason for every claim in open batches that an id names; whether there is one."""
    whole = [key for key in open_batches if key[1] == wanted]
    for key in whole:
        places = _places(open_batches[key])
        chosen.setdefault(key, {}).update(dict.fromkeys(places, reason))
    if whole:
        return True
    for claim in browse.claims(reader.connection, "k.kudos_id = ?", (wanted,)):
        settled = reader.migration(claim.request_id)
        if settled is None or settled.root is None or settled.batch_index is None:
            continue
        if (claim.host, settled.root) in open_batches:
            chosen.setdefault((claim.host, settled.root), {})[settled.batch_index] = reason
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
