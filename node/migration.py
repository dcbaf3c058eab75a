"""The states of one migration, seen from either side, and the only moves between them.

Home:   DRAFT ─ask─▶ ASKED ─accept─▶ ACCEPTED ─confirm─▶ CONFIRMED ─result─▶ DONE
                       └─reject─▶ REJECTED
Host:   DRAFT ─ask─▶ ASKED ─accept─▶ ACCEPTED ─confirm─▶ CONFIRMED ─result─▶ DONE
                       └─reject─▶ REJECTED

Rules, for both sides: an answer, a confirmation and a result come once; the host starts only when
CONFIRMED; ``lose`` ends a migration whose peer went away or ran out of time, from every state
before DONE, and earns nobody anything. Settlement and openings come after DONE and are the ledger's
business, not this table's.
"""

from __future__ import annotations

from enum import Enum

from ledger.errors import PeerError


class State(Enum):
    DRAFT = "draft"
    ASKED = "asked"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    CONFIRMED = "confirmed"
    DONE = "done"
    LOST = "lost"


class Move(Enum):
    ASK = "ask"
    ACCEPT = "accept"
    REJECT = "reject"
    CONFIRM = "confirm"
    RESULT = "result"
    LOSE = "lose"


TABLE: dict[tuple[State, Move], State] = {
    (State.DRAFT, Move.ASK): State.ASKED,
    (State.ASKED, Move.ACCEPT): State.ACCEPTED,
    (State.ASKED, Move.REJECT): State.REJECTED,
    (State.ACCEPTED, Move.CONFIRM): State.CONFIRMED,
    (State.CONFIRMED, Move.RESULT): State.DONE,
    (State.DRAFT, Move.LOSE): State.LOST,
    (State.ASKED, Move.LOSE): State.LOST,
    (State.ACCEPTED, Move.LOSE): State.LOST,
    (State.CONFIRMED, Move.LOSE): State.LOST,
}

FINAL = frozenset({State.REJECTED, State.DONE, State.LOST})


def step(state: State, move: Move) -> State:
    """The state after a move; PeerError when the protocol does not allow it."""
    try:
        return TABLE[state, move]
    except KeyError:
        raise PeerError(
            f"A migration that is {state.value} cannot {move.value}.",
            hint="The peer repeated a step or left one out; the migration is dropped.",
        ) from None
