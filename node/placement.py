"""Whom to ask, in which order: round-robin over the hosts that are there (thesis, section
6.4.2)."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.types import Address


class RoundRobin:
    """Starts each task one host further; every host comes once per task."""

    def __init__(self, start: int = 0) -> None:
        self._next = start

    def order(self, hosts: Sequence[Address]) -> list[Address]:
        """All hosts in the order in which to ask them; empty when there is none."""
        if not hosts:
            return []
        ring = sorted(hosts)
        first = self._next % len(ring)
        self._next += 1
        return ring[first:] + ring[:first]
