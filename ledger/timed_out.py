"""Claims that no quorum has decided: which of a host's have waited for how long, and which of them
need nothing any more."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from ledger import schema
from ledger.browse import claims
from ledger.docket import first_block
from ledger.rows import KudosRow
from ledger.types import Address, Digest


@dataclass(frozen=True, slots=True)
class OpenClaim:
    """A claim that is still open, and how often it was made."""

    kudos: KudosRow
    times: int


def made_again(row: str) -> str:
    """SQL: whether a claim on the same thing stands later in the log than ``row`` of ``kudos``. The
    first one's id may be another: the ledger's own K2 are on CONFIRMED, those made again on RESULT.
    """
    return (
        "EXISTS (SELECT 1 FROM kudos a INDEXED BY kudos_by_request"
        f" WHERE a.request_id = {row}.request_id AND a.level = {row}.level"
        f" AND (a.block, a.log_index) > ({row}.block, {row}.log_index))"
    )


_OF_THE_SAME = "c.request_id = k.request_id AND c.level = k.level"


def open_claims(
    conn: sqlite3.Connection, host: Address, until: int, times: int, limit: int
) -> list[OpenClaim]:
    """A host's open claims that were made before ``until`` (seconds) and up to ``times`` times, the
    oldest first; of a claim that was made again only the newest."""
    # The second condition on the state is in the words of the partial index.
    where = (
        "k.rowid IN (SELECT rowid FROM kudos INDEXED BY kudos_lacking_of WHERE host = ?1"
        f" AND state = {schema.CLAIMED} AND state != {schema.VERIFIED} AND block < ?2)"
        f" AND NOT {made_again('k')}"
        f" AND (SELECT count(*) FROM kudos c WHERE {_OF_THE_SAME}) <= ?3"
        " ORDER BY k.block, k.log_index, k.kudos_id LIMIT ?4"
    )
    sql = "SELECT count(*) FROM kudos WHERE request_id = ? AND level = ?"
    return [
        OpenClaim(claim, conn.execute(sql, (claim.request_id, claim.level)).fetchone()[0])
        for claim in claims(conn, where, (host, first_block(conn, until), times, limit))
    ]


def is_over(conn: sqlite3.Connection, kudos_id: Digest) -> bool:
    """Whether a claim is decided, or made again, in a final block."""
    final = "(SELECT final_number FROM cursor)"
    sql = (
        f"SELECT 1 FROM kudos k WHERE k.kudos_id = ? AND (k.decided_block <= {final} OR EXISTS"
        f" (SELECT 1 FROM kudos c WHERE {_OF_THE_SAME} AND c.block > k.block"
        f" AND c.block <= {final}))"
    )
    return conn.execute(sql, (kudos_id,)).fetchone() is not None
