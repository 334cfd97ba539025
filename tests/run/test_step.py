"""The optimiser step: micro-batches cut for want of memory, and on a card what is recorded against what is called."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from intdim.errors import UserError
from intdim.models.buffers import Still
from intdim.models.load import Head, load_model
from intdim.projections import tensors
from intdim.run import replay, step
from intdim.run.build import Built
from intdim.run.gpu import own_stream
from intdim.run.schedule import micro_batches
from intdim.run.trainable import FullTrainable, SubspaceTrainable
from intdim.run.training import Run
from intdim.subspace import Subspace
from tests import tiny

from .test_training import FULL, INSIDE, TRAIN, checkpoint, data, spec_of  # noqa: F401

DROPOUT = {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}
STILL = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def run_of(checkpoint, data, folder, spec, device, overrides, compiled=False, weights=torch.float32):  # noqa: F811
    model = load_model(
        checkpoint, head=Head(2, "single_label_classification"), overrides=overrides, random_init=False,
        trust_remote_code=False, gradient_checkpointing=False,
        seed_world=torch.manual_seed, init_seed=0, head_seed=spec.seed, pad_token_id=tiny.PAD,
    ).to(device)  # fmt: skip
    where = spec.subspace
    if where.method == "full":
        trainable = FullTrainable(model, where.exclude)
    else:
        subspace = Subspace(model, spec.d, where.projection, where.method, seed=1, dtype=weights)
        trainable = SubspaceTrainable(subspace)
    folder.mkdir(parents=True, exist_ok=True)
    return Run(
        Built(model, trainable, data, Still(model)), spec, device=torch.device(device), folder=folder,
        reseed=torch.manual_seed, report=lambda facts: None, checkpoint_seconds=math.inf, compiled=compiled,
    )  # fmt: skip


def trained(run, steps=10):
    """The numbers that so many steps train, in one vector."""
    run.trainable.write()
    for rows in micro_batches(run.data, run.spec, 0):
        if run.step == steps:
            break
        run.advance(rows)
    return torch.cat([value.detach().flatten().float() for value in run.trainable.tensors().values()]).cpu()


@pytest.fixture
def cramped(monkeypatch):
    """Let the step believe that the CPU is a GPU, and that its memory holds three examples of a pass."""

    class NoReplay:
        def __init__(self, function, **rest):
            self.function = function

        def __call__(self, inputs):
            return self.function(inputs)

    def crowd(run, holds):
        one = run.one_step
        one.on_gpu, one.at_once, one.writes = True, run.spec.train.accumulation == 1, True
        one.whole, one.some = NoReplay(one._whole), NoReplay(one._pass)
        one.end = NoReplay(lambda inputs: one._update())
        real = one._logits

        def logits(inputs, rows):
            if rows > holds:
                raise torch.OutOfMemoryError("too much")
            return real(inputs, rows)

        one._logits = logits
        return run

    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (2**30, 80 * 2**30))
    return crowd


@pytest.mark.parametrize("where", [INSIDE, replace(INSIDE, method="said"), FULL])
@pytest.mark.parametrize("accumulation", [1, 2])
def test_micro_batches_are_halved_where_memory_is_short(where, accumulation, checkpoint, data, tmp_path, cramped):  # noqa: F811
    """The same numbers but for rounding, and one line for each halving."""
    spec = spec_of(where, replace(TRAIN, accumulation=accumulation), rate=1e-3 if where is FULL else 0.0)
    whole = trained(run_of(checkpoint, data, tmp_path / "a", spec, "cpu", STILL))
    run = cramped(run_of(checkpoint, data, tmp_path / "b", spec, "cpu", STILL), holds=3)
    found = trained(run)
    assert (found - whole).norm() < 1e-4 * whole.norm()
    assert run.notes == [
        "the GPU's memory does not hold 8 examples at once: 4 at a time, with the same gradients",
        "the GPU's memory does not hold 8 examples at once: 2 at a time, with the same gradients",
    ]


def test_one_example_that_does_not_fit_is_an_error(checkpoint, data, tmp_path, cramped):  # noqa: F811
    run = cramped(run_of(checkpoint, data, tmp_path, spec_of(), "cpu", STILL), holds=0)
    with pytest.raises(UserError, match=r"one example at a time does not fit the GPU's memory \(1\.0 of 80\.0 GiB"):
        trained(run)


CASES = {
    "did": (INSIDE, 1, 0),
    "said": (replace(INSIDE, method="said"), 1, 0),
    "full": (FULL, 1, 0),
    "did, two micro-batches": (INSIDE, 2, 0),
    "full, two micro-batches": (FULL, 2, 0),
    "did, by runs of tensors": (INSIDE, 1, 500),
    "said, by runs of tensors, two micro-batches": (replace(INSIDE, method="said"), 2, 500),
    "fastfood": (replace(INSIDE, projection="fastfood"), 1, 0),
    "orthogonal, by runs": (replace(INSIDE, projection="orthogonal"), 1, 500),
    "kronecker": (replace(INSIDE, projection="kronecker"), 1, 0),
    "sparse": (replace(INSIDE, projection="sparse"), 1, 0),
}


@pytest.mark.gpu
@pytest.mark.parametrize("weights", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("case", CASES)
def test_a_recorded_step_is_a_step(case, weights, checkpoint, data, tmp_path, monkeypatch):  # noqa: F811
    """With dropout that follows (seed, step); batches of several widths and a smaller last one. In bf16 a batch
    without padding goes through another kernel of attention when it is called, which drops other places."""
    where, accumulation, run_length = CASES[case]
    if where is FULL and weights == torch.bfloat16:
        pytest.skip("full fine-tuning keeps float32")
    if run_length:
        monkeypatch.setattr(tensors, "FEWEST_WEIGHTS", 0)
        monkeypatch.setattr(tensors, "LARGEST_SHARE", 1e9)
        monkeypatch.setattr("intdim.subspace.RUN", run_length)
    spec = spec_of(where, replace(TRAIN, accumulation=accumulation), d=300, rate=1e-3 if where is FULL else 0.0)
    found = {}
    with own_stream(torch.device("cuda")):
        for calls in (10**9, 2):
            monkeypatch.setattr(replay, "EAGER_CALLS", calls)
            chance = DROPOUT if weights == torch.float32 else STILL
            run = run_of(checkpoint, data, tmp_path / str(calls), spec, "cuda", chance, weights=weights)
            found[calls] = trained(run, 14)
            assert not run.notes
            one = run.one_step
            recorded = len(one.whole.recorded) + len(one.some.recorded)
            assert (recorded > 0) == (calls == 2)
            if run_length:
                assert run.trainable.subspace.gradient is None
    gate = 1e-5 if weights == torch.float32 else 0.1
    assert (found[2] - found[10**9]).norm() <= gate * found[2].norm()


@pytest.mark.gpu
def test_evaluation_is_recorded_too(checkpoint, data, tmp_path, monkeypatch):  # noqa: F811
    found = {}
    with own_stream(torch.device("cuda")):
        for calls in (10**9, 1):
            monkeypatch.setattr(replay, "EAGER_CALLS", calls)
            run = run_of(checkpoint, data, tmp_path / str(calls), spec_of(d=300), "cuda", DROPOUT)
            trained(run, 3)
            index = torch.arange(len(data.evaluation.labels))
            for _ in range(3):
                found[calls] = run.predict(data.evaluation, index)
            assert bool(run.answering.replay.recorded) == (calls == 1)
    assert torch.equal(found[1][0], found[10**9][0])
    assert torch.allclose(found[1][1], found[10**9][1], rtol=1e-4, atol=1e-5)


@pytest.mark.gpu
def test_a_compiled_step_is_a_step(checkpoint, data, tmp_path):  # noqa: F811
    found = {}
    with own_stream(torch.device("cuda")):
        for compiled in (False, True):
            run = run_of(checkpoint, data, tmp_path / str(compiled), spec_of(d=300), "cuda", STILL, compiled=compiled)
            found[compiled] = trained(run, 10)
            assert not run.notes
    assert (found[True] - found[False]).norm() <= 1e-3 * found[True].norm()


@pytest.mark.gpu
def test_a_model_that_waits_for_the_device_is_called(checkpoint, data, tmp_path):  # noqa: F811
    with own_stream(torch.device("cuda")):
        run = run_of(checkpoint, data, tmp_path, spec_of(d=300), "cuda", DROPOUT)
        real = run.model.forward

        def forward(**inputs):
            made = real(**inputs)
            made.logits = made.logits + 0 * float(made.logits.sum())
            return made

        run.model.forward = forward
        once = trained(run, 12)
        again = run_of(checkpoint, data, tmp_path / "b", spec_of(d=300), "cuda", DROPOUT)
        expected = trained(again, 12)
    assert len(run.notes) == 1
    assert "one by one" in run.notes[0]
    assert (once - expected).norm() <= 1e-4 * expected.norm()


@pytest.mark.gpu
def test_a_card_whose_memory_is_short(checkpoint, data, tmp_path, monkeypatch):  # noqa: F811
    spec = spec_of(d=300)
    with own_stream(torch.device("cuda")):
        whole = trained(run_of(checkpoint, data, tmp_path / "a", spec, "cuda", STILL))
        run = run_of(checkpoint, data, tmp_path / "b", spec, "cuda", STILL)
        real = step.Step._logits

        def logits(one, inputs, rows):
            if rows > 4:
                torch.empty(1 << 50, dtype=torch.uint8, device="cuda")
            return real(one, inputs, rows)

        monkeypatch.setattr(step.Step, "_logits", logits)
        found = trained(run)
    assert len(run.notes) == 1
    assert (found - whole).norm() < 1e-3 * whole.norm()
