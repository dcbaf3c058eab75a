"""What the API answers with about the ledger's rule: sets of validators, proposals, rounds of
committed votes, the beacon and what it drew, puzzles. See ``ledger.desk.api_models``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ledger.desk.api_models import AddressText, DigestText, Model, Place, StateText


class ValidatorSet(Model):
    """One set of validators, from its block on; the last one is in force."""

    version: int
    seats: list[AddressText]
    """By seat; the zero address is an empty one."""
    threshold: int
    came: list[AddressText]
    left: list[AddressText]
    block: int
    timestamp: int


class Proposal(Model):
    """One proposal in the validators' queue, and who said what of it."""

    number: int
    kind: Literal["set", "family", "close"]
    content_hash: DigestText
    proposer: AddressText
    set_version: int
    """The version of the set that it builds on; after another change of the set it is stale."""
    status: Literal["open", "approved", "withdrawn", "executed", "stale", "lapsed"]
    ready_at: int | None
    """When the delay after its approval ends."""
    approvals: list[AddressText]
    withdrawals: list[AddressText]
    block: int
    timestamp: int


class Round(Model):
    """One round of votes on K3: who committed to votes, and who of these has not revealed them."""

    number: int
    committed: list[AddressText]
    silent: list[AddressText]
    """Empty while nothing can be revealed yet."""


class Period(Round):
    """One period of the beacon: who committed to a secret, who never revealed it, and what came of
    it."""

    status: Literal["committing", "running", "revealing", "waiting", "named", "known", "none"]
    """As of the newest block. Commitments end when the period begins, reveals begin when it ends.
    waiting: nobody has named its block yet; named: it waits for that block; none: too few revealed,
    and nothing is drawn from it."""
    value: DigestText | None


class Puzzle(Model):
    """A puzzle that a node asked the contract for; only its last one can still be solved."""

    counter: int
    difficulty: int = Field(examples=[22])
    solved: bool
    block: int
    timestamp: int


class Draw(Place):
    """A request that the beacon made a canary, recomputed: it is drawn where ``number`` is below
    ``threshold``."""

    request_id: DigestText
    home: AddressText
    host: AddressText
    process_name: str
    result_id: DigestText
    task_digest: DigestText
    mark_hash: DigestText
    period: int
    """The period of the beacon that the RESULT was settled in."""
    beacon: DigestText | None
    number: DigestText | None
    """keccak256(beacon, request id); null where the copy has no such beacon."""
    threshold: DigestText
    kudos_id: DigestText | None
    """The K3 claimed on it, the latest where it was claimed again."""
    state: StateText | None


class ValidatorTest(Place):
    """What showed that a claim was made to test the validators: in place of a result's digest
    stands one that follows from the request's id and a salt that nobody finds afterwards."""

    kudos_id: DigestText
    result_id: DigestText
    seal_salt: DigestText
    salt: DigestText
    result_digest: DigestText
    """Recomputed from request id and salt."""


class Tested(Model):
    """An opened test, and what one validator said of it; block and timestamp are the opening's."""

    said: Literal["approved", "refused", "abstained", "silent"]
    """approved: it did not look. silent: it could have voted and did not."""
    kudos_id: DigestText
    request_id: DigestText
    home: AddressText
    host: AddressText
    state: StateText
    """What became of the claim."""
    block: int
    timestamp: int
