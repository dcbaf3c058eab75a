"""The installed strategies, by the names of their entry points."""

from __future__ import annotations

from importlib.metadata import entry_points

from ledger.errors import UsageError
from node.admission import Strategy
from node.strategy.combine import AllOf

GROUP = "kudos.strategies"


def find_class(name: str) -> type[Strategy]:
    """The installed strategy of this name; UsageError that lists the others."""
    points = {point.name: point for point in entry_points(group=GROUP)}
    if name not in points:
        known = ", ".join(sorted(points)) or "none"
        raise UsageError(f"There is no strategy {name!r}.", hint=f"Installed are: {known}.")
    found: type[Strategy] = points[name].load()
    return found


def find_strategy(name: str) -> Strategy:
    """One strategy to use alone, with its defaults."""
    strategy = find_class(name)()
    if getattr(strategy, "handles_age", False):
        return strategy
    return AllOf(strategy.name, (strategy,))
