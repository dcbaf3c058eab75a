"""Transactions of one key on a real chain: sent once, waited for, refused in words."""

from __future__ import annotations

import threading

import pytest

from ledger import calls
from ledger.abi import ContractReverted
from ledger.sender import NotMined, Sender
from ledger.types import Address, TxHash
from tests.integration.chain_world import World

SOMEBODY = Address(b"\x11" * 20)


def test_a_transfer_arrives_and_uses_the_price_of_one(world: World) -> None:
    receipt = world.sender.transfer(SOMEBODY, 123)
    assert (receipt.status, receipt.gas_used) == (1, 21_000)
    assert world.rpc.balance(SOMEBODY) == 123


def test_a_refusal_comes_before_anything_leaves(world: World) -> None:
    before = world.rpc.nonce(world.host.address)
    signed: list[TxHash] = []
    with pytest.raises(ContractReverted) as caught:
        world.sender.send(world.deployment.contract, calls.vote([], []), on_signed=signed.append)
    assert caught.value.error == "NotAValidator"
    assert "registered validator" in str(caught.value)
    assert (signed, world.rpc.nonce(world.host.address)) == ([], before)


def test_a_transaction_that_fails_in_its_block_says_why(world: World) -> None:
    with pytest.raises(ContractReverted) as caught:
        world.sender.send(world.deployment.contract, calls.vote([], []), gas=200_000)
    assert caught.value.error == "NotAValidator"


def test_the_hash_is_known_before_it_leaves_and_a_failure_there_keeps_it_back(world: World) -> None:
    signed: list[TxHash] = []
    receipt = world.sender.send(SOMEBODY, b"", value=1, on_signed=signed.append)
    assert signed == [receipt.tx_hash]

    def full_disk(tx: TxHash) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        world.sender.send(SOMEBODY, b"", value=1, on_signed=full_disk)
    assert world.rpc.balance(SOMEBODY) == 1


def test_what_is_not_mined_is_named_and_not_replaced(world: World) -> None:
    world.chain.rpc.raw("evm_setAutomine", [False])
    sender = Sender(
        *(world.rpc, world.host, world.deployment.chain_id, world.clock), mined_within=0.3
    )
    with pytest.raises(NotMined, match="was not mined in time") as caught:
        sender.transfer(SOMEBODY, 5)
    assert world.rpc.knows(caught.value.tx_hash)
    assert world.rpc.nonce(world.host.address, "pending") == 1
    world.chain.mine()
    receipt = world.rpc.receipt(caught.value.tx_hash)
    assert receipt is not None and receipt.status == 1


def test_threads_take_their_turns(world: World) -> None:
    threads = [threading.Thread(target=world.sender.transfer, args=(SOMEBODY, 1)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert world.rpc.balance(SOMEBODY) == 8
