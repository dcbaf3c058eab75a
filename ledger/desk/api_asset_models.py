"""What the API answers with about assets: migrations, Kudos, votes, canaries, and what a search
finds. See ``ledger.desk.api_models``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ledger.desk.api_models import (
    AddressText,
    DigestText,
    Level,
    Model,
    OriginText,
    Place,
    StateText,
    VerdictText,
)
from ledger.desk.api_rule_models import ValidatorTest


class Asset(Model):
    """One asset as it stands on the ledger; a signed one has the time that its owner stated."""

    kind: Literal[
        "REQUEST", "ACCEPTED", "REJECTED", "CONFIRMED", "RESULT", "CANARY_OPENED", "KUDOS"
    ]
    id: DigestText
    request_id: DigestText
    owner: AddressText
    home: AddressText
    host: AddressText
    process_name: str
    level: int | None
    state: StateText | None
    origin: OriginText | None
    reason: str | None
    signed_at: int | None
    block: int
    timestamp: int
    tx: DigestText
    log_index: int
    final: bool


class AssetCount(Model):
    """How many assets a filter leaves; not exact: at least so many."""

    value: int
    exact: bool
    text: str = Field(examples=["10,000+"])


class FacetValue(Model):
    """One value, how many assets it leaves, and the query string that selects it."""

    value: str
    query: str
    count: AssetCount
    selected: bool


class Facet(Model):
    """How the assets of a filter spread over one dimension; ``more``: rarer values are left out."""

    dimension: str = Field(examples=["kind"])
    values: list[FacetValue]
    more: bool


class KudosClaim(Place):
    """A claim for Kudos."""

    id: DigestText
    level: Level
    state: StateText
    host: AddressText
    home: AddressText
    asset_id: DigestText
    """The asset that it is claimed on."""
    request_id: DigestText
    epoch: int
    origin: OriginText | None
    """Of a K3's canary."""
    repeats: DigestText | None
    """The Kudos that is claimed again, for the `attempt`th time."""
    attempt: int
    decided_block: int | None


class Vote(Place):
    """One validator's word on one claim."""

    kudos_id: DigestText
    validator: AddressText
    verdict: VerdictText
    reason: str | None


class KudosDetail(KudosClaim):
    """A claim with the votes on it, in their order."""

    votes: list[Vote]


class KudosBrief(Model):
    """A claim in the line of its migration."""

    id: DigestText
    level: Level
    state: StateText
    origin: OriginText | None


class Migration(Place):
    """One settled migration."""

    request_id: DigestText
    home: AddressText
    host: AddressText
    process_name: str
    sequence: int
    accepted: bool
    rejection: str | None
    canary_opened: bool
    strict: bool
    """Whether it came step by step, each asset in a transaction of its own."""
    kudos: list[KudosBrief]


class StepVote(Place):
    """A vote on the claim of a step."""

    validator: AddressText
    verdict: VerdictText
    reason: str | None


class Step(Place):
    """One asset in the life of a migration."""

    asset: str = Field(examples=["CONFIRMED"])
    id: DigestText
    owner: AddressText
    signed_at: int | None
    signature: str | None
    """The owner's of this asset alone, where it came by itself and another sent it."""
    detail: str
    votes: list[StepVote]


class Check(Model):
    """One recomputation: what the ledger states, and what came out."""

    name: str = Field(examples=["signer of CONFIRMED"])
    stated: str
    computed: str
    holds: bool


class LifeCycle(Migration):
    """A migration with all its assets and everything that can be recomputed of it."""

    steps: list[Step]
    checks: list[Check]
    test: ValidatorTest | None
    """Where the claim was made to test the validators, what shows it: its result is no run's."""


class Canary(Place):
    """An opened canary, and what became of its K3. The opening is an asset, CANARY_OPENED with an
    id and a signing time, only where its home has signed it."""

    id: DigestText | None
    request_id: DigestText
    home: AddressText
    host: AddressText
    process_name: str
    result_id: DigestText
    task_digest: DigestText
    family: DigestText
    parameters: DigestText
    salt: DigestText
    solution: DigestText | None
    """Of a puzzle, whose answer the contract has checked."""
    opened_at: int | None
    kudos_id: DigestText | None
    """The K3 claimed on it; null while nobody has."""
    state: StateText | None


class Said(Model):
    """One vote, with its reason in words."""

    validator: AddressText
    verdict: VerdictText
    reason: str | None = Field(examples=["REFUSE_RESULT: The result is another one."])
    block: int


class Why(Model):
    """One claim, or one thing without a claim, and why it counts or does not."""

    outcome: Literal[
        "verified",
        "refused",
        "void",
        "timed_out",
        "waiting",
        "unreachable",
        "late",
        "skipped",
        "never_asked",
    ]
    level: Level
    points: int
    home: AddressText | None
    request_id: DigestText | None
    kudos_id: DigestText | None
    repeats: DigestText | None
    """The Kudos that is claimed again, for the `attempt`th time."""
    attempt: int
    origin: OriginText | None
    state: StateText | None
    reason: str | None
    """Why the contract skipped it."""
    votes: list[Said]
    waiting_on: list[AddressText]
    unrevealed: list[AddressText]
    """Those among them that committed to their vote and have not revealed it."""
    not_eligible: list[AddressText]
    """Validators that are a party to it, or took their seat after it was claimed."""
    block: int
    timestamp: int
    decided_block: int | None
    tested: bool
    """Whether the claim was made to test the validators, and is no run's."""


class Hit(Model):
    """One thing that a text may name."""

    kind: Literal["node", "validator", "asset", "transaction", "process", "block"]
    value: str
    asset: str | None
    request_id: DigestText | None
    block: int | None
    count: int | None


class Hits(Model):
    """The exact hits first; ``more``: others begin like this, too."""

    hits: list[Hit]
    more: bool


class Quantiles(Model):
    """Median and 95th percentile; null before the first vote."""

    median: int | None
    p95: int | None


class Validator(Model):
    """How one validator votes: how much, how fast, against the outcome, and where it is silent."""

    address: AddressText
    name: str = ""
    active: bool
    """Whether it belongs to the present set."""
    votes: int
    approved: int
    refused: int
    abstained: int
    decided: int
    disagreed: int
    latency_blocks: Quantiles
    latency_seconds: Quantiles
    silent: int
    """Open claims without its vote."""
    silent_exact: bool
    oldest_silent_block: int | None
    oldest_silent_since: int | None
    missed: int
    """Decided claims without its vote."""
    tests_approved: int
    """Tests of the validators, opened since, that it approved: it did not look."""
    tests_refused: int
    tests_abstained: int
    tests_silent: int
    """Those that it could have voted on and did not."""
