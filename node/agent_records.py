"""What both sides of the agent ask of a record before they go on."""

from __future__ import annotations

import msgspec

from canaries.commitment import seal
from ledger.assets import Accepted, Confirmed, Result
from ledger.eip712 import Domain, digest
from ledger.types import Address, Digest, hex_of
from node.agent_book import Book, Record
from node.agent_protocol import AgentError, Role
from node.migration import TABLE, Move, State, step


def find(book: Book, request_id: Digest, me: Address, role: Role | None = None) -> Record:
    """The migration with this id, where ``me`` plays this part; AgentError otherwise."""
    record = book.get(request_id)
    if record is None or (role is not None and record.is_home(me) != (role == "home")):
        part = f" in which this node is the {role}" if role else ""
        raise AgentError(
            "unknown_migration",
            f"There is no migration {hex_of(request_id)}{part}.",
            "The method migrations lists those that are under way.",
        )
    return record


def check_state(record: Record, move: Move) -> None:
    """AgentError when the protocol does not allow this move now."""
    if (record.state, move) not in TABLE:
        why = f" ({record.reason})" if record.reason else ""
        raise AgentError(
            "wrong_state",
            f"A migration that is {record.state.value}{why} cannot {move.value}.",
            "The method state says where it stands; docs/agent.md has the order of the steps.",
        )


def lost(record: Record, why: str) -> Record:
    """The record of a migration that came to nothing."""
    state = State.LOST if record.state is State.LOST else step(record.state, Move.LOSE)
    return msgspec.structs.replace(record, state=state, reason=why)


def confirmed_asset(domain: Domain, record: Record) -> Confirmed:
    """CONFIRMED as the record has it."""
    accepted = Accepted(record.key, record.answered_at)
    return Confirmed(digest(domain, accepted), record.confirmed_at)


def result_asset(record: Record) -> Result:
    """RESULT as the record has it."""
    sealed = seal(record.result_digest, record.salt, record.request.host, record.request_id)
    return Result(record.key, Digest(sealed), record.finished_at)
