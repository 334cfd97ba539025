"""The one builder: what it draws from which seed, what it counts, what it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from intdim.models.load import Head, head_names
from intdim.run.build import build, fitting, head_seed, make_subspace, theta_0
from intdim.run.trainable import FullTrainable, SubspaceTrainable
from intdim.spec import Runtime, derive_seed
from tests import tiny
from tests.run.test_training import FULL, INSIDE, MODEL, checkpoint, data, spec_of  # noqa: F401

TWO = Head(2, "single_label_classification")


def start(folder: Path, seed: int):
    return theta_0(MODEL, folder, TWO, head_seed=seed, pad_token_id=tiny.PAD)


def test_the_body_is_the_checkpoints_and_the_head_the_seeds(checkpoint):  # noqa: F811
    first, second, again = (start(checkpoint, seed).state_dict() for seed in (1, 2, 1))
    heads = set(head_names(start(checkpoint, 1)))
    for name in first:
        assert torch.equal(first[name], again[name])
        if name not in heads:
            assert torch.equal(first[name], second[name])
    assert any(not torch.equal(first[name], second[name]) for name in heads)


@pytest.mark.parametrize("kind", ["full", "inside"])
def test_a_run_is_built_from_its_own_seeds(kind, checkpoint, data):  # noqa: F811
    spec = spec_of(FULL, d=0, length=0.0, rate=1e-2) if kind == "full" else spec_of()
    runtime = Runtime("out", "cpu", 1, 1, str(checkpoint), "task", 0.0)
    built = build(spec, runtime, data)
    expected = start(checkpoint, head_seed(spec.seed))
    for (name, weight), (other, theirs) in zip(
        built.model.named_parameters(), expected.named_parameters(), strict=True
    ):
        assert name == other
        assert torch.equal(weight, theirs)
    assert isinstance(built.trainable, FullTrainable if kind == "full" else SubspaceTrainable)
    assert sum(weight.numel() for weight in expected.parameters()) == built.trainable.D


def test_the_projection_is_drawn_from_the_runs_seed(checkpoint):  # noqa: F811
    subspace = make_subspace(start(checkpoint, 1), INSIDE, 10, seed=5)
    assert subspace.projection.seed == derive_seed(5, "projection")
    assert make_subspace(start(checkpoint, 1), replace(INSIDE, method="said"), 10, seed=5).num_groups > 0


def test_segment_numbers_go_only_to_models_that_take_them(tmp_path, data):  # noqa: F811
    typed = replace(data, train=replace(data.train, types=torch.zeros_like(data.train.ids, dtype=torch.int8)))
    assert fitting(typed, start(tiny.save("bert", tmp_path / "b"), 1)).train.types is not None
    assert fitting(typed, start(tiny.save("distilbert", tmp_path / "d"), 1)).train.types is None
