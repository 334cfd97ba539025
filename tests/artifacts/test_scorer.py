"""The scorer: a run's own numbers make the run's own mistakes, and what is scored went through the bytes."""

from __future__ import annotations

import pytest
import torch

from intdim.artifacts.contents import message_of, quantised, quantised_scales
from intdim.artifacts.rebuild import state_of
from intdim.artifacts.scorer import SCREEN, Scorer
from intdim.run.checkpoint import load_tensors


@pytest.fixture(scope="module")
def scorer(run) -> Scorer:
    return Scorer(run, run.runtime)


def test_the_runs_own_numbers_make_its_own_mistakes(run, scorer: Scorer) -> None:
    scorer.place(scorer.state)
    kept, _ = load_tensors(run.folder / "eval.safetensors")
    mistakes = int(((kept["predictions"] != kept["labels"]) & (kept["half"] == 1)).sum())
    assert scorer.errors(scorer.data.evaluation, scorer.data.score_half) == mistakes
    assert scorer.train_error() == pytest.approx(1.0 - run.result.train_score, abs=1e-12)


def test_a_message_is_put_into_the_model_as_its_bytes_say_it(run, scorer: Scorer) -> None:
    message = message_of(run.spec, quantised(scorer.state["z"], 3), quantised_scales(scorer.state, 5))
    scorer.put(message)
    for name, tensor in state_of(message).items():
        assert torch.equal(scorer.subspace.state_dict()[name], tensor)


def test_the_sample_is_of_training_examples_each_once(scorer: Scorer) -> None:
    assert len(scorer.sample) == min(SCREEN, scorer.n) == len(scorer.sample.unique())
    assert int(scorer.sample.min()) >= 0
    assert int(scorer.sample.max()) < scorer.n
