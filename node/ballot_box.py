"""A validator's votes between commitment and reveal: on disk before the commitment leaves.

A commitment whose votes or salt are lost can never be opened, and a second one for the same round
is refused by the contract. So a round is sealed here once, and what was sealed is what is sent,
however often the process is killed in between.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from ledger.claim_calls import ClaimVote
from ledger.errors import CorruptData
from ledger.types import Digest

VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS rounds (
    number INTEGER PRIMARY KEY,
    votes BLOB NOT NULL,
    salt BLOB NOT NULL
) STRICT;
"""
_VOTE_BYTES = 33


@dataclass(frozen=True, slots=True)
class Sealed:
    """The votes of one round, and the salt that hides them until they are revealed."""

    number: int
    votes: tuple[ClaimVote, ...]
    salt: Digest

    def __repr__(self) -> str:
        return f"<Sealed votes of round {self.number}>"


class BallotBox:
    """One validator's sealed rounds."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        path.chmod(0o600)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            self._db.close()
            raise CorruptData(
                f"{path} is of version {version}; this program knows {VERSION}.",
                hint="Use the newer program that wrote it.",
            )
        self._db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")

    def seal(self, sealed: Sealed) -> Sealed:
        """Keeps a round's votes; gives back those that were sealed first."""
        packed = b"".join(vote.kudos_id + bytes([vote.reason]) for vote in sealed.votes)
        row = (sealed.number, packed, sealed.salt)
        self._db.execute("INSERT OR IGNORE INTO rounds VALUES (?, ?, ?)", row)
        first = self.sealed(sealed.number)
        assert first is not None, "it was written a line above"
        return first

    def sealed(self, number: int) -> Sealed | None:
        """The votes of a round; None when nothing was sealed."""
        sql = "SELECT votes, salt FROM rounds WHERE number = ?"
        row = self._db.execute(sql, (number,)).fetchone()
        if row is None:
            return None
        packed, salt = row
        votes = (packed[i : i + _VOTE_BYTES] for i in range(0, len(packed), _VOTE_BYTES))
        return Sealed(number, tuple(ClaimVote(Digest(v[:32]), v[32]) for v in votes), Digest(salt))

    def numbers(self) -> list[int]:
        """The rounds that are kept, the oldest first."""
        return [row[0] for row in self._db.execute("SELECT number FROM rounds ORDER BY number")]

    def forget(self, number: int) -> None:
        """Drops a round that the ledger has in full."""
        self._db.execute("DELETE FROM rounds WHERE number = ?", (number,))

    def close(self) -> None:
        self._db.close()
