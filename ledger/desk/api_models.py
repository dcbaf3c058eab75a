"""What the API answers with: one model per kind of answer, for the service, its OpenAPI document
and the client alike.

Bytes are 0x and lower-case digits, times are Unix seconds of a block unless they say otherwise,
numbers are numbers.
"""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ledger.types import hex_of

T = TypeVar("T")


def _text(value: object) -> object:
    return hex_of(value) if isinstance(value, bytes) else value


AddressText = Annotated[
    str,
    BeforeValidator(_text),
    Field(pattern="^0x[0-9a-f]{40}$", examples=["0x5f4e1a0c7d3b9286a1f05e8c4d7b2a6390e1c8f4"]),
]
DigestText = Annotated[
    str, BeforeValidator(_text), Field(pattern="^0x[0-9a-f]{64}$", examples=["0x" + "3c" * 32])
]
Bytes = Annotated[str, BeforeValidator(_text), Field(pattern="^0x([0-9a-f]{2})*$")]
StateText = Literal["waiting", "verified", "refused", "void"]
OriginText = Literal["planted", "drawn", "open"]
VerdictText = Literal["approved", "refused", "abstained"]
Level = Annotated[int, Field(ge=1, le=3, examples=[3])]


class Model(BaseModel):
    """Read from the queries' own dataclasses; the docstrings are the document's descriptions."""

    model_config = ConfigDict(from_attributes=True, frozen=True, use_attribute_docstrings=True)


class Page(Model, Generic[T]):
    """Some rows. ``next`` is the cursor of the page after it, null at the end; a page may be short
    or even empty and still have a next one."""

    rows: list[T]
    next: str | None = Field(examples=["kwHNAgA"])


class Place(Model):
    """Where on the chain something stands."""

    block: int
    log_index: int
    tx: DigestText
    timestamp: int
    final: bool


class Head(Model):
    """The block that an answer was read at."""

    number: int
    hash: DigestText
    timestamp: int
    final_number: int
    """The newest block that no reorganisation takes back any more; -1 while there is none."""


class Health(Model):
    """The process answers."""

    status: Literal["ok"]


class Readiness(Model):
    """How well the copy follows its chain."""

    status: Literal["ok", "stale"]
    age_seconds: int
    """Since the chain was last asked, by the service's clock."""
    number: int | None = None
    hash: DigestText | None = None
    timestamp: int | None = None
    indexed_at: int | None = None
    chain_head: int | None = None
    final_number: int | None = None


class Counts(Model):
    """What the ledger holds; k1 to k3 are verified Kudos."""

    nodes: int
    migrations: int
    accepted: int
    rejected: int
    canaries_opened: int
    claims: int
    k1: int
    k2: int
    k3: int
    refused: int
    void: int
    """Runs of the validators disagreed: nobody gains or loses."""
    carried: int
    """Verified Kudos that came over from the ledger before this one."""
    waiting: int
    points: int
    """1, 10 and 100 for each verified Kudos of level 1, 2 and 3."""


class WaitingOn(Model):
    """Open claims without this validator's vote."""

    validator: AddressText
    claims: int
    since: int | None
    """When the oldest of them was made."""


class Quorum(Model):
    """Open claims, since when, and on whom they wait; not exact: at least so many."""

    waiting: int
    exact: bool
    oldest_block: int | None
    oldest_since: int | None
    on: list[WaitingOn]


class Life(Model):
    """Whether the ledger is closed, and whether it goes on from one before it."""

    closed_at: int | None
    final_at: int | None
    """From when on its totals are final; until then votes on what is open still count."""
    carried_nodes: int
    """How many nodes' Kudos were carried over from the ledger before."""


class Stats(Model):
    """The whole ledger, now or as of a block. Quorum and life are always those of now."""

    head: Head | None
    at_block: int | None
    counts: Counts
    quorum: Quorum
    life: Life
    reorganisations: int


class Day(Model):
    """One UTC day, by its first second."""

    start: int
    k1: int
    k2: int
    k3: int
    points: int
    refused: int
    migrations: int


class Minute(Model):
    """Migrations settled in one minute, by its first second."""

    start: int
    migrations: int


class Node(Model):
    """One node's totals: as home what it sent, as host what it took in, and its Kudos."""

    address: AddressText
    name: str = ""
    """What the operator of this service calls it; empty without a name."""
    points: int
    k1: int
    k2: int
    k3: int
    claims: int
    refused: int
    void: int
    carried: int
    """Verified Kudos, within k1 to k3, that came over from the ledger before this one."""
    waiting: int
    requests: int
    """Settled requests of this node to others, accepted or rejected."""
    accepted: int
    rejected: int
    hosted: int
    """Requests of others that this node accepted."""
    rejections: int
    acceptance: int | None
    """Accepted requests of others, in thousandths; null before the first request."""
    canaries_opened: int
    canaries_passed: int
    canaries_failed: int


class NodeDay(Model):
    """One UTC day of a node, by its first second; points are those at its end."""

    start: int
    points: int
    k1: int
    k2: int
    k3: int
    refused: int
    requests: int
    accepted: int
    hosted: int
    rejections: int


class Edge(Model):
    """What one home gave one host: verified Kudos, and work."""

    home: AddressText
    host: AddressText
    points: int
    k1: int
    k2: int
    k3: int
    requests: int
    accepted: int
    rejected: int


class Flow(Model):
    """The heaviest edges, and how much of the whole they are."""

    edges: list[Edge]
    edges_total: int
    points_shown: int
    points_total: int


class OfOrigin(Model):
    """K3 of canaries of one origin."""

    origin: OriginText
    claimed: int
    passed: int
    failed: int
    void: int


class CanaryRecord(Model):
    """How a node stands with canaries: those that it opened as home; as host, by their origin."""

    opened_as_home: int
    claimed: int
    passed: int
    failed: int
    void: int
    waiting: int
    origins: list[OfOrigin]


class ProblemError(Model):
    """One parameter that cannot be."""

    parameter: str
    detail: str


class ProblemDetails(Model):
    """RFC 9457. ``type`` tells problems apart; ``hint`` says what to do."""

    type: str = Field(examples=["urn:kudos:problem:block-not-indexed"])
    title: str
    status: int
    detail: str
    hint: str | None = None
    errors: list[ProblemError] | None = None
