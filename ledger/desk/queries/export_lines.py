"""Assets as lines of JSON, written straight from the rows of their tables.

``formats`` writes any table. This one is the longest, and is asked for as NDJSON by programs that
want all of it: what the assets of one row, or the rows of one batch, have in common is written out
once. Tests hold the lines to the bytes that the general writer makes of the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import msgspec

from ledger.assets import process_name_text
from ledger.changes import unsigned_64
from ledger.desk.queries.explore import OF_HOME, STATE_NAMES, Key, Places
from ledger.desk.queries.explore_query import Kind
from ledger.desk.queries.streams import RANKS
from ledger.reader import Reader
from ledger.types import hex_of

ADDRESSES, NAMES = 1 << 16, 1 << 12
"""How many of them are remembered as text."""

_Step = tuple[str, str, str, object, int]
"""Kind, id, owner, reason and signing time, as they stand in a line."""

_CONFIRMED = (Kind.RESULT, Kind.CONFIRMED, Kind.ACCEPTED, Kind.REQUEST)
_REJECTED = (Kind.REJECTED, Kind.REQUEST)


class Lines:
    """Rows of each table as (key of the latest asset, how many assets, their lines)."""

    def __init__(self, reader: Reader, kinds: frozenset[Kind]) -> None:
        self._places = Places(reader)
        # Looking a member of an enumeration up takes longer than writing its line.
        self._wanted = frozenset(kind.value for kind in kinds)
        self._ranks = [
            max((RANKS[kind] for kind in made if kind in kinds), default=0)
            for made in (_CONFIRMED, _REJECTED)
        ]
        self._at = (-1, -1)
        self._end = ""

    def of(self, table: str, rows: Iterable[Any]) -> Iterator[tuple[Key, int, str]]:
        """The rows of one table."""
        writers = {"migrations": self._migrations, "steps": self._steps}
        writers |= {"openings": self._openings, "kudos": self._kudos}
        return writers[table](rows)

    def _migrations(self, rows: Iterable[Any]) -> Iterator[tuple[Key, int, str]]:
        wanted, confirmed_rank, rejected_rank = self._wanted, *self._ranks
        for row in rows:
            block, log, item, request_id, home_raw, host_raw, name = row[:7]
            asked_at, answer_id, answered_at, reason = row[7:11]
            home, host, request = _address(home_raw), _address(host_raw), request_id.hex()
            steps: tuple[_Step, ...]
            if reason is None:
                rank = confirmed_rank
                steps = (
                    ("RESULT", row[13].hex(), host, "null", row[14]),
                    ("CONFIRMED", row[11].hex(), home, "null", row[12]),
                    ("ACCEPTED", answer_id.hex(), host, "null", answered_at),
                    ("REQUEST", request, home, "null", asked_at),
                )
            else:
                rank = rejected_rank
                steps = (
                    ("REJECTED", answer_id.hex(), host, reason, answered_at),
                    ("REQUEST", request, home, "null", asked_at),
                )
            middle = (
                f'","home":"{home}","host":"{host}","process_name":{_name(name)}'
                ',"level":null,"state":null,"origin":null,"reason":'
            )
            end = self._end if self._at == (block, log) else self._place(block, log)
            lines = [
                f'{{"kind":"{kind}","id":"0x{identity}","request_id":"0x{request}",'
                f'"owner":"{owner}{middle}{why},"signed_at":{signed_at}{end}'
                for kind, identity, owner, why, signed_at in steps
                if kind in wanted
            ]
            yield (block, log, item, rank), len(lines), "".join(lines)

    def _openings(self, rows: Iterable[Any]) -> Iterator[tuple[Key, int, str]]:
        rank = RANKS[Kind.CANARY_OPENED]
        for block, log, item, request_id, home, host, name, identity, opened_at, _ in rows:
            start = self._start(Kind.CANARY_OPENED, identity, request_id, home, host, name)
            said = f'{_NOTHING}null,"signed_at":{unsigned_64(opened_at)}'
            yield (block, log, item, rank), 1, f"{start}{said}{self._place(block, log)}"

    def _kudos(self, rows: Iterable[Any]) -> Iterator[tuple[Key, int, str]]:
        rank = RANKS[Kind.KUDOS]
        for row in rows:
            block, log, item, request_id, home, host, name, identity, level, state, origin, _ = row
            start = self._start(Kind.KUDOS, identity, request_id, home, host, name)
            from_where = "null" if origin is None else f'"{origin}"'
            said = f'{level},"state":"{_STATES[state]}","origin":{from_where}'
            said += ',"reason":null,"signed_at":null'
            yield (block, log, item, rank), 1, f"{start}{said}{self._place(block, log)}"

    def _steps(self, rows: Iterable[Any]) -> Iterator[tuple[Key, int, str]]:
        for row in rows:
            block, log, item, request_id, home, host, name, identity = row[:8]
            kind, signed_at, reason = Kind(row[8]), _number(row[9]), _number(row[10])
            start = self._start(kind, identity, request_id, home, host, name)
            said = f'{_NOTHING}{reason},"signed_at":{signed_at}'
            yield (block, log, item, RANKS[kind]), 1, f"{start}{said}{self._place(block, log)}"

    def _start(
        self, kind: Kind, identity: bytes, request: bytes, home: bytes, host: bytes, name: bytes
    ) -> str:
        owner = _address(home if kind in OF_HOME else host)
        return (
            f'{{"kind":"{kind.value}","id":"0x{identity.hex()}","request_id":"0x{request.hex()}",'
            f'"owner":"{owner}","home":"{_address(home)}","host":"{_address(host)}",'
            f'"process_name":{_name(name)},"level":'
        )

    def _place(self, block: int, log_index: int) -> str:
        if self._at != (block, log_index):
            timestamp, tx = self._places(block, log_index)
            final = "true" if block <= self._places.final else "false"
            self._at = (block, log_index)
            self._end = (
                f',"block":{block},"timestamp":{timestamp},"tx":"{hex_of(tx)}"'
                f',"log_index":{log_index},"final":{final}}}\n'
            )
        return self._end


@lru_cache(ADDRESSES)
def _address(raw: bytes) -> str:
    return hex_of(raw)


@lru_cache(NAMES)
def _name(field: bytes) -> str:
    return msgspec.json.encode(process_name_text(field)).decode()


def _number(value: int | None) -> str:
    return "null" if value is None else str(value)


_NOTHING = 'null,"state":null,"origin":null,"reason":'
"""Level, state and origin of what is no Kudos."""

_STATES = {number: state.value for number, state in STATE_NAMES.items()}
