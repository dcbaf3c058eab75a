"""What the settler asks of the index. ``ledger.reader.Reader`` answers it, or a dict in a test."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from ledger.types import BlockNumber, Digest, UnixSeconds


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


class SettledView(Protocol):
    """What the settler asks of the index; ``ledger.reader.Reader`` answers it."""

    def head(self) -> Head | None: ...
    def is_settled(self, request_id: Digest, /) -> bool: ...
    def is_claimed(self, kudos_id: Digest, /) -> bool: ...
    def is_final_settled(self, request_id: Digest, /) -> bool: ...
    def is_final_claimed(self, kudos_id: Digest, /) -> bool: ...
    def migration(self, request_id: Digest, /) -> Settled | None: ...
    def family_number(self, family: Digest, /) -> int | None: ...


OpenIndex = Callable[[], AbstractContextManager[SettledView]]
"""Opens the index for one step, in the thread that makes the step."""
