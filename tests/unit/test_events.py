"""The contract's events: the ABI's own signatures, and nothing dropped or guessed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_hash.auto import keccak

from ledger.errors import ChainError
from ledger.events import (
    SIGNATURES,
    BatchDecided,
    BatchSettled,
    BatchVoted,
    CanaryClaimed,
    CanaryDecided,
    CanarySkipped,
    CanaryVoted,
    KudosMinted,
    MarkOpened,
    RawLog,
    decode,
)
from ledger.types import Address, BlockHash, BlockNumber, Digest, TxHash

ONE, TWO, THREE = (Digest(bytes([n]) * 32) for n in (1, 2, 3))
HOST, HOME = Address(b"\x0a" * 20), Address(b"\x0b" * 20)
ROWS: dict[str, tuple[list[Any], Any]] = {
    "BatchSettled": (
        [HOST, ONE, 7, b"\x02\x42\x05\x43", b"packed"],
        BatchSettled(HOST, ONE, 7, ((2, 0x42), (5, 0x43)), b"packed"),
    ),
    "BatchVoted": (
        [HOME, HOST, ONE, 5, 2, b"\x01\x81"],
        BatchVoted(HOME, HOST, ONE, 5, 2, ((1, 0x81),)),
    ),
    "BatchDecided": ([HOST, ONE, (1 << 128) - 1, 0], BatchDecided(HOST, ONE, (1 << 128) - 1, 0)),
    "CanaryOpened": (
        [ONE, HOME, TWO, THREE, ONE, TWO, THREE, 99, b"s" * 64],
        MarkOpened(ONE, HOME, TWO, THREE, ONE, TWO, THREE, 99, b"s" * 64),
    ),
    "CanaryClaimed": ([ONE, HOST, TWO, THREE, ONE], CanaryClaimed(ONE, HOST, TWO, THREE, ONE)),
    "CanarySkipped": ([3, 71], CanarySkipped(3, 71)),
    "CanaryVoted": ([HOME, ONE, 128], CanaryVoted(HOME, ONE, 128)),
    "CanaryDecided": ([ONE, HOST, True], CanaryDecided(ONE, HOST, True)),
    "TransferSingle": ([HOME, bytes(20), HOST, 2, 5], KudosMinted(HOME, HOST, 2, 5)),
}


@pytest.fixture(scope="module")
def abi(project: Path) -> dict[str, list[dict[str, Any]]]:
    artifact = json.loads((project / "ledger/artifacts/KudosLedger.json").read_text("utf-8"))
    return {e["name"]: e["inputs"] for e in artifact["abi"] if e["type"] == "event"}


def log_of(inputs: list[dict[str, Any]], name: str, values: list[Any]) -> RawLog:
    """The log that the chain would give, as the compiled ABI lays it out."""
    pairs = list(zip(inputs, values, strict=True))
    topics = [keccak(SIGNATURES[name].encode())]
    topics += [encode([i["type"]], [v]) for i, v in pairs if i["indexed"]]
    plain = [(i["type"], v) for i, v in pairs if not i["indexed"]]
    data = encode([kind for kind, _ in plain], [value for _, value in plain])
    return raw_log(tuple(Digest(topic) for topic in topics), data)


def raw_log(topics: tuple[Digest, ...], data: bytes) -> RawLog:
    where = (BlockNumber(4), BlockHash(ONE), TxHash(TWO), 6)
    return RawLog(Address(bytes(20)), topics, data, *where)


def test_the_signatures_are_those_of_the_compiled_contract(
    abi: dict[str, list[dict[str, Any]]],
) -> None:
    compiled = {name: f"{name}({','.join(i['type'] for i in ins)})" for name, ins in abi.items()}
    assert compiled == SIGNATURES


@pytest.mark.parametrize("name", SIGNATURES)
def test_every_event_comes_out_as_it_was_emitted(
    abi: dict[str, list[dict[str, Any]]], name: str
) -> None:
    values, expected = ROWS[name]
    assert decode(log_of(abi[name], name, values)) == expected


@pytest.mark.parametrize("topics", [(), (ONE,)])
def test_an_unknown_topic_is_not_dropped(topics: tuple[Digest, ...]) -> None:
    with pytest.raises(ChainError, match="Log 6 of block 4 has an unknown topic") as caught:
        decode(raw_log(topics, b""))
    assert "update" in caught.value.hint


@pytest.mark.parametrize("name", SIGNATURES)
def test_damaged_data_is_not_guessed_at(abi: dict[str, list[dict[str, Any]]], name: str) -> None:
    topic = Digest(keccak(SIGNATURES[name].encode()))
    for topics, data in [((topic,), b""), ((topic, ONE, TWO, THREE), b"\xff" * 31)]:
        with pytest.raises(ChainError, match="does not decode"):
            decode(raw_log(topics, data))


def test_half_a_pair_is_damage(abi: dict[str, list[dict[str, Any]]]) -> None:
    values = [HOST, ONE, 7, b"\x02\x42\x05", b""]
    with pytest.raises(ChainError, match="odd number of bytes"):
        decode(log_of(abi["BatchSettled"], "BatchSettled", values))


def test_tokens_that_move_are_damage(abi: dict[str, list[dict[str, Any]]]) -> None:
    values = [HOME, HOST, HOME, 2, 5]
    with pytest.raises(ChainError, match="only mints"):
        decode(log_of(abi["TransferSingle"], "TransferSingle", values))
