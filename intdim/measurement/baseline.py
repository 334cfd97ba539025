"""Full fine-tuning: the chosen rate, the evidence for it, and the scores of its seeds."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

PRIOR_STD = 0.008  # of the score over seeds, before any are seen
PRIOR_FREEDOM = 2.0  # how many seeds that counts as
RIVAL_SEEDS = 2  # further seeds of rates that one seed each cannot tell apart
NEAR = 0.06  # of the gain: rates that differ by less in one seed each
COLLAPSED = 0.7  # a seed that made less than this share of the median gain over chance has collapsed


@dataclass
class Baseline:
    """Full fine-tuning of a cell.

    ``tried`` maps each learning rate to its selection score (NaN where the run failed); ``scores`` and
    ``select_scores`` have one entry for each seed that trained, ``run_ids`` the runs of all seeds; ``collapsed`` counts
    the seeds that did not train, which are no part of the mean.
    """

    learning_rate: float
    tried: dict[float, float]
    scores: list[float]
    select_scores: list[float]
    run_ids: list[str]
    collapsed: int = 0

    @property
    def mean(self) -> float:
        """Mean score over the seeds."""
        return statistics.fmean(self.scores)

    @property
    def select_mean(self) -> float:
        """Mean score on the selection half."""
        return statistics.fmean(self.select_scores)

    @property
    def std(self) -> float:
        """Sample standard deviation over the seeds (0 for one seed)."""
        return statistics.stdev(self.scores) if len(self.scores) > 1 else 0.0

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the error of the mean."""
        return PRIOR_FREEDOM + len(self.scores) - 1

    @property
    def standard_error(self) -> float:
        """Scale of the error of the mean, which has a t distribution with ``freedom`` degrees of freedom.

        Few seeds may agree by luck: before any are seen, their variance has a scaled inverse chi-square distribution
        around ``PRIOR_STD`` with ``PRIOR_FREEDOM`` degrees of freedom (Gelman et al., Bayesian Data Analysis, 3.3)."""
        count = len(self.scores)
        squares = PRIOR_FREEDOM * PRIOR_STD**2 + (count - 1) * self.std**2
        return math.sqrt(squares / self.freedom / count)


def trained(scores: list[float], chance: float) -> list[bool]:
    """Return which seeds trained: not those that failed (NaN), nor those that collapsed, which made less than half of
    the median gain over ``chance``. Where more than half of them did not, they are not told apart."""
    finite = [score for score in scores if math.isfinite(score)]
    gain = statistics.median(finite) - chance if finite else 0.0
    if gain <= 0:
        return [math.isfinite(score) for score in scores]
    return [math.isfinite(score) and score - chance >= COLLAPSED * gain for score in scores]


def close_rates(tried: dict[float, float], chance: float) -> list[float]:
    """Return the rates that one seed each cannot tell apart: the best, and those of its neighbours that come near it or
    made less than half of its gain, which may be a collapse."""
    finite = {rate: score for rate, score in tried.items() if math.isfinite(score)}
    if not finite:
        return []
    order, best = sorted(tried), max(finite, key=lambda rate: finite[rate])
    gain, at = finite[best] - chance, order.index(best)
    if gain <= 0:
        return [best]
    neighbours = [rate for rate in order[max(0, at - 1) : at + 2] if rate != best and rate in finite]
    lost = {rate: (finite[best] - finite[rate]) / gain for rate in neighbours}
    return sorted([best, *(rate for rate in neighbours if lost[rate] < NEAR or lost[rate] > COLLAPSED)])


def best_rate(scores: dict[float, list[float]], chance: float) -> float:
    """Return the rate with the best mean over its seeds that trained."""
    def mean(rate: float) -> float:
        good = [one for one, whole in zip(scores[rate], trained(scores[rate], chance), strict=True) if whole]
        return statistics.fmean(good) if good else -math.inf

    return max(sorted(scores), key=mean)
