"""Synthetic ledgers: a chain that is a list of blocks, with valid activity from a seed.

For tests, benchmarks and pages: nodes send each other tasks, batches are settled, validators vote,
canaries are opened and claimed. The same seed gives the same chain, byte for byte.

    python -m ledger.synthetic --migrations 10000 --out index.db
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ledger import record
from ledger.assets import K3_CANARY, Kudos, Migration
from ledger.claim_calls import ClaimVote
from ledger.contracts import contracts_of
from ledger.errors import ChainError, KudosError, UsageError
from ledger.events import RawLog
from ledger.indexer import Indexer
from ledger.keys import Key
from ledger.ports import SystemClock
from ledger.reasons import Reason
from ledger.source import BlockRef
from ledger.store import IndexStore
from ledger.synthetic_actors import Actors, Planted, Settings, deployment_of
from ledger.synthetic_contract import CLAIMED, Emitted, SyntheticContract
from ledger.synthetic_views import answer
from ledger.types import Address, BlockHash, BlockNumber, Digest, TxHash, UnixSeconds

FIRST_TIMESTAMP = 1_790_000_000
_WORDS = (Reason.APPROVE, Reason.REFUSE_RESULT)


@dataclass(frozen=True, slots=True)
class Header:
    """A block header (``ledger.source.ChainHeader``)."""

    number: BlockNumber
    hash: BlockHash
    parent: BlockHash
    timestamp: UnixSeconds


@dataclass(frozen=True, slots=True)
class Block:
    """A header and the logs of its transactions."""

    header: Header
    logs: tuple[RawLog, ...]


class SyntheticChain:
    """A chain with one ledger on it; ``mine`` adds a block, ``fork`` replaces the newest ones.

    Answers like ``ledger.rpc.Rpc``; its contract can be asked at the newest block only. ``after``
    is the head of a chain that this one goes on from, with the same ledger and other nodes.
    """

    def __init__(self, settings: Settings | None = None, after: Header | None = None) -> None:
        self.settings = settings or Settings()
        self.deployment = deployment_of(self.settings)
        self._after = after
        self._forks = 0
        self._restart()

    def _restart(self) -> None:
        deployment, settings = self.deployment, self.settings
        self.actors = Actors(settings, deployment.domain)
        self.contract = SyntheticContract(
            *(deployment.domain, deployment.validators, settings.threshold),
            *(settings.epoch_seconds, deployment.round_seconds),
        )
        genesis = Header(
            BlockNumber(0), BlockHash(bytes(32)), BlockHash(bytes(32)), UnixSeconds(FIRST_TIMESTAMP)
        )
        first = self._after or genesis
        self.blocks = [Block(first, ())]
        self._pruned = int(first.number)
        self._history: list[tuple[int, str]] = []
        self._unvoted: list[tuple[Address, Digest]] = []
        self._unclaimed: list[Planted] = []
        self._undecided: list[Digest] = []
        self._sealed: list[tuple[Address, list[ClaimVote]]] = []
        self._tests: dict[Digest, tuple[int, Planted]] = {}
        self._last_settled: dict[Address, Migration] = {}

    def mine(self, migrations: int = 0, salt: str = "") -> Block:
        """Adds a block: this many migrations settled, and the votes on what came before."""
        self._history.append((migrations, salt))
        if salt:
            self.actors.random.seed(f"{self.settings.seed}/{salt}")
        timestamp = UnixSeconds(self.blocks[-1].header.timestamp + self.settings.block_seconds)
        first = self.contract.begin() if len(self.blocks) == 1 and not self._pruned else []
        votes = [*self._vote(), *self._judge(timestamp)]
        emitted = [*first, *votes, *self._open_tests(timestamp), *self._claim(timestamp)]
        emitted += self._settle(migrations, timestamp)
        block = self._seal(timestamp, emitted, salt)
        self.blocks.append(block)
        return block

    def fork(self, depth: int, blocks: int, migrations: int = 0) -> None:
        """Replaces the newest ``depth`` blocks by ``blocks`` others with other activity."""
        kept = self._history[: len(self._history) - depth]
        self._forks += 1
        salt = f"fork {self._forks}"
        self._restart()
        for count, old_salt in kept:
            self.mine(count, old_salt)
        for number in range(blocks):
            self.mine(migrations, f"{salt}, block {number}")

    def prune(self, keep: int) -> None:
        """Forgets all but the newest blocks, to stream a long chain in little memory."""
        self._pruned += max(0, len(self.blocks) - keep)
        del self.blocks[:-keep]
        open_batches = set(self._unvoted)
        for key in [key for key in self.contract.batches if key not in open_batches]:
            del self.contract.batches[key]

    def header(self, block: BlockRef, /) -> Header | None:
        """As ``Rpc.header``; this chain's finality is a depth."""
        if block == "latest":
            return self.blocks[-1].header
        if block == "finalized":
            return self.blocks[max(0, len(self.blocks) - 1 - self.settings.finality_depth)].header
        if isinstance(block, int):
            position = block - self._pruned
            return self.blocks[position].header if 0 <= position < len(self.blocks) else None
        return next((b.header for b in self.blocks if b.header.hash == block), None)

    def logs(
        self, contracts: Sequence[Address], from_block: BlockNumber, to_block: BlockNumber, /
    ) -> list[RawLog]:
        """As ``Rpc.logs``."""
        chosen = self.blocks[max(0, from_block - self._pruned) : to_block - self._pruned + 1]
        return [log for block in chosen for log in block.logs if log.address in contracts]

    def logs_of_block(self, contracts: Sequence[Address], block_hash: BlockHash, /) -> list[RawLog]:
        """As ``Rpc.logs_of_block``."""
        for block in reversed(self.blocks):
            if block.header.hash == block_hash:
                return [log for log in block.logs if log.address in contracts]
        raise ChainError("The synthetic chain has no such block.")

    def call(self, to: Address, data: bytes, block: BlockNumber, /) -> bytes:
        """As ``Rpc.call``, at the newest block."""
        if to not in contracts_of(self.deployment.contract).all:
            return b""  # an account without code, at any block
        if block != self.blocks[-1].header.number:
            raise ChainError("The synthetic chain answers calls of its ledger at its head only.")
        return answer(self.contract, data)

    def _settle(self, migrations: int, timestamp: int) -> Iterator[Emitted]:
        while migrations > 0:
            size = min(migrations, record.MAX_RECORDS)
            migrations -= size
            host = self.actors.random.choice(self.actors.nodes)
            batch = self._batch(host, size, timestamp)
            root, logs = self.contract.settle(host.address, batch, timestamp)
            self._unvoted.append((host.address, root))
            yield from logs

    def _batch(self, host: Key, size: int, timestamp: int) -> list[Migration]:
        random = self.actors.random
        homes = [node for node in self.actors.nodes if node is not host]
        batch: list[Migration] = []
        last = self._last_settled.get(host.address)
        if last and size > 1 and random.random() < self.settings.repeated:
            batch.append(last)
        while len(batch) < size:
            migration, planted = self.actors.migration(random.choice(homes), host, timestamp)
            batch.append(migration)
            if planted:
                self._unclaimed.append(planted)
        self._last_settled[host.address] = batch[-1]
        return batch

    def _vote(self) -> Iterator[Emitted]:
        """On the batches of the block before."""
        random, settings = self.actors.random, self.settings
        batches, self._unvoted = self._unvoted, []
        for host, root in batches:
            bad = sum(1 << i for i in range(128) if random.random() < settings.refused)
            for validator in self.contract.validators:
                abstain = 1 << random.randrange(128)
                yield from self.contract.vote(validator, host, root, bad, abstain)

    def _judge(self, timestamp: int) -> Iterator[Emitted]:
        """Commits to votes on the canaries of the round before, and reveals those committed then;
        a block is a round of its own."""
        number = timestamp // self.contract.commit_seconds
        sealed, self._sealed = self._sealed, []
        for validator, sealed_votes in sealed:
            yield from self.contract.reveal_votes(validator, number - 1, sealed_votes)
        canaries, self._undecided = self._undecided, []
        random, tests = self.actors.random.random, set(self._tests)
        bad = {each for each in canaries if random() < self.settings.refused}
        *_, lazy = self.contract.validators
        for validator in self.contract.validators if canaries else ():
            wrong = bad - tests if validator == lazy else bad | tests
            votes = [ClaimVote(each, _WORDS[each in wrong]) for each in canaries]
            salt = Digest(self.actors.random.randbytes(32))
            yield from self.contract.commit_votes(validator, number, votes, salt)
            self._sealed.append((validator, votes))

    def _open_tests(self, timestamp: int) -> Iterator[Emitted]:
        """Those that are decided and whose votes can all be revealed."""
        seconds = self.contract.commit_seconds
        for kudos_id, (claimed_at, planted) in list(self._tests.items()):
            over = timestamp // seconds >= claimed_at // seconds + 3
            if over and self.contract.canaries[kudos_id].state != CLAIMED and planted.test_salt:
                del self._tests[kudos_id]
                shown = (planted.opened, planted.seal_salt, planted.test_salt)
                yield from self.contract.open_test(kudos_id, *shown)

    def _claim(self, timestamp: int) -> Iterator[Emitted]:
        planted_canaries, self._unclaimed = self._unclaimed, []
        for planted in planted_canaries:
            kudos = Kudos(
                K3_CANARY, planted.opened.result_id, planted.result_digest, planted.seal_salt
            )
            signature = self.actors.sign_opening(planted)
            kudos_id, logs = self.contract.claim_canary(
                planted.opened, signature, kudos, planted.migration, timestamp
            )
            self._undecided.append(kudos_id)
            if planted.test_salt:
                self._tests[kudos_id] = (timestamp, planted)
            yield from logs

    def _seal(self, timestamp: UnixSeconds, emitted: Sequence[Emitted], salt: str) -> Block:
        parent = self.blocks[-1].header
        number = BlockNumber(parent.number + 1)
        content = b"".join(b"".join(topics) + data for _, topics, data in emitted)
        seed = parent.hash + number.to_bytes(8, "big") + salt.encode() + content
        block_hash = BlockHash(sha256(seed).digest())
        logs = tuple(
            RawLog(
                *(contract, topics, data, number, block_hash),
                TxHash(sha256(block_hash + bytes([index % 256, index >> 8])).digest()),
                index,
            )
            for index, (contract, topics, data) in enumerate(emitted)
        )
        return Block(Header(number, block_hash, parent.hash, timestamp), logs)


