"""The one builder: what it draws from which seed, what it counts, what it leaves alone."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from intdim.errors import UserError
from intdim.ledger.results import Answers
from intdim.models.load import Head, head_names
from intdim.run.build import build, fitting, head_seed, make_subspace, theta_0
from intdim.run.checkpoint import load_tensors
from intdim.run.evaluation import predict
from intdim.run.objective import find_objective
from intdim.run.trainable import FullTrainable, SubspaceTrainable
from intdim.run.training import Run, train
from intdim.spec import Runtime, derive_seed
from intdim.tasks import batches
from tests import tiny
from tests.models import normed
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


@pytest.mark.parametrize(("known", "kept"), [(1, False), (2, True), (3, True)])
def test_segment_numbers_without_an_embedding_are_left_out_and_said(known, kept, tmp_path, data, caplog):  # noqa: F811
    """As of RoBERTas with one segment beside BERT's tokenizer: their own tokenizer numbers none."""
    folder = tiny.save("roberta", tmp_path / "r")
    model = theta_0(
        replace(MODEL, overrides={"type_vocab_size": known}, random_init=True), folder, TWO, head_seed=1, pad_token_id=1
    )
    train, evaluation = (
        replace(split, types=torch.zeros_like(split.ids, dtype=torch.int8), pad_type=2)
        for split in (data.train, data.evaluation)
    )
    evaluation.types[-1] = 1
    typed = replace(data, train=train, evaluation=evaluation)
    fitted = fitting(typed, model)
    assert (fitted.train.types is not None) == kept
    assert ("segment numbers are left out" in caplog.text) != kept
    for split in (fitted.train, fitted.evaluation):
        inputs = batches.collate(split, torch.arange(8), fitted.pad_id, "cpu")
        inputs.pop("labels")
        assert model(**inputs).logits.isfinite().all()


@pytest.mark.parametrize("kind", ["full", "inside"])
@pytest.mark.parametrize("buffers", ["batch", "mean", "hidden"])
def test_buffers_are_held_still_so_that_theta_alone_decides(buffers, kind, tmp_path, data, caplog):  # noqa: F811
    folder = normed.save(tmp_path / "n", buffers)
    own = replace(MODEL, trust_remote_code=True)
    spec = replace(spec_of(FULL, d=0, length=0.0, rate=1e-2) if kind == "full" else spec_of(d=40), model=own)
    built = build(spec, Runtime("out", "cpu", 1, 1, str(folder), "task", 0.0), data)
    assert "held still, as the checkpoint has them" in caplog.text
    before = {name: buffer.clone() for name, buffer in built.model.named_buffers()}
    run = Run(built, spec, device=torch.device("cpu"), folder=tmp_path, reseed=torch.manual_seed,
              report=lambda facts: None, checkpoint_seconds=math.inf)  # fmt: skip
    outcome = train(run)
    assert outcome.reason == ""
    assert all(torch.equal(before[name], buffer) for name, buffer in built.model.named_buffers())
    assert built.still.moved() == []

    kept, _ = load_tensors(run.best_file)
    again = build(spec, Runtime("out", "cpu", 1, 1, str(folder), "task", 0.0), data)
    for name, tensor in again.trainable.tensors().items():
        tensor.copy_(kept[name])
    again.trainable.write()
    predictions, _ = predict(
        again.model, data.evaluation, data.score_half, objective=find_objective("classification"), pad_id=tiny.PAD,
        batch_size=64, precision="float32", device=torch.device("cpu"),
    )  # fmt: skip
    assert predictions.tolist() == Answers.read(tmp_path).of_kept_step.tolist()


def test_a_model_with_a_memory_is_refused(tmp_path, data):  # noqa: F811
    folder = normed.save(tmp_path / "n", "memory")
    spec = replace(spec_of(d=40), model=replace(MODEL, trust_remote_code=True))
    with pytest.raises(UserError, match=r"body\.norm\.seen of Normed.* also in evaluation"):
        build(spec, Runtime("out", "cpu", 1, 1, str(folder), "task", 0.0), data)


def test_a_buffer_that_moves_all_the_same_fails_the_run(tmp_path, data):  # noqa: F811
    """A module that was not found out by the first pass: say, one that begins to move later."""
    folder = normed.save(tmp_path / "n", "mean")
    spec = replace(spec_of(d=40), model=replace(MODEL, trust_remote_code=True))
    built = build(spec, Runtime("out", "cpu", 1, 1, str(folder), "task", 0.0), data)
    built.still.owners.clear()
    run = Run(built, spec, device=torch.device("cpu"), folder=tmp_path, reseed=torch.manual_seed,
              report=lambda facts: None, checkpoint_seconds=math.inf)  # fmt: skip
    outcome = train(run)
    assert outcome.reason.startswith("training moved body.norm.seen")
    assert math.isnan(outcome.eval_score)


def test_a_norm_of_the_head_begins_anew(tmp_path):
    """Its statistics in the checkpoint are those of another task's training."""
    folder = normed.save(tmp_path / "headed", "headed")
    own = replace(MODEL, trust_remote_code=True)
    model = theta_0(replace(own, random_init=True), folder, TWO, head_seed=1, pad_token_id=1)
    model.score[0].running_mean.fill_(7.0)
    model.body.norm.running_mean.fill_(7.0)
    code_and_config = {file.name: file.read_text() for file in folder.glob("*") if file.suffix in (".py", ".json")}
    model.save_pretrained(folder)
    for name, text in code_and_config.items():
        (folder / name).write_text(text)
    found = theta_0(own, folder, TWO, head_seed=1, pad_token_id=1)
    assert not found.score[0].running_mean.any()
    assert (found.body.norm.running_mean == 7.0).all()
