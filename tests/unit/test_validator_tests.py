"""Tests of the validators: the digest that no run gives, and what validators said of it, read from
the copy, over the API, on the pages and in the metrics."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_abi.abi import encode as abi_encode
from eth_hash.auto import keccak

from canaries import validator_test as made
from ledger import schema, validator_test
from ledger.desk.queries.common import BadQuery
from ledger.desk.queries.validator_tests import Counts, Said, counts, opened_tests
from ledger.reader import Reader
from ledger.refusals import in_words
from ledger.store import IndexStore
from ledger.types import ZERO_ADDRESS, Address, BlockNumber, Digest, UnixSeconds, hex_of
from tests.unit.api_site import ApiSite
from tests.unit.test_projection import DEPLOYMENT

HOME, HOST = (Address(bytes([n]) * 20) for n in (0x11, 0x22))
A, B, C, LATE = (Address(bytes([n]) * 20) for n in (0xA1, 0xB2, 0xC3, 0xD4))
APPROVE, REFUSE, ABSTAIN = schema.APPROVE, schema.REFUSE, schema.ABSTAIN


def word(number: int) -> Digest:
    return Digest(number.to_bytes(32, "big"))


# -- the digest and its salt --------------------------------------------------------------------


def test_the_digest_is_that_of_the_interface() -> None:
    type_hash = keccak(b"ValidatorTest(bytes32 requestId,bytes32 salt)")
    expected = keccak(abi_encode(["bytes32"] * 3, [type_hash, word(1), word(2)]))
    assert made.digest_of(word(1), word(2)) == expected
    assert validator_test.digest_of(word(1), word(2)) == expected


def test_the_salt_follows_from_secret_and_request() -> None:
    salt = made.salt_of(b"s" * 32, word(1))
    assert salt == made.salt_of(b"s" * 32, word(1)) and len(salt) == 32
    assert salt != made.salt_of(b"t" * 32, word(1))
    assert salt != made.salt_of(b"s" * 32, word(2))


def test_what_is_no_secret_or_no_digest_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 32 bytes"):
        made.salt_of(b"s" * 31, word(1))
    with pytest.raises(ValueError, match="32 bytes"):
        made.digest_of(word(1), b"short")


def test_the_contract_s_refusals_are_said_in_words() -> None:
    for name in ("NotATest", "TestTooEarly"):
        said, hint = in_words(name, (word(1),))
        assert hex_of(word(1)) in said and hint


# -- what validators said -----------------------------------------------------------------------


class Copy:
    """A copy into which rows are written as they are."""

    def __init__(self, path: Path) -> None:
        self.store = IndexStore.open(path, DEPLOYMENT)
        self.conn: sqlite3.Connection = self.store.connection
        for number in range(1, 100):
            row = (number, word(number), word(number - 1), 1_000 * number, 1, b"", 1)
            self.conn.execute("INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        self.store.note_head(BlockNumber(99), BlockNumber(99), UnixSeconds(0))
        self.conn.execute("UPDATE cursor SET number = 99, hash = x'00', timestamp = 99000")
        self.reader = Reader.open(path, DEPLOYMENT)

    def add(self, table: str, *values: object) -> None:
        columns = ", ".join(schema.ROWS[table])
        marks = ", ".join("?" * len(values))
        self.conn.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", values)

    def seats(self, version: int, block: int, *members: Address) -> None:
        packed = b"".join(members).ljust(20 * 16, b"\0")
        self.add("validator_sets", version, packed, 2, block, 0)

    def claim(
        self, number: int, block: int, host: Address = HOST, repeats: int | None = None
    ) -> None:
        parties = (3, host, HOME, word(number), word(1000 + (repeats or number)), "planted")
        first = None if repeats is None else word(repeats)
        place = (None, None, word(1), word(2), 0, block, number)
        attempt = 0 if repeats is None else 1
        self.add("kudos", word(number), first, attempt, *parties, *place)

    def vote(self, number: int, block: int, validator: Address, verdict: int) -> None:
        log_index = int.from_bytes(validator[:2], "big")
        self.add("votes", word(number), validator, verdict, 128, block, log_index)

    def open(self, number: int, block: int) -> None:
        shown = (word(1000 + number), word(3), word(4), word(5))
        self.add("tests", word(number), *shown, block, number)

    def said(self, validator: Address, **wanted: object) -> dict[int, Said]:
        rows = opened_tests(self.reader, validator, **wanted).rows  # type: ignore[arg-type]
        return {int.from_bytes(row.kudos_id, "big"): row.said for row in rows}


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Copy]:
    found = Copy(tmp_path / "index.db")
    found.seats(1, 1, A, B, C)
    yield found
    found.reader.close()
    found.store.close()


def test_nothing_is_said_of_a_test_before_it_is_opened(copy: Copy) -> None:
    copy.claim(1, 10)
    copy.vote(1, 12, A, APPROVE)
    assert copy.said(A) == {} and counts(copy.reader, [A])[A] == Counts()
    copy.open(1, 20)
    assert copy.said(A) == {1: Said.APPROVED}


def test_each_validator_by_what_it_said(copy: Copy) -> None:
    for number in (1, 2):
        copy.claim(number, 10)
        copy.vote(number, 12, A, APPROVE)
        copy.vote(number, 12, B, REFUSE if number == 1 else ABSTAIN)
        copy.open(number, 20 + number)
    found = counts(copy.reader, [A, B, C])
    assert found[A] == Counts(approved=2)
    assert found[B] == Counts(refused=1, abstained=1)
    assert found[C] == Counts(silent=2)
    assert copy.said(B, said=Said.ABSTAINED) == {2: Said.ABSTAINED}
    (row,) = opened_tests(copy.reader, B, Said.REFUSED).rows
    assert (row.home, row.host, row.block, row.timestamp) == (HOME, HOST, 21, 21_000)
    assert (row.request_id, row.state) == (word(1001), schema.CLAIMED)


def test_who_could_not_vote_was_not_silent(copy: Copy) -> None:
    copy.seats(2, 50, A, B, LATE)
    copy.claim(1, 10)
    copy.claim(2, 60)
    copy.claim(3, 60, host=B)
    for number in (1, 2, 3):
        copy.open(number, 70)
    assert copy.said(A) == dict.fromkeys((1, 2, 3), Said.SILENT)
    assert copy.said(B) == dict.fromkeys((1, 2), Said.SILENT)
    assert copy.said(C) == {1: Said.SILENT}
    assert copy.said(LATE) == dict.fromkeys((2, 3), Said.SILENT)
    assert copy.said(ZERO_ADDRESS) == {}


def test_of_several_claims_on_one_test_the_gravest_word_counts(copy: Copy) -> None:
    copy.claim(1, 10)
    copy.vote(1, 12, A, ABSTAIN)
    copy.vote(1, 12, B, REFUSE)
    copy.claim(2, 30, repeats=1)
    copy.vote(2, 32, A, APPROVE)
    copy.vote(2, 32, B, ABSTAIN)
    copy.open(1, 40)
    assert (copy.said(A), copy.said(B)) == ({1: Said.APPROVED}, {1: Said.REFUSED})


def test_votes_on_a_claim_made_after_the_opening_prove_nothing(copy: Copy) -> None:
    copy.claim(1, 10)
    copy.open(1, 40)
    copy.claim(2, 50, repeats=1)
    copy.vote(2, 52, A, REFUSE)
    assert copy.said(A) == {1: Said.SILENT}


def test_pages_of_tests(copy: Copy) -> None:
    for number in range(1, 8):
        copy.claim(number, 10)
        copy.open(number, 20 + number // 2)
    found: list[int] = []
    cursor = None
    for _ in range(4):
        page = opened_tests(copy.reader, A, limit=2, cursor=cursor)
        found += [int.from_bytes(row.kudos_id, "big") for row in page.rows]
        cursor = page.next
    assert found == [7, 6, 5, 4, 3, 2, 1] and cursor is None
    with pytest.raises(BadQuery):
        opened_tests(copy.reader, A, cursor="nonsense")


# -- the service --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> ApiSite:
    made = ApiSite(tmp_path_factory.mktemp("tests") / "index.db", tests=0.5)
    made.grow(4, 0)
    return made


def opened(site: ApiSite) -> list[str]:
    """The tests that the chain has shown, by request id."""
    with sqlite3.connect(site.path) as conn:
        rows = conn.execute("SELECT request_id FROM tests").fetchall()
    conn.close()
    return ["0x" + row[0].hex() for row in rows]


def test_the_api_tells_the_lazy_from_the_honest(site: ApiSite) -> None:
    *honest, lazy = (hex_of(validator) for validator in site.chain.contract.validators)
    tests = opened(site)
    assert tests, "the chain must have made tests"
    for validator in (*honest, lazy):
        said = Counter(row["said"] for row in site.pages(f"/validators/{validator}/tests"))
        assert said == {"approved" if validator == lazy else "refused": len(tests)}
        line = site.get(f"/validators/{validator}")
        fields = ("tests_approved", "tests_refused", "tests_abstained", "tests_silent")
        expected = (len(tests), 0) if validator == lazy else (0, len(tests))
        assert tuple(line[name] for name in fields) == (*expected, 0, 0)
    rows = site.pages(f"/validators/{lazy}/tests", said="approved", limit=1)
    assert sorted(row["request_id"] for row in rows) == sorted(tests)
    assert {row["state"] for row in rows} == {"refused"}
    assert site.pages(f"/validators/{lazy}/tests", said="refused") == []
    site.get(f"/validators/{lazy}/tests", status=422, said="yes")


def test_a_migration_says_that_it_was_a_test(site: ApiSite) -> None:
    request_id = opened(site)[0]
    life = site.get(f"/migrations/{request_id}")
    test = life["test"]
    salt = Digest(bytes.fromhex(test["salt"][2:]))
    digest = validator_test.digest_of(Digest(bytes.fromhex(request_id[2:])), salt)
    assert test["result_digest"] == hex_of(digest)
    named = {check["name"]: check["holds"] for check in life["checks"]}
    assert named["digest of a test, in place of a result's"] and named["K3 id of the test"]
    page = site.client.get(f"/migrations/{request_id}").text
    assert "This was a test of the validators: its result is no run" in page
    assert hex_of(digest) in page and test["salt"] in page
    other = next(
        row["request_id"]
        for row in site.pages("/canaries")
        if row["request_id"] not in opened(site) and row["state"] == "verified"
    )
    assert site.get(f"/migrations/{other}")["test"] is None
    assert "test of the validators" not in site.client.get(f"/migrations/{other}").text


def test_the_reasons_of_a_node_say_so(site: ApiSite) -> None:
    request_id = opened(site)[0]
    host = site.get(f"/migrations/{request_id}")["host"]
    rows = site.pages(f"/nodes/{host}/why")
    tested = {row["request_id"] for row in rows if row["tested"]}
    assert request_id in tested and tested <= set(opened(site))
    assert all(row["level"] == 3 and row["outcome"] == "refused" for row in rows if row["tested"])
    refused = site.client.get(f"/nodes/{host}", params={"outcome": "refused"}).text
    assert "test of the validators, no run" in refused


def test_the_page_of_a_validator(site: ApiSite) -> None:
    *honest, lazy = (hex_of(validator) for validator in site.chain.contract.validators)
    page = site.client.get(f"/validators/{lazy}").text
    assert page.count("approved a test") == len(opened(site))
    assert all(f"/migrations/{each}" in page for each in opened(site))
    page = site.client.get(f"/validators/{honest[0]}").text
    assert "Tests refused" in page and "approved a test" not in page


def test_the_metrics(site: ApiSite) -> None:
    *_, lazy = (hex_of(validator) for validator in site.chain.contract.validators)
    text = site.client.get("/metrics").text
    name = "kudos_validator_tests_total"
    assert f'{name}{{validator="{lazy}",verdict="approved"}} {len(opened(site))}.0' in text
    assert f'{name}{{validator="{lazy}",verdict="silent"}} 0.0' in text
