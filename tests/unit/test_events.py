"""The contracts' events: the ABIs' own signatures, and nothing dropped or guessed."""

from __future__ import annotations

from typing import Any

import pytest
from eth_hash.auto import keccak

from ledger import event_types as types
from ledger.abi import abi, kinds_of
from ledger.assets import Request
from ledger.errors import ChainError
from ledger.events import DECLARED, EMITTER, SIGNATURES, decode
from ledger.types import Address, Digest
from tests.unit.event_logs import PARTS, log_of, raw_log, values_of

ONE, TWO, THREE = (Digest(bytes([n]) * 32) for n in (1, 2, 3))
HOST, HOME = Address(b"\x0a" * 20), Address(b"\x0b" * 20)
REQUEST = Request(HOME, HOST, ONE, TWO, THREE, 60, 512, 1024, 7, 99, 88)
SEATS = (HOST, HOME, *[Address(bytes(20))] * 14)
CONTENT = types.ProposalContent(1, 3, SEATS, 2, TWO, HOME)


EVENTS: tuple[types.Event, ...] = (
    types.ValidatorExcluded(HOST, ONE, HOME, 5),
    types.BatchDecided(HOST, ONE, (1 << 128) - 1, 0),
    types.Requested(ONE, REQUEST),
    types.Accepted(ONE, 4),
    types.Rejected(ONE, 2, 4, True),
    types.Confirmed(ONE, 4),
    types.Resulted(ONE, TWO, 4, False),
    types.Signed(ONE, b"s" * 65),
    types.StepVoted(HOME, ONE, 128, 2),
    types.StepDecided(HOME, HOST, 7, 3),
    types.ValidatorSetChanged(2, SEATS, 2),
    types.LedgerClosed(99),
    types.Carried(HOST),
    types.SatelliteBuilt(2, HOME),
    types.CanariesClaimed(HOST, b"packed"),
    types.ClaimSkipped(HOST, 3, 71),
    types.ClaimedAgain(ONE, HOST, TWO, 2),
    types.Receipted(ONE, HOST, TWO, 4, b"s" * 64),
    types.FamilyRegistered(4, ONE, HOME),
    types.VotesCommitted(HOME, 9, ONE),
    types.VotesRevealed(HOME, 9),
    types.ClaimVoted(HOME, ONE, 128),
    types.VoteSkipped(HOME, ONE, 85),
    types.ClaimDecided(ONE, HOST, 3, 4),
    types.PuzzleAsked(HOST, 1, 20, 77),
    types.PuzzleSolved(HOST, 1, ONE, TWO),
    types.ValidatorTested(ONE, TWO, THREE, ONE, TWO),
    types.Proposed(1, ONE, HOME, CONTENT),
    types.ProposalVoted(1, HOME, False),
    types.ProposalApproved(1, 99),
    types.ProposalWithdrawn(1),
    types.ProposalExecuted(1),
    types.SecretCommitted(5, HOME, ONE),
    types.SecretRevealed(5, HOME, ONE),
    types.BlockNamed(5, 77),
    types.BeaconKnown(5, ONE, 3),
    types.NoBeacon(5, 2, 1),
)
"""Every event whose fields are the log's own values."""

CASES: list[tuple[type[Any], list[Any], types.Event]] = [
    *((type(event), values_of(event), event) for event in EVENTS),
    (
        types.BatchSettled,
        [HOST, ONE, 7, b"\x02\x42\x05\x43", b"packed"],
        types.BatchSettled(HOST, ONE, 7, ((2, 0x42), (5, 0x43)), b"packed"),
    ),
    (
        types.BatchVoted,
        [HOME, HOST, ONE, 5, 2, b"\x01\x81"],
        types.BatchVoted(HOME, HOST, ONE, 5, 2, ((1, 0x81),)),
    ),
    (types.KudosMinted, [HOME, bytes(20), HOST, 2, 5], types.KudosMinted(HOME, HOST, 2, 5)),
]


@pytest.mark.parametrize("part", PARTS)
def test_every_event_of_the_compiled_contracts_is_declared(part: str) -> None:
    compiled = set()
    for item in abi(PARTS[part]):
        if item["type"] == "event":
            kinds = kinds_of(item["inputs"])
            stars = ["*" if field["indexed"] else "" for field in item["inputs"]]
            shown = ",".join(kind + star for kind, star in zip(kinds, stars, strict=True))
            compiled.add(f"{item['name']}({shown})")
    assert compiled == set(DECLARED[part].values())


def test_every_event_has_a_case() -> None:
    assert {event for event, _, _ in CASES} == set(EMITTER)


@pytest.mark.parametrize(("event", "values", "expected"), CASES, ids=[c[0].__name__ for c in CASES])
def test_every_event_comes_out_as_it_was_emitted(
    event: type[Any], values: list[Any], expected: types.Event
) -> None:
    assert decode(log_of(event, values)) == expected


@pytest.mark.parametrize("topics", [(), (ONE,)])
def test_an_unknown_topic_is_not_dropped(topics: tuple[Digest, ...]) -> None:
    with pytest.raises(ChainError, match="Log 6 of block 4 has an unknown topic") as caught:
        decode(raw_log(topics, b""))
    assert "update" in caught.value.hint


@pytest.mark.parametrize("name", SIGNATURES)
def test_damaged_data_is_not_guessed_at(name: str) -> None:
    topic = Digest(keccak(SIGNATURES[name].encode()))
    for topics, data in [((topic,), b""), ((topic, ONE, TWO, THREE), b"\xff" * 31)]:
        with pytest.raises(ChainError, match="does not decode"):
            decode(raw_log(topics, data))


def test_half_a_pair_is_damage() -> None:
    values = [HOST, ONE, 7, b"\x02\x42\x05", b""]
    with pytest.raises(ChainError, match="odd number of bytes"):
        decode(log_of(types.BatchSettled, values))


def test_tokens_that_move_are_damage() -> None:
    with pytest.raises(ChainError, match="only mints"):
        decode(log_of(types.KudosMinted, [HOME, HOST, HOME, 2, 5]))
