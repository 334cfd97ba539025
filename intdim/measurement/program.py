"""How one cell is measured, as a program: it yields the runs it needs next and receives their results in that order.

The program owns every decision (baseline, step lengths, search) and runs nothing, so what it decides depends
on results alone: not on which run ended first, nor on kills, nor on how many slots there are.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from intdim.ledger.results import Answers, RunResult
from intdim.measurement.bar_errors import all_errors, bar_errors
from intdim.measurement.baseline import RIVAL_SEEDS, Baseline, measure_baseline
from intdim.measurement.points import Place, measure_points
from intdim.measurement.steplength import StepLengths
from intdim.search import Search, make_search
from intdim.search.verdict import WIDEST
from intdim.spec import BOTH, OF_PROJECTION, THRESHOLDS, Facts, RunSpec, SubspaceSpec, SweepSpec, derive_seed

Program = Generator[list[RunSpec], list[RunResult], Any]  # yields the runs it needs next, receives their results
T = TypeVar("T")


@dataclass
class Measurement:
    """What a cell has learnt so far; the driver shows it, its record is made of it."""

    spec: SweepSpec
    facts: Facts
    baseline: Baseline | None = None
    lengths: StepLengths = field(default_factory=lambda: StepLengths((1.0,)))
    results: dict[str, RunResult] = field(default_factory=dict)  # every run of this cell by run_id
    observed: list[RunResult] = field(default_factory=list)  # the runs the search has observed, in order
    searching: Search | None = None  # the search while it is under way
    search: Search | None = None  # set once it has ended, with all its runs observed
    second: Search | None = None  # the search for the other threshold, where that has runs of its own
    stop_at: float | None = None  # the selection score at which the runs of a bisection end
    answers: Callable[[str], Answers | None] = lambda run_id: None  # of a finished run
    bar_errors: dict[str, np.ndarray] | None = None  # in place of those by the answers, for simulations

    # -- the runs a cell can ask for ---------------------------------------------------------------------------------

    def full_run(self, rate: float, k: int) -> RunSpec:
        """The k-th seed of full fine-tuning; no projection enters, so that all cells of a grid share it."""
        none = SubspaceSpec("full", "none", "none", "none", self.spec.subspace.exclude)
        return self._run(none, 0, 0.0, rate, derive_seed(self.spec.seed, "full", k))

    def inside_run(self, d: int, length: float, k: int) -> RunSpec:
        """The k-th seed of a run in d dimensions; the same seed for every step length."""
        return self._run(self.spec.subspace, d, length, 0.0, derive_seed(self.spec.seed, "run", d, k), self.stop_at)

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
            stream_version=spec.stream_version if subspace == spec.subspace else OF_PROJECTION,
            training_version=spec.training_version,
        )

    @property
    def chance_level(self) -> float:
        """A selection score up to here does not differ from always answering the majority class."""
        return self.facts.chance + 2 * self.facts.chance_se

    # -- the program -------------------------------------------------------------------------------------------------

    def program(self) -> Program:
        """Yield the runs needed next, receive their results; ends when ``search`` is set."""
        spec, chance = self.spec, self.facts.chance
        self.baseline = yield from self._keeping(
            measure_baseline(spec.learning_rates, spec.baseline_seeds, chance, self.full_run)
        )
        gap = max(self.baseline.mean - chance, 1e-3)
        self.lengths = StepLengths(spec.step_lengths, spec.search.d_min, spec.search.d_max, chance, gap)
        if spec.search.name == "bisection":
            self.stop_at = self.threshold(self.kind, self.baseline.select_mean)

        self.searching = self.make_search(self.kind)
        yield from self._search(self.searching)
        self.search = self.searching
        if spec.search.threshold == BOTH:
            self.second = self.make_search(self.other_kind)
            for result in self.observed:
                self.second.tell(result.d, result.score, seed=result.seed, at_least=result.crossed)
            self.second.max_runs += len(self.observed)
            yield from self._search(self.second)

    def make_search(self, kind: str) -> Search:
        """Return a search for the threshold of this kind that has observed nothing."""
        assert self.baseline is not None
        wanted = self.spec.search
        return make_search(
            wanted.name,
            d_min=wanted.d_min,
            d_max=wanted.d_max,
            threshold=self.threshold(kind),
            baseline=self.baseline.mean,
            chance=self.facts.chance,
            max_runs=wanted.max_runs,
            seed=derive_seed(self.spec.seed, "search"),
            baseline_std=self.baseline.standard_error,
            freedom=self.baseline.freedom,
            fraction=wanted.fraction,
            seeds=wanted.seeds,
            grid_points=wanted.grid_points,
            narrow=wanted.narrow,
            enough=wanted.enough,
        )

    def _search(self, search: Search) -> Program:
        """Measure what a search asks for until it has ended."""
        kind = self.kind if search is self.searching else self.other_kind
        search.errors = lambda: all_errors(self, kind, bar_errors(self))
        while asked := search.ask(n=self.spec.search.batch):
            counts = Counter(result.d for result in self.observed)
            places = []
            for d in asked:
                places.append(Place(d, counts[d]))
                counts[d] += 1
            measured = yield from self._keeping(measure_points(places, self.lengths, self.inside_run))
            for result in measured:
                search.tell(result.d, result.score, seed=result.seed, at_least=result.crossed)
                self.observed.append(result)

    def _keeping(self, program: Generator[list[RunSpec], list[RunResult], T]) -> Generator[Any, Any, T]:
        """Run a part of the program, and keep every result that it receives."""
        results: list[RunResult] | None = None
        while True:
            try:
                wanted = next(program) if results is None else program.send(results)
            except StopIteration as ended:
                return ended.value
            results = yield wanted
            assert results is not None
            self.results |= {result.run_id: result for result in results}

    @property
    def likely_more(self) -> int | None:
        """About how many more runs the search needs for an interval that is narrow enough, if that is known."""
        search = self.searching
        if search is None or self.search is not None or len(search.points) < search.seeds:
            return None
        crossing = search.evidence.crossing()
        if not (math.isfinite(crossing.low) and math.isfinite(crossing.high)):
            return None
        return runs_to_go(math.exp(crossing.low), math.exp(crossing.high), len(search.points))

    @property
    def kind(self) -> str:
        """The kind of the threshold that the verdict is about."""
        wanted = self.spec.search.threshold
        return THRESHOLDS[0] if wanted == BOTH else wanted

    @property
    def other_kind(self) -> str:
        """The other kind."""
        return next(kind for kind in THRESHOLDS if kind != self.kind)

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


def runs_to_go(low: float | None, high: float | None, runs: int) -> int | None:
    """Return about how many more runs make an interval narrow enough, None where an end of it is not known.

    The width of log d90 shrinks with the root of the number of runs.
    """
    if low is None or high is None or runs < 1:
        return None
    width = math.log(high / low) / math.log(WIDEST)
    return max(1, math.ceil(runs * (width**2 - 1)))


@dataclass(frozen=True)
class ExpectedRuns:
    """How many runs a sweep expects: for the baseline, for tuning step lengths, and for the search at most."""

    baseline: int
    locating: int
    search: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.baseline + self.locating + self.search


def expected_runs(spec: SweepSpec) -> ExpectedRuns:
    """Return how many runs a sweep expects. In simulation a sweep tunes its step lengths in three further regions."""
    grid = len(spec.step_lengths)
    twice = 2 if spec.search.threshold == BOTH else 1
    return ExpectedRuns(
        baseline=len(spec.learning_rates) + spec.baseline_seeds + (RIVAL_SEEDS if len(spec.learning_rates) > 1 else 0),
        locating=grid + 1 + 2 * 3 if grid > 1 else 0,
        search=twice * spec.search.max_runs,
    )
