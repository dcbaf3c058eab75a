"""What a machine lends to one task."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.lending import Lending
from node.task import Limits

amounts = st.integers(1, 1_000)
LENDS = Lending(cpu_seconds=60, memory_mib=512, output_kib=1_024)
JUST = Limits(60, 512, 1_024)


def test_just_what_is_lent_is_not_too_much() -> None:
    assert not LENDS.exceeded_by(JUST)
    assert not LENDS.exceeded_by(Limits(1, 1, 1))


@pytest.mark.parametrize("limits", [Limits(61, 1, 1), Limits(1, 513, 1), Limits(1, 1, 1_025)])
def test_one_limit_over_is_enough(limits: Limits) -> None:
    assert LENDS.exceeded_by(limits)


@given(*[amounts] * 3, st.sampled_from(["cpu_seconds", "memory_mib", "output_kib"]))
def test_the_bounds_are_those_of_the_lender(cpu: int, memory: int, output: int, more: str) -> None:
    lends = Lending(cpu_seconds=cpu, memory_mib=memory, output_kib=output)
    limits = Limits(cpu, memory, output)
    assert not lends.exceeded_by(limits)
    assert lends.exceeded_by(replace(limits, **{more: getattr(limits, more) + 1}))


def test_a_machine_that_was_told_nothing_takes_an_ordinary_compile() -> None:
    lends = Lending()
    assert not lends.exceeded_by(Limits())
    assert lends.slots + lends.waiting >= 1
    assert lends.wall_seconds >= Limits().cpu_seconds
    assert lends.rejections_recorded > 0
