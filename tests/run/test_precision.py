"""Runs in float32, bf16 and with stochastic rounding: their weights, what they record, and that they go on exactly."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import pytest
import torch

from intdim.kernels.rounding import Rounding
from intdim.models.buffers import Still
from intdim.models.load import Head
from intdim.run.build import Built, make_trainable, theta_0
from intdim.run.execute import result_of
from intdim.run.precision import as_computed, forward_pass, is_in_bf16, rounding_of, weight_dtype
from intdim.run.training import Run, train
from intdim.spec import derive_seed
from tests import tiny
from tests.run.test_training import FULL, INSIDE, MODEL, TRAIN, checkpoint, data, metrics_of, spec_of  # noqa: F401

BF16, STOCHASTIC = replace(TRAIN, precision="bf16"), replace(TRAIN, precision="bf16-stochastic")
TWO = Head(2, "single_label_classification")


def start(folder):
    return theta_0(MODEL, folder, TWO, head_seed=3, pad_token_id=tiny.PAD)


def make(folder, data, to, spec, reseed=torch.manual_seed, every=math.inf):  # noqa: F811
    model = start(folder)
    to.mkdir(parents=True, exist_ok=True)
    return Run(
        Built(model, make_trainable(model, spec), data, Still(model)), spec, device=torch.device("cpu"), folder=to,
        reseed=reseed, report=lambda facts: None, checkpoint_seconds=every,
    )  # fmt: skip


@pytest.mark.parametrize("precision", ["float32", "bf16", "bf16-stochastic"])
def test_a_run_learns_and_records_what_its_forward_pass_saw(precision, checkpoint, data, tmp_path):  # noqa: F811
    spec = spec_of(train_spec=replace(TRAIN, precision=precision, epochs=12))
    run = make(checkpoint, data, tmp_path, spec)
    outcome = train(run)
    assert outcome.eval_score >= 0.85
    dtype = torch.float32 if precision == "float32" else torch.bfloat16
    assert {weight.dtype for weight in run.model.parameters()} == {dtype}

    result, seen = result_of(spec, run, outcome, 1), run.trainable.subspace.agreement()
    assert (result.update_cosine, result.update_kept, result.update_moved) == (seen.cosine, seen.kept, seen.moved)
    assert result.update_cosine == pytest.approx(1, abs=1e-6 if precision == "float32" else 0.02)
    assert (result.update_cosine < 1 - 1e-6) == (precision != "float32")


def test_full_fine_tuning_keeps_float32_weights_and_has_nothing_to_compare(checkpoint, data, tmp_path):  # noqa: F811
    found = []
    for train_spec in (BF16, STOCHASTIC):
        spec = spec_of(FULL, replace(train_spec, epochs=1), d=0, length=0.0, rate=1e-2)
        assert (weight_dtype(spec), rounding_of(spec)) == (torch.float32, None)
        run = make(checkpoint, data, tmp_path / train_spec.precision, spec)
        outcome = train(run)
        assert result_of(spec, run, outcome, 1).update_cosine is None
        found.append((spec.run_id, outcome.eval_score, outcome.eval_loss))
    assert found[0] == found[1], "one run, by either name"


def test_both_kinds_of_rounding_are_other_runs(checkpoint, data, tmp_path):  # noqa: F811
    assert len({spec_of(train_spec=one).run_id for one in (TRAIN, BF16, STOCHASTIC)}) == 3
    losses = []
    for name, spec in (("a", BF16), ("b", STOCHASTIC), ("c", STOCHASTIC)):
        run = make(checkpoint, data, tmp_path / name, spec_of(train_spec=spec))
        train(run)
        losses.append([line["loss"] for line in metrics_of(tmp_path / name) if "loss" in line])
    assert losses[0] != losses[1]
    assert losses[1] == losses[2], "its random numbers follow from the seed"


@pytest.mark.parametrize("stop", [1, 13])
def test_stochastic_rounding_goes_on_bit_for_bit(stop, checkpoint, data, tmp_path):  # noqa: F811
    class Killed(Exception):
        pass

    def stopping(step):
        torch.manual_seed(step)
        if step == stop:
            raise Killed

    spec = spec_of(train_spec=STOCHASTIC)
    whole_run = make(checkpoint, data, tmp_path / "whole", spec)
    whole = train(whole_run)
    with pytest.raises(Killed):
        train(make(checkpoint, data, tmp_path / "killed", spec, stopping, every=0.0))
    again = make(checkpoint, data, tmp_path / "killed", spec)
    outcome = train(again)
    for field in ("train_score", "eval_score", "eval_loss", "best_step"):
        assert getattr(outcome, field) == getattr(whole, field)
    assert torch.equal(again.trainable.subspace.theta, whole_run.trainable.subspace.theta)


@pytest.mark.parametrize("train_spec", [TRAIN, BF16, STOCHASTIC])
@pytest.mark.parametrize("exclude", [(), ("*.pooler.*",)])
def test_a_rebuilt_model_computes_with_the_same_weights(train_spec, exclude, checkpoint, data, tmp_path):  # noqa: F811
    """From theta_0 + S P z in float32, whole, as an exported model has it."""
    spec = spec_of(replace(INSIDE, exclude=exclude), replace(train_spec, epochs=1))
    run = make(checkpoint, data, tmp_path, spec)
    train(run)
    step = run.selection.kept.step
    exact = spec_of(replace(INSIDE, exclude=exclude), TRAIN)
    rebuilt = start(checkpoint)
    trainable = make_trainable(rebuilt, exact)
    for name, tensor in trainable.tensors().items():
        tensor.copy_(run.trainable.tensors()[name])
    trainable.write()
    for weight in rebuilt.parameters():
        weight.requires_grad_(True)
    before = copy.deepcopy(rebuilt.state_dict())

    computed = as_computed(rebuilt, spec, step)
    assert (computed is rebuilt) == (train_spec is TRAIN)
    for (name, weight), (_, other) in zip(computed.named_parameters(), run.model.named_parameters(), strict=True):
        assert torch.equal(weight, other), name
    assert all(torch.equal(tensor, before[name]) for name, tensor in rebuilt.state_dict().items())


def test_a_checkpoint_in_bf16_has_a_head_in_bf16_and_theta_0_takes_two_bytes(tmp_path):
    spec = spec_of(train_spec=BF16)
    for dtype, size in ((torch.bfloat16, 2), (torch.float32, 4)):
        model = start(tiny.save("bert", tmp_path / str(size), dtype))
        stored = [weight.detach().clone() for weight in model.parameters()]
        assert is_in_bf16(stored, 1.0) == (size == 2)
        subspace = make_trainable(model, spec).subspace
        assert subspace.theta_0.element_size() == size
        assert subspace.theta.element_size() == 2
        subspace.write()
        for weight, other in zip(model.parameters(), stored, strict=True):
            assert torch.equal(weight, other.bfloat16())


@pytest.mark.parametrize("name", sorted(tiny.ARCHITECTURES))
def test_every_family_computes_in_bf16(name, tmp_path):
    model = start(tiny.save(name, tmp_path))
    trainable = make_trainable(
        model, spec_of(replace(INSIDE, exclude=("*norm*",) if name == "bart" else ()), BF16, d=5)
    )
    trainable.write()
    model.train()
    tokens = torch.randint(3, tiny.VOCABULARY, (2, 6), generator=torch.Generator().manual_seed(1))
    tokens[:, -1] = 2
    with forward_pass(model, "bf16", torch.device("cpu")):
        assert not torch.is_autocast_enabled("cpu")
        logits = model(input_ids=tokens, attention_mask=torch.ones_like(tokens)).logits
    assert logits.dtype == torch.bfloat16
    logits.float().square().sum().backward()
    trainable.read_grad()
    assert trainable.subspace.z.grad.isfinite().all()
    assert trainable.subspace.z.grad.norm() > 0


def test_stochastic_rounding_is_seeded_by_the_run():
    one, other = rounding_of(spec_of(train_spec=STOCHASTIC)), rounding_of(spec_of(train_spec=STOCHASTIC, seed=4))
    assert one == Rounding(stochastic=True, seed=derive_seed(3, "rounding")) != other
    assert rounding_of(spec_of(train_spec=BF16)) is None
