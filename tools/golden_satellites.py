"""The golden vectors of what satellites and the anchored ledger hash, check and unpack."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from coincurve import PrivateKey

from canaries.commitment import PLANTED, Mark, Place, commitment, seal
from canaries.family import field_of
from canaries.validator_test import digest_of, salt_of
from ledger import assets, merkle
from ledger.anchoring import pack_totals
from ledger.claim_calls import ClaimVote, secret_commitment, votes_commitment
from ledger.contracts import contracts_of
from ledger.eip712 import Domain, digest
from ledger.event_types import ProposalContent
from ledger.keys import Key
from ledger.packed_claims import (
    ClaimedCanary,
    ClaimItem,
    DrawnOpening,
    HomesWords,
    Opening,
    PlantedOpening,
    PuzzleOpening,
    encode_claimed,
    encode_claims,
)
from ledger.puzzle_result import result_digest_of
from ledger.queue_calls import SET, content_hash
from ledger.types import Address, Digest, hex_of
from tools.golden_values import Draw, case

SEATS = 16
PUZZLES = ("dlog", "factor", "preimage")


def vectors(domain: Domain, now: int) -> dict[str, Any]:
    draw = Draw("kudos golden vectors of the satellites 1")
    contracts = contracts_of(domain.contract)
    return {
        "contracts": {name: hex_of(address) for name, address in asdict(contracts).items()},
        "satelliteCases": [case(domain, asset) for _ in range(4) for asset in _assets(draw)],
        "puzzleResults": [_puzzle_result(draw) for _ in range(4)],
        "secrets": [_secret(domain, draw) for _ in range(3)],
        "ballots": [_ballot(domain, draw, votes) for votes in (0, 1, 5)],
        "claims": [_claims(domain, draw, now, shape) for shape in ((1,), (0,), (7, 1, 0, 2))],
        "proposals": [_proposal(domain, draw, seats) for seats in (2, 5, SEATS)],
        "anchors": _anchors(domain, draw),
        "validatorTests": [_validator_test(draw) for _ in range(4)],
    }


def _assets(draw: Draw) -> list[assets.Asset]:
    return [
        assets.Kudos(draw.number(1, 3), draw.digest()),
        assets.Votes(draw.digest()),
        assets.Claims(draw.address(), draw.digest()),
        assets.Receipt(draw.digest(), draw.number(0, 1 << 64)),
        assets.ClaimVotes(draw.digest()),
        assets.VoteCommitment(draw.number(0, 1 << 64), draw.digest()),
        assets.BeaconCommitment(draw.number(0, 1 << 64), draw.digest()),
        assets.OpenPuzzle(draw.address(), draw.number(0, 1 << 32), draw.number(0, 256)),
    ]


def _puzzle_result(draw: Draw) -> dict[str, Any]:
    solution = draw.digest()
    return {"solution": hex_of(solution), "resultDigest": hex_of(result_digest_of(solution))}


def _validator_test(draw: Draw) -> dict[str, Any]:
    request_id, secret = draw.digest(), draw.bytes(32)
    salt = salt_of(secret, request_id)
    return {
        "requestId": hex_of(request_id),
        "secret": hex_of(secret),
        "salt": hex_of(salt),
        "digest": hex_of(digest_of(request_id, salt)),
    }


def _secret(domain: Domain, draw: Draw) -> dict[str, Any]:
    validator, period, secret = draw.address(), draw.number(0, 1 << 64), draw.digest()
    return {
        "validator": hex_of(validator),
        "period": period,
        "secret": hex_of(secret),
        "commitment": hex_of(secret_commitment(domain, validator, period, secret)),
    }


def _ballot(domain: Domain, draw: Draw, count: int) -> dict[str, Any]:
    validator, number, salt = draw.address(), draw.number(0, 1 << 64), draw.digest()
    votes = [ClaimVote(draw.digest(), draw.number(128, 160)) for _ in range(count)]
    return {
        "validator": hex_of(validator),
        "round": number,
        "votes": [{"kudosId": hex_of(vote.kudos_id), "reason": vote.reason} for vote in votes],
        "salt": hex_of(salt),
        "commitment": hex_of(votes_commitment(domain, validator, number, votes, salt)),
    }


# -- claims of K3 ------------------------------------------------------------------------------


def _claims(domain: Domain, draw: Draw, now: int, depths: tuple[int, ...]) -> dict[str, Any]:
    """Claims of all forms, some of one home and one tree, some the strict way (depth 0)."""
    host = draw.address()
    items = list[ClaimItem]()
    for depth in depths:
        home = draw.address()
        openings = _openings(draw)
        first = _item(domain, draw, now, (home, host), openings[0], depth)
        neighbour = _neighbour(_item(domain, draw, now, (home, host), openings[1], 0), first, draw)
        drawn = _item(domain, draw, now, (home, host), openings[2], depth)
        items += [replace(first, words=HomesWords(now, draw.bytes(64))), neighbour, drawn]
    return {
        "host": hex_of(host),
        "packed": hex_of(encode_claims(items)),
        "recorded": hex_of(encode_claimed([_claimed(item) for item in items])),
        "items": [_placed(domain, item) for item in items],
    }


def _claimed(item: ClaimItem) -> ClaimedCanary:
    return ClaimedCanary(item.request.home, item.request.seq, item.opening, item.words)


def _openings(draw: Draw) -> tuple[Opening, Opening, Opening]:
    task, parameters, salt = draw.digest(), draw.digest(), draw.digest()
    puzzle = PuzzleOpening(draw.number(1, 4), task, parameters, salt, draw.digest(), draw.digest())
    family = Digest(field_of("replay"))
    planted = PlantedOpening(family, task, parameters, salt, draw.digest(), draw.digest())
    drawn = DrawnOpening(task, draw.digest(), draw.digest(), draw.digest())
    return puzzle, planted, drawn


def _item(
    domain: Domain,
    draw: Draw,
    now: int,
    parties: tuple[Address, Address],
    opening: Opening,
    depth: int,
) -> ClaimItem:
    seq, place = draw.number(0, 1 << 32), (domain.chain_id, domain.contract, *parties)
    committed = commitment(Place(*place, seq), opening.task_digest, _mark_hash(opening))
    at = now - draw.number(60, 7_200)
    limits = (draw.number(1, 1 << 24), draw.number(1, 1 << 24), draw.number(1, 1 << 32))
    texts = (draw.digest(), draw.digest(), Digest(committed))
    asked = assets.Request(*parties, *texts, *limits, seq, at + draw.number(1, 1 << 24), at)
    path = tuple(draw.digest() for _ in range(depth))
    tree = draw.digest() if depth else None
    index = draw.number(0, 1 << depth)
    return ClaimItem(asked, at + draw.number(0, 1 << 24), opening, None, tree, index, path)


def _neighbour(item: ClaimItem, other: ClaimItem, draw: Draw) -> ClaimItem:
    """The item put into the other's tree, beside it: all nodes but the lowest are shared."""
    if other.tree is None:
        return item
    path = (draw.digest(), *other.path[1:])
    return replace(item, tree=other.tree, index=other.index ^ 1, path=path)


