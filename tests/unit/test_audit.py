"""The audit: silent on an honest ledger, and not on any other."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import decode as abi_decode
from eth_account.messages import _hash_eip191_message, encode_typed_data
from eth_hash.auto import keccak

from ledger import audit_assets
from ledger.audit import AuditReport, audit
from ledger.contracts import contracts_of
from ledger.errors import ChainError, Reverted, SetupError
from ledger.events import SIGNATURES, RawLog
from ledger.indexer import Indexer
from ledger.ports import SystemClock
from ledger.source import BlockRef
from ledger.store import IndexStore
from ledger.synthetic import Header, SyntheticChain
from ledger.synthetic_actors import Settings
from ledger.types import Address, BlockNumber, Digest

TOPICS = {name: keccak(text.encode()) for name, text in SIGNATURES.items()}


@pytest.fixture(scope="module")
def chain() -> SyntheticChain:
    made = SyntheticChain(Settings(nodes=4, refused=0.1, repeated=0.8, tests=0.3))
    for _ in range(6):
        made.mine(16)
    made.mine()
    made.mine()
    return made


@pytest.fixture
def index(tmp_path: Path, chain: SyntheticChain) -> Path:
    path = tmp_path / "index.db"
    with IndexStore.open(path, chain.deployment) as store:
        Indexer(chain, store, chain.deployment, SystemClock()).step()
    return path


def run(chain: SyntheticChain, index: Path | None = None) -> AuditReport:
    return audit(chain, chain.deployment, index)


def test_an_honest_ledger_has_no_differences(chain: SyntheticChain, index: Path) -> None:
    seen: list[tuple[int, int]] = []
    report = audit(
        chain, chain.deployment, index, progress=lambda done, of: seen.append((done, of))
    )
    assert report.ok and report.differences == () and report.block == 8
    totals = chain.contract.totals.values()
    assert report.kudos == sum(sum(total.values()) for total in totals) > 50
    with sqlite3.connect(index) as conn:
        (confirmed,) = conn.execute("SELECT count(result_id) FROM migrations").fetchone()
        (all_,) = conn.execute("SELECT count(*) FROM migrations").fetchone()
        (claims,) = conn.execute("SELECT count(*) FROM kudos").fetchone()
        (opened,) = conn.execute("SELECT count(signature) FROM openings").fetchone()
        (refused,) = conn.execute("SELECT count(*) FROM kudos WHERE state = 3").fetchone()
        (skipped,) = conn.execute("SELECT count(*) FROM skipped").fetchone()
    conn.close()
    assert report.assets == 4 * confirmed + 2 * (all_ - confirmed) + claims + opened
    assert refused and skipped and opened, "the ledger must hold what the audit is to check"
    assert seen[-1] == (8, 8)


ROWS = [
    ("UPDATE nodes SET k3 = k3 + 1 WHERE rowid = 2", "SQLite nodes"),
    ("DELETE FROM nodes WHERE rowid = (SELECT min(rowid) FROM nodes WHERE k2 > 0)", "SQLite nodes"),
    (
        "UPDATE kudos SET state = 3 WHERE rowid = (SELECT min(rowid) FROM kudos WHERE state = 2)",
        "SQLite kudos",
    ),
    ("UPDATE kudos SET host = home WHERE rowid = 7", "SQLite kudos"),
    ("DELETE FROM kudos WHERE rowid = 3", "SQLite kudos"),
    ("DELETE FROM migrations WHERE rowid = 3", "SQLite migrations"),
    ("UPDATE tests SET salt = seal_salt WHERE rowid = 1", "SQLite tests"),
    ("DELETE FROM tests WHERE rowid = 2", "SQLite tests"),
    ("UPDATE cursor SET hash = x'00'", "SQLite"),
]


@pytest.mark.parametrize(("tampering", "where"), ROWS)
def test_a_changed_copy_is_found(
    chain: SyntheticChain, index: Path, tampering: str, where: str
) -> None:
    with sqlite3.connect(index) as conn:
        assert conn.execute(tampering).rowcount == 1
    conn.close()
    differences = run(chain, index).differences
    assert differences and {difference.where for difference in differences} == {where}
    assert all(difference.expected != difference.found for difference in differences)


class Liar(SyntheticChain):
    """An endpoint that leaves out or changes one log."""

    def __init__(self, honest: SyntheticChain, change: Callable[[RawLog], RawLog | None]) -> None:
        self.__dict__.update(honest.__dict__)
        self._change = change

    def logs(
        self, contracts: Sequence[Address], from_block: BlockNumber, to_block: BlockNumber, /
    ) -> list[RawLog]:
        honest = super().logs(contracts, from_block, to_block)
        return [log for log in map(self._change, honest) if log]


def once(
    event: str, change: Callable[[RawLog], RawLog | None]
) -> Callable[[RawLog], RawLog | None]:
    """Applies the change to the second log of this event only."""
    seen = 0

    def apply(log: RawLog) -> RawLog | None:
        nonlocal seen
        seen += log.topics[0] == TOPICS[event]
        return change(log) if log.topics[0] == TOPICS[event] and seen == 2 else log

    return apply


EVENTS = (
    *("BatchSettled", "BatchVoted", "BatchDecided", "TransferSingle", "CanariesClaimed"),
    *("VotesCommitted", "VotesRevealed", "ClaimVoted", "ClaimDecided", "TestOpened"),
)
"""What a synthetic ledger logs more than once."""


def flip(at: int) -> Callable[[RawLog], RawLog]:
    """One bit of the data, counted from its end if negative."""

    def change(log: RawLog) -> RawLog:
        data = bytearray(log.data)
        data[at] ^= 1
        return replace(log, data=bytes(data))

    return change


@pytest.mark.parametrize("event", EVENTS)
def test_a_dropped_log_is_found(chain: SyntheticChain, index: Path, event: str) -> None:
    report = run(Liar(chain, once(event, lambda log: None)), index)
    assert not report.ok


def test_a_log_that_comes_twice_is_no_audit(chain: SyntheticChain) -> None:
    class Stutterer(Liar):
        def logs(
            self, contracts: Sequence[Address], from_block: BlockNumber, to_block: BlockNumber, /
        ) -> list[RawLog]:
            return 2 * super().logs(contracts, from_block, to_block)

    with pytest.raises(ChainError, match="came twice"):
        run(Stutterer(chain, lambda log: log))


FLIPS = [
    *[("BatchSettled", at) for at in (31, -300, -1000)],
    *[("CanariesClaimed", at) for at in (64, 84, 88, 120, 152, 184, 216, 248, 281, 283, 340)],
    *[("BatchVoted", at) for at in (31, 63)],
    *[("BatchDecided", at) for at in (31, 63)],
    ("ClaimVoted", 31),
    *[("ClaimDecided", at) for at in (31, 63)],
    *[("TransferSingle", at) for at in (31, 63)],
    *[("TestOpened", at) for at in (31, 63, 95)],
]


@pytest.mark.parametrize(("event", "at"), FLIPS)
def test_a_flipped_bit_is_found(chain: SyntheticChain, event: str, at: int) -> None:
    assert not run(Liar(chain, once(event, flip(at)))).ok


def test_a_stranger_s_vote_is_found(chain: SyntheticChain) -> None:
    def stranger(log: RawLog) -> RawLog:
        return replace(log, topics=(log.topics[0], Digest(bytes(12) + b"\1" * 20), *log.topics[2:]))

    found = run(Liar(chain, once("BatchVoted", stranger))).differences
    assert any("registered validator" in difference.what for difference in found)


@pytest.mark.parametrize("place", [1, 2, 3])
def test_a_token_of_another_origin_is_found(chain: SyntheticChain, place: int) -> None:
    def other(log: RawLog) -> RawLog:
        topics = list(log.topics)
        topics[place] = Digest(bytes(12) + b"\1" * 20)
        return replace(log, topics=tuple(topics))

    found = run(Liar(chain, once("TransferSingle", other))).differences
    words = {1: "operator", 2: "source", 3: "minted for"}
    assert any(words[place] in difference.what for difference in found)


def test_a_contract_that_miscounts_its_tokens_is_found(chain: SyntheticChain) -> None:
    miscounting = copy(chain)
    node = max(chain.contract.totals, key=lambda node: chain.contract.totals[node][3])

    def call(to: Address, data: bytes, block: BlockNumber, /) -> bytes:
        answer = SyntheticChain.call(chain, to, data, block)
        is_wanted = (
            data[:4] == keccak(b"balanceOfBatch(address[],uint256[])")[:4] and bytes(node) in data
        )
        return answer[:-1] + bytes([answer[-1] ^ 1]) if is_wanted else answer

    miscounting.call = call  # type: ignore[method-assign]
    (difference,) = run(miscounting).differences
    assert difference.what == f"tokens of 0x{node.hex()}"


class WalletChain(SyntheticChain):
    """An endpoint where every home is a contract wallet, too, and answers like this."""

    def __init__(self, honest: SyntheticChain, answer: bytes | ChainError) -> None:
        self.__dict__.update(honest.__dict__)
        self._answer = answer
        self.asked: list[tuple[bytes, BlockNumber]] = []

    def logs(
        self, contracts: Sequence[Address], from_block: BlockNumber, to_block: BlockNumber, /
    ) -> list[RawLog]:
        honest = super().logs(contracts, from_block, to_block)
        opened = next(log for log in honest if log.topics[0] == TOPICS["CanariesClaimed"])
        return [flip(SIGNATURE)(log) if log is opened else log for log in honest]

    def call(self, to: Address, data: bytes, block: BlockNumber, /) -> bytes:
        if to in contracts_of(self.deployment.contract).all:
            return super().call(to, data, block)
        self.asked.append((data, block))
        if isinstance(self._answer, ChainError):
            raise self._answer
        return self._answer


SIGNATURE = 330
"""A byte of the home's signature, in the data of the first claim."""
MAGIC = bytes.fromhex("1626ba7e")


