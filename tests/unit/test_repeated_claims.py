"""A K3 that is made again from what stands on the ledger is the claim that was made from the
queue."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger.assets import K3_CANARY, ConfirmedMigration, Migration
from ledger.canary_claims import Leaf, claim_of, repeated_claim
from ledger.eip712 import Domain, digest
from ledger.outbox_codec import DrawnCanary, OpenedCanary
from ledger.packed_claims import encode_claims
from ledger.rows import Draw, KudosRow, Opening, Place
from ledger.schema import CLAIMED
from ledger.synthetic_actors import Actors, Settings
from ledger.types import Address, BlockNumber, Digest, Signature, TxHash, UnixSeconds

DOMAIN = Domain(31_337, Address(b"\x33" * 20))
PLACE = Place(BlockNumber(7), 1, TxHash(bytes(32)), UnixSeconds(1_700_000_000), False)
LEAF = Leaf(Digest(b"\x01" * 32), 2, (Digest(b"\x02" * 32), Digest(b"\x03" * 32)))
MARK = Digest(b"\x04" * 32)


def finished() -> OpenedCanary:
    """A canary as a host has it in its queue."""
    actors = Actors(Settings(seed="again"), DOMAIN)
    home, host, *_ = actors.nodes
    while True:
        _, planted = actors.migration(home, host, 1_700_000_000)
        if planted is not None:
            break
    signature = Signature(home.sign(DOMAIN, planted.opened))
    return OpenedCanary(
        planted.migration, planted.opened, signature, planted.result_digest, planted.seal_salt
    )


CANARY = finished()
REQUEST = CANARY.migration.request
DRAWN = DrawnCanary(
    CANARY.migration, CANARY.opened.task_digest, MARK, CANARY.result_digest, CANARY.seal_salt
)
ROW = KudosRow(
    kudos_id=Digest(b"\x05" * 32),
    level=K3_CANARY,
    host=REQUEST.host,
    home=REQUEST.home,
    asset_id=digest(DOMAIN, CANARY.migration.result),
    request_id=digest(DOMAIN, REQUEST),
    origin="planted",
    result_digest=CANARY.result_digest,
    seal_salt=CANARY.seal_salt,
    epoch=0,
    state=CLAIMED,
    repeats=None,
    attempt=0,
    place=PLACE,
    decided=None,
)
OPENING = Opening(CANARY.opened, CANARY.opening_signature, None, PLACE)
DRAW = Draw(ROW.request_id, ROW.asset_id, DRAWN.task_digest, MARK, PLACE)


def first(canary: OpenedCanary | DrawnCanary) -> bytes:
    item = claim_of(canary, lambda family: None, LEAF.root, LEAF.index, LEAF.path)
    return encode_claims([item])


def again(opening: Opening | None, draw: Draw | None) -> bytes:
    item = repeated_claim(ROW, CANARY.migration, LEAF, opening, draw)
    assert item is not None
    return encode_claims([item])


def test_a_planted_canary_with_its_home_s_words() -> None:
    assert again(OPENING, None) == first(CANARY)


def test_a_drawn_canary() -> None:
    assert again(None, DRAW) == first(DRAWN)


def test_one_without_the_home_s_words_has_none_the_second_time() -> None:
    silent = repeated_claim(ROW, CANARY.migration, LEAF, replace(OPENING, signature=None), None)
    spoken = repeated_claim(ROW, CANARY.migration, LEAF, OPENING, None)
    assert silent is not None and spoken is not None
    assert silent == replace(spoken, words=None) and spoken.words is not None


@pytest.mark.parametrize("row", [replace(ROW, seal_salt=None), replace(ROW, result_digest=None)])
def test_what_is_no_canary_s_is_not_made_again(row: KudosRow) -> None:
    migration: Migration = CANARY.migration
    assert isinstance(migration, ConfirmedMigration)
    assert repeated_claim(row, migration, LEAF, OPENING, None) is None
    assert repeated_claim(ROW, migration, LEAF, None, None) is None
