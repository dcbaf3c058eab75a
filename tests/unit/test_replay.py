"""The replay family: a fresh run decides, or nobody does."""

from __future__ import annotations

import asyncio

import pytest

from canaries.family import CannotRun, Finding, Opened, field_of, installed
from canaries.replay import Replay, parameters_for

TASK, RESULT = b"\x01" * 32, b"\x02" * 32
OPENED = Opened(TASK, parameters_for("gcc-12"), RESULT)


@pytest.mark.parametrize(
    ("fresh", "finding"), [(RESULT, Finding.HOLDS), (TASK, Finding.WRONG_RESULT)]
)
def test_a_fresh_run_decides(fresh: bytes, finding: Finding) -> None:
    asked = []

    async def run_again(digest: bytes) -> bytes:
        asked.append(digest)
        return fresh

    assert asyncio.run(Replay().check(OPENED, run_again)) is finding
    assert asked == [TASK]


@pytest.mark.parametrize("finding", list(Finding))
def test_what_cannot_be_run_is_passed_on(finding: Finding) -> None:
    async def run_again(digest: bytes) -> bytes:
        raise CannotRun(finding)

    assert asyncio.run(Replay().check(OPENED, run_again)) is finding
    assert str(CannotRun(finding)) == finding.value


def test_parameters_tell_toolchains_apart() -> None:
    assert parameters_for("gcc-12") == parameters_for("gcc-12")
    assert len({parameters_for(name) for name in ("gcc-12", "gcc-13", "", "gcc-12 ")}) == 4
    assert len(parameters_for("gcc-12")) == 32


def test_it_is_installed_under_its_name() -> None:
    assert isinstance(installed()[field_of("replay")], Replay)
