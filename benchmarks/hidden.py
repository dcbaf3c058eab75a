"""Can a host tell a planted canary from an ordinary task? Lets a classifier try.

    python -m benchmarks.hidden [--homes N] [--migrations N] [--tell-migrations N] [--picture FILE]

Homes build redis at a host (``hidden_build.py``) that keeps everything it can see
(``hidden_record.py``, ``hidden_features.py``); gradient-boosted trees learn on some homes which
tasks were canaries and are tried on the others (``hidden_judge.py``). Then the same with homes
that give themselves away (``hidden_tells.py``), each of which has to be found out. Fails when an
honest home's canaries can be told (AUC over 0.55), or a telling one's cannot (AUC under 0.9). The
last line of the output is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import matplotlib
import numpy as np

from benchmarks.hidden_build import Ground, Plan, build, compiles, lay_ground
from benchmarks.hidden_features import sample_of
from benchmarks.hidden_judge import Judgement, judge
from benchmarks.hidden_tells import TELLS, Tell
from ledger.embedded import EmbeddedChain
from ledger.errors import KudosError
from node.demo.project import copy_into, redis

HIDDEN_AUC, FOUND_AUC = 0.55, 0.9
HONEST = "honest"
TELL_HOMES = 4
REPORT_SECONDS = 10.0
WORDS: Mapping[str, str] = {
    HONEST: "as the node does it",
    "late": "canaries confirmed 20 ms later",
    "longer": "canaries' name one letter longer",
    "rhythm": "every seventh a canary",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--homes", type=int, default=8, help="honest ones, at least 6; default 8")
    parser.add_argument("--migrations", type=int, default=5_200, help="honest; default 5,200")
    parser.add_argument("--tell-migrations", type=int, default=480, help="for each tell")
    parser.add_argument("--sources", type=int, default=40, help="files of a build; default 40")
    parser.add_argument("--picture", type=Path, default=Path("benchmarks/hidden.png"))
    parser.add_argument("--keep", type=Path, help="a directory for the features, as .npz files")
    options = parser.parse_args()
    if options.homes < 6:
        parser.error("--homes must be at least 6: some to learn on, others to be tried")
    plans = [Plan(options.homes, -(-options.migrations // options.homes))]
    plans += [Plan(TELL_HOMES, -(-options.tell_migrations // TELL_HOMES), tell) for tell in TELLS]
    started = time.monotonic()
    try:
        judged = run(plans, options.sources, options.keep)
    except KudosError as error:
        print(f"hidden: {error}", file=sys.stderr)
        return 2
    draw(judged, options.picture)
    report = report_on(judged) | {
        "seconds": round(time.monotonic() - started),
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(report))
    return 0 if report["passed"] else 1


def run(plans: list[Plan], sources: int, keep: Path | None) -> dict[str, Judgement]:
    """One judgement for each plan, by its tell."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kudos"
    project = redis(cache)
    with (
        tempfile.TemporaryDirectory(prefix="kudos-hidden-") as folder,
        EmbeddedChain(Path(folder) / "chain.json", historical_states=False) as chain,
    ):
        source = Path(folder) / "project"
        copy_into(project, source)
        ground = lay_ground(Path(folder), chain, compiles(source, sources))
        progress = Progress(sum(plan.total for plan in plans), time.monotonic)
        return {plan.tell or HONEST: try_to_tell(ground, plan, progress, keep) for plan in plans}


def try_to_tell(ground: Ground, plan: Plan, progress: Progress, keep: Path | None) -> Judgement:
    name: Tell | str = plan.tell or HONEST
    outcome = asyncio.run(build(ground, plan, progress.step))
    sample = sample_of(outcome.guests, outcome.planted)
    if len(sample.planted) < plan.total:
        raise SystemExit(f"Only {len(sample.planted)} of {plan.total} migrations came to an end.")
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(keep / f"{name}.npz", **asdict(sample))
    print(f"hidden: {name}: judging {len(sample.planted)} migrations", file=sys.stderr)
    judgement = judge(sample)
    print(
        f"hidden: {name}: AUC {judgement.auc:.3f}"
        f" [{judgement.low:.3f}, {judgement.high:.3f}], most telling: {judgement.most_telling}",
        file=sys.stderr,
        flush=True,
    )
    return judgement


class Progress:
    """Says every few seconds how far it is."""

    def __init__(self, total: int, clock: Callable[[], float]) -> None:
        self._total, self._clock = total, clock
        self._done, self._started = 0, clock()
        self._said = self._started

    def step(self) -> None:
        self._done += 1
        now = self._clock()
        if now - self._said >= REPORT_SECONDS:
            self._said = now
            rate = self._done / (now - self._started)
            left = (self._total - self._done) / rate / 60
            print(
                f"hidden: {self._done} of {self._total} migrations, {rate:.0f}/s,"
                f" {left:.0f} min left",
                file=sys.stderr,
                flush=True,
            )


def report_on(judged: Mapping[str, Judgement]) -> dict[str, object]:
    """The figures, and whether the bounds hold."""
    honest = judged[HONEST]
    found = {tell: judged[tell].auc >= FOUND_AUC for tell in TELLS}
    return {
        "passed": honest.auc <= HIDDEN_AUC and all(found.values()),
        **honest.figures(),
        "tells": {tell: judged[tell].figures() for tell in TELLS},
    }


def draw(judged: Mapping[str, Judgement], picture: Path) -> None:
    """The ROC curves."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5.5, 5.5), layout="constrained")
    for name, judgement in judged.items():
        label = f"{WORDS[name]}: {judgement.auc:.3f}"
        if name == HONEST:
            label += f"\n95 % interval {judgement.low:.3f} to {judgement.high:.3f}"
        axes.plot(*judgement.curve(), label=label, linewidth=2.5 if name == HONEST else 1.2)
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", label="guessing: 0.500")
    axes.set(
        xlabel="ordinary tasks taken for canaries",
        ylabel="canaries found",
        title=f"Telling canaries apart: {judged[HONEST].migrations:,} migrations (ROC, AUC)",
    )
    axes.legend(loc="lower right", fontsize="small")
    axes.set_aspect("equal")
    figure.savefig(picture, dpi=120)
    pyplot.close(figure)


if __name__ == "__main__":
    sys.exit(main())
