"""Proof bundles of a real chain: made, accepted, and refused for whatever changes in them."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import rlp
from eth_account import Account
from eth_hash.auto import keccak
from fastapi.testclient import TestClient

from ledger import proof_bundle, proof_check, rpc_constants, rpc_proofs
from ledger.contract_code import immutable
from ledger.contracts import contracts_of
from ledger.creation import Constants, creation_codes, part_addresses
from ledger.deploying import deploy
from ledger.desk.app import create_app
from ledger.embedded import EmbeddedChain
from ledger.errors import ChainError
from ledger.proof_block import (
    ProvenHeader,
    header_bytes,
    read_header,
    receipt_bytes,
    receipt_key,
)
from ledger.proof_bundle import build
from ledger.proof_check import Anchors, Verdict, check, headers_of
from ledger.proof_format import AccountProof, Bundle, PartProof, ProofRefused, decode, encode
from ledger.proof_parts import check_parts
from ledger.proof_rules import read_rules, rule_slots
from ledger.proof_subject import UnknownAsset
from ledger.proof_trie import BrokenProof, proof_of, value_at
from ledger.rpc import Rpc
from ledger.schema import CLAIMED, REFUSED, VERIFIED
from ledger.types import Address, Digest
from tests.integration import proof_canaries
from tests.integration.chain_world import ETHER, World, key_of
from tests.integration.proof_world import live

STATES = {CLAIMED: "CLAIMED", VERIFIED: "VERIFIED", REFUSED: "REFUSED"}
FLIPS = 2_000
HEX = b"0123456789abcdef"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One history for all tests here: none of them changes it."""
    directory = tmp_path_factory.mktemp("proofs")
    with (
        EmbeddedChain(directory / "chain" / "state.json", block_time=0) as chain,
        World(chain, directory) as made,
    ):
        live(made)
        made.deployment.save(directory / "ledger.json")
        yield made


@pytest.fixture(scope="module")
def bundles(world: World) -> dict[str, Bundle]:
    """One bundle of each kind and state: "REQUEST", "K3 VERIFIED", "strict RESULT" and so on."""
    found: dict[str, Bundle] = {}
    with world.reader() as reader:
        for settled in reader.migrations(99):
            for step in reader.lifecycle(settled.request_id):
                name = step.asset
                if step.kudos is not None:
                    name = f"K{step.kudos.level} {STATES[step.kudos.state]}"
                if settled.root is None:
                    name = f"strict {name}"
                if name not in found:
                    found[name] = build(world.rpc, reader, step.id)
    return found


def newest(bundle: Bundle) -> bytes:
    return headers_of(bundle)[-1].hash


def holds(bundle: Bundle) -> Verdict:
    """Checked as somebody would who trusts one block's hash and knows nothing else."""
    return check(decode(encode(bundle)), Anchors([newest(bundle)]))


def test_every_asset_of_the_ledger_is_proven(world: World) -> None:
    proven = 0
    with world.reader() as reader:
        for settled in reader.migrations(99):
            for step in reader.lifecycle(settled.request_id):
                verdict = holds(build(world.rpc, reader, step.id))
                state = "SETTLED" if step.kudos is None else STATES[step.kudos.state]
                kind = step.asset if step.kudos is None else f"K{step.kudos.level}"
                assert (verdict.kind, verdict.state) == (kind, state)
                proven += 1
    assert proven > 50


def test_the_kinds_that_there_are(bundles: dict[str, Bundle]) -> None:
    kinds = {"REQUEST", "ACCEPTED", "REJECTED", "CONFIRMED", "RESULT", "CANARY_OPENED"}
    states = {"K1 VERIFIED", "K2 VERIFIED", "K2 REFUSED", "K3 VERIFIED", "K3 REFUSED", "K3 CLAIMED"}
    alone = {"REQUEST", "ACCEPTED", "CONFIRMED", "RESULT", "K2 VERIFIED"}
    assert kinds | states | {f"strict {name}" for name in alone} <= set(bundles)
    for bundle in bundles.values():
        assert bundle.account is not None and holds(bundle).proved


