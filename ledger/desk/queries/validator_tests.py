"""Claims that tested the validators, once they are opened, and what each validator said of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ledger import schema
from ledger.desk.queries.common import Page, check_limit, read_cursor, write_cursor
from ledger.desk.queries.seats import tenures
from ledger.reader import Reader
from ledger.types import Address, BlockNumber, Digest


class Said(StrEnum):
    """What a validator said of a test: to approve it, it cannot have run the task. silent: it was
    in office when the test was claimed, is no party, and said nothing."""

    APPROVED = "approved"
    REFUSED = "refused"
    ABSTAINED = "abstained"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Counts:
    """One validator's opened tests."""

    approved: int = 0
    refused: int = 0
    abstained: int = 0
    silent: int = 0


@dataclass(frozen=True, slots=True)
class Tested:
    """One opened test, and what one validator said of it. ``block`` and ``timestamp`` are of the
    opening."""

    said: Said
    kudos_id: Digest
    request_id: Digest
    home: Address
    host: Address
    state: int
    block: BlockNumber
    log_index: int
    timestamp: int


def counts(reader: Reader, validators: Sequence[Address]) -> dict[Address, Counts]:
    """By validator; of these alone."""
    terms = tenures(reader.connection)
    found = {}
    for who in validators:
        sql, values = _said_by(who, terms.get(who, []))
        sql = f"SELECT said, count(*) FROM ({sql}) WHERE said IS NOT NULL GROUP BY said"
        rows: dict[int, int] = dict(reader.connection.execute(sql, values).fetchall())
        found[who] = Counts(**{str(said): rows.get(code, 0) for code, said in _CODES.items()})
    return found


def opened_tests(
    reader: Reader,
    validator: Address,
    said: Said | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Tested]:
    """One validator's opened tests, the newest first; all, or those of which it said this."""
    check_limit(limit)
    sql, values = _said_by(validator, tenures(reader.connection).get(validator, []))
    where = ["said IS NOT NULL"]
    if said is not None:
        where.append("said = :wanted")
        values["wanted"] = next(code for code, each in _CODES.items() if each == said)
    if cursor is not None:
        where.append("(block, log_index) < (:at_block, :at_log)")
        values |= zip(("at_block", "at_log"), read_cursor(cursor, (int, int)), strict=True)
    sql = (
        f"SELECT said, kudos_id, request_id, home, host, state, block, log_index,"
        f" (SELECT timestamp FROM blocks WHERE number = block) FROM ({sql})"
        f" WHERE {' AND '.join(where)} ORDER BY block DESC, log_index DESC LIMIT :limit"
    )
    rows = reader.connection.execute(sql, values | {"limit": limit + 1}).fetchall()
    found = tuple(Tested(_CODES[row[0]], *row[1:]) for row in rows[:limit])
    more = len(rows) > limit
    return Page(found, write_cursor((found[-1].block, found[-1].log_index)) if more else None)


_CODES = {3: Said.APPROVED, 2: Said.REFUSED, 1: Said.ABSTAINED, 0: Said.SILENT}
"""The larger one says more, where a test was claimed several times."""

_CLAIMS = (
    "SELECT c.kudos_id FROM (SELECT t.kudos_id UNION ALL"
    " SELECT a.kudos_id FROM kudos a WHERE a.repeats = t.kudos_id) i"
    " JOIN kudos c ON c.kudos_id = i.kudos_id"
    " WHERE (c.block, c.log_index) < (t.block, t.log_index)"
)
"""The claims of a test that were made before it was opened; afterwards everybody knows."""

_STATE = (
    "coalesce((SELECT a.state FROM kudos a WHERE a.repeats = t.kudos_id"
    " ORDER BY a.attempt DESC LIMIT 1), k.state)"
)
"""What became of it, of the last claim where there are several."""


def _said_by(
    validator: Address, terms: Sequence[tuple[int, int | None]]
) -> tuple[str, dict[str, object]]:
    """SQL for all tests with what a validator said, NULL where it was not asked; and its values."""
    values: dict[str, object] = {"who": validator}
    seated = ["0"]
    for number, (first, last) in enumerate(terms):
        values |= {f"first{number}": first, f"last{number}": last}
        seated.append(f"(k.block > :first{number} AND k.block <= coalesce(:last{number}, k.block))")
    voted = (
        f"SELECT max(CASE v.verdict WHEN {schema.APPROVE} THEN 3 WHEN {schema.REFUSE} THEN 2"
        f" ELSE 1 END) FROM votes v WHERE v.validator = :who AND v.kudos_id IN ({_CLAIMS})"
    )
    owed = f"({' OR '.join(seated)}) AND k.home != :who AND k.host != :who"
    return (
        f"SELECT t.kudos_id, t.request_id, t.block, t.log_index, k.home, k.host, {_STATE} AS state,"
        f" coalesce(({voted}), CASE WHEN {owed} THEN 0 END) AS said"
        " FROM tests t JOIN kudos k ON k.kudos_id = t.kudos_id"
    ), values