def test_a_wallet_s_signature_is_asked_for_where_it_was_used(chain: SyntheticChain) -> None:
    wallets = WalletChain(chain, MAGIC.ljust(32, b"\0"))
    assert run(wallets).ok
    ((data, block),) = wallets.asked
    assert data[:4] == keccak(b"isValidSignature(bytes32,bytes)")[:4] == MAGIC
    digest, signature = abi_decode(["bytes32", "bytes"], data[4:])
    logs = wallets.logs(contracts_of(chain.deployment.contract).all, block, block)
    assert any(signature in log.data for log in logs)
    assert len(digest) == 32


@pytest.mark.parametrize(
    "answer",
    [b"", MAGIC, MAGIC.ljust(32, b"\1"), bytes(32), Reverted("It refused.", error="No")],
)
def test_what_a_wallet_did_not_sign_is_found(
    chain: SyntheticChain, answer: bytes | ChainError
) -> None:
    (difference,) = run(WalletChain(chain, answer)).differences
    assert difference.what == "the opening's signature, the home's"


def test_a_wallet_that_cannot_be_asked_is_no_audit(chain: SyntheticChain) -> None:
    with pytest.raises(ChainError, match="pruned"):
        run(WalletChain(chain, ChainError("The state of block 3 is pruned.")))


