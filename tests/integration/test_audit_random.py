"""The audit over random histories: it agrees with contracts and copy, and with nobody who lies."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random

from eth_hash.auto import keccak

from ledger.audit import audit
from ledger.contracts import contracts_of
from ledger.embedded import EmbeddedChain
from ledger.errors import ChainError
from ledger.events import SIGNATURES, RawLog
from ledger.indexer import Indexer
from ledger.ports import SystemClock
from ledger.store import IndexStore
from ledger.types import BlockNumber
from tests.integration.lifecycles import Lifecycles
from tests.integration.recorded import Change, Recorded

LIFECYCLES, LIES = 70, 40
NAMES = {keccak(text.encode()): name for name, text in SIGNATURES.items()}


def left_out(log: RawLog, _: RawLog) -> list[RawLog]:
    return []


def told_twice(log: RawLog, _: RawLog) -> list[RawLog]:
    """Once more at the end of its block."""
    return [log, replace(log, log_index=10_000)]


def replaced(log: RawLog, other: RawLog) -> list[RawLog]:
    """Another log of the same ledger in its place."""
    return [replace(log, address=other.address, topics=other.topics, data=other.data)]


KINDS: tuple[Callable[[RawLog, RawLog], list[RawLog]], ...] = (left_out, told_twice, replaced)


def test_random_histories_are_audited(tmp_path: Path) -> None:
    state = tmp_path / "chain" / "state.json"
    with EmbeddedChain(state, block_time=0, historical_states=False) as chain:
        both = (lived := Lifecycles(chain, "audit", k2_per_pair=3)).both
        lived.run(LIFECYCLES)
        index, deployment = tmp_path / "index.db", both.deployment
        with IndexStore.open(index, deployment) as store:
            indexer = Indexer(both.rpc, store, deployment, SystemClock())
            while not indexer.step().is_caught_up:
                pass
        endpoint = Recorded(both.rpc)
        report = audit(endpoint, deployment, index)
        assert report.differences == () and report.assets > LIFECYCLES
        logs = both.rpc.logs(
            contracts_of(deployment.contract).all, BlockNumber(0), both.rpc.block_number()
        )
        random, believed = Random(1), []
        for _ in range(LIES):
            (log, other), lie = random.sample(logs, 2), random.choice(KINDS)
            endpoint.change = instead_of(log, lie(log, other))
            with suppress(ChainError):
                if audit(endpoint, deployment, index).ok:
                    believed.append((lie.__name__, NAMES[log.topics[0]], NAMES[other.topics[0]]))
        both.rpc.close()
    assert believed == []


def instead_of(log: RawLog, told: list[RawLog]) -> Change:
    return lambda honest: told if honest == log else [honest]
