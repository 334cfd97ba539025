"""Training under quantisation: it stays in the codebook, it helps, and its gradient is that of the quantised model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from intdim.artifacts.candidates import Candidate, quantisations, score
from intdim.artifacts.quantised_training import finetune, gradient
from intdim.artifacts.rebuild import state_of
from intdim.artifacts.scorer import Scorer
from intdim.request import BoundRequest
from tests import finished_runs

ASKED = BoundRequest(0.05, (2, 3, 5), ("uniform", "kmeans"), 8)


@pytest.fixture(scope="module")
def scorer(folder: Path) -> Scorer:
    run = finished_runs.make(folder)
    return Scorer(run, run.runtime)


@pytest.fixture(scope="module")
def start(scorer: Scorer) -> Candidate:
    made = quantisations(scorer.spec, scorer.state, ASKED)
    return next(one for one in made if one.name == "uniform, 2 levels, pressure 0")


def test_training_under_quantisation_stays_in_the_codebook_and_helps(scorer: Scorer, start: Candidate) -> None:
    reported: list[dict[str, Any]] = []
    tuned = finetune(scorer, start, 60, reported.append)
    assert tuned.message.z.book == start.message.z.book
    assert set(tuned.message.z.symbols) <= {0, 1}
    assert score(scorer, tuned, 0.05).error <= score(scorer, start, 0.05).error
    assert tuned.precise_z is not None
    assert tuned.precise_z.shape == scorer.state["z"].shape
    assert [(facts["step"], facts["steps"]) for facts in reported] == [(50, 60)]


def test_it_goes_on_from_where_it_was(scorer: Scorer, start: Candidate) -> None:
    tuned = finetune(scorer, start, 5, lambda facts: None)
    again = finetune(scorer, tuned, 5, lambda facts: None)
    assert tuned.name == again.name == "uniform, 2 levels, pressure 0, trained 5 steps"
    assert tuned.precise_z is not None
    assert again.precise_z is not None
    assert not torch.equal(tuned.precise_z, again.precise_z)


def test_the_gradient_does_not_depend_on_how_a_batch_is_cut(scorer: Scorer, start: Candidate) -> None:
    scorer.model.eval()
    scorer.place(state_of(start.message))
    rows = torch.arange(24)
    whole = gradient(scorer, [rows])
    parts = gradient(scorer, [rows[:7], rows[7:16], rows[16:]])
    assert torch.linalg.vector_norm(whole - parts) < 1e-5 * torch.linalg.vector_norm(whole)
    assert all(weight.grad is None for weight in scorer.subspace.parameters())
