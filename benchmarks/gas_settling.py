"""Gas of the ways to settle: batches with their votes, and the strict way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple

from benchmarks.bench import Bench, Canary
from ledger.abi import encode
from ledger.calls import StepVote
from ledger.eip712 import digest
from ledger.reasons import Reason

_TOGETHER = 32
"""So many migrations of the strict way share a vote transaction."""
_PLACES = 1 << 16
"""Numbers so far apart share a place of the strict way, one after the other."""
_MONTH = 31 * 86_400
"""Longer than a finished migration keeps its place."""


def measure_batches(bench: Bench, name: str, count: int, homes: int) -> dict[str, int]:
    """Settles three batches of ``count`` records from ``homes`` homes, with both votes."""
    keys = [bench.key() for _ in range(homes)]
    rounds: list[tuple[int, list[int]]] = []
    for _ in range(3):
        gas, root = bench.settle([bench.canary(keys[i % homes]) for i in range(count)])
        rounds.append((gas, bench.vote([(root, count)])))
    (fresh, fresh_votes), _, (settle, votes) = rounds
    return {
        name: (settle + sum(votes)) // count,
        f"{name}_fresh": (fresh + sum(fresh_votes)) // count,
        f"{name}_settle": settle,
        f"{name}_vote_first": votes[0],
        f"{name}_vote_deciding": votes[1],
    }


def measure_votes(bench: Bench) -> dict[str, int]:
    """One vote transaction for eight batches."""
    keys = [bench.key() for _ in range(8)]
    batches = []
    for _ in range(8):
        _, root = bench.settle([bench.canary(key) for key in keys])
        batches.append((root, len(keys)))
    first, deciding = bench.vote(batches)
    return {"votes_8_batches_first": first // 8, "votes_8_batches_deciding": deciding // 8}


def measure_strict(bench: Bench) -> dict[str, int]:
    """Migrations in places that are new, and a month later others in the same places."""
    home = bench.key()
    bench.fund(home)
    single, together = ([bench.canary(home) for _ in range(count)] for count in (3, _TOGETHER))
    fresh, fresh_batched = _measure_places(bench, single, together)
    bench.wait(_MONTH)
    single, together = ([_after(bench, each) for each in lap] for lap in (single, together))
    steady, batched = _measure_places(bench, single, together)
    names = ("request", "accept", "confirm", "result", "vote_first", "vote_deciding")
    return {
        "strict": sum(steady),
        "strict_batched_votes": batched,
        **{f"strict_{name}": gas for name, gas in zip(names, steady, strict=True)},
        "strict_fresh": sum(fresh),
        "strict_batched_votes_fresh": fresh_batched,
    }


def _measure_places(
    bench: Bench, single: Sequence[Canary], together: Sequence[Canary]
) -> tuple[list[int], int]:
    """Four asset transactions and two votes, when the word of sequence numbers is in use; then one
    of many migrations whose votes share their transactions."""
    for canary in single:
        gas = [*take_steps(bench, canary), *bench.vote((), [_approval(bench, canary)])]
    settled = [sum(take_steps(bench, canary)) for canary in together]
    votes_of_all = bench.vote((), [_approval(bench, canary) for canary in together])
    return gas, (sum(settled) + sum(votes_of_all)) // len(together)


def _after(bench: Bench, canary: Canary) -> Canary:
    """Another migration in the place of this one."""
    return bench.canary(canary.home, seq=canary.migration.request.seq + _PLACES)


def take_steps(bench: Bench, canary: Canary) -> list[int]:
    """One migration's four assets, each by its owner; the gas of each."""
    migration = canary.migration
    request, request_id = migration.request, digest(bench.domain, migration.request)
    home, host = bench.sender_of(canary.home), bench.host_sender
    accepted, confirmed, result = migration.accepted, migration.confirmed, migration.result
    to_home, to_host = (
        (request_id, request.home, request.seq),
        (request_id, request.host, request.seq),
    )
    signed = (
        (home, encode("submitRequest", astuple(request))),
        (host, encode("submitAccepted", *to_home, accepted.signed_at)),
        (home, encode("submitConfirmed", *to_host, confirmed.signed_at, accepted.signed_at)),
        (host, encode("submitResult", *to_home, result.signed_at, result.seal)),
    )
    contract = bench.deployment.contract
    return [sender.send(contract, data).gas_used for sender, data in signed]


def _approval(bench: Bench, canary: Canary) -> StepVote:
    request = canary.migration.request
    result_id = digest(bench.domain, canary.migration.result)
    return StepVote(request.home, request.host, request.seq, result_id, Reason.APPROVE)
