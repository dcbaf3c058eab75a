"""What the demo stands on: a chain, a ledger on it, and members with keys and a little money for
gas."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from canaries.draw import RATES
from ledger.creation import Constants
from ledger.deploying import deploy
from ledger.deployment import Deployment
from ledger.embedded import EmbeddedChain
from ledger.errors import ChainError
from ledger.keys import Key
from ledger.ports import Entropy, SystemClock, system_entropy
from ledger.reader import Reader
from ledger.rpc import Rpc
from ledger.sender import Sender
from ledger.types import Address
from node.demo.cluster import (
    Daemon,
    Member,
    enrol,
    free_endpoints,
    node_arguments,
    peer_of,
    validator_arguments,
)
from node.identity import password_from, unlock

FINALITY_DEPTH = 4
CONSTANTS = Constants(round_seconds=15, draw_rate=0)
"""Rounds of votes as short as validators with two cores between them can keep, and no beacon."""
DRAWING = replace(
    CONSTANTS, draw_rate=RATES * 2 // 13, beacon_period_seconds=20, beacon_reveal_seconds=12
)
"""As many drawn as the thesis plants, from periods that end several times in a demo, with time for
reveals that validators on a busy machine keep."""
STRATEGIES = {"fair": "thesis", "vermin": "each-third", "open": "anybody"}
WEI = 10**18
ALLOWANCE = WEI // 2
"""What each member gets for gas; a demo uses a few thousandths of it."""


@dataclass(frozen=True, slots=True)
class External:
    """An existing chain: where it is, which it must be, and who pays there."""

    url: str
    chain_id: int
    deployer: Path
    password_file: Path | None


@dataclass(frozen=True, slots=True)
class Ground:
    """Chain, ledger and members."""

    rpc_url: str
    deployment: Deployment
    ledger_file: Path
    nodes: tuple[Member, ...]
    validators: tuple[Member, ...]
    chain: EmbeddedChain | None

    @property
    def members(self) -> tuple[Member, ...]:
        return (*self.nodes, *self.validators)

    def reader(self) -> Reader:
        """Opens node 1's copy of the ledger."""
        return Reader.open(self.nodes[0].index, self.deployment)


def prepare(
    data: Path,
    roles: Sequence[str],
    validators: int,
    seed: int,
    external: External | None,
    finality_depth: int | None,
    stack: ExitStack,
    constants: Constants = CONSTANTS,
) -> Ground:
    """Starts or checks the chain, enrols the members, deploys, and hands out gas."""
    # Marks are drawn by host and number, so a seed repeats itself only with the same hosts. On a
    # chain that stays, keys are nobody's to repeat.
    entropy = system_entropy if external else _repeatable(seed)
    nodes = tuple(
        enrol(data, f"node-{number}", role, entropy) for number, role in enumerate(roles, 1)
    )
    judges = tuple(
        enrol(data, f"validator-{number}", "validator", system_entropy)
        for number in range(1, validators + 1)
    )
    chain = None
    if external is None:
        deployer = enrol(data, "deployer", "deployer", system_entropy).key
        chain = stack.enter_context(EmbeddedChain(data / "chain" / "state.json"))
        url = chain.url
        chain.fund(deployer.address, 100 * WEI)
    else:
        url, deployer = external.url, _external_deployer(external)
    rpc = Rpc(url)
    deployment = deploy(
        rpc,
        deployer,
        SystemClock(),
        validators=[judge.address for judge in judges],
        threshold=validators // 2 + 1,
        constants=constants,
        finality_depth=FINALITY_DEPTH if finality_depth is None else finality_depth,
    )
    ledger_file = data / "ledger.json"
    deployment.save(ledger_file)
    _hand_out_gas(rpc, deployer, deployment.chain_id, [m.address for m in (*nodes, *judges)])
    if chain is not None:
        # Killed before its first dump, a chain would come back without the contract.
        chain.save()
    return Ground(url, deployment, ledger_file, nodes, judges, chain)


def daemons(ground: Ground, seed: int, *, plants: bool = True) -> list[Daemon]:
    """The processes of all members, not started yet; whether homes plant canaries."""
    endpoints = free_endpoints(len(ground.nodes))
    places = dict(zip(ground.nodes, endpoints, strict=True))
    started = []
    for number, (node, endpoint) in enumerate(places.items()):
        peers = [peer_of(other, place) for other, place in places.items() if other is not node]
        extra = [
            "--strategy",
            STRATEGIES[node.role],
            "--canary-seed",
            str(seed * len(places) + number),
        ]
        if not plants:
            extra += ["--canaries", "none"]
        arguments = (ground.ledger_file, ground.rpc_url, endpoint, peers, extra)
        started.append(Daemon(node, node_arguments(node, *arguments)))
    everybody = [peer_of(node, place) for node, place in places.items()]
    for judge in ground.validators:
        arguments_of = validator_arguments(judge, ground.ledger_file, ground.rpc_url, everybody)
        started.append(Daemon(judge, arguments_of))
    return started


def _repeatable(seed: int) -> Entropy:
    """Bytes that the seed fixes, for keys on a chain that ends with the demo."""
    calls = count()

    def draw(size: int) -> bytes:
        return hashlib.shake_256(b"kudos demo keys %d %d" % (seed, next(calls))).digest(size)

    return draw


def _external_deployer(external: External) -> Key:
    found = Rpc(external.url).chain_id()
    if found != external.chain_id:
        raise ChainError(
            f"The endpoint is chain {found}, not {external.chain_id}.",
            hint="Correct --rpc or --chain-id.",
        )
    return unlock(external.deployer, password_from(external.password_file))


def _hand_out_gas(rpc: Rpc, payer: Key, chain_id: int, members: Sequence[Address]) -> None:
    sender = Sender(rpc, payer, chain_id, SystemClock())
    for member in members:
        sender.transfer(member, ALLOWANCE)
