"""What a validator's parts stand on in unit tests: an index, a sender and peers that are dicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ledger.docket import BeaconState
from ledger.errors import ChainError, KudosError
from ledger.rows import IndexHead, UnvotedBatch, UnvotedCanary, UnvotedSingle
from ledger.types import Address, BlockHash, BlockNumber, Digest, UnixSeconds
from node import wire
from node.inputs import InputServer
from tests.unit.canary_claims import ZERO
from tests.unit.node_world import NOW, HostNode, key

ME = key(11).address


@dataclass
class FakeReader:
    """An index that says what the test has put in."""

    batches: list[UnvotedBatch] = field(default_factory=list)
    singles: list[UnvotedSingle] = field(default_factory=list)
    canaries: list[UnvotedCanary] = field(default_factory=list)
    committed: set[int] = field(default_factory=set)
    unopened: list[int] = field(default_factory=list)
    beacons: dict[int, BeaconState] = field(default_factory=dict)
    number: int = 5
    timestamp: int = NOW

    def head(self) -> IndexHead | None:
        now, number = UnixSeconds(self.timestamp), BlockNumber(self.number)
        return IndexHead(number, BlockHash(ZERO), now, now, number, number)

    def batches_unvoted(self, validator: Address, limit: int) -> list[UnvotedBatch]:
        assert validator == ME
        return self.batches[:limit]

    def singles_unvoted(self, validator: Address, limit: int) -> list[UnvotedSingle]:
        assert validator == ME
        return self.singles[:limit]

    def canary_claims_unvoted(
        self, validator: Address, limit: int, since: int = 0, until: int | None = None
    ) -> list[UnvotedCanary]:
        assert validator == ME
        opened = [
            claim
            for claim in self.canaries
            if since <= claim.kudos.place.timestamp
            and (until is None or claim.kudos.place.timestamp < until)
            and ME not in (claim.kudos.home, claim.kudos.host)
        ]
        return opened[:limit]

    def has_committed(self, validator: Address, number: int) -> bool:
        assert validator == ME
        return number in self.committed

    def open_rounds(self, validator: Address) -> list[int]:
        assert validator == ME
        return self.unopened

    def beacon(self, validator: Address, period: int) -> BeaconState:
        assert validator == ME
        return self.beacons.get(period, BeaconState(False, False, 0, 0, None, None))


@dataclass
class Receipt:
    block_number: BlockNumber
    gas_used: int = 1
    tx_hash: Digest = ZERO


@dataclass
class FakeSender:
    """Remembers where what went; ``refuse`` is raised by the dry run, and so is what is in
    ``poisoned`` by one of a call that contains these bytes."""

    sent: list[tuple[Address, bytes]] = field(default_factory=list)
    refuse: ChainError | None = None
    poisoned: dict[bytes, ChainError] = field(default_factory=dict)
    address: Address = ME

    def dry_run(self, to: Address, data: bytes) -> None:
        if self.refuse is not None:
            raise self.refuse
        for part, error in self.poisoned.items():
            if part in data:
                raise error

    def send(self, to: Address, data: bytes, *, gas: int) -> Receipt:
        assert 0 < gas < 16_777_216
        self.sent.append((to, data))
        return Receipt(BlockNumber(8))


class Party:
    """A connection to a home or a host that serves what ``answer`` gives."""

    def __init__(self, answer: Callable[[wire.Fetch], wire.Message]) -> None:
        self.answer, self.asked = answer, 0

    async def call(self, message: wire.Message, timeout: float) -> wire.Message:
        assert isinstance(message, wire.Fetch)
        self.asked += 1
        return self.answer(message)


class FakePeers:
    def __init__(self) -> None:
        self.parties: dict[Address, Party] = {}

    def of(self, address: Address) -> Party | None:
        return self.parties.get(address)


def serve(peers: FakePeers, party: HostNode | Any) -> Party:
    """Lets a party give its inputs to this validator, as its own InputServer does."""
    server = InputServer(party.store, party.journal, lambda peer: peer == ME)

    def answer(message: wire.Fetch) -> wire.Message:
        try:
            return server.fetch(ME, message)
        except KudosError as error:
            return wire.Fault(error.message)

    peers.parties[party.address] = Party(answer)
    return peers.parties[party.address]