def _mark_hash(opening: Opening) -> bytes:
    if isinstance(opening, DrawnOpening):
        return opening.mark_hash
    if isinstance(opening, PuzzleOpening):
        family = field_of(PUZZLES[opening.family - 1])
    else:
        family = opening.family
    return Mark(PLANTED, family, opening.parameters, opening.salt).hash


def _placed(domain: Domain, item: ClaimItem) -> dict[str, Any]:
    """What the bytes of an item lead to: request, result, and the root of a batch's tree."""
    opening, request = item.opening, item.request
    request_id = digest(domain, request)
    if isinstance(opening, PuzzleOpening):
        answer = result_digest_of(opening.solution)
    else:
        answer = opening.result_digest
    sealed = Digest(seal(answer, opening.seal_salt, request.host, request_id))
    result_id = digest(domain, assets.Result(request_id, sealed, item.result_signed_at))
    return {
        "home": hex_of(request.home),
        "markHash": hex_of(_mark_hash(opening)),
        "requestId": hex_of(request_id),
        "resultId": hex_of(result_id),
        "root": hex_of(merkle.root_of_path(result_id, item.index, item.path)),
    }


# -- governance and anchors --------------------------------------------------------------------


def _proposal(domain: Domain, draw: Draw, count: int) -> dict[str, Any]:
    """The first proposal of a validator to a queue whose set has just this one, at version 1."""
    key = Key(PrivateKey(draw.bytes(32)))
    seats = [key.address, *(draw.address() for _ in range(count - 1))]
    seats += [Address(bytes(20))] * (SEATS - count)
    quorum = count // 2 + 1
    content = ProposalContent(SET, 1, tuple(seats), quorum, Digest(bytes(32)), Address(bytes(20)))
    vote = assets.ProposalVote(1, content_hash(content), True)
    return {
        "validator": hex_of(key.address),
        "seats": [hex_of(seat) for seat in content.seats],
        "quorum": content.quorum,
        "contentHash": hex_of(vote.content),
        "digest": hex_of(digest(domain, vote)),
        "signature": hex_of(key.sign(domain, vote)),
    }


def _anchors(domain: Domain, draw: Draw) -> dict[str, Any]:
    """Two anchors of one validator in a row; the second has no new host."""
    key = Key(PrivateKey(draw.bytes(32)))
    hosts = tuple(draw.address() for _ in range(20))
    amounts = [{index: draw.number(1, 50) for index in range(0, 20, step)} for step in (1, 3)]
    signed = []
    for sequence, (added, new_hosts) in enumerate(zip(amounts, (hosts, ()), strict=True)):
        totals, count = pack_totals(added), sum(added.values())
        anchor = assets.Anchor(sequence, draw.digest(), count, new_hosts, totals)
        signed.append(case(domain, anchor) | {"signature": hex_of(key.sign(domain, anchor))})
    return {
        "validator": hex_of(key.address),
        "signed": signed,
        "totals": [sum(added.get(index, 0) for added in amounts) for index in range(20)],
    }
