"""A home's tasks for WebAssembly: sent out at once, or planted as canaries whose result it knows,
because it has run them here first."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from canaries.family import field_of
from canaries.wasm import Wasm
from ledger.errors import KudosError
from ledger.reasons import Reason
from node import shim_protocol as shim
from node.home import Local
from node.inputs import Runner
from node.marking import KnownCanary
from node.planting import Planted, Planting, Sends
from node.store import ContentStore
from node.task import Limits, TaskDescriptor, result_digest
from node.wasm_task import describe

log = logging.getLogger(__name__)

LOCAL_SECONDS = 900.0


@dataclass(slots=True)
class Modules:
    """Answers ``kudos run``."""

    home: Sends
    runner: Runner
    store: ContentStore
    planting: Planting

    async def answer(self, asked: shim.Module) -> shim.Result | shim.Local:
        """The result of a host, or of this node for what it plants; Local when there is none."""
        try:
            limits = Limits(asked.cpu_seconds, asked.memory_mib, asked.output_kib)
            task = describe(asked.module, asked.data, asked.fuel, limits)
            for blob in (asked.module, asked.data):
                self.store.put(blob)
            if asked.plant_within > 0:
                return await self._plant(task, asked)
            outcome = await self.home.run(task, asked.process_name)
        except KudosError as error:
            log.warning("%s runs at home: %s", asked.process_name, error)
            return shim.Local(Reason.NOT_SENDABLE.name)
        if isinstance(outcome, Local):
            return shim.Local(outcome.reason.name)
        result, contents = outcome.result, outcome.contents
        return shim.Result(result.exit_status, contents[result.stdout], contents[result.stderr], ())

    async def _plant(self, task: TaskDescriptor, asked: shim.Module) -> shim.Result | shim.Local:
        if self.planting.is_full:
            return shim.Local(Reason.CAPACITY.name)
        execution = await self.runner.run(task, self.store, timeout=LOCAL_SECONDS)
        if execution.killed:
            log.warning("a task to be planted was stopped here: %s", execution.killed)
            return shim.Local(Reason.LIMITS.name)
        known = result_digest(execution.result())
        self.planting.plant(
            Planted(
                task=task,
                process_name=asked.process_name,
                canary=KnownCanary(field_of(Wasm.name), known),
                within=asked.plant_within,
            )
        )
        return shim.Result(execution.exit_status, execution.stdout, execution.stderr, ())
