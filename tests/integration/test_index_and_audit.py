"""The indexed copy and the audit over a real chain with the real contract."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import pytest

from ledger import calls, merkle, record, schema
from ledger.abi import ContractReverted
from ledger.assets import ConfirmedMigration, Migration
from ledger.audit import AuditReport, audit
from ledger.events import BatchSettled, Event, KudosMinted, MarkOpened, decode
from ledger.indexer import Indexer
from ledger.outbox_codec import OpenedCanary
from ledger.reader import Reader
from ledger.reasons import Reason
from ledger.store import IndexStore
from ledger.tally import indices
from ledger.types import Signature
from tests.integration.chain_world import World

# Code of two wallets: whatever they are asked, the one answers with the word that ERC-1271 wants
# for a valid signature, the other with zero.
SAYS_YES = "0x631626ba7e60e01b60005260206000f3"
SAYS_NO = "0x600060005260206000f3"


def settle(world: World, migrations: list[Migration]) -> tuple[BatchSettled, list[Migration]]:
    """Settles one batch; gives its event, and the records in the batch's order."""
    host = world.host.address
    data = calls.settle(host, record.encode_batch(migrations))
    receipt = world.sender.send(world.deployment.contract, data)
    (event,) = (decode(log) for log in receipt.logs)
    assert isinstance(event, BatchSettled)
    return event, record.decode_batch(world.domain, host, event.batch)


def claim(
    world: World, event: BatchSettled, records: list[Migration], canary: OpenedCanary
) -> None:
    """Claims K3 for one opened canary of this batch."""
    settled = canary.migration
    index = records.index(settled)
    skipped = [place for place, _ in event.skipped]
    leaves = record.leaves(world.domain, records, skipped)
    opened = canary.opened
    made = calls.CanaryClaim(
        *(settled.request, settled.result.seal, settled.result.signed_at, event.root, index),
        merkle.path(leaves, index),
        *(opened.task_digest, opened.family, opened.parameters, opened.salt, opened.signed_at),
        *(canary.opening_signature, canary.result_digest, canary.seal_salt),
    )
    world.sender.send(world.deployment.contract, calls.claim_canaries([made]))


def live(world: World) -> None:
    """A little history with everything in it: skips, refusals, abstentions, canaries, undecided."""
    canaries = [world.canary() for _ in range(3)]
    forged = replace(world.migration(confirmed=True), home_signature=Signature(bytes(64)))
    plain = [world.migration() for _ in range(12)]
    event, records = settle(world, [*plain, forged, *(migration for migration, _ in canaries)])
    assert [reason for _, reason in event.skipped] == [Reason.BAD_SIGNATURE]
    assert event.claims & 0b111 == 0b111
    # Two refuse the first claim, two abstain on the second, one on the third.
    ballots = ((0b001, 0b010), (0b001, 0b010), (0b000, 0b100))
    for validator, (refuse, abstain) in zip(world.validators, ballots, strict=True):
        reasons = [(place, int(Reason.REFUSE_ORDER)) for place in indices(refuse)]
        reasons += [(place, int(Reason.ABSTAIN_INPUTS)) for place in indices(abstain)]
        approve = event.claims & ~refuse & ~abstain
        vote = calls.BatchVote(world.host.address, event.root, approve, refuse, tuple(reasons))
        world.vote(validator, batches=[vote])
    for _, canary in canaries:
        claim(world, event, records, canary)
    world.index()
    vote_on_canaries(world)
    again = [plain[0], world.migration()]
    event, _ = settle(world, again)
    assert [reason for _, reason in event.skipped] == [Reason.SEQUENCE_USED]


def vote_on_canaries(world: World) -> None:
    """The first is approved, the second refused, the third left open."""
    answers = ((Reason.APPROVE, Reason.APPROVE), (Reason.REFUSE_RESULT,) * 2, (Reason.APPROVE,))
    with world.reader() as reader:
        waiting = reader.canary_claims_unvoted(world.validators[0].address)
    assert len(waiting) == 3
    for item, reasons in zip(waiting, answers, strict=True):
        for validator, reason in zip(world.validators, reasons, strict=False):
            vote = calls.CanaryVote(item.kudos.kudos_id, reason)
            world.vote(validator, canaries=[vote])


def run_audit(world: World) -> AuditReport:
    return audit(world.rpc, world.deployment, world.directory / "index.db")


def test_index_contract_and_audit_agree(world: World) -> None:
    live(world)
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
    assert {mint.operator for mint in minted} <= {key.address for key in world.validators}
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
    """Everything that the contract has logged."""
    head = world.rpc.block_number()
    return [decode(log) for log in world.rpc.logs(world.deployment.contract, 0, head)]


def test_a_wallet_that_opens_a_canary_and_thinks_better_of_it(world: World) -> None:
    migration, canary = world.canary()
    event, records = settle(world, [migration])
    home = "0x" + world.home.address.hex()
    world.chain.rpc.raw("anvil_setCode", [home, SAYS_YES])
    by_wallet = Signature(b"not the key's, and longer than one " * 5)
    claim(world, event, records, replace(canary, opening_signature=by_wallet))
    world.index()
    assert run_audit(world).differences == ()
    # The wallet refuses from now on: what was opened stays opened, and the audit still sees why.
    # anvil would count code that is set now to the newest block, hence the empty one.
    world.chain.rpc.raw("anvil_mine", [1])
    world.chain.rpc.raw("anvil_setCode", [home, SAYS_NO])
    settle(world, [world.migration()])
    world.index()
    assert run_audit(world).differences == ()
    assert [e.signature for e in events(world) if isinstance(e, MarkOpened)] == [by_wallet]


def test_a_wallet_that_refuses_opens_nothing(world: World) -> None:
    migration, canary = world.canary()
    event, records = settle(world, [migration])
    world.chain.rpc.raw("anvil_setCode", ["0x" + world.home.address.hex(), SAYS_NO])
    with pytest.raises(ContractReverted, match="BAD_SIGNATURE"):
        claim(world, event, records, replace(canary, opening_signature=Signature(b"no")))
    claim(world, event, records, canary)  # the key's own signature holds all the same


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
    from web3 import Web3
    from web3.contract import Contract

    from ledger.abi import abi
    from ledger.audit_logs import read_logs

    live(world)
    web3 = Web3(Web3.HTTPProvider(world.chain.url))
    contract: type[Contract] = web3.eth.contract(abi=abi())
    first, head = world.deployment.deployed_block, world.rpc.block_number()
    address = Web3.to_checksum_address("0x" + world.deployment.contract.hex())
    raw = web3.eth.get_logs({"address": address, "fromBlock": first, "toBlock": head})
    ours = list(read_logs(world.rpc, world.deployment.contract, first, head, lambda done, of: None))
    assert len(ours) == len(raw) > 10
    for logged, log in zip(ours, raw, strict=True):
        theirs = contract.events[logged.event]().process_log(log)
        for name, value in theirs["args"].items():
            found = logged.args[name]
            wanted = bytes.fromhex(value[2:]) if isinstance(value, str) else value
            assert found == wanted, (logged.event, name)
