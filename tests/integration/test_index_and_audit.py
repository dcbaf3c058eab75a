"""The indexed copy and the audit over a real chain with the real contract."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import pytest
from web3 import Web3
from web3.datastructures import AttributeDict

from ledger import calls, schema
from ledger.abi import BEACON, CLAIMS, LEDGER, QUEUE, ContractReverted, abi
from ledger.assets import ConfirmedMigration
from ledger.audit import AuditReport, audit
from ledger.audit_logs import read_logs
from ledger.contracts import contracts_of
from ledger.event_types import CanariesClaimed, Event, KudosMinted
from ledger.events import decode
from ledger.indexer import Indexer
from ledger.packed_claims import decode_claimed
from ledger.reader import Reader
from ledger.reasons import Reason
from ledger.store import IndexStore
from ledger.types import BlockNumber, Signature, hex_of
from tests.integration.chain_world import World
from tests.integration.proof_world import claim, live, settle

# Code of two wallets: whatever they are asked, the one answers with the word that ERC-1271 wants
# for a valid signature, the other with zero.
SAYS_YES = "0x631626ba7e60e01b60005260206000f3"
SAYS_NO = "0x600060005260206000f3"


def run_audit(world: World) -> AuditReport:
    return audit(world.rpc, world.deployment, world.directory / "index.db")


def skip(world: World) -> None:
    """What a batch passes over: a forged signature, and a number that was used before."""
    forged = replace(world.migration(confirmed=True), home_signature=Signature(bytes(64)))
    first = world.migration()
    event, _ = settle(world, [first, forged])
    assert [reason for _, reason in event.skipped] == [Reason.BAD_SIGNATURE]
    event, _ = settle(world, [first, world.migration()])
    assert [reason for _, reason in event.skipped] == [Reason.SEQUENCE_USED]


def test_index_contract_and_audit_agree(world: World) -> None:
    live(world)
    skip(world)
    world.index()
    report = run_audit(world)
    assert report.differences == ()
    totals = world.totals()
    with world.reader() as reader:
        kudos = reader.kudos(world.host.address)
        assert (kudos.k1, kudos.k2, kudos.k3) == (totals.k1, totals.k2, totals.k3)
        assert kudos.k3 == 1 and kudos.k2 > 0
        states = [
            claim.state for m in reader.migrations(99) for claim in reader.claims_of(m.request_id)
        ]
        verdicts = {
            v.verdict
            for m in reader.migrations(99)
            for c in reader.claims_of(m.request_id)
            for v in reader.votes(c.kudos_id)
        }
    assert set(states) == {schema.CLAIMED, schema.VERIFIED, schema.REFUSED}
    assert verdicts == {schema.ABSTAIN, schema.APPROVE, schema.REFUSE}
    assert report.kudos == states.count(schema.VERIFIED)
    assert world.store.verify_digests() == []


def test_tokens_are_the_totals_and_say_what_they_are(world: World) -> None:
    live(world)
    totals, host = world.totals(), world.host.address
    asked = calls.balances([(host, level) for level in (1, 2, 3)])
    balances = asked.decode(world.rpc.call(world.deployment.contract, asked.data))
    assert balances == (totals.k1, totals.k2, totals.k3) and totals.k3 == 1
    one = calls.balance(host, 2)
    assert one.decode(world.rpc.call(world.deployment.contract, one.data)) == totals.k2
    minted = [event for event in events(world) if isinstance(event, KudosMinted)]
    counted: Counter[int] = Counter()
    for mint in minted:
        counted[mint.level] += mint.count
    assert tuple(counted[level] for level in (1, 2, 3)) == balances
    claims = contracts_of(world.deployment.contract).claims
    assert {mint.operator for mint in minted if mint.level == 3} == {claims}
    voters = {key.address for key in world.validators}
    assert {mint.operator for mint in minted if mint.level != 3} <= voters
    weights = []
    for level in (1, 2, 3):
        view = calls.token_uri(level)
        uri = view.decode(world.rpc.call(world.deployment.contract, view.data))
        with urlopen(uri) as answer:
            shown = json.load(answer)
        assert shown["name"] == f"Kudos K{level}" and shown["decimals"] == 0
        assert shown["properties"]["level"] == level and shown["description"]
        weights.append(shown["properties"]["points"])
    assert weights == [1, 10, 100]


def events(world: World) -> list[Event]:
    """Everything that the contracts have logged."""
    head, contracts = world.rpc.block_number(), contracts_of(world.deployment.contract)
    return [decode(log) for log in world.rpc.logs(contracts.all, BlockNumber(0), head)]


def test_a_wallet_that_opens_a_canary_and_thinks_better_of_it(world: World) -> None:
    migration, canary = world.canary()
    event, records = settle(world, [migration])
    home = hex_of(world.home.address)
    world.chain.rpc.raw("anvil_setCode", [home, SAYS_YES])
    by_wallet = Signature(b"not the key's, and longer than one " * 5)
    claim(world, event, records, [replace(canary, opening_signature=by_wallet)])
    world.index()
    assert run_audit(world).differences == ()
    # The wallet refuses from now on: what was opened stays opened, and the audit still sees why.
    # anvil would count code that is set now to the newest block, hence the empty one.
    world.chain.rpc.raw("anvil_mine", [1])
    world.chain.rpc.raw("anvil_setCode", [home, SAYS_NO])
    settle(world, [world.migration()])
    world.index()
    assert run_audit(world).differences == ()
    (claimed,) = (event for event in events(world) if isinstance(event, CanariesClaimed))
    (item,) = decode_claimed(claimed.claims)
    assert item.words is not None and item.words.signature == by_wallet


def test_a_wallet_that_refuses_opens_nothing(world: World) -> None:
    migration, canary = world.canary()
    event, records = settle(world, [migration])
    world.chain.rpc.raw("anvil_setCode", [hex_of(world.home.address), SAYS_NO])
    with pytest.raises(ContractReverted, match="BAD_SIGNATURE"):
        claim(world, event, records, [replace(canary, opening_signature=Signature(b"no"))])
    claim(world, event, records, [canary])  # the key's own signature holds all the same


def test_the_audit_sees_what_a_copy_conceals(world: World) -> None:
    live(world)
    world.index()
    with sqlite3.connect(world.directory / "index.db") as conn:
        conn.execute("UPDATE nodes SET k2 = k2 + 1 WHERE k2 > 0")
    conn.close()
    (difference,) = run_audit(world).differences
    assert difference.where == "SQLite nodes" and world.host.address.hex() in difference.what


def test_a_reorganisation_of_three_blocks(world: World, tmp_path: Path) -> None:
    live(world)
    settle(world, [world.migration()])
    world.index()
    with world.reader() as reader:
        newest = reader.migrations(1)[0].request_id
    world.chain.reorganise(3)
    world.index()
    assert world.store.reorganisations() == 1
    with world.reader() as reader:
        assert not reader.is_settled(newest)
    assert run_audit(world).differences == ()
    assert world.store.verify_digests() == []
    with IndexStore.open(tmp_path / "fresh.db", world.deployment) as fresh:
        Indexer(world.rpc, fresh, world.deployment, world.clock).step()
    with Reader.open(tmp_path / "fresh.db") as fresh_reader, world.reader() as reader:
        assert fresh_reader.nodes() == reader.nodes()
        assert fresh_reader.migrations(99) == reader.migrations(99)


def test_a_chain_rolled_back_below_the_final_height(world: World) -> None:
    world.index()
    settled = [settle(world, [world.migration(confirmed=True)])[1][0] for _ in range(8)]
    world.index()
    with world.reader() as reader:
        assert reader.is_final_settled(world.request_id(settled[0]))
    world.chain.rpc.raw("anvil_rollback", [8])
    world.index()
    with world.reader() as reader:
        assert reader.nodes() == [] and reader.migrations() == []
        assert reader.head() is not None
    assert isinstance(settled[0], ConfirmedMigration)
    assert run_audit(world).assets == 0


def test_logs_are_decoded_as_web3_does(world: World) -> None:
    live(world)
    web3 = Web3(Web3.HTTPProvider(world.chain.url))
    contracts = contracts_of(world.deployment.contract)
    first, head = world.deployment.deployed_block, world.rpc.block_number()
    addresses = [Web3.to_checksum_address(hex_of(address)) for address in contracts.all]
    raw = web3.eth.get_logs({"address": addresses, "fromBlock": first, "toBlock": head})
    ours = list(read_logs(world.rpc, contracts, first, head, lambda done, of: None))
    assert len(ours) == len(raw) > 30
    names = (LEDGER, QUEUE, CLAIMS, BEACON)
    decoders = {
        address: web3.eth.contract(abi=abi(name))
        for address, name in zip(addresses, names, strict=True)
    }
    for logged, log in zip(ours, raw, strict=True):
        theirs = decoders[log["address"]].events[logged.event]().process_log(log)
        for name, value in theirs["args"].items():
            assert logged.args[name] == plain(value), (logged.event, name)


def plain(value: object) -> object:
    """A value of web3's as the audit has it."""
    if isinstance(value, str):
        return bytes.fromhex(value[2:])
    if isinstance(value, AttributeDict):
        return tuple(map(plain, value.values()))
    return tuple(map(plain, value)) if isinstance(value, list | tuple) else value
