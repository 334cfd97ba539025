"""Full fine-tuning: the chosen rate, the evidence for it, and the scores of its seeds."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass


@dataclass
class Baseline:
    """Full fine-tuning of a cell.

    ``tried`` maps each learning rate to its selection score (NaN where the run failed); ``scores`` and
    ``select_scores`` have one entry for each seed, ``run_ids`` the runs behind them.
    """

    learning_rate: float
    tried: dict[float, float]
    scores: list[float]
    select_scores: list[float]
    run_ids: list[str]

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
    def standard_error(self) -> float:
        """Standard error of the mean."""
        return self.std / math.sqrt(len(self.scores))
