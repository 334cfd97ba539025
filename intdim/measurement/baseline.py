"""Full fine-tuning: the rate that is best, the seeds behind the mean, and the error of that mean."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Generator
from dataclasses import dataclass

from intdim.ledger.results import RunResult
from intdim.measurement.steplength import beyond_edge, grid_best
from intdim.spec import RunSpec

PRIOR_STD = 0.01  # of the score over seeds, before any are seen
PRIOR_FREEDOM = 2.0  # how many seeds that counts as
COLLAPSED = 0.7  # a seed that made less than this share of the median gain over chance has collapsed
NEAR = 0.06  # of the gain: rates that differ by less with one seed each are compared with further seeds
RIVAL_SEEDS = 2  # so many
EXTENSIONS = 4  # of the grid of rates: that of base and large models is a factor of a hundred too low for small ones


@dataclass
class Baseline:
    """Full fine-tuning of a cell.

    Attributes:
        learning_rate: the best one.
        tried: selection score of one seed by learning rate, NaN where the run failed.
        scores: one for each seed that trained.
        select_scores: likewise, of the selection.
        run_ids: the runs of all seeds.
        collapsed: how many seeds did not train; they are no part of the mean.
    """

    learning_rate: float
    tried: dict[float, float]
    scores: list[float]
    select_scores: list[float]
    run_ids: list[str]
    collapsed: int = 0

    @property
    def mean(self) -> float:
        """Mean score over the seeds that trained."""
        return statistics.fmean(self.scores)

    @property
    def select_mean(self) -> float:
        """Mean selection score."""
        return statistics.fmean(self.select_scores)

    @property
    def std(self) -> float:
        """Sample standard deviation over the seeds (0 for one seed)."""
        return statistics.stdev(self.scores) if len(self.scores) > 1 else 0.0

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the error of the mean."""
        return PRIOR_FREEDOM + len(self.scores) - 1

    def clear_edge(self, chance: float) -> str:
        """Return ``smallest`` or ``largest`` where the rate is the end of those tried and clearly better than the one
        beside it, so that one beyond it may be better still; else an empty string."""
        order = sorted(rate for rate, score in self.tried.items() if math.isfinite(score))
        for end, beside, name in ((order[:1], order[1:2], "smallest"), (order[-1:], order[-2:-1], "largest")):
            if beside and end == [self.learning_rate]:
                best, other = self.tried[end[0]], self.tried[beside[0]]
                return name if best - other > NEAR * (best - chance) else ""
        return ""

    @property
    def standard_error(self) -> float:
        """Scale of the error of the mean, which has a t distribution with ``freedom`` degrees of freedom.

        A few seeds may agree by luck. Before any are seen, their variance has a scaled inverse chi-square distribution
        around ``PRIOR_STD`` with ``PRIOR_FREEDOM`` degrees of freedom (Gelman et al., Bayesian Data Analysis, 3.3).
        """
        count = len(self.scores)
        squares = PRIOR_FREEDOM * PRIOR_STD**2 + (count - 1) * self.std**2
        return math.sqrt(squares / self.freedom / count)


def measure_baseline(
    rates: tuple[float, ...], seeds: int, chance: float, run: Callable[[float, int], RunSpec]
) -> Generator[list[RunSpec], list[RunResult], Baseline]:
    """Find the best learning rate, then take the seeds that the mean is made of; yield the runs that this takes.

    Seed 0 tries every rate, and is no part of the mean: a seed that was lucky enough to choose its rate would raise it.
    Rates that it cannot tell apart get further seeds. The mean is of ``seeds`` seeds from 1 on.

    Args:
        rates: the grid, which is extended where the best one is on its edge.
        seeds: how many make the mean.
        chance: score of the majority class.
        run: the run of a rate and a seed's number.
    """
    pending, tried = sorted(rates), {}
    for extension in range(EXTENSIONS + 1):
        results = yield [run(rate, 0) for rate in pending]
        tried |= {rate: result.selection_score for rate, result in zip(pending, results, strict=True)}
        further = beyond_edge(tried)
        if further is None or extension == EXTENSIONS:
            break
        pending = [further]

    best = grid_best(tried)
    rivals = close_rates(tried, chance)
    if len(rivals) > 1:
        results = yield [run(rate, k) for rate in rivals for k in range(1, RIVAL_SEEDS + 1)]
        compared = {rate: [tried[rate]] for rate in rivals}
        for number, result in enumerate(results):
            compared[rivals[number // RIVAL_SEEDS]].append(result.selection_score)
        best = best_rate(compared, chance)

    runs = [run(best, k) for k in range(1, seeds + 1)]
    results = yield runs
    whole = trained([result.score for result in results], chance)
    counted = [result for result, good in zip(results, whole, strict=True) if good]
    scores = [result.score for result in counted] or [chance]
    selected = [result.selection_score for result in counted] or [chance]
    return Baseline(best, tried, scores, selected, [one.run_id for one in runs], len(runs) - len(counted))


def trained(scores: list[float], chance: float) -> list[bool]:
    """Return which seeds trained: not those that failed (NaN), nor those that collapsed, which made much less than the
    median gain over ``chance``. Where the median itself is no gain they are not told apart."""
    finite = [score for score in scores if math.isfinite(score)]
    gain = statistics.median(finite) - chance if finite else 0.0
    if gain <= 0:
        return [math.isfinite(score) for score in scores]
    return [math.isfinite(score) and score - chance >= COLLAPSED * gain for score in scores]


def close_rates(tried: dict[float, float], chance: float) -> list[float]:
    """Return the rates that one seed each cannot tell apart: the best, and those of its neighbours that come near it or
    made much less of a gain, which may be a collapse."""
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
    """Return the rate with the best mean score over its seeds that trained; of equally good ones the smallest."""

    def mean(rate: float) -> float:
        whole = trained(scores[rate], chance)
        good = [score for score, counts in zip(scores[rate], whole, strict=True) if counts]
        return statistics.fmean(good) if good else -math.inf

    return max(sorted(scores), key=mean)
