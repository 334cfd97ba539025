"""A run's learning curve, small enough for a cell: its score against its steps, from metrics.jsonl."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from intdim.report.parts import Spark

WIDTH, HEIGHT, EDGE = 120, 32, 3  # of the box, in units of the picture
MOST = 60  # points; of a longer curve every so many are left out


def spark(lines: Sequence[Mapping[str, Any]], best_step: int) -> Spark | None:
    """Return the curve of a run, None where fewer than two evaluations are known.

    Args:
        lines: of metrics.jsonl; those of evaluations have ``step`` and ``eval_score``.
        best_step: the step that was kept; it gets the dot.
    """
    seen = evaluations(lines)
    if len(seen) < 2:
        return None
    steps, scores = [step for step, _ in seen], [score for _, score in seen]
    span, rise = max(steps) - min(steps), max(scores) - min(scores)

    def place(step: float, score: float) -> tuple[float, float]:
        x = EDGE + (WIDTH - 2 * EDGE) * (step - min(steps)) / (span or 1)
        y = HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * (score - min(scores)) / (rise or 1)
        return round(x, 1), round(y, 1)

    kept = thinned(seen, MOST)
    points = " ".join(f"{x:g},{y:g}" for x, y in (place(*one) for one in kept))
    best = next((one for one in seen if one[0] == best_step), None)
    words = f"score from {scores[0]:.3f} at step {steps[0]:g} to {scores[-1]:.3f} at step {steps[-1]:g}"
    return Spark(points, place(*best) if best else None, words, WIDTH, HEIGHT)


def evaluations(lines: Sequence[Mapping[str, Any]]) -> list[tuple[float, float]]:
    """Return (step, score) of each evaluation, by step; of a step that was evaluated twice the later one."""
    found = {}
    for line in lines:
        step, score = line.get("step"), line.get("eval_score")
        if _finite(step) and _finite(score):
            found[float(step)] = float(score)  # pyright: ignore[reportArgumentType]
    return sorted(found.items())


def thinned(points: Sequence[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """Return at most about ``most`` points, the first and the last among them."""
    stride = math.ceil(len(points) / most)
    kept = list(points[::stride])
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
