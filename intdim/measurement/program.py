"""How one cell is measured, as a program: it yields the runs it needs next and receives their results in that order.

The program owns every decision (baseline, step lengths, search) and runs nothing, so what it decides depends
on results alone: not on which run ended first, nor on kills, nor on how many slots there are.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from intdim.measurement.evaluation_noise import Answers
from intdim.measurement.steplength import EXTENSIONS, StepLengths, anchors, beyond_edge, grid_best
from intdim.run.stopping import CROSSED
from intdim.search import Search, make_search
from intdim.spec import Facts, RunSpec, SubspaceSpec, SweepSpec, derive_seed

Result = dict[str, Any]
Wanted = Generator[list[RunSpec], list[Result], Any]


@dataclass
class Baseline:
    """Full fine-tuning: the chosen rate, the evidence for it, and the scores of its seeds."""

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


@dataclass
class Measurement:
    """What a cell has learnt so far; the driver shows it, its record is made of it."""

    spec: SweepSpec
    facts: Facts
    baseline: Baseline | None = None
    lengths: StepLengths = field(default_factory=lambda: StepLengths(()))
    results: dict[str, Result] = field(default_factory=dict)  # every run of this cell by run_id
    told: list[Result] = field(default_factory=list)  # the runs the search was told of, in order
    search: Search | None = None  # told of all its runs, once the program has ended
    stop_at: float | None = None  # the selection score at which the runs of a bisection end
    answers: Callable[[str], Answers | None] = lambda run_id: None  # of a finished run

    # -- the runs a cell can ask for ---------------------------------------------------------------------------------

    def full_run(self, rate: float, k: int) -> RunSpec:
        """The k-th seed of full fine-tuning; no projection enters, so that all cells of a grid share it."""
        none = SubspaceSpec("full", "none", "none", "none", self.spec.subspace.exclude)
        return self._run(none, 0, 0.0, rate, derive_seed(self.spec.seed, "full", k))

    def inside_run(self, d: int, length: float, k: int, purpose: str) -> RunSpec:
        """The k-th seed of a run in d dimensions; ``purpose`` keeps locating seeds and measuring seeds apart."""
        seed = derive_seed(self.spec.seed, purpose, d, k)
        return self._run(self.spec.subspace, d, length, 0.0, seed, self.stop_at if purpose == "run" else None)

    def _run(
        self, subspace: SubspaceSpec, d: int, length: float, rate: float, seed: int, stop_at: float | None = None
    ) -> RunSpec:
        spec = self.spec
        return RunSpec(
            model=spec.model,
            task=spec.task,
            subspace=subspace,
            train=spec.train,
            d=d,
            step_length=length,
            learning_rate=rate,
            seed=seed,
            stop_at=stop_at,
            stream_version=spec.stream_version,
            training_version=spec.training_version,
        )

    def take(self, results: list[Result]) -> list[Result]:
        """Keep results and return them."""
        for result in results:
            self.results[result["run_id"]] = result
        return results

    @property
    def chance_level(self) -> float:
        """A selection score up to here does not differ from always answering the majority class."""
        return self.facts.chance + 2 * self.facts.chance_se

    # -- the program -------------------------------------------------------------------------------------------------

    def program(self) -> Wanted:
        """Yield the runs needed next, receive their results; ends when ``search`` is set."""
        yield from self.measure_baseline()
        assert self.baseline is not None
        search_spec = self.spec.search
        search = make_search(
            search_spec.name,
            d_min=search_spec.d_min,
            d_max=search_spec.d_max,
            threshold=self.threshold(search_spec.threshold),
            baseline=self.baseline.mean,
            chance=self.facts.chance,
            max_runs=search_spec.max_runs,
            seed=derive_seed(self.spec.seed, "search"),
            baseline_std=self.baseline.std / math.sqrt(len(self.baseline.scores)),
            seeds=search_spec.seeds,
            grid_points=search_spec.grid_points,
        )
        if search_spec.name == "bisection":
            self.stop_at = self.threshold(search_spec.threshold, self.baseline.select_mean)
        asked = search.ask(n=search_spec.batch)
        if asked:
            yield from self.locate_lengths()
        counts: dict[int, int] = {}
        while asked:
            measured = yield from self.measure_points(asked, counts)
            for result in measured:
                search.tell(result["d"], score_of(result), seed=result["seed"], at_least=crossed(result))
                self.told.append(result)
            asked = search.ask(n=search_spec.batch)
        self.search = search

    def measure_baseline(self) -> Wanted:
        """Find the best learning rate on the selection half with the first seed, then take the other seeds."""
        pending, tried = sorted(self.spec.learning_rates), {}
        for extension in range(EXTENSIONS + 1):
            results = self.take((yield [self.full_run(rate, 0) for rate in pending]))
            tried |= {rate: select_score_of(result) for rate, result in zip(pending, results, strict=True)}
            further = beyond_edge(tried)
            if further is None or extension == EXTENSIONS:
                break
            pending = [further]
        best = grid_best(tried)
        runs = [self.full_run(best, k) for k in range(self.spec.baseline_seeds)]
        results = self.take((yield runs))
        scores = [score_of(result) for result in results]
        finite = [_or(score, self.facts.chance) for score in scores]
        selected = [_or(select_score_of(result), self.facts.chance) for result in results]
        self.baseline = Baseline(best, tried, finite, selected, [run.run_id for run in runs])

    def locate_lengths(self) -> Wanted:
        """Try every step length at two dimensions; a single length given by the user is a decision, not a grid."""
        self.lengths = StepLengths(self.spec.step_lengths)
        if len(self.spec.step_lengths) < 2:
            return
        dims = anchors(self.spec.search.d_min, self.spec.search.d_max)
        pending = [(d, length) for d in dims for length in sorted(self.spec.step_lengths)]
        for extension in range(EXTENSIONS + 1):
            results = self.take((yield [self.inside_run(d, length, 0, "locate") for d, length in pending]))
            for (d, length), result in zip(pending, results, strict=True):
                self.lengths.note(d, length, select_score_of(result))
            if extension == EXTENSIONS:
                break
            pending = [(d, length) for d in dims for length in self.lengths.further(d, self.chance_level)]
            if not pending:
                break
        for d in dims:
            self.lengths.settle(d, self.chance_level)

    def measure_points(self, asked: list[int], counts: dict[int, int]) -> Wanted:
        """Run a fresh seed at each asked dimension; doubt the step length of a run that ended at chance."""
        places = []
        for d in asked:
            places.append((d, counts.get(d, 0)))
            counts[d] = counts.get(d, 0) + 1
        runs = [self.inside_run(d, self.lengths.at(d), k, "run") for d, k in places]
        results = self.take((yield runs))
        for (d, _), run, result in zip(places, runs, results, strict=True):
            self.lengths.note(d, run.step_length, select_score_of(result))
        doubted = [
            (place, result, [self.inside_run(place[0], length, place[1], "run") for length in self.doubt(place[0])])
            for place, result in zip(places, results, strict=True)
            if not _above(select_score_of(result), self.chance_level) and place[0] > self.lengths.hopeless
        ]
        retries = [run for _, _, runs_there in doubted for run in runs_there]
        if not retries:
            return results
        again = {run.run_id: result for run, result in zip(retries, self.take((yield retries)), strict=True)}
        replaced: dict[int, Result] = {}
        for (d, _), result, runs_there in doubted:
            candidates = [result] + [again[run.run_id] for run in runs_there]
            for run in runs_there:
                self.lengths.note(d, run.step_length, select_score_of(again[run.run_id]))
            best = max(candidates, key=lambda one: _number(select_score_of(one)))
            replaced[id(result)] = best
        for d in sorted({place[0] for place, _, _ in doubted}):
            self.lengths.settle(d, self.chance_level)
        return [replaced.get(id(result), result) for result in results]

    def doubt(self, d: int) -> list[float]:
        """Return the lengths to try after a failure at ``d``; none where the user gave a single length."""
        return self.lengths.neighbours(d) if len(self.spec.step_lengths) > 1 else []

    def threshold(self, kind: str, baseline: float | None = None) -> float:
        """Return the score to reach: a share of the baseline (by default its mean score), or of its gain over the
        majority class."""
        assert self.baseline is not None
        fraction, chance = self.spec.search.fraction, self.facts.chance
        mean = self.baseline.mean if baseline is None else baseline
        return fraction * mean if kind == "absolute" else chance + fraction * (mean - chance)


def check_dimensions(spec: SweepSpec, facts: Facts) -> list[str]:
    """Return what is wrong with the dimensions asked for, one sentence each; empty when they can be measured."""
    search, wrong = spec.search, []
    if search.d_max > facts.D:
        wrong.append(f"search.d_max={search.d_max} exceeds D={facts.D}, the parameters inside the subspace")
    if search.d_min > min(search.d_max, facts.D):
        wrong.append(f"search.d_min={search.d_min} exceeds {min(search.d_max, facts.D)}")
    m = facts.scales(spec.subspace)
    if m and search.d_min <= m:
        wrong.append(
            f"search.d_min={search.d_min} leaves nothing for z: "
            f"SAID with groups={spec.subspace.groups} has m={m} scales"
        )
    return wrong


def expected_runs(spec: SweepSpec) -> dict[str, int]:
    """Return how many runs a sweep expects for the baseline, for locating step lengths, and for the search at most."""
    located = len(spec.step_lengths) if len(spec.step_lengths) > 1 else 0
    return {
        "baseline": len(spec.learning_rates) + spec.baseline_seeds - 1,
        "locating": located * len(anchors(spec.search.d_min, spec.search.d_max)),
        "search": spec.search.max_runs,
    }


def score_of(result: Result) -> float:
    """The score of a result; NaN where the run failed."""
    return _number_or_nan(result["eval_score"])


def select_score_of(result: Result) -> float:
    """The score on the selection half; NaN where the run failed."""
    return _number_or_nan(result["select_score"])


def crossed(result: Result) -> bool:
    """True where a run ended as soon as it had crossed the bar: its score is a lower bound."""
    return result.get("stopped") == CROSSED


def _or(score: float, other: float) -> float:
    return score if math.isfinite(score) else other


def _number_or_nan(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _number(value: float) -> float:
    return -math.inf if math.isnan(value) else value


def _above(score: float, level: float) -> bool:
    return _number(score) > level


__all__ = ["Baseline", "Measurement", "check_dimensions", "crossed", "expected_runs", "score_of", "select_score_of"]
