"""How much a machine lends to strangers; hosts and validators each have their own. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from node.task import Limits


@dataclass(frozen=True, slots=True)
class Lending:
    """How much this host lends: tasks at once, tasks waiting, and the most that one task may ask
    for."""

    slots: int = 1
    waiting: int = 32
    cpu_seconds: int = 600
    memory_mib: int = 4_096
    output_kib: int = 256 * 1_024
    wall_seconds: float = 900.0
    rejections_recorded: int = 1_000
    """Per home and day. A rejection costs the host gas, and only the first of an epoch earns K1."""

    def exceeded_by(self, limits: Limits) -> bool:
        """Whether a task may use more than is lent to one."""
        return (
            limits.cpu_seconds > self.cpu_seconds
            or limits.memory_mib > self.memory_mib
            or limits.output_kib > self.output_kib
        )
