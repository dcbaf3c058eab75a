"""What an agent answers (docs/agent.md): typed for both ends. Addresses and digests are 0x and
lower-case hexadecimal digits."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from node.agent_protocol import VERSION, Role, StateName


class HelloReply(msgspec.Struct, frozen=True):
    address: str
    chain_id: int
    contract: str
    version: int = VERSION


class VerdictReply(msgspec.Struct, frozen=True):
    accept: bool
    reason: str
    text: str
    strategy: str
    rule: str
    block: int | None
    age: float | None
    freshness: str
    numbers: dict[str, int]


class RankedReply(msgspec.Struct, frozen=True):
    host: str
    points: int
    connected: bool
    verdict: VerdictReply


class KudosReply(msgspec.Struct, frozen=True):
    k1: int
    k2: int
    k3: int
    points: int


class LevelReply(msgspec.Struct, frozen=True):
    verified: int
    open: int
    refused: int


class ClaimReply(msgspec.Struct, frozen=True):
    level: int
    home: str
    request_id: str
    block: int
    reasons: dict[str, int]


class PairReply(msgspec.Struct, frozen=True):
    other: str
    earned: KudosReply
    paid: KudosReply


class ExplainReply(msgspec.Struct, frozen=True):
    node: str
    block: int | None
    age: float | None
    totals: KudosReply
    levels: dict[str, LevelReply]
    open: list[ClaimReply]
    refused: list[ClaimReply]
    pairs: list[PairReply]


class MigrationReply(msgspec.Struct, frozen=True):
    """One migration from this agent's side. ``reason`` says why it was rejected or lost;
    ``descriptor`` is there if the home gave one."""

    request_id: str
    role: Role
    state: StateName
    home: str
    host: str
    name: str
    task_digest: str
    cpu_seconds: int
    memory_mib: int
    output_kib: int
    signed_at: int
    result_deadline: int
    reason: str | None = None
    result_digest: str | None = None
    descriptor: dict[str, Any] | None = None


class OpenReply(msgspec.Struct, frozen=True):
    """What the mark said; ``delivered`` says whether the host has the opening of a canary."""

    kind: Literal["ordinary", "canary"]
    delivered: bool
