"""Large synthetic copies, written straight into the tables: for measuring, not for auditing.

The shape is that of a real ledger (batches, claims, canaries, votes that come later, disagreement,
silence, claims that stay open), the identities are random: no asset id is the digest of its fields,
logs all say the same, and blocks have no digest. The roll-ups are built from the rows at the end.

    python -m ledger.synthetic_bulk --assets 10000000 --out big.db
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from random import Random

from eth_hash.auto import keccak

from ledger import schema
from ledger.assets import process_name_field
from ledger.contracts import contracts_of
from ledger.errors import KudosError
from ledger.events import SIGNATURES
from ledger.reasons import Reason
from ledger.synthetic import FIRST_TIMESTAMP
from ledger.synthetic_actors import Settings, SyntheticDeployment, deployment_of
from ledger.synthetic_load import load
from ledger.synthetic_progress import Progress
from ledger.synthetic_shape import Shape
from ledger.types import ZERO_ADDRESS

ASSETS_PER_MIGRATION = 4.48
DAYS = 120
FLUSH = 200_000
_STEPS = 3  # blocks of a migration that comes the strict way
_LIMITS = (60, 512, 4096)
_TOPICS = keccak(SIGNATURES["ClaimVoted"].encode()) + bytes(64)
_DATA = int(Reason.APPROVE).to_bytes(32, "big")  # of every log: it can be decoded


class BulkLedger:
    """Rows of one ledger, block by block."""

    def __init__(self, assets: int, shape: Shape, seed: str) -> None:
        self.shape = shape
        self.settings = Settings(seed=seed, validators=shape.validators, threshold=shape.threshold)
        self.deployment: SyntheticDeployment = deployment_of(self.settings)
        self._emitter = contracts_of(self.deployment.contract).claims
        self.blocks = max(8, round(assets / ASSETS_PER_MIGRATION / shape.per_block))
        self.rows: defaultdict[str, list[tuple[object, ...]]] = defaultdict(list)
        self._random = Random(seed)
        self._nodes = [self._random.randbytes(20) for _ in range(shape.nodes)]
        self._names = [process_name_field(f"cc -O2 unit{n}.c") for n in range(shape.names)]
        self._sequences: Counter[tuple[bytes, bytes]] = Counter()
        self._carried = 0
        self._logs: Counter[int] = Counter()

    def timestamp(self, block: int) -> int:
        """Blocks are spread evenly over ``DAYS`` days."""
        return FIRST_TIMESTAMP + block * max(12, DAYS * 86_400 // self.blocks)

    def block_hash(self, block: int) -> bytes:
        return sha256(b"%d %s" % (block, self.settings.seed.encode())).digest()

    def add_block(self, block: int) -> None:
        """One block with its batches, and what they cause in later blocks."""
        header = (block, self.block_hash(block), self.block_hash(block - 1), self.timestamp(block))
        self.rows["blocks"].append(
            (*header, self.shape.per_block // self.shape.per_batch, bytes(32), 0)
        )
        if block == 1:
            seats = b"".join(self.deployment.validators).ljust(320, b"\0")
            self.rows["validator_sets"].append(
                (1, seats, self.shape.threshold, block, self._log(block))
            )
        if block > 1 and self._random.random() * 1000 < self.shape.carried:
            self._carry(block)
        if self._random.random() * 1000 < self.shape.puzzles:
            self._puzzle(block)
        for _ in range(self.shape.per_block // self.shape.per_batch):
            self._batch(block)
        for _ in range(self.shape.per_block):
            if self._random.random() * 1000 < self.shape.strict and block > _STEPS:
                self._single(block)

    def _batch(self, block: int) -> None:
        random, shape = self._random, self.shape
        # A few nodes do most of the work, as everywhere.
        host = self._nodes[int(random.random() ** 2 * shape.nodes)]
        root, log = random.randbytes(32), self._log(block)
        rejected = [random.random() * 1000 < shape.rejected for _ in range(self.shape.per_batch)]
        rejected.sort()
        claims: list[tuple[bytes, int]] = []
        for index, is_rejected in enumerate(rejected):
            home = random.choice(self._nodes)
            if home is not host:
                self._record(home, host, is_rejected, (root, index, block, log), claims)
        bits = sum(1 << index for _, index in claims).to_bytes(16, "big")
        confirmed = rejected.count(False)
        self.rows["batches"].append((host, root, self.shape.per_batch, confirmed, bits, block, log))
        if random.random() * 1000 < shape.skipped * self.shape.per_batch:
            late = random.choice((Reason.EXPIRED, Reason.SEQUENCE_USED))
            named = ("record", self.shape.per_batch, host, random.choice(self._nodes), root)
            self.rows["skipped"].append((*named, random.randbytes(32), int(late), block, log))
        self._votes([kudos_id for kudos_id, _ in claims], block, (host, root))

    def _single(self, block: int) -> None:
        """A migration that came the strict way: its steps are in the blocks before."""
        random = self._random
        home, host = random.sample(self._nodes, 2)
        is_rejected = random.random() * 1000 < self.shape.rejected
        claims: list[tuple[bytes, int]] = []
        self._record(home, host, is_rejected, (None, None, block, self._log(block)), claims)
        migration = self.rows["migrations"][-1]
        place, log = migration[-2:]
        ids = {"REQUEST": migration[0]}
        if is_rejected:
            ids["REJECTED"] = migration[12]
        else:
            ids |= {"ACCEPTED": migration[12], "CONFIRMED": migration[15], "RESULT": migration[17]}
        self.rows["step_requests"].append(
            (*migration[:12], block - _STEPS, self._log(block - _STEPS))
        )
        for number, (kind, asset_id) in enumerate(ids.items()):
            at, seal = block - _STEPS + number, migration[18] if kind == "RESULT" else None
            where = (place, log) if number == len(ids) - 1 else (at, self._log(at))
            signed_at = self.timestamp(at)
            self.rows["steps"].append((asset_id, migration[0], kind, signed_at, seal, *where))
            if random.random() < 0.5:
                self.rows["signatures"].append((asset_id, random.randbytes(64), *where))
        if random.random() < 0.2:  # another that nobody answered
            request_id = random.randbytes(32)
            place = (block, self._log(block))
            self.rows["step_requests"].append((request_id, *migration[1:12], *place))
            asked = (request_id, request_id, "REQUEST", self.timestamp(block), None)
            self.rows["steps"].append((*asked, *place))
        self._votes([kudos_id for kudos_id, _ in claims], block, None)

    def _carry(self, block: int) -> None:
        """What a node had on the ledger before this one."""
        for host in self._nodes[self._carried : self._carried + 1]:
            totals = (self._random.randrange(9) for _ in range(3))
            self.rows["carried"].append((host, *totals, block, self._log(block)))
        self._carried += 1

    def _puzzle(self, block: int) -> None:
        """K3 of a puzzle that the contract gave, and minted at once."""
        random, log = self._random, self._log(block)
        puzzle, solution, parameters = (random.randbytes(32) for _ in range(3))
        claim = (puzzle, None, 0, 3, random.choice(self._nodes), ZERO_ADDRESS, puzzle, puzzle)
        proof = (solution, parameters, self.timestamp(block) // 86_400)
        self.rows["kudos"].append((*claim, "open", None, None, *proof, block, log))
        self.rows["decisions"].append((puzzle, schema.VERIFIED, block, log))

    def _record(
        self,
        home: bytes,
        host: bytes,
        is_rejected: bool,
        settled: tuple[bytes | None, int | None, int, int],
        claims: list[tuple[bytes, int]],
    ) -> None:
        random = self._random
        raw = random.randbytes(288)
        request_id, process, commitment, answer, confirmed, result, seal = (
            raw[i : i + 32] for i in range(0, 224, 32)
        )
        now = self.timestamp(settled[2])
        name, seq = random.choice(self._names), self._sequences[home, host]
        self._sequences[home, host] += 1
        asked = (request_id, home, host, process, name, commitment, *_LIMITS, seq, now + 500)
        answered: tuple[object, ...]
        if is_rejected:
            answered = (answer, now - 40, int(Reason.REPUTATION), *(None,) * 5)
        else:
            answered = (answer, now - 40, None, confirmed, now - 39, result, seal, now - 20)
        signature = raw[224:] if settled[0] else None
        self.rows["migrations"].append((*asked, now - 41, *answered, signature, *settled))
        if is_rejected and random.random() * 1000 >= self.shape.first_claims:
            return
        kudos_id, asset_id = random.randbytes(32), answer if is_rejected else confirmed
        level = 1 if is_rejected else 2
        self._claim((kudos_id, None, 0, level, host, home, asset_id, request_id, None), settled)
        claims.append((kudos_id, settled[1] or 0))
        if not is_rejected and random.random() * 1000 < self.shape.canaries:
            self._canary(home, host, request_id, result, settled[2] + 1)

    def _claim(
        self, claim: tuple[object, ...], settled: tuple[bytes | None, int | None, int, int]
    ) -> None:
        root, index, block, log = settled
        opened = (None, None) if root else (bytes(32), bytes(32))
        epoch = self.timestamp(block) // 86_400
        self.rows["kudos"].append((*claim, root, index, *opened, epoch, block, log))

    def _canary(
        self, home: bytes, host: bytes, request_id: bytes, result_id: bytes, block: int
    ) -> None:
        if block > self.blocks:
            return
        random, log = self._random, self._log(block)
        is_drawn = random.random() * 1000 < self.shape.drawn
        place = (block, log)
        if is_drawn:
            drawn = (request_id, home, result_id, random.randbytes(32), random.randbytes(32))
            self.rows["draws"].append((*drawn, *place))
        else:
            mark = (random.randbytes(32), bytes(32), bytes(32), random.randbytes(32), None)
            is_signed = random.random() * 1000 >= self.shape.unsigned
            signed = (self.timestamp(block), random.randbytes(64)) if is_signed else (None, None)
            self.rows["openings"].append((request_id, home, result_id, *mark, *signed, *place))
        kudos_id, origin = random.randbytes(32), "drawn" if is_drawn else "planted"
        claim = (kudos_id, None, 0, 3, host, home, result_id, request_id, origin)
        self._claim(claim, (None, None, *place))
        self._votes([kudos_id], block, None, level=3)

    def _votes(
        self,
        claims: Sequence[bytes],
        block: int,
        batch: tuple[bytes, bytes] | None,
        level: int = 2,
    ) -> None:
        """What the validators say of one batch or canary, each in its own time."""
        random, shape = self._random, self.shape
        bad = [random.random() * 1000 < shape.refused for _ in claims]
        stuck = [random.random() * 1000 < shape.stuck for _ in claims]
        void = [level == 3 and random.random() * 1000 < shape.void for _ in claims]
        given = [0] * len(claims)
        for position, validator in enumerate(self.deployment.validators):
            at = block + 1 + position // 2 + int(random.random() * 1.2)
            if at > self.blocks or random.random() * 1000 < shape.silent:
                continue
            log = self._log(at)
            if batch:
                self.rows["ballots"].append((*batch, validator, bytes(16), bytes(16), at, log))
            for index, kudos_id in enumerate(claims):
                verdict, reason = shape.verdict(random, bad[index], stuck[index] and position > 1)
                self.rows["votes"].append((kudos_id, validator, verdict, reason, at, log))
                given[index] += verdict == (schema.REFUSE if bad[index] else schema.APPROVE)
                if given[index] == shape.threshold:
                    given[index] += 1_000  # decided once
                    state = schema.REFUSED if bad[index] else schema.VERIFIED
                    state = schema.VOID if void[index] else state
                    self.rows["decisions"].append((kudos_id, state, at, log))
                    if level < 3 and state == schema.REFUSED and at < self.blocks:
                        self._again(kudos_id, at + 1)

    def _again(self, kudos_id: bytes, block: int) -> None:
        """Some of what was refused had timed out, and is claimed again."""
        if self._random.random() * 1000 >= self.shape.again:
            return
        first = next(row for row in reversed(self.rows["kudos"]) if row[0] == kudos_id)
        claim = (self._random.randbytes(32), kudos_id, 1, *first[3:9])
        place = (None, None, None, None, first[13], block, self._log(block))
        self.rows["kudos"].append((*claim, *place))

    def _log(self, block: int) -> int:
        index = self._logs[block]
        self._logs[block] += 1
        block_hash = self.block_hash(block)
        tx = sha256(block_hash + index.to_bytes(4, "big")).digest()
        self.rows["logs"].append((block_hash, tx, self._emitter, _TOPICS, _DATA, block, index))
        return index


def main(arguments: Sequence[str] | None = None, say: Callable[[str], object] = print) -> int:
    """The command line: makes a file and says how long it took."""
    parser = argparse.ArgumentParser(prog="python -m ledger.synthetic_bulk", description=__doc__)
    parser.add_argument("--assets", type=int, required=True, metavar="N")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--seed", default="kudos")
    parser.add_argument("--nodes", type=int, default=Shape().nodes, metavar="N")
    options = parser.parse_args(arguments)
    progress = Progress(say, time.monotonic)
    ledger = BulkLedger(options.assets, Shape(nodes=options.nodes), options.seed)

    def batches() -> Iterable[dict[str, list[tuple[object, ...]]]]:
        for block in range(1, ledger.blocks + 1):
            ledger.add_block(block)
            progress.look(f"rows of block {block:,} of {ledger.blocks:,}")
            if sum(map(len, ledger.rows.values())) > FLUSH or block == ledger.blocks:
                yield ledger.rows
                ledger.rows = defaultdict(list)

    try:
        load(options.out, ledger.deployment, batches(), int(time.time()), progress)
    except KudosError as error:
        say(f"{error.message} {error.hint}")
        return error.exit_code
    say(f"{options.out}: {progress.seconds:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
