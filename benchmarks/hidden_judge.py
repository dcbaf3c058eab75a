"""How well a classifier that learned on some homes tells canaries of other homes.

Homes are dealt into folds; each fold is judged by gradient-boosted trees that saw the other folds
only. The ROC AUC is the chance that a canary scores higher than an ordinary task of the same fold,
its interval a bootstrap of the migrations in each fold. Beside it every single feature is tested,
as a weak tell could drown among hundreds of others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu, rankdata
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import GroupKFold
from threadpoolctl import threadpool_limits

from benchmarks.hidden_features import Sample

Floats = NDArray[np.float64]
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Fold:
    """Scores of the migrations of homes that the classifier has not seen."""

    scores: Floats
    planted: NDArray[np.bool_]

    @property
    def pairs(self) -> int:
        return int(self.planted.sum()) * int((~self.planted).sum())


@dataclass(frozen=True, slots=True)
class Judgement:
    """``by_luck`` is the standard deviation of the AUC of somebody who guesses; ``most_telling``
    the single feature with the least p-value, corrected for how many there are."""

    auc: float
    low: float
    high: float
    by_luck: float
    most_telling: str
    most_telling_auc: float
    most_telling_p: float
    migrations: int
    planted: int
    homes: int
    features: int
    folds: tuple[Fold, ...]

    def figures(self) -> dict[str, float | int | str]:
        """What goes into the report."""
        return {
            "auc": round(self.auc, 4),
            "interval_low": round(self.low, 4),
            "interval_high": round(self.high, 4),
            "guessing_sd": round(self.by_luck, 4),
            "most_telling": self.most_telling,
            "most_telling_auc": round(self.most_telling_auc, 4),
            "most_telling_p": float(f"{self.most_telling_p:.2g}"),
            "migrations": self.migrations,
            "planted": self.planted,
            "homes": self.homes,
            "features": self.features,
        }

    def curve(self) -> tuple[Floats, Floats]:
        """The ROC curve over all folds: false and true positive rates. Scores of different
        classifiers cannot be compared, so ranks within the fold stand for them."""
        ranks = np.concatenate([rankdata(fold.scores) / len(fold.scores) for fold in self.folds])
        planted = np.concatenate([fold.planted for fold in self.folds])[np.argsort(-ranks)]
        return np.cumsum(~planted) / (~planted).sum(), np.cumsum(planted) / planted.sum()


def judge(sample: Sample, *, folds: int = 4, seed: int = 0, resamples: int = 1000) -> Judgement:
    """ValueError when there are fewer homes than folds, or one fold lacks either kind."""
    # One thread: on a machine with other work, threads that wait for each other take minutes.
    with threadpool_limits(limits=1):
        judged = _judge_folds(sample, folds, seed)
    if not all(fold.pairs for fold in judged):
        raise ValueError("too few migrations: a fold has no canary, or nothing else")
    random = np.random.default_rng(seed)
    spread = [_auc([_resampled(fold, random) for fold in judged]) for _ in range(resamples)]
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(spread, [tail, 100 - tail])
    name, single, p_value = _most_telling(sample)
    return Judgement(
        auc=_auc(judged),
        low=float(low),
        high=float(high),
        by_luck=_guessing_sd(judged),
        most_telling=name,
        most_telling_auc=single,
        most_telling_p=p_value,
        migrations=len(sample.planted),
        planted=int(sample.planted.sum()),
        homes=len(set(sample.homes.tolist())),
        features=len(sample.names),
        folds=tuple(judged),
    )


def _judge_folds(sample: Sample, folds: int, seed: int) -> list[Fold]:
    judged = []
    splits = GroupKFold(folds).split(sample.rows, sample.planted, sample.homes)
    for learn, test in splits:
        trees = HistGradientBoostingClassifier(
            max_iter=120,
            learning_rate=0.08,
            max_leaf_nodes=15,
            min_samples_leaf=10,
            random_state=seed,
        )
        use = _varying(sample.rows[learn])
        trees.fit(sample.rows[learn][:, use], sample.planted[learn])
        scores = trees.predict_proba(sample.rows[test][:, use])[:, 1]
        judged.append(Fold(scores, sample.planted[test]))
    return judged


def _varying(rows: Floats) -> NDArray[np.bool_]:
    """Which features have two values at least; NaN is none."""
    missing = np.isnan(rows)
    lowest = np.where(missing, np.inf, rows).min(axis=0)
    highest = np.where(missing, -np.inf, rows).max(axis=0)
    varying: NDArray[np.bool_] = lowest < highest
    return varying


def _auc(folds: list[Fold]) -> float:
    """Over all pairs of a canary and an ordinary task of one fold."""
    won = sum(_wins(fold) for fold in folds)
    return won / sum(fold.pairs for fold in folds)


def _wins(fold: Fold) -> float:
    """Pairs in which the canary has the higher score; a tie is half a win (Mann and Whitney)."""
    canaries = int(fold.planted.sum())
    ranks = float(rankdata(fold.scores)[fold.planted].sum())
    return ranks - canaries * (canaries + 1) / 2


def _resampled(fold: Fold, random: np.random.Generator) -> Fold:
    """As many of each kind as before, drawn with repetition."""
    kinds = (np.flatnonzero(fold.planted), np.flatnonzero(~fold.planted))
    drawn = np.concatenate([random.choice(kind, len(kind)) for kind in kinds])
    return Fold(fold.scores[drawn], fold.planted[drawn])


def _guessing_sd(folds: list[Fold]) -> float:
    pairs = [fold.pairs for fold in folds]
    variances = [(len(fold.scores) + 1) / (12 * fold.pairs) for fold in folds]
    weighted = sum(n * n * variance for n, variance in zip(pairs, variances, strict=True))
    return float(np.sqrt(weighted)) / sum(pairs)


def _most_telling(sample: Sample) -> tuple[str, float, float]:
    """Bonferroni's correction: the p-value times the number of features."""
    best = ("none", 0.5, 1.0)
    for name, values in zip(sample.names, sample.rows.T, strict=True):
        there = ~np.isnan(values)
        yes, no = values[there & sample.planted], values[there & ~sample.planted]
        if not len(yes) or not len(no) or np.ptp(values[there]) == 0:
            continue
        test = mannwhitneyu(yes, no)
        if test.pvalue < best[2]:
            best = (name, float(test.statistic) / (len(yes) * len(no)), float(test.pvalue))
    return best[0], best[1], min(1.0, best[2] * len(sample.names))
