"""A small ledger on an embedded chain: who is in it, its index, and one host's settlement."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import TracebackType

from coincurve import PrivateKey

from ledger import calls
from ledger.assets import ConfirmedMigration, Migration, Rejected, RejectedMigration
from ledger.claim_calls import ClaimVote, commit_votes, reveal_votes, votes_commitment
from ledger.contracts import contracts_of
from ledger.creation import Constants
from ledger.deploying import deploy
from ledger.eip712 import digest
from ledger.embedded import EmbeddedChain
from ledger.event_types import BatchSettled
from ledger.events import decode
from ledger.indexer import Indexer
from ledger.keys import Key
from ledger.outbox import Outbox
from ledger.outbox_codec import OpenedCanary
from ledger.ports import SystemClock
from ledger.reader import Reader
from ledger.reasons import Reason
from ledger.record import decode_batch
from ledger.refused_items import StepResult
from ledger.rpc import Receipt, Rpc
from ledger.sender import Sender
from ledger.settler import Settler
from ledger.store import IndexStore
from ledger.synthetic_actors import Actors, Settings
from ledger.types import Digest

ETHER = 10**18
USUAL = Constants()


def key_of(name: str) -> Key:
    """A key that is the same in every run."""
    return Key(PrivateKey(sha256(name.encode()).digest()))


class SteppedClock(SystemClock):
    """The machine's clock, which a test may put forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


class World:
    """Everything that a test of settlement needs, on a chain that runs already."""

    def __init__(self, chain: EmbeddedChain, directory: Path, constants: Constants = USUAL) -> None:
        self.chain = chain
        self.directory = directory
        self.clock = SteppedClock()
        self.rpc = Rpc(chain.url)
        self.validators = [key_of(f"validator {number}") for number in range(3)]
        self.home, self.host = key_of("home"), key_of("host")
        for key in (self.home, self.host, *self.validators):
            chain.fund(key.address, 100 * ETHER)
        self.deployment = deploy(
            self.rpc,
            self.home,
            self.clock,
            validators=[key.address for key in self.validators],
            threshold=2,
            constants=constants,
            finality_depth=4,
        )
        self.domain = self.deployment.domain
        self.actors = Actors(Settings(rejected=0.3), self.domain)
        self.store = IndexStore.open(directory / "index.db", self.deployment)
        self.indexer = Indexer(self.rpc, self.store, self.deployment, self.clock)
        self.outbox = Outbox.open(directory / "outbox.db", self.domain, self.clock)
        self.sender = self.sender_of(self.host)

    def __enter__(self) -> World:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.outbox.close()
        self.store.close()
        self.rpc.close()

    def sender_of(self, key: Key) -> Sender:
        return Sender(self.rpc, key, self.deployment.chain_id, self.clock, mined_within=10.0)

    def settler(self) -> Settler:
        """A settler that waits for nothing."""
        return Settler(
            *(self.outbox, self.reader, self.sender, self.deployment, self.clock),
            min_batch=1,
            max_age=0.0,
            resend_after=5.0,
        )

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        with Reader.open(self.directory / "index.db", self.deployment) as reader:
            yield reader

    def index(self) -> None:
        """Brings the index up to the head."""
        while not self.indexer.step().is_caught_up:
            pass

    def step(self) -> StepResult:
        """One step of the settler over an index that is up to date."""
        self.index()
        return self.settler().step()

    def migration(self, *, confirmed: bool | None = None) -> Migration:
        """A signed migration from home to host, of the wanted kind."""
        return self.canary_or_not(confirmed=confirmed)[0]

    def canary(self) -> tuple[Migration, OpenedCanary]:
        """A finished migration that was a canary, and its opening, signed."""
        while True:
            migration, canary = self.canary_or_not(confirmed=True)
            if canary is not None:
                return migration, canary

    def canary_or_not(self, *, confirmed: bool | None) -> tuple[Migration, OpenedCanary | None]:
        while True:
            now = int(self.rpc_time())
            migration, planted = self.actors.migration(self.home, self.host, now)
            if confirmed is None or isinstance(migration, ConfirmedMigration) == confirmed:
                break
        if planted is None:
            return migration, None
        signature = self.home.sign(self.domain, planted.opened)
        return migration, OpenedCanary(
            planted.migration, planted.opened, signature, planted.result_digest, planted.seal_salt
        )

    def same_sequence(self, other: Migration) -> RejectedMigration:
        """Another refusal under the same sequence number, well signed."""
        request = replace(other.request, process_id=Digest(bytes(32)))
        rejected = Rejected(digest(self.domain, request), Reason.POLICY, request.signed_at)
        return RejectedMigration(request, rejected, self.home.sign(self.domain, request))

    def rpc_time(self) -> int:
        header = self.rpc.header("latest")
        if header is None:
            raise AssertionError("a chain without a latest block")
        return header.timestamp

    def request_id(self, migration: Migration) -> Digest:
        return digest(self.domain, migration.request)

    def vote(self, validator: Key, batches: Sequence[calls.BatchVote]) -> Receipt:
        """One validator on batches."""
        return self.sender_of(validator).send(self.deployment.contract, calls.vote(batches, []))

    def decide(self, voters: Mapping[Key, Sequence[ClaimVote]]) -> None:
        """Validators on the K3 claims of the running round: committed in the next one, then
        opened."""
        claims = contracts_of(self.deployment.contract).claims
        number, salt = self.next_round(), Digest(bytes(31) + b"\1")
        for validator, votes in voters.items():
            made = votes_commitment(self.domain, validator.address, number, votes, salt)
            self.sender_of(validator).send(claims, commit_votes(number, made))
        self.next_round()
        for validator, votes in voters.items():
            data = reveal_votes(validator.address, number, votes, salt)
            self.sender_of(validator).send(claims, data)

    def next_round(self) -> int:
        """Puts the chain forward to the next round of votes, and says which it is."""
        seconds = self.deployment.constants.round_seconds
        number = self.rpc_time() // seconds + 1
        self.rpc.raw("evm_setNextBlockTimestamp", [number * seconds])
        self.chain.mine(1)
        return number

    def totals(self) -> calls.Totals:
        view = calls.kudos(self.host.address)
        return view.decode(self.rpc.call(self.deployment.contract, view.data))

    def times_settled(self, migration: Migration) -> int:
        """How often this request stands in the logs of the chain as it is now."""
        wanted = self.request_id(migration)
        found = 0
        head = self.rpc.block_number()
        for log in self.rpc.logs([self.deployment.contract], self.deployment.deployed_block, head):
            event = decode(log)
            if isinstance(event, BatchSettled):
                gone = {place for place, _ in event.skipped}
                records = decode_batch(self.domain, event.host, event.batch)
                found += sum(
                    digest(self.domain, record.request) == wanted
                    for place, record in enumerate(records)
                    if place not in gone
                )
        return found


def outbox_rows(path: Path) -> list[tuple[bytes, str]]:
    """What lies in a queue's file, seen from outside."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT key, state FROM items ORDER BY id").fetchall()
    finally:
        connection.close()
