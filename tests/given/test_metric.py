"""A function as a metric: what it may return, what it is compared with, and what it leaves alone."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from intdim.errors import UserError
from intdim.given.metric import Own, undisturbed
from intdim.tasks.metrics import METRICS, find_metric, majority_score


def share(predictions: np.ndarray, labels: np.ndarray) -> float:
    return float((predictions == labels).mean())


def test_a_function_counts_examples_as_the_metrics_do() -> None:
    rng = np.random.default_rng(0)
    labels, predictions = rng.integers(0, 3, (2, 50))
    counts = rng.integers(0, 4, (7, 50)).astype(float)
    own = Own("share", share)
    with own.known():
        made = find_metric("share")
        assert np.allclose(made.weighted(labels, predictions, counts),
                           METRICS["accuracy"].weighted(labels, predictions, counts))  # fmt: skip
        assert made(predictions, labels) == METRICS["accuracy"](predictions, labels)
        chance, error = majority_score("share", labels, labels)
    plain = majority_score("accuracy", labels, labels)
    assert chance == plain[0]
    assert error == pytest.approx(plain[1], rel=0.2)
    assert "share" not in METRICS


def raising(predictions: np.ndarray, labels: np.ndarray) -> float:
    raise KeyError("f1")


calls = iter(range(1000))


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (raising, "raised KeyError on 4 examples"),
        (lambda predictions, labels: float("nan"), "gave nan on 4 examples"),
        (lambda predictions, labels: 93.0, "gave 93.0"),
        (lambda predictions, labels: {"f1": 0.5}, "gave {'f1': 0.5}"),
        (lambda predictions, labels: "0.5", "gave 0.5"),
        (lambda predictions, labels: next(calls) / 1000, "scores the same answers 0 and then 0.001"),
    ],
)
def test_a_score_that_is_none_is_said(function: Any, words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        Own("mine", function).metric(np.array([0, 1, 1, 0]), np.array([0, 1, 0, 1]))
    assert len(str(error.value).splitlines()) == 3


@pytest.mark.parametrize(
    ("name", "function", "words"),
    [("accuracy", share, "built-in"), ("", share, "metric="), ("a b", share, "metric="), ("a", None, "NoneType")],
)
def test_a_name_is_needed_and_must_be_free(name: str, function: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        Own(name, function)


def test_a_function_may_change_what_it_gets() -> None:
    def careless(predictions: np.ndarray, labels: np.ndarray) -> float:
        score = share(predictions, labels)
        predictions[:] = 7
        labels[:] = 7
        return score

    labels = np.array([0, 1, 1])
    assert Own("careless", careless).metric(labels, labels) == 1.0
    assert labels.tolist() == [0, 1, 1]


def test_random_numbers_and_threads_stay_the_callers() -> None:
    def drawn() -> tuple[Any, ...]:
        return random.random(), np.random.rand(), torch.rand(1).item(), torch.get_num_threads()

    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(3)
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    expected = drawn()
    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.set_rng_state(states[2])

    def run() -> None:
        with undisturbed():
            torch.manual_seed(9)
            np.random.seed(9)
            random.seed(9)
            torch.set_num_threads(torch.get_num_threads() + 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run()
    assert drawn() == expected


def test_an_empty_folder_has_no_runs_to_differ(tmp_path: Path) -> None:
    Own("share", share).check_runs(tmp_path / "none")
