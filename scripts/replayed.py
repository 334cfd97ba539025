"""A table of make_replay.py as what answers the runs of a sweep.

Asked for (d, s, seed), it gives the mean of the runs that trained there, a surface over log d and log s smoothed over
all of them (a thin-plate spline, its smoothness by cross-validation), and what stored runs near it differ from that
surface. The share of that which lengths of one d and seed have in common is the table's own. Where runs of the nearest
s and of the two nearest d collapsed, as many of the answers are one of these. So noise, collapses and halves are real,
and the true d90 can be read off the surface. (Means of a few seeds that are not smoothed, or the noise of one place
alone, would bend the curve by chance, and so decide where it crosses a bar.)
"""

from __future__ import annotations

import bisect
import csv
import itertools
import json
import math
import statistics
from pathlib import Path
from typing import Any

import numpy as np
from scipy.interpolate import RBFInterpolator

from intdim.ledger.results import RunResult
from intdim.spec import RunSpec

SMOOTHING = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
NEAR = 24  # runs that the noise at a place is drawn from
Run = tuple[float, float]  # score on the selection half, score
Place = tuple[int, float]  # d and s; d = 0: full fine-tuning, with its rate


class World:
    """A table of runs, as what answers the runs of a sweep."""

    def __init__(self, file: Path, both: bool) -> None:
        self.about: dict[str, Any] = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
        part = self.about["halves"]["whole" if both else "eval"]
        self.chance, self.chance_se = part["chance"], part["chance_se"]
        self.runs: dict[Place, list[Run]] = {}
        self.seeds: dict[Place, list[int]] = {}
        with file.open(encoding="utf-8", newline="") as opened:
            for row in csv.DictReader(opened):
                place = int(row["d"]), float(row["step_length"] or row["learning_rate"])
                self.runs.setdefault(place, []).append(scores(row, both, self.chance))
                self.seeds.setdefault(place, []).append(int(row["seed"]))

        self.dimensions = sorted({d for d, _ in self.runs} - {0})
        self.lengths = sorted({value for d, value in self.runs if d})
        best = max(score for runs in self.runs.values() for _, score in runs)
        self.learnt = self.chance + (best - self.chance) / 3
        full = max((place for place in self.runs if place[0] == 0), key=lambda place: len(self.runs[place]))
        self.baseline = statistics.fmean(score for _, score in self.trained(full))  # the best rate has the most seeds

        self.rows = [(place, run) for place in sorted(self.runs) if place[0] for run in self.trained(place)]
        points, values = [place for place, _ in self.rows], [run for _, run in self.rows]
        self.smoothing = min(SMOOTHING, key=lambda one: self.error(points, values, one))
        self.surface = smooth(points, values, self.smoothing)
        self.at = coordinates(points)
        self.noise = np.array(values) - self.surface(self.at)
        self.shared = self.luck()

    def trained(self, place: Place) -> list[Run]:
        """The runs of one place without those that collapsed: at chance where another s of the same d came a third of
        the way from there to the best of the table."""
        beside = max(score for other, runs in self.runs.items() if other[0] == place[0] for _, score in runs)
        level = self.chance + 2 * self.chance_se if beside > self.learnt else -math.inf
        return [run for run in self.runs[place] if run[1] > level]

    def error(self, points: list[Place], values: list[Run], smoothing: float) -> float:
        """The squared error of a smoothness at places that the surface has not seen, a tenth of them at a time."""
        places, total = sorted(set(points)), 0.0
        for part in range(10):
            hidden = set(places[part::10])
            seen = [number for number, place in enumerate(points) if place not in hidden]
            surface = smooth([points[k] for k in seen], [values[k] for k in seen], smoothing)
            rest = [number for number, place in enumerate(points) if place in hidden]
            told = surface(coordinates([points[k] for k in rest]))
            total += float(((told - np.array([values[k] for k in rest])) ** 2).sum())
        return total

    def nearest(self, d: int, value: float) -> Place:
        """The place of the table at ``d`` whose s (or rate) is nearest in the logarithm."""
        return min((place for place in self.runs if place[0] == d), key=lambda one: abs(math.log(one[1] / value)))

    def around(self, d: int) -> tuple[int, int, float]:
        """The dimensions of the table on both sides of ``d``, and how far it is from the first to the second."""
        d = min(max(d, self.dimensions[0]), self.dimensions[-1])
        above = max(1, bisect.bisect_left(self.dimensions, d))
        low, high = self.dimensions[above - 1], self.dimensions[above]
        return low, high, math.log(d / low) / math.log(high / low)

    def answer(self, spec: RunSpec) -> RunResult:
        """What the table says in place of a run."""
        rng, d = np.random.default_rng(spec.seed), spec.d
        if d:
            select, score = self.inside(d, spec.step_length, rng)
        else:
            here = self.runs[self.nearest(0, spec.learning_rate)]
            select, score = here[rng.integers(len(here))]
        made: dict[str, Any] = {"run_id": spec.run_id, "status": "done", "reason": "", "stopped": "", "seed": spec.seed}
        made |= {"d": d or self.about["D"], "D": self.about["D"], "step_length": spec.step_length}
        made |= {"method": spec.subspace.method, "projection": spec.subspace.projection}
        made |= {"train_score": score, "eval_score": score, "select_score": select, "eval_loss": 0.5}
        made |= {"learning_rate": spec.learning_rate, "metric": spec.task.metric, "steps": 1, "best_step": 1}
        made |= {"half_scores": [score, score], "other_step": 1}
        made |= {"update_cosine": None, "update_kept": None, "update_moved": None}
        return RunResult(**made, seconds=0.0, peak_memory_bytes=0)

    def luck(self) -> float:
        """The correlation of what runs of one d and seed with different s differ from the surface."""
        groups: dict[tuple[int, int], list[float]] = {}
        for (place, run), noise in zip(self.rows, self.noise[:, 1], strict=True):
            groups.setdefault((place[0], self.seeds[place][self.runs[place].index(run)]), []).append(float(noise))
        products = [one * other for found in groups.values() for one, other in itertools.combinations(found, 2)]
        return min(max(statistics.fmean(products) / float(self.noise[:, 1].var()), 0.0), 1.0)

    def inside(self, d: int, length: float, rng: np.random.Generator) -> Run:
        """Draw the scores of a run in ``d`` dimensions; ``rng`` is that of the run's seed."""
        low, high, share = self.around(d)
        place = self.nearest(high if rng.random() < share else low, length)
        stored = self.runs[place]
        drawn = stored[rng.integers(len(stored))]
        if drawn not in self.trained(place):
            return drawn

        here = coordinates([(d, self.within(length))])
        near = self.noise[np.argsort(((self.at - here) ** 2).sum(axis=1))[:NEAR]]
        near = near - near.mean(axis=0)
        own = np.random.default_rng([int(rng.integers(1 << 31)), round(1000 * length)])
        common, single = near[rng.integers(NEAR)], near[own.integers(NEAR)]
        scores = self.surface(here)[0] + math.sqrt(self.shared) * common + math.sqrt(1 - self.shared) * single
        return float(scores[0]), float(scores[1])

    def within(self, length: float) -> float:
        """The length, or the end of the table's range that is nearest to it."""
        return min(max(length, self.lengths[0]), self.lengths[-1])

    def mean(self, d: int, length: float) -> float:
        """The mean score at ``d`` of the runs that train with that s."""
        return float(self.surface(coordinates([(d, self.within(length))]))[0, 1])

    def curve(self, d: int) -> float:
        """The mean score with the best s."""
        tried = np.geomspace(self.lengths[0], self.lengths[-1], 41)
        return float(self.surface(coordinates([(d, float(length)) for length in tried]))[:, 1].max())

    def crossing(self, bar: float) -> float:
        """The smallest d where the curve reaches ``bar``; 0 or infinity where that is outside of the table."""
        points = np.unique(np.geomspace(self.dimensions[0], self.dimensions[-1], 500).round().astype(int)).tolist()
        reached = next((d for d in points if self.curve(d) >= bar), math.inf)
        return 0.0 if reached == points[0] else reached


def coordinates(places: list[Place]) -> np.ndarray:
    """Places as points (n, 2) of a plane in which the surface bends about equally in both directions."""
    return np.array([(math.log(d) / 2, math.log(length)) for d, length in places])


def smooth(points: list[Place], values: list[Run], smoothing: float) -> RBFInterpolator:
    """Fit a surface to the scores of runs."""
    return RBFInterpolator(coordinates(points), np.array(values), smoothing=smoothing, kernel="thin_plate_spline")


def scores(row: dict[str, str], both: bool, chance: float) -> Run:
    """The scores of a row as a run reports them, on the selection half and on the other; failed runs are at chance."""
    if not row["eval_score"]:
        return chance, chance
    select, score = float(row["select_score"]), float(row["eval_score"])
    if not both:
        return select, score
    return (select + float(row["swapped_eval_score"])) / 2, (score + float(row["swapped_select_score"])) / 2
