"""The two figures of the thesis' experiment, from this run: Kudos (6.2) and accepted tasks (6.3)
over time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ledger.reader import Reader
from ledger.types import Address
from node.demo.cluster import Member

# Wong's palette: told apart with every common colour blindness; markers differ, too.
STYLES = (("#0072B2", "o"), ("#009E73", "s"), ("#D55E00", "^"))
NAME_HEIGHT = 0.055
"""Of a line of text, as a share of the highest value."""
Series = Callable[[Address], list[tuple[int, int]]]


def draw(members: Sequence[Member], reader: Reader, folder: Path) -> list[Path]:
    """Writes kudos.png/.svg and accepted.png/.svg; their paths."""
    kudos = _figure(members, reader.kudos_series, "Verified Kudos", "Verified Kudos of each node")
    title = "Tasks of each node that others accepted"
    accepted = _figure(members, reader.accepted_series, "Accepted tasks", title)
    paths = []
    for name, figure in (("kudos", kudos), ("accepted", accepted)):
        for suffix in ("png", "svg"):
            path = folder / f"{name}.{suffix}"
            figure.savefig(path, dpi=150, bbox_inches="tight", metadata=_metadata(suffix))
            paths.append(path)
    return paths


def _metadata(suffix: str) -> dict[str, str | None]:
    """Without the date, so that the same data gives the same file."""
    return {"Date": None} if suffix == "svg" else {}


def _figure(members: Sequence[Member], series: Series, label: str, title: str) -> Figure:
    data = [(member, series(member.address)) for member in members]
    start = min((points[0][0] for _, points in data if points), default=0)
    end = max((points[-1][0] for _, points in data if points), default=1) - start
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    ends: list[tuple[int, str, str]] = []
    for (member, points), (colour, marker) in zip(data, STYLES, strict=False):
        times = [0, *(time - start for time, _ in points), end]
        values = [0, *(value for _, value in points), points[-1][1] if points else 0]
        axes.step(times, values, where="post", color=colour, linewidth=1.6, zorder=3)
        axes.plot(times[1:-1], values[1:-1], marker, color=colour, markersize=3.5, zorder=3)
        ends.append((values[-1], f"{member.name} ({member.role})", colour))
    _name_the_lines(axes, ends, end)
    axes.set(title=title, xlabel="Seconds of block time", ylabel=label)
    axes.set_xlim(0, end * 1.01 or 1)
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#dddddd", linewidth=0.8)
    return figure


def _name_the_lines(axes: Axes, ends: list[tuple[int, str, str]], x: float) -> None:
    """Writes each line's name at its end, moved up where it would lie on the one below."""
    top = max((value for value, _, _ in ends), default=0) or 1
    floor = -float("inf")
    for value, name, colour in sorted(ends):
        y = max(value, floor)
        floor = y + top * NAME_HEIGHT
        axes.annotate(
            name,
            (x, y),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontweight="bold",
        )
