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
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random

from eth_hash.auto import keccak

from ledger import facet_rollups, rollups, schema
from ledger.assets import process_name_field
from ledger.errors import KudosError, UsageError
from ledger.events import SIGNATURES
from ledger.reasons import Reason
from ledger.store import IndexStore
from ledger.synthetic import FIRST_TIMESTAMP
from ledger.synthetic_actors import Settings, SyntheticDeployment, deployment_of
from ledger.types import BlockNumber, UnixSeconds

ASSETS_PER_MIGRATION = 4.48
DAYS = 120
FLUSH = 200_000
_LIMITS = (60, 512, 4096)
_TOPICS = keccak(SIGNATURES["CanaryVoted"].encode()) + bytes(64)
_DATA = int(Reason.APPROVE).to_bytes(32, "big")
"""What every log says: something that can be decoded."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How the ledger is made up; shares are those of ``Settings``, in a thousand."""

    per_block: int = 128
    per_batch: int = 32
    nodes: int = 1000
    validators: int = 5
    threshold: int = 3
    names: int = 200
    rejected: int = 250
    first_claims: int = 100
    canaries: int = 154
    unclaimed: int = 20
    refused: int = 20
    dissent: int = 5
    abstained: int = 5
    silent: int = 50
    stuck: int = 1
    skipped: int = 2


