"""What the pages say in words, and the files that they are made of."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

import ledger.desk
from ledger.desk.checks import Check
from ledger.desk.html_shell import Link, query_string
from ledger.desk.problems import BadRequest
from ledger.desk.queries.explore_query import Kind, Query
from ledger.desk.queries.overview import Counts, DayTotals, Overview, QuorumHealth
from ledger.desk.queries.search import Hit, HitKind
from ledger.desk.queries.why import Outcome
from ledger.desk.views import Freshness
from ledger.desk.views_explore import chips, form_params
from ledger.desk.views_migration import signature_of
from ledger.desk.views_overview import SLOW_SECONDS, STUCK_SECONDS, answers, since_first
from ledger.desk.views_search import target
from ledger.desk.views_why import OUTCOMES, clip, facet_label, local
from ledger.desk.wording import count_of, day, duration, percent, when
from ledger.rows import IndexHead, Place, Step
from ledger.types import Address, BlockHash, BlockNumber, Digest, TxHash, UnixSeconds

VENDOR = Path(ledger.desk.__file__).parent / "static/vendor"
NOW = 1_790_000_000
COUNTS = Counts(3, 9, 7, 2, 1, 8, 1, 4, 1, 1, 0, 0, 0, 141)


def head(number: int = 10, chain_head: int = 10) -> IndexHead:
    return IndexHead(
        *(BlockNumber(number), BlockHash(bytes(32)), UnixSeconds(NOW), UnixSeconds(NOW)),
        *(BlockNumber(chain_head), BlockNumber(4)),
    )


def tones(view: Overview, *, stale: bool = False) -> list[str]:
    return [answer.tone for answer in answers(view, Freshness("updated 2 s ago", 2, stale))]


def overview(quorum: QuorumHealth, lag: int = 0) -> Overview:
    return Overview(head(), lag, 0, COUNTS, quorum)


def waiting(seconds: int) -> QuorumHealth:
    return QuorumHealth(2, BlockNumber(5), NOW - seconds, (), True)


NOTHING = QuorumHealth(0, None, None, (), True)


def test_the_vendored_files_are_those_of_the_manifest() -> None:
    manifest = json.loads((VENDOR / "manifest.json").read_text("utf-8"))
    listed = {"manifest.json"}
    for package in manifest:
        assert package["version"] and package["licence"] and package["licence_file"]
        for name, digest in package["files"].items():
            assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest, name
            listed.add(name)
    assert {path.name for path in VENDOR.iterdir()} == listed


@pytest.mark.parametrize(
    ("quorum", "tone"),
    [
        (NOTHING, "good"),
        (waiting(SLOW_SECONDS - 1), "good"),
        (waiting(SLOW_SECONDS), "warn"),
        (waiting(STUCK_SECONDS), "alarm"),
    ],
)
def test_a_quorum_that_does_not_form_raises_an_alarm(quorum: QuorumHealth, tone: str) -> None:
    assert tones(overview(quorum))[1] == tone


def test_a_copy_that_lags_or_is_stale_is_not_good() -> None:
    assert tones(overview(NOTHING))[0] == "good"
    assert tones(overview(NOTHING, lag=3))[0] == "warn"
    assert tones(overview(NOTHING), stale=True)[0] == "alarm"
    empty = Overview(None, 0, 0, COUNTS, NOTHING)
    assert answers(empty, Freshness("no data yet", 0, True))[0].says == "No data yet"


def test_what_was_earned_is_said_by_level() -> None:
    answer = answers(overview(NOTHING), Freshness("", 0, False))[2]
    assert answer.says == "141 points"
    assert answer.details == ("1 K1, 4 K2 and 1 K3 are verified.", "1 refused, 1 undecided.")


def test_days_before_the_first_are_left_out_but_for_a_fortnight() -> None:
    def days(active: int) -> tuple[DayTotals, ...]:
        return tuple(DayTotals(i, 0, 0, 0, 0, 0, int(i >= active)) for i in range(90))

    assert [len(since_first(days(active))) for active in (0, 40, 80, 90)] == [90, 50, 14, 14]
    assert since_first(()) == ()


def test_times_durations_and_shares() -> None:
    assert when(0) == '<time datetime="1970-01-01T00:00:00Z">1970-01-01 00:00:00</time>'
    assert when(1 << 63) == str(1 << 63)
    assert day(86_400) == '<time datetime="1970-01-02">1970-01-02</time>'
    assert [duration(each) for each in (0, 119, 120, 7_200, 172_800)] == [
        *("0 s", "119 s", "2 min", "2 h", "2 d")
    ]
    assert percent(1, 3) == "33 %" and percent(1, 0) == "\N{EN DASH}"
    assert count_of(1, "claim") == "1 claim" and count_of(1_000, "claim") == "1,000 claims"


def test_a_link_changes_what_it_is_told_and_starts_again() -> None:
    link = Link("/nodes", {"sort": "k2", "cursor": "abc", "least": None, "named": True})
    assert link(sort="k1") == "/nodes?sort=k1&named=1"
    assert link(cursor="next") == "/nodes?sort=k2&cursor=next&named=1"
    assert link.query() == "sort=k2&named=1"
    assert Link("/flow", {})() == "/flow"
    assert query_string({"name": "a&b=c"}) == "name=a%26b%3Dc"


def test_each_hit_leads_somewhere() -> None:
    request = Digest(b"\1" * 32)
    for hit, address in (
        (Hit(HitKind.NODE, "0xab"), "/nodes/0xab"),
        (Hit(HitKind.VALIDATOR, "0xab"), "/validators/0xab"),
        (Hit(HitKind.ASSET, "0xab", "KUDOS", request), f"/migrations/0x{'01' * 32}"),
        (Hit(HitKind.TRANSACTION, "0xab", block=7), "/blocks/7?tx=0xab"),
        (Hit(HitKind.TRANSACTION, "0xab", None, request, 7), f"/migrations/0x{'01' * 32}"),
        (Hit(HitKind.PROCESS, "a&<b>"), "/explore?name=a%26%3Cb%3E"),
        (Hit(HitKind.BLOCK, "12", block=12), "/blocks/12"),
    ):
        assert target(hit) == address


def test_the_dates_of_the_form_become_seconds() -> None:
    assert form_params({"from": "1970-01-01T00:01", "to": "", "kind": "KUDOS"}) == {
        "since": "60",
        "kind": "KUDOS",
    }
    with pytest.raises(BadRequest, match="to: a time looks like"):
        form_params({"to": "tomorrow"})


def test_every_filter_is_a_chip_that_takes_it_away() -> None:
    query = Query(kind=Kind.KUDOS, level=3, node=Address(b"\2" * 20), since=60)
    words = dict(chips(query))
    assert list(words) == [
        *("kind: KUDOS", "level: K3", "node: 0x020202…0202", "from 1970-01-01 00:01:00")
    ]
    for text, without in words.items():
        assert text.split(":")[0].split()[0].replace("from", "since") not in without


def test_labels() -> None:
    address = Address(b"\3" * 20)
    assert facet_label("0x" + "03" * 20, "node", {address: "alice"}) == "alice"
    assert facet_label("0x" + "03" * 20, "node", {}) == "0x030303…0303"
    assert facet_label("2", "level", {}) == "K2" and facet_label("", "name", {}) == "unnamed"
    assert clip("0x" + "ab" * 32) == "0xababab…abab" and clip(12) == "12"
    assert local(60) == "1970-01-01T00:01:00"
    assert set(OUTCOMES) == set(Outcome)


def test_who_signed_what() -> None:
    place = Place(BlockNumber(1), 0, TxHash(bytes(32)), UnixSeconds(0), True)

    def signed(asset: str, *checks: Check) -> bool | None:
        step = Step(asset, Digest(bytes(32)), Address(bytes(20)), None, place)
        return signature_of(step, checks).holds

    good, bad = Check("signer of CONFIRMED", "a", "a"), Check("signer of CONFIRMED", "a", "b")
    for asset in ("REQUEST", "ACCEPTED", "CONFIRMED"):
        assert signed(asset, good) is True and signed(asset, bad) is False
    assert signed("RESULT", good) is None and signed("KUDOS", good) is None
    assert signed("REQUEST", Check("signer of REQUEST", "a", "a")) is True
    assert signed("REJECTED", Check("signer of REQUEST", "a", "a")) is None