def fill(path: Path, migrations: int, settings: Settings, per_block: int = 512) -> Iterator[int]:
    """Fills an indexed copy through the real indexer; yields how much is settled so far."""
    if path.exists():
        raise UsageError(f"{path} exists.", hint="Give another file name, or delete it first.")
    chain = SyntheticChain(settings)
    with IndexStore.open(path, chain.deployment) as store:
        indexer = Indexer(chain, store, chain.deployment, SystemClock())
        for done in range(per_block, migrations + per_block, per_block):
            chain.mine(per_block - max(0, done - migrations))
            indexer.step()
            chain.prune(keep=64)
            yield min(done, migrations)
        for _ in range(settings.finality_depth + 4):
            chain.mine()
        indexer.step()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: fills a file and says how fast."""
    parser = argparse.ArgumentParser(prog="python -m ledger.synthetic", description=__doc__)
    parser.add_argument("--migrations", type=int, required=True, metavar="N")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--seed", default="kudos")
    parser.add_argument("--nodes", type=int, default=8)
    parser.add_argument("--no-signatures", action="store_true", help="faster; fails any audit")
    options = parser.parse_args(arguments)
    settings = Settings(
        seed=options.seed, nodes=options.nodes, signatures=not options.no_signatures
    )
    started = time.monotonic()
    try:
        for done in fill(options.out, options.migrations, settings):
            rate = done / (time.monotonic() - started)
            print(f"\r{done:,} migrations, {rate:,.0f}/s", end="", file=sys.stderr, flush=True)
    except KudosError as error:
        print(f"{error.message} {error.hint}", file=sys.stderr)
        return error.exit_code
    print(file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
