"""A Dask scheduler that sends tasks only to workers whose Kudos its agent finds sufficient."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any

from distributed import Scheduler
from distributed.diagnostics.plugin import SchedulerPlugin

from ledger.errors import KudosError
from node.agent_client import AgentClient

NOBODY = "tcp://nobody.invalid:0"
"""An empty set of restrictions would mean: everybody."""
AGENT_SECONDS = 2.0


class ChooseWorkers(SchedulerPlugin):
    """Restricts every task to the workers that the agent accepts at the moment."""

    name = "kudos"

    def __init__(self, scheduler: Scheduler, agent: str) -> None:
        self._scheduler, self._agent = scheduler, agent

    def update_graph(self, scheduler: Scheduler, **_: Any) -> None:
        self._restrict()

    def add_worker(self, scheduler: Scheduler, worker: str) -> None:
        self._restrict()

    def _restrict(self) -> None:
        waiting = [
            task
            for task in self._scheduler.tasks.values()
            if task.state in ("released", "waiting", "queued", "no-worker")
        ]
        if waiting:
            chosen = self._accepted() or {NOBODY}
            self._scheduler.set_restrictions({task.key: chosen for task in waiting})

    def _accepted(self) -> set[str]:
        """The addresses of the workers above the border; none when the agent does not answer."""
        nodes = {str(state.name).lower(): place for place, state in self._workers()}
        known = [node for node in nodes if is_address(node)]
        return {nodes[node] for node in self._ask(known)} if known else set()

    def _workers(self) -> Collection[tuple[str, Any]]:
        return self._scheduler.workers.items()

    def _ask(self, nodes: list[str]) -> list[str]:
        try:
            with AgentClient(self._agent, timeout=AGENT_SECONDS) as agent:
                return [one.host for one in agent.rank(nodes) if one.verdict.accept]
        except KudosError as error:
            print(f"kudos: nobody is chosen: {error}", flush=True)
            return []


def is_address(name: str) -> bool:
    return len(name) == 42 and name.startswith("0x")


def dask_setup(scheduler: Scheduler) -> None:
    """What ``--preload`` calls."""
    scheduler.add_plugin(ChooseWorkers(scheduler, os.environ["KUDOS_AGENT"]))
