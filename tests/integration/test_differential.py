"""The contract against the model of it, over random lifecycles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.embedded import EmbeddedChain
from tests.integration.lifecycles import Lifecycles


@pytest.fixture
def short_lived(tmp_path: Path) -> Iterator[EmbeddedChain]:
    """A chain that nobody starts again: old states in its file would make each second's dump
    longer, until the chain answers nobody for it."""
    state = tmp_path / "chain" / "state.json"
    with EmbeddedChain(state, block_time=0, historical_states=False) as running:
        yield running


def run(chain: EmbeddedChain, seed: str, count: int) -> None:
    lifecycles = Lifecycles(chain, seed)
    try:
        lifecycles.run(count)
    finally:
        lifecycles.rpc.close()
    assert lifecycles.started >= count
    # Each outcome has been there, or the comparison would show less than it says.
    assert all(lifecycles.outcomes.values()), lifecycles.outcomes


def test_the_contract_does_what_the_model_does(short_lived: EmbeddedChain) -> None:
    run(short_lived, "differential", 300)


@pytest.mark.nightly
@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(10))
def test_ten_thousand_lifecycles_in_ten_parts(short_lived: EmbeddedChain, part: int) -> None:
    run(short_lived, f"differential, part {part}", 1_000)
