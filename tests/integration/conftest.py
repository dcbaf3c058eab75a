"""A real chain with the real contract, for the tests of whatever talks to one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.embedded import EmbeddedChain
from tests.integration.chain_world import World


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[EmbeddedChain]:
    """An embedded chain that mines a block per transaction."""
    with EmbeddedChain(tmp_path / "chain" / "state.json", block_time=0) as running:
        yield running


@pytest.fixture
def world(chain: EmbeddedChain, tmp_path: Path) -> Iterator[World]:
    """The same with the contract on it, two nodes, and three validators of whom two are needed."""
    with World(chain, tmp_path) as made:
        yield made