def test_forged_signatures_are_found() -> None:
    chain = SyntheticChain(Settings(nodes=3, signatures=False, finality_depth=2))
    chain.mine(4)
    found = run(chain).differences
    assert any("skipped" in difference.what and "67" in difference.expected for difference in found)


def test_a_wrong_deployment_file_is_found(chain: SyntheticChain) -> None:
    wrong = replace(chain.deployment, threshold=3)
    report = audit(chain, wrong)
    assert [difference.where for difference in report.differences] == ["deployment file"]


class Shifting(SyntheticChain):
    """A chain that changes while it is read."""

    def __init__(self, honest: SyntheticChain) -> None:
        self.__dict__.update(honest.__dict__)
        self._asked = 0

    def header(self, block: BlockRef, /) -> Header | None:
        header = super().header(block)
        self._asked += 1
        return header and replace(header, hash=type(header.hash)(bytes([self._asked]) * 32))


def test_a_chain_that_changes_meanwhile_is_no_audit(chain: SyntheticChain, tmp_path: Path) -> None:
    with pytest.raises(ChainError, match="while it was audited"):
        run(Shifting(chain))
    with pytest.raises(ChainError, match="no block 99"):
        audit(chain, chain.deployment, None, 99)
    with pytest.raises(SetupError, match="no indexed copy"):
        run(chain, tmp_path / "missing.db")


KINDS: dict[str, object] = {
    "address": b"\x11" * 20,
    "bytes32": b"\x14" * 32,
    "bool": True,
}


def test_ids_are_those_of_eth_account(chain: SyntheticChain) -> None:
    definitions: dict[str, Any] = json.loads(
        (Path(audit_assets.__file__).parent / "artifacts/eip712.json").read_text("utf-8")
    )
    domain = {
        "name": "Kudos",
        "version": "1",
        "chainId": chain.deployment.chain_id,
        "verifyingContract": "0x" + chain.deployment.contract.hex(),
    }
    hasher = audit_assets.Hasher(chain.deployment.chain_id, chain.deployment.contract)
    for name, fields in definitions["types"].items():
        if any(field["type"] in ("bytes", "address[]") for field in fields):
            continue  # the anchored ledger's, which is audited otherwise
        values = {field["name"]: KINDS.get(field["type"], n + 1) for n, field in enumerate(fields)}
        message = encode_typed_data(domain, {name: fields}, values)
        assert hasher.digest(name, *values.values()) == bytes(_hash_eip191_message(message))
