"""A deployment on a real chain: made, written, read, and told apart from everything else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from eth_account import Account
from eth_hash.auto import keccak

from ledger import calls, create2
from ledger.abi import ContractReverted, encode
from ledger.contracts import contracts_of
from ledger.creation import PARTS, Constants, creation_codes, part_addresses
from ledger.deploying import deploy
from ledger.deployment import Deployment
from ledger.errors import ChainError, UsageError
from ledger.sender import Sender
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
        constants=Constants(epoch_seconds=60),
    )
    wrong = {
        "is chain": replace(world.deployment, chain_id=1),
        "holds no contract": replace(world.deployment, contract=Address(b"\x11" * 20)),
        "other constants": replace(other, code_hashes=(Digest(bytes(32)),) * len(PARTS)),
        "another drawRate": replace(other, constants=Constants(epoch_seconds=60, draw_rate=1)),
        "another validators": replace(
            world.deployment, validators=world.deployment.validators[::-1]
        ),
        "another threshold": replace(world.deployment, threshold=3),
    }
    for says, deployment in wrong.items():
        with pytest.raises(ChainError, match=says):
            deployment.verify(world.rpc)
    other.verify(world.rpc)


@pytest.mark.parametrize("part", PARTS)
def test_foreign_code_is_noticed_in_every_part(world: World, part: str) -> None:
    address = part_addresses(world.deployment.contract)[part]
    code = bytearray(world.rpc.code(address))
    code[100] ^= 1
    put_code(world, address, bytes(code))
    with pytest.raises(ChainError, match=f"another contract than the {part}"):
        world.deployment.verify(world.rpc)
    put_code(world, address, b"")
    with pytest.raises(ChainError, match=f"no contract; it should be {part}"):
        world.deployment.verify(world.rpc)


def put_code(world: World, address: Address, code: bytes) -> None:
    world.chain.rpc.raw("anvil_setCode", ["0x" + address.hex(), "0x" + code.hex()])


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


def test_a_beacon_that_comes_too_late_is_refused_before_anything_is_sent(world: World) -> None:
    before = world.rpc.block_number()
    with pytest.raises(UsageError, match="can no longer be claimed"):
        deploy(
            world.rpc,
            world.home,
            world.clock,
            validators=[key_of("a").address],
            threshold=1,
            constants=Constants(beacon_period_seconds=7 * 86_400),
        )
    assert world.rpc.block_number() == before


SALT = Digest(b"\x05" * 32)


def deploy_salted(world: World, salt: Digest = SALT, epoch_seconds: int = 60) -> Deployment:
    validators = [key_of("another").address]
    return deploy(
        *(world.rpc, world.home, world.clock),
        validators=validators,
        threshold=1,
        constants=Constants(epoch_seconds=epoch_seconds),
        salt=salt,
    )


def creation_of(epoch_seconds: int) -> bytes:
    validators = (key_of("another").address,)
    return creation_codes(validators, 1, Constants(epoch_seconds=epoch_seconds)).ledger


def test_a_salted_ledger_is_where_it_was_predicted(world: World) -> None:
    assert world.rpc.code(create2.PROXY) == create2.PROXY_CODE
    creation = creation_of(60)
    deployment = deploy_salted(world)
    assert deployment.contract == create2.predict(creation, SALT)
    deployment.verify(world.rpc)
    with pytest.raises(ChainError, match=r"exists at .* already"):
        deploy_salted(world)
    others = {deploy_salted(world, salt=Digest(bytes(32))), deploy_salted(world, epoch_seconds=61)}
    assert len({deployment.contract, *(other.contract for other in others)}) == 3


def test_a_deployment_that_was_broken_off_is_finished(world: World) -> None:
    """Anyone may have built a satellite, too: it can only be the right one."""
    codes = creation_codes((key_of("another").address,), 1, Constants(epoch_seconds=62))
    create2.ensure_proxy(sender_of(world), world.clock)
    block = sender_of(world).send(create2.PROXY, SALT + codes.ledger).block_number
    contract = create2.predict(codes.ledger, SALT)
    with pytest.raises(ContractReverted) as caught:
        sender_of(world).send(contract, encode("build", codes.satellites[1]))
    assert caught.value.error == "WrongInitCode"
    sender_of(world).send(contract, encode("build", codes.satellites[0]))
    world.chain.mine(3)
    lines: list[str] = []
    deployment = deploy(
        *(world.rpc, world.home, world.clock),
        validators=[key_of("another").address],
        threshold=1,
        constants=Constants(epoch_seconds=62),
        salt=SALT,
        progress=lines.append,
    )
    assert deployment.deployed_block == block
    assert [line.split()[0] for line in lines] == [*PARTS[:4]]
    assert all(world.rpc.code(address) for address in contracts_of(contract).all)


def sender_of(world: World) -> Sender:
    return Sender(world.rpc, world.home, world.deployment.chain_id, world.clock)


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
