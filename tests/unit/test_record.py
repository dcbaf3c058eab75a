"""The packed batch: what goes in comes out, and other bytes are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import record
from ledger.assets import (
    Accepted,
    Confirmed,
    ConfirmedMigration,
    Migration,
    Rejected,
    RejectedMigration,
    Request,
    Result,
    process_name_field,
    process_name_text,
)
from ledger.eip712 import Domain, digest, encode_type, hash_struct
from ledger.errors import PeerError
from ledger.types import ZERO_DIGEST, Address, Digest, Signature
from tests.unit.node_world import DOMAIN

HOST = Address(b"\x02" * 20)
digests = st.binary(min_size=32, max_size=32).map(Digest)
signatures = st.binary(min_size=64, max_size=64).map(Signature)
homes = st.sampled_from([Address(bytes([n]) * 20) for n in (1, 3, 4)])
u16, u24 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFF)
u32 = st.integers(0, 0xFFFFFFFF)
times = st.integers(0, 0xFFFFFFFF)


@st.composite
def migrations(draw: st.DrawFn) -> Migration:
    at = draw(times)
    request = Request(
        *(draw(homes), HOST, draw(digests), draw(digests), draw(digests)),
        *(draw(u24), draw(u24), draw(u32), draw(u32), at + draw(u24), at),
    )
    request_id = digest(DOMAIN, request)
    if draw(st.booleans()):
        rejected = Rejected(request_id, draw(st.integers(0, 255)), at + draw(u16))
        return RejectedMigration(request, rejected, draw(signatures))
    accepted = Accepted(request_id, at + draw(u16))
    confirmed = Confirmed(digest(DOMAIN, accepted), at + draw(u16))
    result = Result(request_id, draw(digests), at + draw(u24))
    return ConfirmedMigration(request, accepted, confirmed, result, draw(signatures))


batches = st.lists(migrations(), min_size=1, max_size=6)


@given(batches)
def test_what_goes_in_comes_out(batch: list[Migration]) -> None:
    packed = record.encode_batch(batch)
    assert record.decode_batch(DOMAIN, HOST, packed) == record.batch_order(batch)
    assert record.encode_batch(record.batch_order(batch)) == packed


@given(batches, st.data())
def test_a_batch_that_was_cut_or_grew_is_refused(
    batch: list[Migration], data: st.DataObject
) -> None:
    packed = record.encode_batch(batch)
    cut = data.draw(st.integers(0, len(packed) - 1))
    for bad in (packed[:cut], packed + b"\0"):
        with pytest.raises(PeerError):
            record.decode_batch(DOMAIN, HOST, bad)


@given(st.binary(max_size=700))
def test_noise_is_a_batch_or_refused(noise: bytes) -> None:
    try:
        decoded = record.decode_batch(DOMAIN, HOST, noise)
    except PeerError:
        return
    assert len(decoded) == noise[1]


@pytest.fixture(scope="module")
def packed() -> bytes:
    """Two confirmed migrations of one home and one rejected of another."""
    return record.encode_batch(sample())


def sample() -> list[Migration]:
    def request(home: int, seq: int) -> Request:
        where = (Address(bytes([home]) * 20), HOST, ZERO_DIGEST, ZERO_DIGEST, ZERO_DIGEST)
        return Request(*where, 1, 2, 3, seq, 1100, 1000)

    def confirmed(asked: Request) -> ConfirmedMigration:
        accepted = Accepted(digest(DOMAIN, asked), 1001)
        confirmed = Confirmed(digest(DOMAIN, accepted), 1002)
        result = Result(accepted.request_id, Digest(b"\x07" * 32), 1003)
        return ConfirmedMigration(asked, accepted, confirmed, result, Signature(bytes(64)))

    refused = request(3, 0)
    rejected = Rejected(digest(DOMAIN, refused), 2, 1001)
    return [
        RejectedMigration(refused, rejected, Signature(bytes(64))),
        *(confirmed(request(1, seq)) for seq in range(2)),
    ]


SECOND_GROUP = 3 + 21 + 2 * record.CONFIRMED_BYTES


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (0, 2, "not a batch of version 1"),
        (1, 0, "cannot hold 0 records"),
        (1, 129, "cannot hold 129 records"),
        (2, 4, "cannot hold 3 records of which 4"),
        (23, 0, "group of 0 records"),
        (23, 3, "group of 3 records"),
        (SECOND_GROUP + 20, 0, "group of 0 records"),
        (SECOND_GROUP + 20, 2, "group of 2 records"),
        (2, 3, "middle of a record"),
        (1, 4, "ends in the middle of a group"),
        (1, 2, "follow the last record"),
        (2, 1, "group of 2 records"),
    ],
)
def test_counts_that_do_not_add_up_are_refused(
    packed: bytes, place: int, value: int, words: str
) -> None:
    bad = bytearray(packed)
    bad[place] = value
    with pytest.raises(PeerError, match=words):
        record.decode_batch(DOMAIN, HOST, bytes(bad))


@pytest.mark.parametrize("size", [0, 1, 2])
def test_a_batch_has_a_header(packed: bytes, size: int) -> None:
    with pytest.raises(PeerError, match="version 1"):
        record.decode_batch(DOMAIN, HOST, packed[:size])


def test_a_batch_is_bounded_and_of_one_host() -> None:
    one = sample()[0]
    with pytest.raises(ValueError, match="1 to 128"):
        record.encode_batch([])
    with pytest.raises(ValueError, match="1 to 128"):
        record.encode_batch([one] * 129)
    assert record.encode_batch([one] * 128)[1] == 128
    other = replace(one, request=replace(one.request, host=Address(b"\x09" * 20)))
    with pytest.raises(ValueError, match="one host"):
        record.encode_batch([one, other])


@pytest.mark.parametrize(
    "change",
    [
        {"signed_at": 1 << 32},
        {"result_deadline": 999},
        {"result_deadline": 1000 + (1 << 24)},
        {"cpu_seconds": 1 << 24},
        {"memory_mib": -1},
        {"output_kib": 1 << 32},
        {"seq": -1},
        {"seq": 1 << 32},
    ],
)
def test_values_that_do_not_fit_a_record_are_refused(change: dict[str, Any]) -> None:
    for migration in sample()[:2]:
        bad = replace(migration, request=replace(migration.request, **change))
        with pytest.raises(ValueError, match="fit"):
            record.encode_batch([bad])


def test_an_answer_out_of_reach_does_not_fit() -> None:
    rejected, confirmed = sample()[:2]
    assert isinstance(rejected, RejectedMigration)
    assert isinstance(confirmed, ConfirmedMigration)
    for bad in (
        replace(rejected, rejected=replace(rejected.rejected, signed_at=999)),
        replace(rejected, rejected=replace(rejected.rejected, reason=256)),
        replace(confirmed, accepted=replace(confirmed.accepted, signed_at=1000 + (1 << 16))),
        replace(confirmed, confirmed=replace(confirmed.confirmed, signed_at=999)),
        replace(confirmed, result=replace(confirmed.result, signed_at=999)),
    ):
        with pytest.raises(ValueError, match="fit"):
            record.encode_batch([bad])


def test_leaves_are_results_and_rejections_and_zero_where_skipped(packed: bytes) -> None:
    decoded = record.decode_batch(DOMAIN, HOST, packed)
    first, second, third = decoded
    assert isinstance(first, ConfirmedMigration)
    assert isinstance(second, ConfirmedMigration)
    assert isinstance(third, RejectedMigration)
    expected = [digest(DOMAIN, first.result), ZERO_DIGEST, digest(DOMAIN, third.rejected)]
    assert record.leaves(DOMAIN, decoded, [1]) == expected


# -- the values inside ---------------------------------------------------------------------------


@given(st.text(max_size=40))
def test_a_process_name_survives_as_far_as_it_fits(name: str) -> None:
    field = process_name_field(name)
    assert len(field) == 32
    text = process_name_text(field)
    if not text.startswith("0x"):
        assert name.replace("\0", "").encode("utf-8", "replace").startswith(text.encode())


def test_a_name_is_cut_at_a_character_and_a_hash_is_shown_in_hex() -> None:
    assert process_name_text(process_name_field("ä" * 20)) == "ä" * 16
    assert process_name_field("x" + "ä" * 20).endswith(b"\0")
    assert process_name_text(b"\xff" * 32) == "0x" + "ff" * 32
    assert process_name_text(b"\x1b[2J".ljust(32, b"\0")).startswith("0x1b")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"seq": 1 << 32}, OverflowError),
        ({"seq": -1}, OverflowError),
        ({"signed_at": 1 << 64}, OverflowError),
        ({"home": bytes(19)}, ValueError),
        ({"home": bytes(32)}, ValueError),
        ({"process_id": bytes(31)}, ValueError),
        ({"process_id": bytes(20)}, ValueError),
    ],
)
def test_words_out_of_range_have_no_digest(change: Any, error: type[Exception]) -> None:
    request = sample()[0].request
    hash_struct(request)
    with pytest.raises(error):
        hash_struct(replace(request, **change))


def test_a_digest_is_bound_to_chain_and_contract() -> None:
    asset = sample()[0].request
    places = [
        DOMAIN,
        Domain(DOMAIN.chain_id + 1, DOMAIN.contract),
        Domain(DOMAIN.chain_id, Address(b"\xbb" * 20)),
    ]
    assert len({digest(place, asset) for place in places}) == 3


def test_the_type_string() -> None:
    assert encode_type("Accepted") == "Accepted(bytes32 requestId,uint64 signedAt)"
