"""How values look on the pages: the templates and their filters."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from ledger.desk import views
from ledger.desk.draw import sparkline
from ledger.desk.views_why import OUTCOMES, clip, facet_label, local
from ledger.desk.wording import count_of, day, duration, percent, when
from ledger.reasons import describe
from ledger.types import hex_of, short


def environment() -> Environment:
    """The templates: escaped always, and an unknown name is an error."""
    made = Environment(
        loader=PackageLoader("ledger.desk"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "hex": hex_of,
        "short": short,
        "when": when,
        "day": day,
        "duration": duration,
        "reason": describe,
        "state": views.STATES.__getitem__,
        "verdict": views.VERDICTS.__getitem__,
        "number": "{:,}".format,
        "percent": percent,
        "count_of": count_of,
        "spark": sparkline,
        "clip": clip,
        "facet": facet_label,
        "local": local,
    }
    made.globals["outcome_words"] = OUTCOMES
    return made
