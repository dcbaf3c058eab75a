"""Small pictures that need no script: paths for SVG. Pure."""

from __future__ import annotations

from collections.abc import Sequence

SPARK_WIDTH, SPARK_HEIGHT = 120, 28


def sparkline(series: Sequence[tuple[int, int]]) -> str:
    """The path of an SVG of 120 by 28 units; empty when there is nothing to draw."""
    if len(series) < 2:
        return ""
    start, end, top = series[0][0], series[-1][0], max(value for _, value in series)
    points: dict[int, float] = {}
    for time, value in series:  # one point per column is all that can be seen
        column = round((time - start) / max(1, end - start) * SPARK_WIDTH)
        points[column] = SPARK_HEIGHT - 2 - value / max(1, top) * (SPARK_HEIGHT - 4)
    return "M" + " L".join(f"{x} {y:.1f}" for x, y in points.items())
