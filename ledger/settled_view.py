"""What the settler asks of the index. ``ledger.reader.Reader`` answers it, or a dict in a test."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from ledger.assets import Migration
from ledger.rows import Draw, Opening
from ledger.timed_out import OpenClaim
from ledger.types import Address, BlockNumber, Digest, UnixSeconds


class Head(Protocol):
    """Where the index stands."""

    @property
    def number(self) -> BlockNumber: ...
    @property
    def timestamp(self) -> UnixSeconds: ...
    @property
    def final_number(self) -> BlockNumber: ...


class InBlock(Protocol):
    @property
    def block(self) -> BlockNumber: ...


class Settled(Protocol):
    """Where the index has a migration."""

    @property
    def root(self) -> Digest | None: ...
    @property
    def batch_index(self) -> int | None: ...
    @property
    def place(self) -> InBlock: ...
    @property
    def migration(self) -> Migration: ...


class SettledView(Protocol):
    """What the settler asks of the index; ``ledger.reader.Reader`` answers it."""

    def head(self) -> Head | None: ...
    def is_settled(self, request_id: Digest, /) -> bool: ...
    def is_claimed(self, kudos_id: Digest, /) -> bool: ...
    def is_final_settled(self, request_id: Digest, /) -> bool: ...
    def is_final_claimed(self, kudos_id: Digest, /) -> bool: ...
    def migration(self, request_id: Digest, /) -> Settled | None: ...
    def family_number(self, family: Digest, /) -> int | None: ...


class OpenClaims(SettledView, Protocol):
    """What is asked besides of who makes claims again."""

    def open_claims(
        self, host: Address, until: int, times: int, limit: int = ..., /
    ) -> list[OpenClaim]: ...
    def is_over(self, kudos_id: Digest, /) -> bool: ...
    def opening(self, request_id: Digest, /) -> Opening | None: ...
    def draw(self, request_id: Digest, /) -> Draw | None: ...


OpenIndex = Callable[[], AbstractContextManager[SettledView]]
"""Opens the index for one step, in the thread that makes the step."""

OpenClaimsIndex = Callable[[], AbstractContextManager[OpenClaims]]
"""The same for claims that are made again."""
