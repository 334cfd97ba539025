"""The runs of the dimensions that a search asked for: one step length where it is known, several where it is not."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

from intdim.ledger.results import RunResult
from intdim.measurement.steplength import EXTENSIONS, StepLengths
from intdim.spec import RunSpec

Runs = Generator[list[RunSpec], list[RunResult], dict[float, RunResult]]


@dataclass(frozen=True)
class Place:
    """The k-th seed at d dimensions."""

    d: int
    k: int


def measure_points(
    places: list[Place], lengths: StepLengths, run: Callable[[int, float, int], RunSpec]
) -> Generator[list[RunSpec], list[RunResult], list[RunResult]]:
    """Run each place, with several step lengths where the region of d is new; return the result that counts of each.

    Places that need no tuning are measured side by side, new regions one after another, since each says something of
    the next.

    Args:
        places: what to measure.
        lengths: what is known of step lengths; is kept up to date.
        run: the run of a d, a length and a seed's number.
    """
    counts: dict[int, RunResult] = {}
    while len(counts) < len(places):
        left = [number for number in range(len(places)) if number not in counts]
        plain = [number for number in left if not lengths.is_new(places[number].d)]
        if plain:
            here = [places[number] for number in plain]
            counts |= dict(zip(plain, (yield from _side_by_side(here, lengths, run)), strict=True))
        else:
            counts[left[0]] = yield from tune(places[left[0]], lengths, run)
    return [counts[number] for number in range(len(places))]


def tune(
    place: Place, lengths: StepLengths, run: Callable[[int, float, int], RunSpec]
) -> Generator[list[RunSpec], list[RunResult], RunResult]:
    """Try several step lengths at a place; return the result of the one that counts."""
    grid = lengths.wants_grid
    lengths.grids += grid

    made = yield from _try(place, lengths.first(place.d), lengths, run)
    for _ in range(EXTENSIONS):
        further = [length for length in lengths.further(_selected(made), grid) if length not in made]
        if not further:
            break
        made |= yield from _try(place, further, lengths, run)
    if grid:
        beside = [length for length in lengths.beside_best(_selected(made)) if length not in made]
        made |= yield from _try(place, beside, lengths, run)

    lengths.tuned.append(place.d)
    return made[lengths.chosen(place.d, _selected(made))]


def _side_by_side(
    places: list[Place], lengths: StepLengths, run: Callable[[int, float, int], RunSpec]
) -> Generator[list[RunSpec], list[RunResult], list[RunResult]]:
    """Run each place with the length that is known to be best; one that ended at chance although a smaller d learnt is
    made again with the lengths beside it, since it may be the length's fault."""
    used = [lengths.at(place.d) for place in places]
    results = yield [run(place.d, length, place.k) for place, length in zip(places, used, strict=True)]
    for place, length, result in zip(places, used, results, strict=True):
        lengths.note(place.d, length, result.selection_score)

    counts = []
    for place, length, result in zip(places, used, results, strict=True):
        made = {length: result}
        if lengths.doubtful(place.d, result.selection_score):
            made |= yield from _try(place, lengths.beside(length), lengths, run)
        counts.append(made[lengths.chosen(place.d, _selected(made))])
    return counts


def _try(place: Place, wanted: list[float], lengths: StepLengths, run: Callable[[int, float, int], RunSpec]) -> Runs:
    """Run a place with each of these lengths; return the results by length."""
    if not wanted:
        return {}
    results = yield [run(place.d, length, place.k) for length in wanted]
    for length, result in zip(wanted, results, strict=True):
        lengths.note(place.d, length, result.selection_score)
    return dict(zip(wanted, results, strict=True))


def _selected(made: dict[float, RunResult]) -> dict[float, float]:
    return {length: result.selection_score for length, result in made.items()}
