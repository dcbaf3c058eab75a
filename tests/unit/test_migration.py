"""The state table: what is not in it does not happen."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import PeerError
from node.migration import FINAL, TABLE, Move, State, step

PAIRS = list(product(State, Move))
HAPPY = [Move.ASK, Move.ACCEPT, Move.CONFIRM, Move.RESULT]


@pytest.mark.parametrize(("state", "move"), PAIRS, ids=lambda value: value.value)
def test_every_pair_is_in_the_table_or_refused(state: State, move: Move) -> None:
    if (state, move) in TABLE:
        assert step(state, move) is TABLE[state, move]
        return
    with pytest.raises(PeerError, match=f"is {state.value} cannot {move.value}") as caught:
        step(state, move)
    assert caught.value.hint


def test_nothing_leaves_a_final_state_and_every_other_can_be_lost() -> None:
    assert {state for state, _ in TABLE} == set(State) - FINAL
    for state in set(State) - FINAL:
        assert step(state, Move.LOSE) is State.LOST


def test_there_is_one_way_to_a_result() -> None:
    state = State.DRAFT
    for move in HAPPY:
        state = step(state, move)
    assert state is State.DONE
    assert [key for key, after in TABLE.items() if after is State.DONE] == [
        (State.CONFIRMED, Move.RESULT)
    ]
    assert [key for key, after in TABLE.items() if after is State.CONFIRMED] == [
        (State.ACCEPTED, Move.CONFIRM)
    ]


@given(st.lists(st.sampled_from(Move), max_size=12))
def test_no_sequence_of_moves_skips_a_step(moves: list[Move]) -> None:
    state, made = State.DRAFT, []
    for move in moves:
        try:
            state = step(state, move)
        except PeerError:
            continue
        made.append(move)
    if state is State.DONE:
        assert made == HAPPY
    assert len(made) == len(set(made)), "a move was made twice"
