"""What a migration costs in gas, from the receipts of a real EVM.

    python benchmarks/gas.py [--seed N] [--without-eas] [--write FILE | --check FILE]

Starts an anvil of its own (hardfork prague, so that the calldata floor of EIP-7623 counts), deploys
the contract 2-of-3 and settles batches of random, non-zero data whose signatures the contract
checks. "Steady state" means that host, homes and their words of sequence numbers were in use
before; the slots of a new batch are new, as they always are. "fresh" is each pair's first batch.
Votes are one transaction per validator and batch, or one for eight batches where the name says so.
EAS is measured beside it (`eas.py`). The last line of the output is one JSON object; every number
in it is gas, but for the bytes of the code. ``--write`` keeps it; ``--check`` fails when a number
is more than one per cent away from what was kept, so that no cost changes unannounced.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import eas
from coincurve import PrivateKey

from canaries.commitment import PLANTED, Mark, Place, commitment, seal
from ledger import calls, merkle, record
from ledger.assets import (
    Accepted,
    CanaryOpened,
    Confirmed,
    ConfirmedMigration,
    Kudos,
    Request,
    Result,
)
from ledger.calls import BatchVote, CanaryClaim, CanaryVote
from ledger.deployment import Deployment, deploy
from ledger.eip712 import digest
from ledger.embedded import EmbeddedChain
from ledger.errors import KudosError
from ledger.keys import Key
from ledger.ports import SystemClock
from ledger.reasons import Reason
from ledger.sender import Sender
from ledger.types import Digest

_ETHER = 10**18
_CACHE = Path(__file__).resolve().parents[1] / ".cache" / "eas"
_FAMILY = b"replay".ljust(32, b"\0")


@dataclass(frozen=True, slots=True)
class Canary:
    """A settled canary with everything that its claim needs."""

    migration: ConfirmedMigration
    home: Key
    mark: Mark
    task_digest: Digest
    result_digest: Digest
    seal_salt: Digest


class Bench:
    """One chain, one contract, one host, three validators."""

    def __init__(self, chain: EmbeddedChain, seed: int) -> None:
        self.random = Random(seed)
        self.clock = SystemClock()
        self.chain = chain
        self.host = self.key()
        validators = [self.key() for _ in range(3)]
        deployer = self.key()
        for key in (self.host, deployer, *validators):
            chain.fund(key.address, 1_000 * _ETHER)
        self.deployment: Deployment = deploy(
            chain.rpc,
            deployer,
            self.clock,
            validators=[key.address for key in validators],
            threshold=2,
        )
        self.domain = self.deployment.domain
        self.host_sender = self._sender_of(self.host)
        self._voters = [self._sender_of(key) for key in validators[:2]]
        self._sequences: dict[bytes, int] = {}

    def key(self) -> Key:
        return Key(PrivateKey(self.random.randbytes(32)))

    def canary(self, home: Key) -> Canary:
        """A finished migration with all its fields random, marked as a canary."""
        task, result_digest, salt = (Digest(self.random.randbytes(32)) for _ in range(3))
        mark = Mark(PLANTED, _FAMILY, self.random.randbytes(32), self.random.randbytes(32))
        request = self._request(home, task, mark)
        request_id = digest(self.domain, request)
        accepted = Accepted(request_id, request.signed_at + 1 + self.random.randrange(9))
        confirmed = Confirmed(
            digest(self.domain, accepted), accepted.signed_at + 1 + self.random.randrange(9)
        )
        sealed = Digest(seal(result_digest, salt, self.host.address, request_id))
        result = Result(request_id, sealed, confirmed.signed_at + 1 + self.random.randrange(500))
        signature = home.sign(self.domain, confirmed)
        migration = ConfirmedMigration(request, accepted, confirmed, result, signature)
        return Canary(migration, home, mark, task, result_digest, salt)

    def settle(self, canaries: Sequence[Canary]) -> tuple[int, Digest]:
        """Settles one batch; the gas, and the root, which the log must confirm."""
        migrations = [canary.migration for canary in canaries]
        packed = record.encode_batch(migrations)
        ordered = record.batch_order(migrations)
        root = merkle.root(record.leaves(self.domain, ordered, ()))
        receipt = self.host_sender.send(
            self.deployment.contract, calls.settle(self.host.address, packed)
        )
        state = calls.batch(self.host.address, root)
        stored = state.decode(self.chain.rpc.call(self.deployment.contract, state.data))
        if stored.n != len(canaries) or stored.claims != (1 << len(canaries)) - 1:
            raise SystemExit("The batch was not settled in full; the numbers would mean nothing.")
        return receipt.gas_used, root

    def vote(self, batches: Sequence[tuple[Digest, int]], claims: Sequence[Digest]) -> list[int]:
        """Both validators approve everything; the gas of either."""
        batch_votes = [
            BatchVote(self.host.address, root, (1 << count) - 1, 0) for root, count in batches
        ]
        canary_votes = [CanaryVote(kudos, Reason.APPROVE) for kudos in claims]
        data = calls.vote(batch_votes, canary_votes)
        return [voter.send(self.deployment.contract, data).gas_used for voter in self._voters]

    def claim(self, settled: Sequence[Canary], root: Digest, chosen: Sequence[int]) -> list[int]:
        """Claims K3 for the chosen places of one batch; the gas of the claim and of both votes."""
        ordered = sorted(settled, key=lambda canary: canary.migration.request.home)
        leaves = record.leaves(self.domain, [canary.migration for canary in ordered], ())
        claims, kudos_ids = [], []
        for index in chosen:
            canary = ordered[index]
            claims.append(self._claim(canary, root, index, merkle.path(leaves, index)))
            result_id = digest(self.domain, canary.migration.result)
            kudos = Kudos(3, result_id, canary.result_digest, canary.seal_salt)
            kudos_ids.append(digest(self.domain, kudos))
        receipt = self.host_sender.send(self.deployment.contract, calls.claim_canaries(claims))
        return [receipt.gas_used, *self.vote([], kudos_ids)]

    def _claim(
        self, canary: Canary, root: Digest, index: int, path: tuple[Digest, ...]
    ) -> CanaryClaim:
        migration, mark = canary.migration, canary.mark
        opened = CanaryOpened(
            digest(self.domain, migration.request),
            digest(self.domain, migration.result),
            canary.task_digest,
            Digest(mark.family),
            Digest(mark.parameters),
            Digest(mark.salt),
            migration.result.signed_at + 5,
        )
        place = (migration.result.signed_at, root, index, path)
        opening = (opened.task_digest, opened.family, opened.parameters, opened.salt)
        signed = (opened.signed_at, canary.home.sign(self.domain, opened))
        answer = (canary.result_digest, canary.seal_salt)
        return CanaryClaim(
            migration.request, migration.result.seal, *place, *opening, *signed, *answer
        )

    def _request(self, home: Key, task: Digest, mark: Mark) -> Request:
        seq = self._sequences.setdefault(home.address, self.random.randrange(1 << 16, 1 << 24) << 8)
        self._sequences[home.address] = seq + 1
        place = Place(
            self.domain.chain_id, self.domain.contract, home.address, self.host.address, seq
        )
        now = int(self.clock.now())
        return Request(
            home.address,
            self.host.address,
            Digest(self.random.randbytes(32)),
            Digest(self.random.randbytes(32)),
            Digest(commitment(place, task, mark.hash)),
            self._limit(),
            self._limit(),
            self._limit(),
            seq,
            now + self.random.randrange(1 << 16, 1 << 19),
            now - self.random.randrange(600, 1_200),
        )

    def _limit(self) -> int:
        return self.random.randrange(1 << 16, 1 << 24)

    def _sender_of(self, key: Key) -> Sender:
        chain = self.chain
        return Sender(chain.rpc, key, self.deployment.chain_id, self.clock, poll_seconds=0.01)


def measure_batches(bench: Bench, name: str, count: int, homes: int) -> dict[str, int]:
    """Settles three batches of ``count`` records from ``homes`` homes, with both votes."""
    keys = [bench.key() for _ in range(homes)]
    rounds: list[tuple[int, list[int]]] = []
    for _ in range(3):
        gas, root = bench.settle([bench.canary(keys[i % homes]) for i in range(count)])
        rounds.append((gas, bench.vote([(root, count)], ())))
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
    first, deciding = bench.vote(batches, ())
    return {"votes_8_batches_first": first // 8, "votes_8_batches_deciding": deciding // 8}


def measure_canaries(bench: Bench) -> dict[str, int]:
    """K3 on top of a settled batch of 128, alone and eight in one transaction; votes apart."""
    keys = [bench.key() for _ in range(8)]
    settled = [bench.canary(keys[i % 8]) for i in range(128)]
    _, root = bench.settle(settled)
    bench.claim(settled, root, [127])
    alone, *votes = bench.claim(settled, root, [5])
    eight, *votes_of_eight = bench.claim(settled, root, range(10, 90, 10))
    return {
        "canary_extra": alone,
        "canary_extra_8": eight // 8,
        "canary_votes": sum(votes),
        "canary_votes_8": sum(votes_of_eight) // 8,
    }


def measure(seed: int, with_eas: bool) -> dict[str, int]:
    with tempfile.TemporaryDirectory() as folder:
        chain = EmbeddedChain(Path(folder) / "chain.json", block_time=0)
        with chain:
            bench = Bench(chain, seed)
            measured = {
                **measure_batches(bench, "batched_128", 128, 8),
                **measure_batches(bench, "batched_128_distinct", 128, 128),
                **measure_batches(bench, "batched_16", 16, 8),
                **measure_votes(bench),
                **measure_canaries(bench),
                "code_bytes": len(chain.rpc.code(bench.deployment.contract)),
            }
            if with_eas:
                measured |= eas.measure(bench.host_sender, bench.random, _CACHE)
    return measured


def moved(kept: Mapping[str, int], measured: Mapping[str, int]) -> list[str]:
    """What is more than one per cent away from the snapshot, or missing there."""
    return [
        f"{name}: {kept.get(name, 0):,} -> {value:,}"
        for name, value in measured.items()
        if 100 * abs(value - kept.get(name, 0)) > kept.get(name, 0)
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Measures gas per migration on a local EVM.")
    parser.add_argument("--seed", type=int, default=1, help="of the random data (default 1)")
    parser.add_argument("--without-eas", action="store_true", help="needs no network")
    keep = parser.add_mutually_exclusive_group()
    keep.add_argument("--write", type=Path, metavar="FILE", help="keep the numbers as a snapshot")
    keep.add_argument(
        "--check", type=Path, metavar="FILE", help="exit 1 if they moved by over 1 %%"
    )
    options = parser.parse_args(arguments)
    try:
        measured = measure(options.seed, not options.without_eas)
    except KudosError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    for name, value in measured.items():
        print(f"{name:32}{value:>12,}")
    differences = moved(json.loads(options.check.read_text()), measured) if options.check else []
    for difference in differences:
        print(f"moved by more than 1 %: {difference}", file=sys.stderr)
    if differences:
        print("Say so in the changelog, and keep it with `make gas`.", file=sys.stderr)
    if options.write:
        options.write.write_text(json.dumps(measured, indent=1) + "\n")
    print(json.dumps({"hardfork": "prague", "validators": "2-of-3", **measured}))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
