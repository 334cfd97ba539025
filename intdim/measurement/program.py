"""How one cell is measured, as a program: it yields the runs it needs next and receives their results in that order.

The program owns every decision (baseline, step lengths, search) and runs nothing, so what it decides depends
on results alone: not on which run ended first, nor on kills, nor on how many slots there are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from intdim.ledger.results import Answers, RunResult
from intdim.measurement.baseline import RIVAL_SEEDS, Baseline, best_rate, close_rates, trained
from intdim.measurement.steplength import APART, EXTENSIONS, StepLengths, beyond_edge, grid_best, round_rate
from intdim.search import Search, make_search
from intdim.spec import Facts, RunSpec, SubspaceSpec, SweepSpec, derive_seed

Program = Generator[list[RunSpec], list[RunResult], Any]  # yields the runs it needs next, receives their results


@dataclass
class Measurement:
    """What a cell has learnt so far; the driver shows it, its record is made of it."""

    spec: SweepSpec
    facts: Facts
    baseline: Baseline | None = None
    lengths: StepLengths = field(default_factory=lambda: StepLengths((1.0,)))
    results: dict[str, RunResult] = field(default_factory=dict)  # every run of this cell by run_id
    observed: list[RunResult] = field(default_factory=list)  # the runs the search has observed, in order
    search: Search | None = None  # set once the program has ended, with all its runs observed
    stop_at: float | None = None  # the selection score at which the runs of a bisection end
    answers: Callable[[str], Answers | None] = lambda run_id: None  # of a finished run
    bar_errors: Any = None

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
            threads=spec.threads,
            stream_version=spec.stream_version,
            training_version=spec.training_version,
        )

    def take(self, results: list[RunResult]) -> list[RunResult]:
        """Keep results and return them."""
        for result in results:
            self.results[result.run_id] = result
        return results

    @property
    def chance_level(self) -> float:
        """A selection score up to here does not differ from always answering the majority class."""
        return self.facts.chance + 2 * self.facts.chance_se

    # -- the program -------------------------------------------------------------------------------------------------

    def program(self) -> Program:
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
            baseline_std=self.baseline.standard_error,
            freedom=self.baseline.freedom,
            fraction=search_spec.fraction,
            seeds=search_spec.seeds,
            grid_points=search_spec.grid_points,
        )
        if search_spec.name == "bisection":
            self.stop_at = self.threshold(search_spec.threshold, self.baseline.select_mean)

        asked = search.ask(n=search_spec.batch)
        self.lengths = StepLengths(
            self.spec.step_lengths,
            search_spec.d_min,
            search_spec.d_max,
            self.facts.chance,
            max(self.baseline.mean - self.facts.chance, 1e-3),
        )
        counts: dict[int, int] = {}
        while asked:
            measured = yield from self.measure_points(asked, counts)
            for result in measured:
                search.tell(result.d, result.score, seed=result.seed, at_least=result.crossed)
                self.observed.append(result)
            asked = search.ask(n=search_spec.batch)

        self.search = search

    def measure_baseline(self) -> Program:
        """Find the best learning rate with one seed, then take the seeds that the mean is made of: others, so that a
        seed that was lucky enough to choose its rate does not raise the mean."""
        pending, tried = sorted(self.spec.learning_rates), {}
        for extension in range(EXTENSIONS + 1):
            results = self.take((yield [self.full_run(rate, 0) for rate in pending]))
            tried |= {rate: result.selection_score for rate, result in zip(pending, results, strict=True)}
            further = beyond_edge(tried)
            if further is None or extension == EXTENSIONS:
                break
            pending = [further]

        best, more = grid_best(tried), {}
        rivals = close_rates(tried, self.facts.chance)
        if len(rivals) > 1:
            wanted = [self.full_run(rate, k) for rate in rivals for k in range(1, RIVAL_SEEDS + 1)]
            results = self.take((yield wanted))
            more = {rate: [r.selection_score for r, w in zip(results, wanted, strict=True) if w.learning_rate == rate]
                    for rate in rivals}
            best = best_rate({rate: [tried[rate], *more[rate]] for rate in rivals}, self.facts.chance)
        runs = [self.full_run(best, k) for k in range(1, self.spec.baseline_seeds + 1)]
        results = self.take((yield runs))
        whole = trained([result.score for result in results], self.facts.chance)
        counted = [result for result, good in zip(results, whole, strict=True) if good]
        scores = [result.score for result in counted] or [self.facts.chance]
        selected = [_or(result.selection_score, self.facts.chance) for result in counted] or [self.facts.chance]
        collapsed = len(results) - len(counted)
        self.baseline = Baseline(best, tried, scores, selected, [run.run_id for run in runs], collapsed)

    def measure_points(self, asked: list[int], counts: dict[int, int]) -> Program:
        """Run a fresh seed at each asked dimension, with several step lengths where the region is new; return the
        result that counts of each.

        ``counts`` says how many seeds each dimension has had, and is kept up to date."""
        places = []
        for d in asked:
            places.append((d, counts.get(d, 0)))
            counts[d] = counts.get(d, 0) + 1

        told: dict[int, RunResult] = {}
        while len(told) < len(places):
            now = self._at_once([(n, place) for n, place in enumerate(places) if n not in told])
            told |= yield from self.measure_at(now)
        return [told[n] for n in range(len(places))]

    def _at_once(self, left: list[tuple[int, tuple[int, int]]]) -> list[tuple[int, tuple[int, int]]]:
        """Return which of these places to measure side by side: those that need no tuning, else one new region."""
        plain = [one for one in left if not self.lengths.is_new(one[1][0])]
        return plain or left[:1]

    def measure_at(self, places: list[tuple[int, tuple[int, int]]]) -> Program:
        """Measure places (d, k), numbered, side by side; return the result that counts by number."""
        lengths = self.lengths
        made: dict[int, dict[float, RunResult]] = {n: {} for n, _ in places}
        tuning = {n for n, (d, _) in places if lengths.is_new(d)}
        pending = [(n, d, k, length) for n, (d, k) in places for length in lengths.first(d)]
        if any(len([1 for p in pending if p[0] == n]) >= len(lengths.lengths) for n in tuning) and len(lengths.lengths) > 3:
            lengths.grids += 1
        for extension in range(EXTENSIONS + 2):
            runs = [self.inside_run(d, length, k, "run") for _, d, k, length in pending]
            results = self.take((yield runs))
            for (n, d, _, length), result in zip(pending, results, strict=True):
                made[n][length] = result
                lengths.note(d, length, result.selection_score)

            pending = []
            for n, (d, k) in places:
                scores = {length: result.selection_score for length, result in made[n].items()}
                further = lengths.further(d, scores) if n in tuning and extension < EXTENSIONS else []
                pending += [(n, d, k, length) for length in further if length not in made[n]]
            if not pending:
                break
        for n, (d, k) in places:
            if n in tuning and len(made[n]) >= len(lengths.lengths) and not lengths.tuned:
                best = grid_best({length: r.selection_score for length, r in made[n].items()})
                pending += [(n, d, k, round_rate(best * f)) for f in (1 / APART, APART)]
        if pending:
            results = self.take((yield [self.inside_run(d, length, k, "run") for _, d, k, length in pending]))
            for (n, d, _, length), result in zip(pending, results, strict=True):
                made[n][length] = result
                lengths.note(d, length, result.selection_score)

        told = {}
        for n, (d, _) in places:
            scores = {length: result.selection_score for length, result in made[n].items()}
            if n in tuning:
                lengths.tuned.append(d)
            told[n] = made[n][lengths.chosen(d, scores)]
        return told

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


@dataclass(frozen=True)
class ExpectedRuns:
    """How many runs a sweep expects: for the baseline, for locating step lengths, and for the search at most."""

    baseline: int
    locating: int
    search: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.baseline + self.locating + self.search


def expected_runs(spec: SweepSpec) -> ExpectedRuns:
    """Return how many runs a sweep expects."""
    located = len(spec.step_lengths) if len(spec.step_lengths) > 1 else 0
    return ExpectedRuns(
        baseline=len(spec.learning_rates) + spec.baseline_seeds - 1,
        locating=located * 2,
        search=spec.search.max_runs,
    )


def _or(score: float, other: float) -> float:
    return score if math.isfinite(score) else other


def _number(value: float) -> float:
    return -math.inf if math.isnan(value) else value


def _above(score: float, level: float) -> bool:
    return _number(score) > level
