"""Simulated tasks for the whole program of a sweep, whose true d90 is known.

A task has a learning curve over log d, a window of useful step lengths that narrows at small d and moves with d, noise
of the seeds, collapsed runs, a best learning rate of full fine-tuning, and an evaluation split whose halves err. The
score of a run depends on the task and on the run's spec alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass

import bench_search
import numpy as np
from bench_search import sigmoid

from intdim.ledger.results import RunResult
from intdim.spec import RunSpec, derive_seed

D_MIN, D_MAX = 8, 65_536
LOW, HIGH = math.log(D_MIN), math.log(D_MAX)
PLAIN = ("logistic", "gompertz", "weibull", "power", "two_step", "late", "shallow_dip")
HARD = ("tail", "plateau", "two_seeds", "low_ceiling")
FAMILIES = PLAIN + HARD
CENSORED = ("reached_before", "reached_after", "never_reached")
WINDOWS = ("mild", "harsh")
FRACTION = 0.9
STEP_GRID = (1.0, 3.0, 10.0, 30.0)
RATES = (1e-5, 2e-5, 5e-5)
SHARED_LUCK = 0.5  # share of the variance of a seed's luck that all its step lengths have in common
Shape = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Task:
    """A simulated task.

    Attributes:
        family: of the curve, or how it is censored.
        share: share of the gain that the best step length has at log d.
        floor: score of the majority class.
        ceiling: mean score at large d.
        top: mean score of full fine-tuning with the best rate.
        kind: of the threshold, ``absolute`` or ``above_chance``.
        noise: standard deviation of a trained run.
        heavier: relative increase of the noise where the curve is low.
        half_noise: standard deviation of the error of a score on one half of the evaluation split.
        populations: share of the seeds that fall behind, and by how many standard deviations.
        collapse: probability that a run collapses.
        best_length: the best step length in the middle of the range.
        slope: by which its logarithm falls with log d.
        width: half width of the window in log s at small and at large d.
        power: of the window's edge: larger is flatter on top.
        best_rate: of full fine-tuning.
        bar_error: standard deviation of the error that the evaluation examples have in the threshold.
        bar_shift: that error.
        truth: log d90, -inf or inf where it is censored.
        number: of the task, which seeds its runs.
    """

    family: str
    share: Shape
    floor: float
    ceiling: float
    top: float
    kind: str
    noise: float
    heavier: float
    half_noise: float
    populations: tuple[float, float]
    collapse: float
    best_length: float
    slope: float
    width: tuple[float, float]
    power: float
    best_rate: float
    bar_error: float
    bar_shift: float
    truth: float
    number: int

    def bar(self, baseline: float) -> float:
        """The threshold that belongs to a score of full fine-tuning."""
        return bar_of(self.kind, baseline, self.floor)

    def length_loss(self, d: int, length: float) -> float:
        """Return the share of the gain that a step length keeps at ``d``, in [0, 1]."""
        x = math.log(d)
        best = math.log(self.best_length) - self.slope * (x - 0.5 * (LOW + HIGH))
        share = min(max((x - LOW) / (HIGH - LOW), 0.0), 1.0)
        half = self.width[0] + (self.width[1] - self.width[0]) * share
        away = math.log(length) - best
        away *= 1.15 if away > 0 else 0.9  # too long is worse than too short
        return math.exp(-0.5 * (abs(away) / half) ** self.power)

    def result(self, spec: RunSpec) -> RunResult:
        """Return the result of a run."""
        full = spec.subspace.method == "full"
        place = derive_seed(spec.d, spec.step_length, spec.learning_rate)
        own = np.random.default_rng([self.number, spec.seed, place])
        common = np.random.default_rng([self.number, spec.seed])
        if full:
            away = math.log(spec.learning_rate / self.best_rate)
            share, mean = 1.0, self.top - 0.04 * (self.top - self.floor) * away**2 + self.bar_shift / FRACTION
        else:
            share = float(self.share(np.array([math.log(spec.d)]))[0]) * self.length_loss(spec.d, spec.step_length)
            mean = self.floor + (self.ceiling - self.floor) * share

        luck = math.sqrt(SHARED_LUCK) * common.standard_normal()
        luck += math.sqrt(1 - SHARED_LUCK) * own.standard_normal()
        behind, by = self.populations
        luck += by * behind - by * (common.random() < behind)  # of mean 0
        spread = self.noise * (1 + self.heavier * (1 - min(share, 1.0)))
        score = mean + spread * luck
        if own.random() < self.collapse:
            score = self.floor if own.random() < 0.6 else own.uniform(self.floor, max(mean, self.floor + 1e-9))
            score += 0.01 * own.standard_normal()
        # each half scores what the other chose, so that what the examples add is in both means alike
        both = float(np.minimum(score + self.half_noise * own.standard_normal(2), 1.0).mean())
        return result_of(spec, both, both)


def result_of(spec: RunSpec, select: float, score: float) -> RunResult:
    """Return the result of a run with these scores on the two halves of the evaluation split."""
    return RunResult(
        run_id=spec.run_id,
        status="done",
        reason="",
        stopped="",
        d=spec.d,
        D=1_000_000,
        method=spec.subspace.method,
        projection=spec.subspace.projection,
        step_length=spec.step_length,
        learning_rate=spec.learning_rate,
        seed=spec.seed,
        train_score=score,
        eval_score=score,
        select_score=select,
        eval_loss=0.0,
        half_scores=[score, score],
        metric=spec.task.metric,
        steps=1,
        best_step=1,
        other_step=1,
        seconds=1.0,
        peak_memory_bytes=0,
        update_cosine=1.0,
        update_kept=1.0,
        update_moved=1.0,
    )


def drive(program: Generator[list[RunSpec], list[RunResult], None], answer: Callable[[RunSpec], RunResult]) -> None:
    """Run a program of a sweep to its end, giving it for each run that it asks for what ``answer`` says."""
    wanted = next(program, None)
    while wanted is not None:
        try:
            wanted = program.send([answer(spec) for spec in wanted])
        except StopIteration:
            return


def bar_of(kind: str, baseline: float, floor: float) -> float:
    """Return the threshold: a share of the baseline, or of its gain."""
    return FRACTION * baseline if kind == "absolute" else floor + FRACTION * (baseline - floor)


def draw_shape(family: str, wanted: float, rng: np.random.Generator) -> Shape:
    """Return the share of the gain as a function of log d, up to a shift; ``wanted`` is the share at the bar.

    What ``bench_search`` has is taken from there; slow tails and plateaus near the bar are added.
    """
    if family == "tail":  # saturates slowly, as power does, and more so
        rng.uniform(0.25, 1.3)  # the width that every family draws first
        power = rng.uniform(0.35, 0.6)
        return lambda x: 1 - np.power(1 + np.exp(np.clip(x, -30, 30)), -power)
    if family == "plateau":  # within a tenth below the bar or a little above it
        rng.uniform(0.25, 1.3)
        rng.uniform(0.7, 0.85)
        early = wanted * rng.uniform(0.9, 1.02)
        gap = rng.uniform(1.5, 4.0)
        first, second = rng.uniform(0.15, 0.7), rng.uniform(0.1, 0.5)
        return lambda x: early * sigmoid(x / first) + (1 - early) * sigmoid((x - gap) / second)
    return bench_search.draw_shape("logistic" if family in ("two_seeds", "low_ceiling") else family, rng)


def draw(family: str, window: str, number: int, rng: np.random.Generator, collapse: float, bar_error: float) -> Task:
    """Draw a task whose d90 lies inside the range (a family) or outside of it (a kind of censoring)."""
    while True:
        floor = rng.uniform(0.33, 0.8)
        top = rng.uniform(max(floor + 0.12, 0.7), 0.97)
        absolute = (FRACTION * top - floor) / (top - floor) > 0.3 and rng.random() < 0.6
        kind = "absolute" if absolute else "above_chance"
        bar = bar_of(kind, top, floor)
        noise = min(math.exp(rng.uniform(math.log(0.002), math.log(0.03))), (top - floor) / 8)
        if family == "two_seeds":
            noise = min(noise, (top - floor) / 20)
        shape = str(rng.choice(PLAIN[:-1])) if family in CENSORED else family

        ceiling = top + (top - floor) * rng.uniform(-0.04, 0.01)
        if family == "low_ceiling":
            ceiling = min(bar * (1 + rng.uniform(0.002, 0.02)), top)
        if family == "never_reached":
            ceiling = bar - (bar - floor) * rng.uniform(0.05, 0.4)
        wanted = (bar - floor) / (ceiling - floor)
        share = draw_shape(shape, wanted, rng)

        x = np.linspace(-25, 40, 65_001)
        values = share(x)
        reached = np.flatnonzero(values >= wanted)
        if family == "never_reached":
            truth, shift = math.inf, rng.uniform(LOW + 1, HIGH)
        elif not len(reached):
            continue
        else:
            inside = rng.uniform(LOW + 0.06 * (HIGH - LOW), HIGH - 0.06 * (HIGH - LOW))
            before, after = LOW - rng.uniform(0.3, 3), HIGH + rng.uniform(0.3, 3)
            place = {"reached_before": before, "reached_after": after}.get(family, inside)
            shift = place - x[reached[0]]
            truth = {"reached_before": -math.inf, "reached_after": math.inf}.get(family, place)
            if values[reached[0] :].min() < wanted:
                continue  # it falls below the threshold again: there would be no single truth to compare with

        harsh = window == "harsh"
        narrow = rng.uniform(0.55, 0.9) if harsh else rng.uniform(0.9, 1.4)
        return Task(
            family=family,
            share=lambda x, share=share, shift=shift: share(x - shift),
            floor=floor,
            ceiling=ceiling,
            top=top,
            kind=kind,
            noise=noise,
            heavier=rng.uniform(0, 2),
            half_noise=rng.uniform(0.3, 0.7) * noise,
            populations=(rng.uniform(0.15, 0.4), rng.uniform(2.0, 4.0)) if family == "two_seeds" else (0.0, 0.0),
            collapse=collapse,
            best_length=math.exp(rng.uniform(math.log(1.5), math.log(20.0))),
            slope=rng.uniform(0.0, 0.35),
            width=(narrow, narrow * rng.uniform(1.5, 2.5)),
            power=rng.uniform(2.0, 3.0) if harsh else rng.uniform(3.0, 5.0),
            best_rate=float(rng.choice(RATES)),
            bar_error=bar_error,
            bar_shift=bar_error * rng.standard_normal(),
            truth=truth,
            number=number,
        )
