"""What `kudos validator approve|refuse` makes of ids, over a synthetic ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import pytest

from ledger.calls import BatchVote, CanaryVote
from ledger.errors import UsageError
from ledger.reader import Reader
from ledger.reasons import Reason
from ledger.rows import KudosRow, UnvotedBatch
from ledger.types import Address, Digest
from node.manual_vote import decide, reason_of
from node.parser import Handler, make_parser
from tests.unit.api_site import ApiSite

RESULT = Reason.REFUSE_RESULT


class Desk:
    """A validator before a ledger on which it has votes open."""

    def __init__(self, reader: Reader, validator: Address) -> None:
        self.reader, self.validator = reader, validator
        self.batch = reader.batches_unvoted(validator)[0]
        self.claims = self._claims(self.batch)
        self.third = reader.canary_claims_unvoted(validator)[0].kudos

    def _claims(self, batch: UnvotedBatch) -> dict[int, KudosRow]:
        found = {}
        for settled in self.reader.migrations(500):
            if settled.root == batch.event.root and batch.event.claims >> settled.batch_index & 1:
                rows = [r for r in self.reader.claims_of(settled.request_id) if r.level < 3]
                found[settled.batch_index] = rows[0]
        return found

    def decide(
        self, *ids: Digest, reason: Reason = Reason.APPROVE, rest: Reason | None = None
    ) -> tuple[list[BatchVote], list[CanaryVote]]:
        return decide(self.reader, self.validator, ids, reason, rest)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    site = ApiSite(tmp_path_factory.mktemp("desk") / "index.db")
    validator = site.chain.deployment.validators[0]
    # The last block claims canaries and settles a batch; nobody has voted on either yet.
    while True:
        with Reader.open(site.path) as reader:
            if reader.batches_unvoted(validator) and reader.canary_claims_unvoted(validator):
                break
        site.grow(1, 15)
    with Reader.open(site.path) as reader:
        yield Desk(reader, validator)


def test_a_root_stands_for_all_its_claims(desk: Desk) -> None:
    event = desk.batch.event
    assert desk.decide(event.root) == ([BatchVote(event.host, event.root, event.claims, 0)], [])
    doubts = tuple((index, int(RESULT)) for index in sorted(desk.claims))
    refused = BatchVote(event.host, event.root, 0, event.claims, doubts)
    assert desk.decide(event.root, reason=RESULT) == ([refused], [])


def test_one_claim_needs_a_word_on_the_others(desk: Desk) -> None:
    event, (index, claim) = desk.batch.event, next(iter(desk.claims.items()))
    assert len(desk.claims) > 1
    with pytest.raises(UsageError, match=f"{len(desk.claims) - 1} claims of it were not named"):
        desk.decide(claim.kudos_id, reason=RESULT)
    ballots, _ = desk.decide(claim.kudos_id, reason=RESULT, rest=Reason.APPROVE)
    others = event.claims & ~(1 << index)
    wanted = BatchVote(event.host, event.root, others, 1 << index, ((index, int(RESULT)),))
    assert ballots == [wanted]
    everything = [row.kudos_id for row in desk.claims.values()]
    assert desk.decide(*everything) == desk.decide(event.root)


def test_a_canary_is_voted_on_alone_and_once(desk: Desk) -> None:
    third = desk.third.kudos_id
    assert desk.decide(third, third) == ([], [CanaryVote(third, Reason.APPROVE)])
    ballots, canaries = desk.decide(desk.batch.event.root, third, reason=RESULT)
    assert len(ballots) == 1 and canaries == [CanaryVote(third, RESULT)]


def test_what_is_not_open_is_refused(desk: Desk) -> None:
    decided = next(
        claim
        for settled in desk.reader.migrations(500)
        for claim in desk.reader.claims_of(settled.request_id)
        if claim.decided is not None
    )
    for wanted in (Digest(bytes(32)), decided.kudos_id):
        with pytest.raises(UsageError, match="Nothing under"):
            desk.decide(wanted)


def test_a_refusal_has_a_reason() -> None:
    assert reason_of("approve", None) == Reason.APPROVE
    assert reason_of("refuse", "refuse_order") == Reason.REFUSE_ORDER
    for name in (None, "APPROVE", "nonsense", "ABSTAIN_INPUTS"):
        with pytest.raises(UsageError) as error:
            reason_of("refuse", name)
        assert "REFUSE_RESULT" in error.value.hint


@pytest.mark.parametrize("options_first", [False, True])
def test_the_command_line_takes_ids_and_still_runs_the_daemon(options_first: bool) -> None:
    common = ["--ledger", "l", "--rpc", "u", "--key", "k", "--data", "d"]
    handlers = defaultdict[str, Handler](lambda: lambda _: 0)
    parser = make_parser(handlers)
    votes = ["refuse", "0x" + "ab" * 32, "--reason", "REFUSE_RESULT", "--rest", "approve"]
    words = ["validator", *common, *votes] if options_first else ["validator", *votes, *common]
    options = parser.parse_args(words)
    assert (options.action, options.ids) == ("refuse", [Digest(b"\xab" * 32)])
    assert (options.reason, options.rest) == ("REFUSE_RESULT", "approve")
    daemon = parser.parse_args(["validator", *common])
    assert (daemon.action, daemon.ids, daemon.manual) == (None, [], False)
