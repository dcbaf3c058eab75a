"""The audit over random histories: it agrees with contracts and copy, and with nobody who lies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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

LIFECYCLES = 70
NAMES = {keccak(text.encode()): name for name, text in SIGNATURES.items()}
MAY_BE_REPEATED = {"TestOpened"}
"""Events that say nothing new the second time: anybody may show a test of the validators again."""


def left_out(log: RawLog, _: RawLog) -> list[RawLog]:
    return []


def told_twice(log: RawLog, _: RawLog) -> list[RawLog]:
    """Once more at the end of its block."""
    return [log, replace(log, log_index=10_000)]


def replaced(log: RawLog, other: RawLog) -> list[RawLog]:
    """Another log of the same ledger in its place."""
    return [replace(log, address=other.address, topics=other.topics, data=other.data)]


Lie = Callable[[RawLog, RawLog], list[RawLog]]


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
        believed = []
        for lie, log, other in lies(logs, Random(1)):
            endpoint.change = instead_of(log, lie(log, other))
            with suppress(ChainError):
                if audit(endpoint, deployment, index).ok:
                    believed.append((lie.__name__, name_of(log), name_of(other)))
        both.rpc.close()
    assert believed == []


def lies(logs: list[RawLog], random: Random) -> Iterator[tuple[Lie, RawLog, RawLog]]:
    """Each kind of lie about each kind of event: about which log, and which other comes with it."""
    by_name: dict[str, list[RawLog]] = {}
    for log in logs:
        by_name.setdefault(name_of(log), []).append(log)
    for name, same in by_name.items():
        log = random.choice(same)
        yield left_out, log, log
        if name not in MAY_BE_REPEATED:
            yield told_twice, log, log
        yield replaced, log, random.choice([other for other in logs if says(other) != says(log)])


def says(log: RawLog) -> tuple[object, ...]:
    return log.address, log.topics, log.data


def name_of(log: RawLog) -> str:
    return NAMES[log.topics[0]]


def instead_of(log: RawLog, told: list[RawLog]) -> Change:
    return lambda honest: told if honest == log else [honest]
