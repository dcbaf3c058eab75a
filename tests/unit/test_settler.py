"""When the settler sends, what, and what it makes of the answers; chain and index are faked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from eth_abi.abi import decode as abi_decode
from eth_hash.auto import keccak

from ledger.abi import ContractReverted
from ledger.assets import Migration
from ledger.creation import PARTS, Constants
from ledger.deployment import Deployment
from ledger.eip712 import digest
from ledger.errors import ChainError, SetupError
from ledger.events import SIGNATURES, RawLog
from ledger.outbox import MIGRATION, Outbox
from ledger.reasons import Reason
from ledger.record import decode_batch
from ledger.rpc import Receipt
from ledger.sender import NotMined, Sender
from ledger.settler import Settler
from ledger.synthetic_actors import Actors, Settings
from ledger.types import Address, BlockHash, BlockNumber, Digest, TxHash, UnixSeconds

NOW = 1_700_000_000
CONTRACT = Address(b"\x33" * 20)
DEPLOYMENT = Deployment(
    *(31_337, CONTRACT, BlockNumber(1), (Digest(bytes(32)),) * len(PARTS), (), 1, Constants()),
    finality_depth=3,
)
_HEAD, _FINAL, _TIME = BlockNumber(10), BlockNumber(7), UnixSeconds(NOW)
ACTORS = Actors(Settings(seed="settler"), DEPLOYMENT.domain)
HOST = ACTORS.nodes[1]


@dataclass
class FrozenClock:
    time: float = float(NOW)

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


@dataclass
class FakeIndex:
    """What the index holds: a height, and who is settled."""

    number: BlockNumber = _HEAD
    timestamp: UnixSeconds = _TIME
    final_number: BlockNumber = _FINAL
    settled: set[Digest] = field(default_factory=set)
    empty: bool = False

    def head(self) -> FakeIndex | None:
        return None if self.empty else self

    def is_settled(self, key: Digest, /) -> bool:
        return key in self.settled

    def is_claimed(self, key: Digest, /) -> bool:
        return False

    def is_final_settled(self, key: Digest, /) -> bool:
        return False

    def is_final_claimed(self, key: Digest, /) -> bool:
        return False

    def migration(self, key: Digest, /) -> None:
        return None


@dataclass
class FakeSender:
    """A chain that settles what it is sent, unless it is told to skip, refuse or stay silent."""

    skip: dict[int, int] = field(default_factory=dict)
    failure: Callable[[TxHash], Exception] | None = None
    single: dict[int, int] = field(default_factory=dict)
    known: bool = False
    mined: bool = False
    batches: list[list[Migration]] = field(default_factory=list)
    dry_runs: int = 0
    address = HOST.address

    @property
    def rpc(self) -> FakeSender:
        return self

    def send(self, to: Address, data: bytes, *, on_signed: Callable[[TxHash], None]) -> Receipt:
        host, packed, _ = abi_decode(["address", "bytes", "bytes"], data[4:])
        assert (to, host) == (CONTRACT, "0x" + HOST.address.hex())
        tx = TxHash(keccak(data))
        if self.failure is not None:
            error = self.failure(tx)
            if not isinstance(error, ContractReverted):
                on_signed(tx)
            raise error
        on_signed(tx)
        self.batches.append(decode_batch(DEPLOYMENT.domain, HOST.address, packed))
        return self._receipt(tx, packed)

    def dry_run(self, to: Address, data: bytes) -> None:
        self.dry_runs += 1
        reason = self.single.get(self.dry_runs)
        if reason is not None:
            raise nothing(reason)

    def receipt(self, tx: TxHash) -> Receipt | None:
        return self._receipt(tx, b"") if self.mined else None

    def knows(self, tx: TxHash) -> bool:
        return self.known

    def block_number(self) -> BlockNumber:
        return BlockNumber(11)

    def _receipt(self, tx: TxHash, packed: bytes) -> Receipt:
        skipped = bytes(byte for pair in self.skip.items() for byte in pair)
        topics = (keccak(SIGNATURES["BatchSettled"].encode()), HOST.address.rjust(32, b"\0"))
        words = (0).to_bytes(32, "big") + (96).to_bytes(32, "big") + (192).to_bytes(32, "big")
        data = words + dynamic(skipped).ljust(96, b"\0") + dynamic(packed)
        block = BlockNumber(11), BlockHash(bytes(32))
        log = RawLog(
            CONTRACT, (*map(Digest, topics), Digest(b"\x01" * 32)), data, *block, tx, log_index=0
        )
        return Receipt(tx, 1, *block, 1000, None, (log,))


def dynamic(raw: bytes) -> bytes:
    return len(raw).to_bytes(32, "big") + raw + bytes(-len(raw) % 32)


def nothing(reason: int) -> ContractReverted:
    return ContractReverted("no", error="NothingToSettle", values=(reason,))


@dataclass
class Bench:
    outbox: Outbox
    clock: FrozenClock
    index: FakeIndex
    sender: FakeSender
    settler: Settler

    def queue(self, count: int) -> list[Digest]:
        keys = []
        for _ in range(count):
            migration, _ = ACTORS.migration(ACTORS.nodes[0], HOST, NOW)
            self.outbox.append_migration(migration)
            keys.append(digest(DEPLOYMENT.domain, migration.request))
        return keys


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    clock, index, sender = FrozenClock(), FakeIndex(), FakeSender()
    outbox = Outbox.open(tmp_path / "outbox.db", DEPLOYMENT.domain, clock)

    @contextmanager
    def open_index() -> Iterator[Any]:
        yield index

    settler = Settler(
        *(outbox, open_index, cast(Sender, sender), DEPLOYMENT, clock),
        min_batch=4,
        max_age=2.0,
        max_batch=6,
        resend_after=10.0,
    )
    yield Bench(outbox, clock, index, sender, settler)
    outbox.close()


def test_few_and_young_wait_for_more(bench: Bench) -> None:
    bench.queue(3)
    assert bench.settler.step().settled == 0
    bench.queue(1)
    assert bench.settler.step().settled == 4


@pytest.mark.parametrize("seconds", [2.0, 1000.0, -1.0], ids=["old", "very old", "clock set back"])
def test_one_that_waited_long_enough_goes_alone(bench: Bench, seconds: float) -> None:
    bench.queue(1)
    bench.clock.time += seconds
    assert bench.settler.step().settled == 1


def test_no_batch_is_too_large_and_the_rest_follows(bench: Bench) -> None:
    keys = bench.queue(17)
    result = bench.settler.step()
    assert [len(batch) for batch in bench.sender.batches] == [6, 6, 5]
    sent = {digest(DEPLOYMENT.domain, m.request) for batch in bench.sender.batches for m in batch}
    assert (sent, result.settled, result.gas_used) == (set(keys), 17, 3000)


def test_what_is_under_way_is_not_sent_again(bench: Bench) -> None:
    bench.queue(4)
    bench.settler.step()
    for bench.clock.time in (NOW + 1, NOW + 9.9):
        assert bench.settler.step().settled == 0
    bench.clock.time = NOW + 10
    bench.sender.mined = True
    assert bench.settler.step().settled == 0, "mined above the index' head: it will see it"
    bench.sender.mined, bench.sender.known = False, True
    assert bench.settler.step().settled == 0, "in the mempool"
    bench.sender.known = False
    assert bench.settler.step().settled == 4, "gone"
    bench.clock.time += 10
    bench.sender.mined, bench.index.number = True, BlockNumber(11)
    assert bench.settler.step().settled == 4, "mined, indexed, and without effect"


def test_what_the_index_has_is_left_alone(bench: Bench) -> None:
    keys = bench.queue(5)
    bench.index.settled.update(keys[:1])
    result = bench.settler.step()
    assert (result.settled, result.waiting) == (4, 4)


def test_a_skip_hits_the_record_it_names(bench: Bench) -> None:
    bench.queue(4)
    bench.sender.skip = {1: Reason.BAD_SIGNATURE, 2: Reason.SEQUENCE_USED}
    result = bench.settler.step()
    assert (result.settled, result.buried) == (2, 1)
    named = [digest(DEPLOYMENT.domain, migration.request) for migration in bench.sender.batches[0]]
    assert [item.key for item in bench.outbox.dead()] == [named[1]]
    skipped = [item for item in bench.outbox.pending(MIGRATION) if item.skip_reason is not None]
    assert [(item.key, item.skip_block) for item in skipped] == [(named[2], 11)]


def test_a_batch_that_is_refused_whole_is_asked_about_singly(bench: Bench) -> None:
    bench.queue(4)
    bench.sender.failure = lambda tx: nothing(Reason.EXPIRED)
    bench.sender.single = {1: Reason.SEQUENCE_USED, 2: Reason.BAD_ORDER}
    result = bench.settler.step()
    assert (result.error, result.buried, bench.sender.dry_runs) == (None, 2, 3)
    assert sorted(item.reason for item in bench.outbox.dead()) == [Reason.EXPIRED, Reason.BAD_ORDER]
    assert bench.outbox.counts() == (2, 2)


def test_a_home_whose_clock_is_ahead_is_not_buried(bench: Bench) -> None:
    bench.queue(1)
    bench.clock.time += 5
    bench.sender.failure = lambda tx: nothing(Reason.BAD_DEADLINE)
    bench.index.timestamp = UnixSeconds(NOW - 86_400)
    assert bench.settler.step().buried == 0
    bench.index.timestamp = UnixSeconds(NOW + 86_400)
    bench.clock.time += 10
    assert bench.settler.step().buried == 1


@pytest.mark.parametrize(
    "failure",
    [
        lambda tx: NotMined(tx, 1.0),
        lambda tx: ChainError("gone"),
        lambda tx: ContractReverted("no", error="MalformedBatch", values=(3,)),
    ],
    ids=["not mined", "unreachable", "refused"],
)
def test_a_failure_is_told_and_loses_nothing(
    bench: Bench, failure: Callable[[TxHash], Exception]
) -> None:
    bench.queue(4)
    bench.sender.failure = failure
    result = bench.settler.step()
    assert isinstance(result.error, ChainError)
    assert bench.outbox.counts() == (4, 0)
    bench.sender.failure = None
    bench.clock.time += 10
    assert bench.settler.step().settled == 4


def test_without_an_index_nothing_is_sent(bench: Bench) -> None:
    bench.queue(4)
    bench.index.empty = True
    assert bench.settler.step().settled == 0

    def missing() -> Any:
        raise SetupError("There is no indexed copy.")

    bench.settler._open_index = missing
    assert isinstance(bench.settler.step().error, SetupError)
    assert bench.sender.batches == []


def test_a_receipt_without_the_announcement_is_not_believed(bench: Bench) -> None:
    bench.queue(4)
    bench.sender._receipt = lambda tx, packed: Receipt(  # type: ignore[method-assign]
        tx, 1, BlockNumber(11), BlockHash(bytes(32)), 1000, None, ()
    )
    assert "announced 0 batches" in str(bench.settler.step().error)
    assert bench.outbox.counts() == (4, 0)
