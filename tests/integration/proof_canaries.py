"""Canaries of the kinds that no home plants for validators: drawn by the beacon, checked by the
contract of a family, asked of the contract. Each leaves a verified K3."""

from __future__ import annotations

from dataclasses import replace

from canaries.preimage import Preimage
from ledger import claim_calls
from ledger.abi import CLAIMS, encode
from ledger.assets import Accepted, Confirmed, ConfirmedMigration, Result
from ledger.claim_calls import ClaimVote
from ledger.contracts import contracts_of
from ledger.creation import Constants
from ledger.desk.checks import PLANTED, commitment, mark_hash, result_seal
from ledger.eip712 import digest
from ledger.packed_claims import ClaimItem, DrawnOpening, Opening, PuzzleOpening
from ledger.puzzle_result import result_digest_of
from ledger.reasons import Reason
from ledger.types import Digest
from tests.integration.chain_world import World
from tests.integration.proof_world import settle

EASY = 4
EVERYTHING = Constants(draw_rate=65_535, puzzle_difficulty=EASY)
"""A beacon that draws nearly every request, and puzzles that a test can solve."""


def draw(world: World) -> None:
    """Settles a RESULT in a period whose beacon draws it; the validators approve."""
    seconds = world.deployment.constants.beacon_period_seconds
    period = world.rpc_time() // seconds + 1
    beacon = contracts_of(world.deployment.contract).beacon
    secrets = [Digest(bytes([number]) * 32) for number in (1, 2)]
    judges = world.validators[:2]
    for judge, secret in zip(judges, secrets, strict=True):
        committed = claim_calls.secret_commitment(world.domain, judge.address, period, secret)
        data = claim_calls.commit_secret(period, committed)
        world.sender_of(judge).send(beacon, data)
    _wait_until(world, period * seconds)
    migration, canary = world.canary()
    settle(world, [migration])
    _wait_until(world, (period + 1) * seconds)
    for judge, secret in zip(judges, secrets, strict=True):
        data = claim_calls.reveal_secret(judge.address, period, secret)
        world.sender_of(judge).send(beacon, data)
    _wait_until(world, (period + 1) * seconds + world.deployment.constants.beacon_reveal_seconds)
    for _ in range(2):  # names a block, then mixes its hash in
        world.sender.send(beacon, claim_calls.fix_beacon(period))
        world.chain.mine(3)
    opened = canary.opened
    mark = mark_hash(PLANTED, opened.family, opened.parameters, opened.salt)
    opening = DrawnOpening(opened.task_digest, mark, canary.seal_salt, canary.result_digest)
    world.next_round()
    _claim(world, canary.migration, opening)
    with world.reader() as reader:
        (claim,) = reader.canary_claims_unvoted(judges[0].address)
    world.decide({judge: [ClaimVote(claim.kudos.kudos_id, Reason.APPROVE)] for judge in judges})
    world.index()


def solve(world: World) -> None:
    """A home's own puzzle, whose answer the family's contract checks when K3 is claimed."""
    world.index()
    with world.reader() as reader:
        sql = "SELECT number, family FROM families ORDER BY number DESC LIMIT 1"
        number, family = reader.connection.execute(sql).fetchone()
    puzzle = Preimage().generate(bytes(32), EASY)
    answer = Preimage().solve(puzzle.question)
    assert answer is not None
    solution, parameters = Digest(answer.to_bytes(32, "big")), Digest(puzzle.parameters)
    task_digest, salt, seal_salt = (Digest(bytes([number]) * 32) for number in (5, 6, 7))
    mark = mark_hash(PLANTED, family, parameters, salt)
    plain = world.migration(confirmed=True)
    made = commitment(world.domain, plain.request, task_digest, mark)
    request = replace(plain.request, commitment=made)
    request_id = digest(world.domain, request)
    seal = result_seal(result_digest_of(solution), seal_salt, request.host, request_id)
    at = request.signed_at
    accepted, result = Accepted(request_id, at), Result(request_id, seal, at + 1)
    confirmed = Confirmed(digest(world.domain, accepted), at)
    signature = world.home.sign(world.domain, confirmed)
    migration = ConfirmedMigration(request, accepted, confirmed, result, signature)
    settle(world, [migration])
    shown = (task_digest, parameters, salt, seal_salt, solution)
    _claim(world, migration, PuzzleOpening(number, *shown))


def ask(world: World) -> None:
    """A newcomer's puzzle, asked of the contract and solved."""
    claims, host = contracts_of(world.deployment.contract).claims, world.host.address
    world.sender.send(claims, encode("askPuzzle", host, EASY, b"", contract=CLAIMS))
    world.chain.mine(3)
    raw = world.rpc.call(claims, encode("puzzle", host, contract=CLAIMS))
    answer = Preimage().solve((raw[32:64].hex(), ""))
    assert answer is not None
    given = Digest(answer.to_bytes(32, "big"))
    world.sender.send(claims, encode("solvePuzzle", host, given, contract=CLAIMS))
    world.index()


def _claim(world: World, migration: ConfirmedMigration, opening: Opening) -> None:
    """Claims K3 on a RESULT that is a batch of its own."""
    root = digest(world.domain, migration.result)
    after = migration.result.signed_at
    item = ClaimItem(migration.request, after, opening, None, root, 0, ())
    world.sender.send(contracts_of(world.deployment.contract).claims, claim_calls.claim([item]))
    world.index()


def _wait_until(world: World, time: int) -> None:
    world.rpc.raw("evm_setNextBlockTimestamp", [time + 1])
    world.chain.mine(1)