class BulkLedger:
    """Rows of one ledger, block by block."""

    def __init__(self, assets: int, shape: Shape, seed: str) -> None:
        self.shape = shape
        self.settings = Settings(seed=seed, validators=shape.validators, threshold=shape.threshold)
        self.deployment: SyntheticDeployment = deployment_of(self.settings)
        self.blocks = max(8, round(assets / ASSETS_PER_MIGRATION / shape.per_block))
        self.rows: defaultdict[str, list[tuple[object, ...]]] = defaultdict(list)
        self._random = Random(seed)
        self._nodes = [self._random.randbytes(20) for _ in range(shape.nodes)]
        self._names = [process_name_field(f"cc -O2 unit{n}.c") for n in range(shape.names)]
        self._sequences: Counter[tuple[bytes, bytes]] = Counter()
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
        for _ in range(self.shape.per_block // self.shape.per_batch):
            self._batch(block)

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

    def _record(
        self,
        home: bytes,
        host: bytes,
        is_rejected: bool,
        settled: tuple[bytes, int, int, int],
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
        self.rows["migrations"].append((*asked, now - 41, *answered, raw[224:], *settled))
        if is_rejected and random.random() * 1000 >= self.shape.first_claims:
            return
        kudos_id, asset_id = random.randbytes(32), answer if is_rejected else confirmed
        level = 1 if is_rejected else 2
        self._claim((kudos_id, level, host, home, asset_id, request_id, None), settled)
        claims.append((kudos_id, settled[1]))
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
        random = self._random
        mark = (random.randbytes(32), bytes(32), bytes(32), random.randbytes(32))
        signed = (self.timestamp(block), random.randbytes(64))
        opened = (request_id, home, result_id, *mark, *signed, block, self._log(block))
        self.rows["openings"].append(opened)
        if random.random() * 1000 < self.shape.unclaimed:
            return
        kudos_id = random.randbytes(32)
        claim = (kudos_id, 3, host, home, result_id, request_id, "planted")
        self._claim(claim, (None, None, block, self._log(block)))
        self._votes([kudos_id], block, None)

    def _votes(
        self, claims: Sequence[bytes], block: int, batch: tuple[bytes, bytes] | None
    ) -> None:
        """What the validators say of one batch or canary, each in its own time."""
        random, shape = self._random, self.shape
        bad = [random.random() * 1000 < shape.refused for _ in claims]
        stuck = [random.random() * 1000 < shape.stuck for _ in claims]
        given = [0] * len(claims)
        for position, validator in enumerate(self.deployment.validators):
            at = block + 1 + position // 2 + int(random.random() * 1.2)
            if at > self.blocks or random.random() * 1000 < shape.silent:
                continue
            log = self._log(at)
            if batch:
                self.rows["ballots"].append((*batch, validator, bytes(16), bytes(16), at, log))
            for index, kudos_id in enumerate(claims):
                verdict, reason = self._verdict(bad[index], stuck[index] and position > 1)
                self.rows["votes"].append((kudos_id, validator, verdict, reason, at, log))
                given[index] += verdict == (schema.REFUSE if bad[index] else schema.APPROVE)
                if given[index] == shape.threshold:
                    given[index] += 1_000  # decided once
                    state = schema.REFUSED if bad[index] else schema.VERIFIED
                    self.rows["decisions"].append((kudos_id, state, at, log))

    def _verdict(self, bad: bool, stuck: bool) -> tuple[int, int]:
        chance = self._random.random() * 1000
        if stuck or chance < self.shape.abstained:
            return schema.ABSTAIN, int(Reason.ABSTAIN_INPUTS)
        if bad != (chance > 1000 - self.shape.dissent):
            return schema.REFUSE, int(Reason.REFUSE_RESULT)
        return schema.APPROVE, int(Reason.APPROVE)

    def _log(self, block: int) -> int:
        index = self._logs[block]
        self._logs[block] += 1
        block_hash = self.block_hash(block)
        tx = sha256(block_hash + index.to_bytes(4, "big")).digest()
        self.rows["logs"].append((block_hash, tx, _TOPICS, _DATA, block, index))
        return index


def load(
    path: Path,
    deployment: SyntheticDeployment,
    batches: Iterable[dict[str, list[tuple[object, ...]]]],
    indexed_at: int,
) -> None:
    """Makes a copy from rows in the order of ``schema.ROWS`` (and of ``blocks``), past the indexer.

    Indexes come after the rows, roll-ups after the indexes.
    """
    if path.exists():
        raise UsageError(f"{path} exists.", hint="Give another file name, or delete it first.")
    with IndexStore.open(path, deployment) as store:
        conn = store.connection
        conn.execute("PRAGMA synchronous = OFF")
        conn.execute("PRAGMA cache_size = -1000000")
        sql = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        indexes = conn.execute(sql).fetchall()
        for name, _ in indexes:
            conn.execute(f"DROP INDEX {name}")
        for tables in batches:
            with store.transaction():
                for table, rows in tables.items():
                    if rows:
                        names = "" if table == "blocks" else f"({', '.join(schema.ROWS[table])})"
                        marks = ", ".join("?" * len(rows[0]))
                        conn.executemany(f"INSERT INTO {table} {names} VALUES ({marks})", rows)
        with store.transaction():
            conn.execute(
                "UPDATE kudos SET state = d.state, decided_block = d.block FROM decisions d"
                " WHERE d.kudos_id = kudos.kudos_id"
            )
            for _, create in indexes:
                conn.execute(create)
            conn.execute(
                "UPDATE cursor SET (number, hash, timestamp) ="
                " (SELECT number, hash, timestamp FROM blocks ORDER BY number DESC LIMIT 1)"
            )
        _build_rollups(store, deployment, indexed_at)


def _build_rollups(store: IndexStore, deployment: SyntheticDeployment, indexed_at: int) -> None:
    conn = store.connection
    with store.transaction():
        for column, sql in rollups.NODE_COUNTS.items():
            conn.execute(
                f"INSERT INTO nodes (address, {column}) {sql.format(who='1')}"
                f" ON CONFLICT (address) DO UPDATE SET {column} = excluded.{column}"
            )
        conn.execute(f"INSERT INTO pairs {rollups.PAIR_COUNTS}")
        facet_rollups.add(conn, deployment.domain, 0, (1 << 63) - 1)
    cursor = store.cursor()
    if cursor:
        final = cursor.number - deployment.finality_depth
        store.note_head(cursor.number, BlockNumber(final), UnixSeconds(indexed_at))


def main(arguments: Sequence[str] | None = None, say: Callable[[str], object] = print) -> int:
    """The command line: makes a file and says how long it took."""
    parser = argparse.ArgumentParser(prog="python -m ledger.synthetic_bulk", description=__doc__)
    parser.add_argument("--assets", type=int, required=True, metavar="N")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--seed", default="kudos")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    ledger = BulkLedger(options.assets, Shape(), options.seed)

    def batches() -> Iterable[dict[str, list[tuple[object, ...]]]]:
        for block in range(1, ledger.blocks + 1):
            ledger.add_block(block)
            if sum(map(len, ledger.rows.values())) > FLUSH or block == ledger.blocks:
                yield ledger.rows
                ledger.rows = defaultdict(list)

    try:
        load(options.out, ledger.deployment, batches(), int(time.time()))
    except KudosError as error:
        say(f"{error.message} {error.hint}")
        return error.exit_code
    say(f"{options.out}: {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
