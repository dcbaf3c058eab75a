"""One ledger twice: the contracts on a chain, and the model of them. What is done to one is done to
the other, and both must log the same, refuse the same, and show the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache
from random import Random
from time import sleep
from typing import Any

from eth_abi.abi import decode as abi_decode
from eth_hash.auto import keccak

from ledger.abi import BEACON, CLAIMS, LEDGER, QUEUE, ContractReverted, abi, encode, kinds_of
from ledger.abi import decode_result as decode_answer
from ledger.contracts import contracts_of
from ledger.creation import Constants
from ledger.deploying import deploy
from ledger.embedded import EmbeddedChain
from ledger.events import RawLog
from ledger.keys import Key
from ledger.ports import SystemClock
from ledger.rpc import Receipt, Rpc
from ledger.rpc_values import Header
from ledger.types import Address, Digest, TxHash, address_from_hex, hex_of
from tests.integration.chain_world import ETHER, key_of
from tests.integration.ledger_model import Event, LedgerModel, Refused

GAS = 12_000_000
PATIENCE = 60.0
"""Seconds for an answer: a busy machine is no difference between the two."""
ALL = (LEDGER, QUEUE, CLAIMS, BEACON)
START = 2_000_000_000
"""Always the same, so that a seed always gives the same lifecycles (but for block hashes)."""
TOLD_APART = {
    *("NothingToSettle", "NothingToClaim", "ClaimSkipped", "VoteSkipped", "VoteRefused"),
    *("ClaimDecided", "StepDecided", "StepVoted", "NotNow", "NotPossible"),
}


class SideBySide:
    """Contracts and model, one clock, and a stream of random numbers for both."""

    def __init__(
        self, chain: EmbeddedChain, seed: str, *, rules: Constants, nodes: int, seats: int
    ) -> None:
        self.random = Random(seed)
        self.rpc = Rpc(chain.url, timeout=PATIENCE)
        self.rules = rules
        self.nodes = [key_of(f"node {number}") for number in range(nodes)]
        outsiders = [key_of(f"validator {number}") for number in range(seats)]
        # Validators that are parties, validators that are not, and some who may be seated later.
        self.judges = [*self.nodes[:2], *outsiders]
        self.relayer = key_of("relayer")
        for key in (*self.nodes, *outsiders, self.relayer):
            chain.fund(key.address, 10**9 * ETHER)
        seated = [key.address for key in self.judges[:seats]]
        threshold = seats // 2 + 1
        self.deployment = deploy(
            *(self.rpc, self.relayer, SystemClock()),
            validators=seated,
            threshold=threshold,
            constants=rules,
        )
        self.domain = self.deployment.domain
        parts = contracts_of(self.deployment.contract).all
        self.addresses = dict(zip(ALL, parts, strict=True))
        self._roles = {address: name for name, address in self.addresses.items()}
        self.model = LedgerModel(self.domain, rules, seated, threshold, self._block_hash)
        self.rpc.raw("anvil_autoImpersonateAccount", [True])
        head = self._head()
        self.time, self.block = max(START, head.timestamp + 1), int(head.number)
        self.seen: Counter[str] = Counter()
        """How often each event was logged, and each refusal made."""

    def key(self, address: Address) -> Key:
        return next(key for key in (*self.nodes, *self.judges) if key.address == address)

    # -- doing ---------------------------------------------------------------------------------

    def do(
        self, sender: Key, contract: str, act: Callable[[], object], name: str, *values: Any
    ) -> bool:
        """Calls the contract's function ``name`` and has the model do the same; whether it was
        done. Both must agree on that and on everything that is logged or said."""
        data = encode(name, *values, contract=contract)
        receipt = self._send(sender, self.addresses[contract], data)
        self.block = int(receipt.block_number)
        refusal: Refused | None = None
        try:
            self.model.world.transact(sender.address, self.time, self.block, act)
        except Refused as error:
            refusal = error
        self._compare(name, receipt, refusal, (sender, self.addresses[contract], data))
        self.time += self.random.choice((0, 1, 1, 2, 3, 5))
        return refusal is None

    def wait(self, seconds: int) -> None:
        self.time += seconds

    def stay(self) -> None:
        """The next transaction is in the same second as the last."""
        self.time = self.model.world.time

    def mine(self, blocks: int) -> None:
        """Blocks without transactions."""
        self.rpc.raw("evm_setNextBlockTimestamp", [self.time])
        self.rpc.raw("anvil_mine", [hex(blocks), hex(1)])
        head = self._head()
        self.time, self.block = head.timestamp + 1, int(head.number)

    def _send(self, sender: Key, to: Address, data: bytes) -> Receipt:
        self.rpc.raw("evm_setNextBlockTimestamp", [self.time])
        fields = {"from": hex_of(sender.address), "to": hex_of(to), "data": hex_of(data)}
        sent = self.rpc.raw("eth_sendTransaction", [fields | {"gas": hex(GAS)}])
        for _ in range(1_000):
            receipt = self.rpc.receipt(TxHash(bytes.fromhex(sent[2:])))
            if receipt is not None:
                return receipt
            sleep(0.002)
        raise AssertionError("a transaction was not mined in time")

    def _compare(
        self,
        name: str,
        receipt: Receipt,
        refusal: Refused | None,
        sent: tuple[Key, Address, bytes],
    ) -> None:
        if refusal is None:
            if receipt.status == 0:
                raise AssertionError(f"{name}: only the contract refuses: {self._why(*sent)}")
            logged = [self._event(log) for log in receipt.logs]
            assert logged == self.model.world.log, name
            self.seen.update(label(event.name, event.values) for event in logged)
            return
        said = (refusal.error, refusal.values)
        assert receipt.status == 0, f"{name}: only the model refuses: {said}"
        assert self._why(*sent) == said, name
        self.seen[label(*said)] += 1

    def _why(self, sender: Key, to: Address, data: bytes) -> tuple[str, tuple[Any, ...]]:
        """What the contract says to the same call in the same block."""
        try:
            self.rpc.call(to, data, sender=sender.address)
        except ContractReverted as error:
            return error.error, plain(error.values)
        raise AssertionError("the contract refused a call, and takes it when asked again")

    def _event(self, log: RawLog) -> Event:
        name, indexed, others = events(self._roles[log.address])[log.topics[0]]
        topics = [abi_decode([kind], topic)[0] for (_, kind), topic in zip_strict(indexed, log)]
        rest = list(abi_decode([kind for _, kind in others], log.data))
        placed = {place: value for (place, _), value in zip(indexed, topics, strict=True)}
        placed |= {place: value for (place, _), value in zip(others, rest, strict=True)}
        return Event(name, plain(tuple(placed[place] for place in sorted(placed))))

    def _head(self) -> Header:
        head = self.rpc.header("latest")
        assert head is not None
        return head

    def _block_hash(self, number: int) -> bytes:
        header = self.rpc.header(number)
        assert header is not None
        return header.hash

    # -- looking -------------------------------------------------------------------------------

    def view(self, contract: str, name: str, *values: Any) -> tuple[Any, ...]:
        """What a view of a contract says now."""
        data = encode(name, *values, contract=contract)
        answer = self.rpc.call(self.addresses[contract], data)
        shown: tuple[Any, ...] = plain(decode_answer(name, answer, contract=contract))
        return shown


def label(name: str, values: tuple[Any, ...]) -> str:
    """Of an event or a refusal; those that end in a reason or an outcome are told apart by it."""
    if name in TOLD_APART:
        return f"{name} {values[-1]:d}"
    return name


def zip_strict(indexed: list[tuple[int, str]], log: RawLog) -> list[tuple[tuple[int, str], Digest]]:
    return list(zip(indexed, log.topics[1:], strict=True))


def plain(value: Any) -> Any:
    """ABI values as the model has them: addresses as bytes, lists as tuples."""
    if isinstance(value, list | tuple):
        return tuple(plain(item) for item in value)
    if isinstance(value, str) and value.startswith("0x") and len(value) == 42:
        return address_from_hex(value)
    return value


@cache
def events(contract: str) -> dict[bytes, tuple[str, list[tuple[int, str]], list[tuple[int, str]]]]:
    """By topic: an event's name, and place and type of its indexed values and of the others."""
    found = {}
    for item in abi(contract):
        if item["type"] != "event":
            continue
        kinds = kinds_of(item["inputs"])
        placed = list(zip(range(len(kinds)), kinds, item["inputs"], strict=True))
        indexed = [(place, kind) for place, kind, given in placed if given["indexed"]]
        others = [(place, kind) for place, kind, given in placed if not given["indexed"]]
        topic = keccak(f"{item['name']}({','.join(kinds)})".encode())
        found[topic] = (item["name"], indexed, others)
    return found
