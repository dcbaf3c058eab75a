"""A deployment on a real chain: made, written, read, and told apart from everything else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ledger import calls
from ledger.abi import ContractReverted
from ledger.deployment import Deployment, deploy
from ledger.errors import ChainError
from ledger.types import Address, Digest
from tests.integration.chain_world import World, key_of


def test_it_survives_its_file_and_verifies(world: World, tmp_path: Path) -> None:
    world.deployment.save(tmp_path / "new" / "ledger.json")
    loaded = Deployment.load(tmp_path / "new" / "ledger.json")
    assert loaded == world.deployment
    loaded.verify(world.rpc)
    view = calls.domain_separator()
    answer = view.decode(world.rpc.call(loaded.contract, view.data))
    assert answer == loaded.domain.separator


def test_another_chain_contract_or_constant_is_noticed(world: World) -> None:
    other = deploy(
        world.rpc,
        world.home,
        world.clock,
        validators=[key_of("another").address],
        threshold=1,
        epoch_seconds=60,
    )
    wrong = {
        "is chain": replace(world.deployment, chain_id=1),
        "holds no contract": replace(world.deployment, contract=Address(b"\x11" * 20)),
        "other constants": replace(other, code_hash=Digest(bytes(32))),
        "another validators": replace(
            world.deployment, validators=world.deployment.validators[::-1]
        ),
        "another threshold": replace(world.deployment, threshold=3),
    }
    for says, deployment in wrong.items():
        with pytest.raises(ChainError, match=says):
            deployment.verify(world.rpc)
    other.verify(world.rpc)


def test_foreign_code_is_noticed(world: World) -> None:
    address = Address(b"\x22" * 20)
    code = bytearray(world.rpc.code(world.deployment.contract))
    code[100] ^= 1
    world.chain.rpc.raw("anvil_setCode", ["0x" + address.hex(), "0x" + code.hex()])
    with pytest.raises(ChainError, match="another contract"):
        replace(world.deployment, contract=address).verify(world.rpc)


def test_values_that_the_contract_refuses_are_an_error(world: World) -> None:
    with pytest.raises(ContractReverted) as caught:
        deploy(
            world.rpc,
            world.home,
            world.clock,
            validators=[key_of("a").address, key_of("b").address],
            threshold=1,
        )
    assert caught.value.error == "BadValidatorSet"