def test_the_verdict_says_who_and_how_many(world: World, bundles: dict[str, Bundle]) -> None:
    proved = " ".join(holds(bundles["K3 VERIFIED"]).proved)
    assert "of 3 validators, of whom 2 are needed, 2 approved and 0 refused: VERIFIED" in proved
    assert world.home.address.hex() in proved and world.host.address.hex() in proved
    trusted = " ".join(holds(bundles["K3 CLAIMED"]).trusted)
    assert "no further votes" in trusted and "part of chain 31337" in trusted


def test_canaries_that_nobody_planted_for_validators(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Drawn by the beacon, checked by the contract of a family, asked of the contract: each K3 is
    proven, with what the proof rests on, and a byte of it that changed is found."""
    with (
        EmbeddedChain(tmp_path / "chain" / "state.json", block_time=0) as chain,
        World(chain, tmp_path, proof_canaries.EVERYTHING) as world,
        world.reader() as reader,
    ):
        for make, proved, trusted in (
            (proof_canaries.draw, "of 65,536 65535 are drawn", "part of chain"),
            (proof_canaries.solve, "claimed K3 in block", "its family's contract said so"),
            (proof_canaries.ask, "of the contract's own", "its family's contract said so"),
        ):
            make(world)
            sql = "SELECT kudos_id FROM kudos WHERE level = 3 ORDER BY block DESC LIMIT 1"
            (kudos_id,) = reader.connection.execute(sql).fetchone()
            bundle = build(world.rpc, reader, kudos_id)
            verdict = holds(bundle)
            assert (verdict.kind, verdict.state) == ("K3", "VERIFIED")
            assert proved in " ".join(verdict.proved) and trusted in " ".join(verdict.trusted)
            assert {"KudosClaims", "ClaimDecisions"} <= {part.part for part in bundle.parts}
            assert "the code of the ledger's satellites" not in " ".join(verdict.trusted)
            if make is proof_canaries.draw:
                refuse_other_draws(bundle, monkeypatch)
            change_each(bundle, spots(encode(bundle).rstrip())[::10])


def refuse_other_draws(drawn: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """The beacon's code belongs to the proof, and a beacon of another period does not."""
    assert [part.part for part in drawn.parts] == ["KudosClaims", "Beacon", "ClaimDecisions"]
    anchors, first = Anchors([newest(drawn)]), drawn.parts[0]
    no_beacon = tuple(log for log in drawn.logs if log.event != "BeaconKnown")
    for reason, lie in {
        "needs its beacon": replace(drawn, logs=no_beacon, parts=(first, drawn.parts[2])),
        "needs the code of KudosClaims, Beacon, ClaimDecisions": replace(drawn, parts=(first,)),
    }.items():
        with pytest.raises(ProofRefused, match=reason):
            check(lie, anchors)
    # No chain has another beacon of this RESULT: what it was created with is made another here.
    assert drawn.account is not None
    for reason, constants in {
        "does not draw it": replace(drawn.account.constants, draw_rate=0),
        "its beacon is that of period": replace(drawn.account.constants, beacon_period_seconds=77),
    }.items():
        lie = replace(drawn, account=replace(drawn.account, constants=constants))
        with monkeypatch.context() as patched, pytest.raises(ProofRefused, match=reason):
            patched.setattr(proof_check, "check_parts", lambda *_: None)
            check(lie, anchors)


def spots(raw: bytes) -> list[int]:
    """A seeded choice of positions, every one outside of the long byte strings among them."""
    chooser = random.Random("proofs")
    quoted = [at for at in range(len(raw)) if raw[at : at + 1] not in HEX]
    return sorted({*quoted, *(chooser.randrange(len(raw)) for _ in range(FLIPS))})


def change_each(bundle: Bundle, places: Iterable[int]) -> None:
    """Changes one byte at each place to another that could stand there; each must be refused."""
    raw, anchors = encode(bundle), Anchors([newest(bundle)])
    assert check(decode(raw), anchors).kind == bundle.kind
    chooser = random.Random("bytes")
    for at in places:
        could = HEX if raw[at : at + 1] in HEX else b'{}[],:"0x a'
        other = chooser.choice([byte for byte in could if byte != raw[at]])
        with pytest.raises(ProofRefused):
            check(decode(raw[:at] + bytes([other]) + raw[at + 1 :]), anchors)
            pytest.fail(f"byte {at} changed from {raw[at]:c} to {other:c} is not noticed")


@pytest.mark.parametrize(
    "name", ["K2 VERIFIED", "K3 VERIFIED", "CANARY_OPENED", "strict K2 VERIFIED"]
)
def test_a_changed_byte_is_found(bundles: dict[str, Bundle], name: str) -> None:
    change_each(bundles[name], spots(encode(bundles[name]).rstrip()))


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_every_changed_byte_is_found(bundles: dict[str, Bundle]) -> None:
    change_each(bundles["K1 VERIFIED"], range(len(encode(bundles["K1 VERIFIED"])) - 1))


def test_white_space_is_no_content(bundles: dict[str, Bundle]) -> None:
    raw = encode(bundles["RESULT"])
    assert decode(raw.replace(b",", b",\n  ")) == bundles["RESULT"]
    huge = raw.replace(b'"chain_id":31337', b'"chain_id":' + b"9" * 80)
    below = raw.replace(b'"chain_id":31337', b'"chain_id":-1')
    twice = raw.replace(b'"index":', b'"index": 0, "index":')
    deep = b"[" * 100_000
    for spelled in (huge, below, twice, deep, raw[:-2], b"[]", b"\xff", b""):
        with pytest.raises(ProofRefused, match="no proof bundle"):
            decode(spelled)


def test_a_bundle_of_something_else_is_refused(bundles: dict[str, Bundle]) -> None:
    good = bundles["K2 VERIFIED"]
    anchors, older = Anchors([newest(good)]), bundles["K3 VERIFIED"].headers[0]
    votes = [log for log in good.logs if log.event == "BatchVoted"]
    assert len(votes) >= 2 and good.account is not None
    lies = {
        "a proof of RESULT has other logs": replace(good, kind="RESULT"),
        "the votes make it": replace(good, logs=(good.logs[0], *good.logs[2:])),
        "repeated or out of order": replace(good, logs=(*good.logs[:2], *good.logs[1:])),
        "its id is not that": replace(good, id=bundles["RESULT"].id),
        "none that you trust": replace(good, headers=good.headers[:-1]),
        "before the first log": replace(good, headers=(older, *good.headers)),
        "has no record at this place": replace(good, index=120),
        "another length": replace(good, path=good.path[1:]),
        "slots are proven": replace(
            good, account=replace(good.account, storage=good.account.storage[1:])
        ),
        "the code is not the contract's": replace(
            good, account=replace(good.account, code=good.account.code + b"\0")
        ),
        "another contract's": replace(good, contract=Address(bytes(20)), account=None),
        "beside the ledger it needs the code of nothing": replace(
            good, parts=bundles["K3 VERIFIED"].parts
        ),
        "the code of satellites and not of the ledger": replace(
            good, account=None, parts=bundles["K3 VERIFIED"].parts
        ),
    }
    for reason, lie in lies.items():
        trusted = anchors
        if reason == "before the first log":
            trusted = Anchors([newest(good), read_header(older).hash])
        with pytest.raises(ProofRefused, match=reason):
            check(lie, trusted)


def with_code(bundle: Bundle, name: str, code: bytes) -> tuple[Bundle, ProvenHeader]:
    """The bundle over a state in which one of the ledger's satellites has this code."""
    codes = {part.part: part.code for part in bundle.parts} | {name: code}
    keys = {part: keccak(part_addresses(bundle.contract)[part]) for part in codes}
    accounts = {
        keys[part]: rlp.encode([b"\x01", b"", bytes(32), keccak(raw)])
        for part, raw in codes.items()
    }
    parts = tuple(
        PartProof(part, raw, proof_of(accounts, keys[part])[1]) for part, raw in codes.items()
    )
    root, _ = proof_of(accounts, keys[name])
    return replace(bundle, parts=parts), replace(headers_of(bundle)[-1], state_root=root)


def test_what_only_looks_like_a_ledger_of_kudos_is_refused(bundles: dict[str, Bundle]) -> None:
    """State and code that hash as they should, and are another's: a chain can hold anything."""
    good = bundles["K3 VERIFIED"]
    account, claims = good.account, contracts_of(good.contract).claims
    assert account is not None and len(good.parts) == 2
    rules = read_rules(good.contract, headers_of(good)[-1], account)
    code, where = good.parts[0].code, part_addresses(good.contract)["ClaimDecisions"]
    twice, foreign = (code.replace(where, b"\x77" * 20, count) for count in (1, -1))
    assert twice != foreign
    lies = {
        "the code of its KudosClaims is not that of this version": bytes(len(code)),
        "has two values": twice,
        "constants in the code of its KudosClaims": foreign,
    }
    bundle, header = with_code(good, "KudosClaims", code)
    check_parts(bundle, account, header, rules, [claims])
    for reason, lie in lies.items():
        bundle, header = with_code(good, "KudosClaims", lie)
        with pytest.raises(BrokenProof, match=reason):
            check_parts(bundle, account, header, rules, [claims])
    bundle, header = with_code(good, "KudosClaims", foreign)
    pretended = (replace(bundle.parts[0], code=code), *bundle.parts[1:])
    with pytest.raises(BrokenProof, match="not that of the ledger's KudosClaims"):
        check_parts(replace(bundle, parts=pretended), account, header, rules, [claims])
    other = Constants(round_seconds=account.constants.round_seconds + 1)
    for reason, constants in {
        "were not created from": other,
        "no ledger can be created": replace(other, draw_rate=1 << 20),
        "constants in the code of its KudosLedger": replace(
            account.constants, k1_per_host_and_epoch=7
        ),
    }.items():
        with pytest.raises(ProofRefused, match=reason):
            lie_account = replace(account, constants=constants)
            check(replace(good, account=lie_account), Anchors([newest(good)]))


def test_what_the_reader_expects_is_held_against_it(bundles: dict[str, Bundle]) -> None:
    good = bundles["RESULT"]
    for anchors, reason in (
        (Anchors([newest(good)], chain_id=1), "it is about chain"),
        (Anchors([newest(good)], contract=Address(bytes(20))), "about the contract"),
        (Anchors([newest(good)], code_hash=bytes(32)), "not the one that you expect"),
        (Anchors([bytes(32)]), "none that you trust"),
    ):
        with pytest.raises(ProofRefused, match=reason):
            check(good, anchors)


def test_a_chain_without_account_proofs(
    world: World,
    bundles: dict[str, Bundle],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(rpc_proofs, "account", lambda *_: None)
    with world.reader() as reader:
        bundle = build(world.rpc, reader, bundles["K2 VERIFIED"].id)
    assert bundle.account is None
    verdict = holds(bundle)
    assert verdict.state == "VERIFIED"
    assert "who the validators are" in " ".join(verdict.trusted)
    assert "that the contract's code is that of Kudos" in verdict.trusted
    file = tmp_path / "proof.json"
    file.write_bytes(encode(bundle))
    status, out = kudos("verify", file, "--rpc", world.chain.url)
    assert status == 0 and "of 3 validators, of whom 2 are needed" in out
    assert "by the endpoint's word" in out


def test_logs_far_apart_need_a_hash_each(
    world: World, bundles: dict[str, Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof_bundle, "LINKED", 0)
    with world.reader() as reader:
        sparse = build(world.rpc, reader, bundles["K3 VERIFIED"].id)
    assert len(sparse.headers) < len(bundles["K3 VERIFIED"].headers)
    hashes = [header.hash for header in headers_of(sparse)]
    assert check(sparse, Anchors(hashes)).state == "VERIFIED"
    with pytest.raises(ProofRefused, match="none that you trust"):
        check(sparse, Anchors(hashes[-1:]))


def test_an_unknown_id(world: World) -> None:
    with world.reader() as reader, pytest.raises(UnknownAsset, match="No asset"):
        build(world.rpc, reader, Digest(b"\1" * 32))


def test_a_copy_that_the_chain_contradicts_gives_no_bundle(world: World, tmp_path: Path) -> None:
    directory = tmp_path / "other"
    with (
        EmbeddedChain(directory / "chain" / "state.json", block_time=0) as chain,
        world.reader() as reader,
    ):
        chain.rpc.raw("anvil_mine", ["0x40"])
        newest_id = reader.migrations(1)[0].request_id
        with pytest.raises(ChainError):
            build(chain.rpc, reader, newest_id)


@pytest.mark.parametrize("count", [1, 2, 17, 128, 129, 300])
def test_receipts_of_all_types_against_the_chain_s_own_roots(world: World, count: int) -> None:
    """A block of so many transactions, of three types: header and trie are hashed as the chain
    does, and every receipt is proven."""
    chain, sender = world.chain.rpc, key_of("a busy sender")
    world.chain.fund(sender.address, 100 * ETHER)
    first, price = world.rpc.nonce(sender.address, "latest"), 10**11
    plain = {"to": b"\x5e" * 20, "value": 1, "gas": 30_000, "chainId": 31_337}
    fees: tuple[dict[str, Any], ...] = (
        {"gasPrice": price},
        {"gasPrice": price, "accessList": [], "type": 1},
        {"maxFeePerGas": price, "maxPriorityFeePerGas": 1},
    )
    chain.raw("evm_setAutomine", [False])
    try:
        for number in range(count):
            fields = {**plain, **fees[number % 3], "nonce": first + number}
            signed = Account.sign_transaction(fields, sender.expose_secret())
            world.rpc.send_raw(bytes(signed.raw_transaction))
        chain.raw("anvil_mine", ["0x1"])
    finally:
        chain.raw("evm_setAutomine", [True])
    head = world.rpc.block_number()
    header = read_header(header_bytes(rpc_proofs.full_header(world.rpc, head)))
    found = world.rpc.header(head)
    assert found is not None and header.hash == found.hash and header.number == head
    receipts = [receipt_bytes(receipt) for receipt in rpc_proofs.receipts(world.rpc, head)]
    assert len(receipts) == count
    assert {raw[0] for raw in receipts} >= ({1, 2} if count > 2 else set())
    items = {receipt_key(place): raw for place, raw in enumerate(receipts)}
    for place in {0, count // 2, count - 1, min(count - 1, 127), min(count - 1, 128)}:
        root, proof = proof_of(items, receipt_key(place))
        assert root == header.receipts_root
        assert value_at(root, receipt_key(place), proof) == receipts[place]


def test_the_rules_are_read_from_any_contract_of_ours(world: World) -> None:
    """Seven validators of whom five are needed, and other constants: nothing is read by luck."""
    seats = [key_of(f"seat {number}").address for number in range(7)]
    other = deploy(
        *(world.rpc, world.home, world.clock),
        validators=seats,
        threshold=5,
        constants=Constants(epoch_seconds=77, k1_per_host_and_epoch=13),
    )
    code, head = world.rpc.code(other.contract), world.rpc.block_number()
    names = ("EPOCH_SECONDS", "K1_PER_HOST_AND_EPOCH")
    assert [immutable(code, name) for name in names] == [77, 13]
    found = rpc_proofs.account(world.rpc, other.contract, rule_slots(), head)
    assert found is not None
    header = read_header(header_bytes(rpc_proofs.full_header(world.rpc, head)))
    rules = read_rules(other.contract, header, AccountProof(code, *found, other.constants))
    assert (rules.validators, rules.threshold) == (tuple(seats), 5)
    assert rules.changed_at == 0
    assert rules.code_hash == keccak(code) == other.code_hashes[0]
    made = creation_codes(tuple(seats), 5, other.constants)
    assert rules.satellites == tuple(keccak(init) for init in made.satellites)
    assert rpc_constants.read(world.rpc, other.contract) == other.constants


def kudos(*arguments: str | Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "node.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.mark.timeout(300)  # a dozen processes, each of which imports web3
def test_the_command_line(world: World, bundles: dict[str, Bundle], tmp_path: Path) -> None:
    bundle, file = bundles["K3 VERIFIED"], tmp_path / "proof.json"
    ledger, contract = world.directory / "ledger.json", "0x" + world.deployment.contract.hex()
    place = ("--ledger", ledger, "--rpc", world.chain.url, "--index", world.directory / "index.db")
    status, out = kudos("prove", "0x" + bundle.id.hex(), *place, "--out", file)
    assert status == 0 and "0x" + newest(bundle).hex() in out
    assert decode(file.read_bytes()) == bundle
    trust = ("--block-hash", "0x" + newest(bundle).hex())
    for arguments in (
        ("--rpc", world.chain.url),
        ("--rpc", world.chain.url, "--ledger", ledger),
        (*trust, "--ledger", contract, "--chain-id", "31337"),
    ):
        status, out = kudos("verify", file, *arguments)
        assert status == 0 and "HOLDS: K3" in out and "VERIFIED" in out, out
    for wrong in (("--block-hash", "0x" + "00" * 32), (*trust, "--chain-id", "1")):
        status, out = kudos("verify", file, *wrong)
        assert status == 1 and "does not hold" in out
    status, out = kudos("verify", file, "--rpc", "http://127.0.0.1:1")
    assert status == 2 and "cannot tell" in out
    nobody = replace(bundle, contract=Address(b"\1" * 20))
    file.write_bytes(encode(nobody))
    status, out = kudos("verify", file, "--rpc", world.chain.url)
    assert status == 1 and "no ledger of Kudos" in out
    file.write_bytes(encode(bundle).replace(b'"index":', b'"place":'))
    assert kudos("verify", file, *trust)[0] == 1
    assert kudos("verify", file)[0] == 2


def test_the_service_gives_bundles(world: World, bundles: dict[str, Bundle]) -> None:
    def site(rpc: Rpc | None) -> TestClient:
        prover = None if rpc is None else partial(build, rpc)
        app = create_app(world.directory / "index.db", world.deployment, prover=prover)
        return TestClient(app, raise_server_exceptions=False)

    good = bundles["K2 VERIFIED"]
    path = f"/api/v1/proofs/0x{good.id.hex()}"
    answer = site(world.rpc).get(path)
    assert answer.status_code == 200 and answer.content == encode(good)
    assert "K2" in answer.headers["content-disposition"]
    assert site(world.rpc).get("/api/v1/proofs/0x" + "00" * 32).status_code == 404
    assert site(world.rpc).get("/api/v1/proofs/0x00").status_code == 422
    for rpc, hint in ((None, "--rpc"), (Rpc("http://127.0.0.1:1"), "runs")):
        refused = site(rpc).get(path)
        assert refused.status_code == 503 and hint in refused.json()["hint"]
        assert refused.headers["content-type"].startswith("application/problem+json")
