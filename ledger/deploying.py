"""Puts a ledger on a chain: its core, then the satellites that the core creates."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ledger import create2
from ledger.abi import LEDGER, encode
from ledger.creation import SATELLITES, Constants, code_hash, creation_codes, part_addresses
from ledger.deployment import Deployment, Finality
from ledger.errors import ChainError
from ledger.keys import Key
from ledger.ports import Clock
from ledger.rpc import Rpc
from ledger.sender import Sender
from ledger.types import Address, BlockNumber, Digest, hex_of

DEFAULTS = Constants()


def deploy(
    rpc: Rpc,
    key: Key,
    clock: Clock,
    *,
    validators: Sequence[Address],
    threshold: int,
    constants: Constants = DEFAULTS,
    finality_depth: int = 12,
    finality: Finality = "depth",
    salt: Digest | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Deployment:
    """Creates the ledger and its satellites; ContractReverted when one refuses its values, and
    UsageError where together they make no sense.

    With a ``salt`` the addresses depend on that and on the values alone, on every chain; without
    one they depend on the key and on how many transactions that has sent. What a salted deployment
    that was broken off left undone is made up for by the next with the same values.
    """
    constants.check()
    chain_id = rpc.chain_id()
    codes = creation_codes(tuple(validators), threshold, constants)
    sender = Sender(rpc, key, chain_id, clock)
    if salt is None:
        contract, block = _create(sender, codes.ledger)
    else:
        contract, block = _create2(sender, clock, codes.ledger, salt)
    progress(f"{LEDGER} is at {hex_of(contract)}, block {block}")
    _build(sender, contract, codes.satellites, progress)
    deployment = Deployment(
        chain_id=chain_id,
        contract=contract,
        deployed_block=block,
        code_hashes=tuple(
            code_hash(rpc.code(address)) for address in part_addresses(contract).values()
        ),
        validators=tuple(validators),
        threshold=threshold,
        constants=constants,
        finality_depth=finality_depth,
        finality=finality,
    )
    deployment.verify(rpc)
    return deployment


def _build(
    sender: Sender,
    contract: Address,
    satellites: Sequence[bytes],
    progress: Callable[[str], None],
) -> None:
    """Has the ledger create its satellites, but for those that somebody has built already."""
    addresses = part_addresses(contract)
    for name, creation in zip(SATELLITES, satellites, strict=True):
        if not sender.rpc.code(addresses[name]):
            sender.send(contract, encode("build", creation))
        progress(f"{name} is at {hex_of(addresses[name])}")


def _create(sender: Sender, creation: bytes) -> tuple[Address, BlockNumber]:
    receipt = sender.send(None, creation)
    if receipt.contract is None:
        raise ChainError(
            "The chain mined the deployment and named no contract.",
            hint="Do not trust this endpoint with the ledger; use another one.",
        )
    return receipt.contract, receipt.block_number


def _create2(
    sender: Sender, clock: Clock, creation: bytes, salt: Digest
) -> tuple[Address, BlockNumber]:
    contract = create2.predict(creation, salt)
    if sender.rpc.code(contract):
        return contract, _left_undone(sender.rpc, contract)
    # The proxy keeps the contract's refusal to itself; asked without it, the contract says why.
    sender.rpc.estimate_gas(None, creation, sender=sender.address)
    create2.ensure_proxy(sender, clock)
    receipt = sender.send(create2.PROXY, salt + creation)
    if not sender.rpc.code(contract):
        raise ChainError(
            f"The deployment was mined, and there is no contract at {hex_of(contract)}.",
            hint="Do not trust this endpoint with the ledger; use another one.",
        )
    return contract, receipt.block_number


def _left_undone(rpc: Rpc, contract: Address) -> BlockNumber:
    """The block of a ledger whose satellites are not all there; ChainError when they are.

    A ledger's first log is that of its first validators.
    """
    addresses = part_addresses(contract)
    if all(rpc.code(addresses[name]) for name in SATELLITES):
        raise ChainError(
            f"This very ledger exists at {hex_of(contract)} already.",
            hint="Use its deployment file, or another salt.",
        )
    return rpc.logs([contract], 0, rpc.block_number())[0].block_number
