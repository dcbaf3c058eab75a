"""Times, durations and shares in words. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from markupsafe import Markup, escape


def when(timestamp: int | float) -> Markup:
    """A <time> for people and programs; a time that no calendar knows is shown as its number."""
    shown = clock_text(timestamp)
    if " " not in shown:
        return escape(shown)
    machine = shown.replace(" ", "T") + "Z"
    return Markup('<time datetime="{}">{}</time>').format(machine, shown)


def day(timestamp: int) -> Markup:
    """The same for a whole day."""
    shown = clock_text(timestamp).partition(" ")[0]
    return Markup('<time datetime="{0}">{0}</time>').format(shown)


def clock_text(timestamp: int | float) -> str:
    """Date and time in UTC."""
    try:
        return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, OSError, ValueError):
        return str(timestamp)


def duration(seconds: int | float) -> str:
    """The largest unit of which there are at least two: 90 s, 5 min, 3 h, 2 d."""
    whole = int(seconds)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if whole >= 2 * size:
            return f"{whole // size:,} {unit}"
    return f"{whole} s"


def percent(part: int | float, whole: int | float) -> str:
    """A share in whole percent; a dash where there is nothing to share."""
    return f"{100 * part / whole:.0f} %" if whole else "\N{EN DASH}"


def count_of(number: int, one: str, many: str = "") -> str:
    """ "1 claim", "1,234 claims"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
