"""A metric that is a function of the user's: it has a name, stays in this process, and is checked with every call.

A function has no content that could be hashed, so that its name stands for it in the identity of a run. Whether it is
still the function of that name is seen from what is finished: the answers are kept, and have to score as they did.
"""

from __future__ import annotations

import contextlib
import math
import random
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from intdim.errors import UserError, echo
from intdim.ledger.store import Ledger
from intdim.ledger.verdict import Verdict
from intdim.tasks.metrics import METRICS, Metric

Function = Callable[[np.ndarray, np.ndarray], Any]
NAME = re.compile(r"[A-Za-z][\w.-]{0,59}", re.ASCII)
ALLOWED = "a score from 0 to 1 for predictions (N,) and labels (N,), both numbers of classes; higher is better"
CLOSE = 1e-6


class Own:
    """A user's function as a metric of classes: scores from 0 to 1, the same for the same answers.

    Args:
        name: what it is called in ``task.metric``.
        function: takes predictions (N,) and labels (N,), int64 both, and returns a number.

    Raises:
        UserError: no name, one that is taken, or no function.
    """

    def __init__(self, name: object, function: object) -> None:
        if not isinstance(name, str) or not NAME.fullmatch(name) or not callable(function):
            raise UserError(
                f"metric=({echo(repr(name))}, {echo(type(function).__name__)})",
                "a name of letters, digits, _, . and -, and a function of (predictions, labels)",
                'For example metric=("my-score", function).',
            )
        if name in METRICS:
            raise UserError(f"metric: the name {name!r} is that of a built-in metric", "another name", "Choose one.")
        self.name, self._function, self._repeated = name, function, False
        self.metric = Metric(name, "classes", 0.0, False, self._weighted)

    @contextlib.contextmanager
    def known(self) -> Iterator[None]:
        """Let ``task.metric`` name the function within the block."""
        METRICS[self.name] = self.metric
        try:
            yield
        finally:
            del METRICS[self.name]

    def _weighted(self, labels: np.ndarray, predictions: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Return the scores (b,) on examples (N,) that occur ``counts`` (b, N) times."""
        times = np.rint(counts).astype(np.int64)
        return np.array([self._score(np.repeat(predictions, row), np.repeat(labels, row)) for row in times])

    def _score(self, predictions: np.ndarray, labels: np.ndarray) -> float:
        score = self._called(predictions, labels)
        if not self._repeated:
            again, self._repeated = self._called(predictions, labels), True
            if again != score:
                fact = f"metric {self.name!r} scores the same answers {score:g} and then {again:g}"
                raise UserError(fact, "a function without chance in it", "Fix its seed.")
        return score

    def _called(self, predictions: np.ndarray, labels: np.ndarray) -> float:
        try:
            given: Any = self._function(predictions.copy(), labels.copy())
        except Exception as error:
            raise UserError(
                f"metric {self.name!r} raised {type(error).__name__} on {len(labels)} examples: {echo(error)}",
                f"{ALLOWED}, also on examples that are drawn with replacement",
                "Correct the function.",
            ) from error
        try:
            score = math.nan if isinstance(given, str) else float(given)
        except (TypeError, ValueError, RuntimeError):
            score = math.nan
        if not 0.0 <= score <= 1.0:
            raise UserError(
                f"metric {self.name!r} gave {echo(given)} on {len(labels)} examples",
                ALLOWED,
                "Correct or rescale it; for a correlation use task.metric=matthews.",
            )
        return score

    def check_runs(self, out: Path) -> None:
        """See that the finished runs in ``out`` that name this metric were scored by this function.

        Raises:
            UserError: one of them was not.
            RunFailed: its answers are damaged.
        """
        ledger = Ledger(out)
        for spec, result in ledger.runs() if (out / "runs").is_dir() else ():
            if spec.task.metric != self.name or result.eval_score is None:
                continue
            answers = ledger.answers(spec.run_id)
            if answers is not None:
                self._compare(f"run {spec.run_id} in {out}", result.eval_score, [answers.score(self.metric)])

    def check_chance(self, out: Path, verdict: Verdict) -> None:
        """See that the chance level of a verdict, which preparation remembers, is that of this function.

        Raises:
            UserError: no constant answer has that score.
        """
        found = (answers for run_id in verdict.baseline_run_ids if (answers := Ledger(out).answers(run_id)) is not None)
        answers = next(found, None)
        if answers is not None:
            labels = answers.labels
            constant = [self.metric(np.full_like(labels, one), labels) for one in np.unique(labels)]
            self._compare(f"the chance level of sweep {verdict.sweep_id}", verdict.chance, constant)

    def _compare(self, what: str, kept: float, now: Sequence[float]) -> None:
        if any(abs(one - kept) < CLOSE for one in now):
            return
        raise UserError(
            f"metric {self.name!r} is another function than before: {what} scored {kept:.6g}, now {now[0]:.6g}",
            "one function for each name",
            f'Give the new one another name, for example metric=("{self.name}-2", function).',
        )


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Leave the caller's random numbers and threads as they were: runs in this process seed and set their own."""
    import torch

    states: list[tuple[Callable[[Any], Any], Any]] = [
        (random.setstate, random.getstate()),
        (np.random.set_state, np.random.get_state()),
        (torch.set_rng_state, torch.get_rng_state()),
        (torch.set_num_threads, torch.get_num_threads()),
    ]
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        states.append((torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all()))
    try:
        yield
    finally:
        for restore, state in states:
            restore(state)
