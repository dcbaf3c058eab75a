"""A deployment on a real chain: made, written, read, and told apart from everything else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from eth_account import Account
from eth_hash.auto import keccak

from ledger import calls, create2
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


SALT = Digest(b"\x05" * 32)


def deploy_salted(world: World, salt: Digest = SALT, epoch_seconds: int = 60) -> Deployment:
    validators = [key_of("another").address]
    return deploy(
        *(world.rpc, world.home, world.clock),
        validators=validators,
        threshold=1,
        epoch_seconds=epoch_seconds,
        salt=salt,
    )


def test_a_salted_ledger_is_where_it_was_predicted(world: World) -> None:
    assert world.rpc.code(create2.PROXY) == create2.PROXY_CODE
    creation = calls.constructor([key_of("another").address], 1, 60, 100)
    deployment = deploy_salted(world)
    assert deployment.contract == create2.predict(creation, SALT)
    deployment.verify(world.rpc)
    with pytest.raises(ChainError, match=r"exists at .* already"):
        deploy_salted(world)
    others = {deploy_salted(world, salt=Digest(bytes(32))), deploy_salted(world, epoch_seconds=61)}
    assert len({deployment.contract, *(other.contract for other in others)}) == 3


def test_the_address_does_not_depend_on_who_deploys(world: World) -> None:
    before = world.chain.rpc.raw("evm_snapshot", [])
    first = deploy_salted(world).contract
    world.chain.rpc.raw("evm_revert", [before])
    world.home = world.host
    assert deploy_salted(world).contract == first


def test_a_chain_without_the_proxy_gets_it(world: World) -> None:
    proxy = "0x" + create2.PROXY.hex()
    world.chain.rpc.raw("anvil_setCode", [proxy, "0x"])
    world.chain.rpc.raw("anvil_setNonce", [proxy, "0x0"])
    deployment = deploy_salted(world)
    assert world.rpc.code(create2.PROXY) == create2.PROXY_CODE
    assert world.rpc.nonce(create2.SIGNER) == 1
    deployment.verify(world.rpc)


def test_another_contract_in_the_proxy_s_place_is_noticed(world: World) -> None:
    world.chain.rpc.raw("anvil_setCode", ["0x" + create2.PROXY.hex(), "0x00"])
    with pytest.raises(ChainError, match="another contract than the deployment proxy"):
        deploy_salted(world)


def test_a_salted_contract_says_why_it_refuses(world: World) -> None:
    with pytest.raises(ContractReverted) as caught:
        deploy_salted(world, epoch_seconds=0)
    assert caught.value.error == "BadParameter"


def test_the_proxy_s_transaction_is_what_it_claims_to_be() -> None:
    """Nobody has to be believed: the signer follows from the signature, the address from him."""
    signer = Account.recover_transaction(create2.PRESIGNED)
    assert Address(bytes.fromhex(signer[2:])) == create2.SIGNER
    first_contract = keccak(b"\xd6\x94" + create2.SIGNER + b"\x80")[12:]
    assert first_contract == create2.PROXY
