"""Errors by whose fault they are; every one says what to do about it.

The command line prints ``message`` and ``hint`` and exits with ``exit_code``; a peer is told
``reason`` (see ``ledger.reasons``) and nothing else.
"""

from __future__ import annotations


class KudosError(Exception):
    """Root of every error that Kudos raises on purpose.

    ``message`` says what is wrong, ``hint`` what the reader can do about it.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class UsageError(KudosError):
    """The person at the command line asked for something that cannot be."""

    exit_code = 2


class SetupError(KudosError):
    """This machine lacks something: a program, a permission, a file."""

    exit_code = 3


class PeerError(KudosError):
    """A peer sent something that the protocol does not allow; the connection or the item is
    dropped."""


class PeerTimeout(PeerError):
    """A peer did not answer in time."""


class ChainError(KudosError):
    """The chain could not be reached, or answered what it must not answer."""

    exit_code = 4


class Reverted(ChainError):
    """The contract refused a transaction; ``error`` is the name of its custom error."""

    def __init__(self, message: str, *, error: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.error = error


class CorruptData(KudosError):
    """Stored data contradicts itself or belongs to another chain."""

    exit_code = 5
