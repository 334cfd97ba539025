"""One run: learning, exact continuation, schedules, failures, and the files it leaves."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch

from intdim.models.buffers import Still
from intdim.models.load import Head, load_model
from intdim.run.build import Built
from intdim.run.checkpoint import load_tensors
from intdim.run.schedule import micro_batches
from intdim.run.trainable import FullTrainable, SubspaceTrainable
from intdim.run.training import Run, train
from intdim.spec import ModelSpec, RunSpec, SubspaceSpec, TaskSpec, TrainSpec
from intdim.subspace import Subspace
from intdim.tasks.stored import Split, TaskData
from tests import tiny

TRAIN = TrainSpec(3, 0, 8, 1, 0.1, 1.0, 0.01, 0.9, 0.999, 1e-8, "float32", 1, 0)
MODEL = ModelSpec("tiny", "local", "", "", "x", False, 0, {}, False, False)
TASK = TaskSpec("made", "local", "", 1, "x", ("text",), "label", ("a", "b"), "classification", "accuracy", 16,
                "train", "validation", 0, 0, "half")  # fmt: skip
INSIDE = SubspaceSpec("did", "one_hot", "global", "layer", ())
FULL = SubspaceSpec("full", "none", "none", "none", ())


def split(count: int, seed: int) -> Split:
    """Examples whose label says whether token 5 or token 6 occurs: learnable by any model."""
    rng = torch.Generator().manual_seed(seed)
    lengths = torch.randint(4, 12, (count,), generator=rng)
    labels = torch.arange(count) % 2
    rows = [torch.randint(7, tiny.VOCABULARY, (int(length),), generator=rng) for length in lengths]
    for row, label in zip(rows, labels, strict=True):
        row[1] = 5 + label
        row[2] = 5 + label
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)[:-1]])
    return Split(torch.cat(rows).to(torch.int32), offsets, lengths, labels, None, False, 0)


@pytest.fixture(scope="module")
def data():
    halves = torch.arange(0, 20), torch.arange(20, 40)
    return TaskData(split(64, 1), split(40, 2), TASK, *halves, 0.5, 0.1, tiny.PAD, {})


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return tiny.save("bert", tmp_path_factory.mktemp("model"))


def spec_of(subspace=INSIDE, train_spec=TRAIN, d=1000, length=2.0, rate=0.0, seed=3):
    return RunSpec(MODEL, TASK, subspace, train_spec, d, length, rate, seed)


def make(checkpoint, data, folder, spec, reseed=torch.manual_seed, every=math.inf):
    model = load_model(
        checkpoint, head=Head(2, "single_label_classification"), overrides={}, random_init=False,
        trust_remote_code=False, gradient_checkpointing=False,
        seed_world=torch.manual_seed, init_seed=0, head_seed=spec.seed, pad_token_id=tiny.PAD,
    )  # fmt: skip
    where = spec.subspace
    if where.method == "full":
        trainable = FullTrainable(model, where.exclude)
    else:
        subspace = Subspace(model, spec.d, where.projection, where.method, where.scope, where.groups, 1)
        trainable = SubspaceTrainable(subspace)
    folder.mkdir(parents=True, exist_ok=True)
    return Run(
        Built(model, trainable, data, Still(model)), spec, device=torch.device("cpu"), folder=folder, reseed=reseed,
        report=lambda facts: None, checkpoint_seconds=every,
    )  # fmt: skip


def metrics_of(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_run_that_has_crossed_ends_there(checkpoint, data, tmp_path):
    """The stopped run is a prefix of the whole one, bit for bit, and says so."""
    long = spec_of(train_spec=replace(TRAIN, evaluations=8), seed=6)  # one of the seeds that learn so soon
    whole = train(make(checkpoint, data, tmp_path / "whole", long))
    looks = [line for line in metrics_of(tmp_path / "whole") if "select_score" in line]
    lower = [min(look["select_score"], look["eval_score"]) for look in looks]
    bar = next(score for score in lower if score > lower[0])
    stopped = train(make(checkpoint, data, tmp_path / "short", replace(long, stop_at=bar)))
    seen = [line for line in metrics_of(tmp_path / "short") if "select_score" in line]
    assert (whole.stopped, stopped.stopped, stopped.reason) == ("", "crossed", "")
    assert seen == looks[: len(seen)]
    assert stopped.steps == seen[-1]["step"] < whole.steps
    assert min(seen[-1]["select_score"], seen[-1]["eval_score"]) >= bar > max(lower[: len(seen) - 1])
    assert stopped.select_score >= bar
    never = train(make(checkpoint, data, tmp_path / "never", replace(long, stop_at=1.5)))
    assert (never.steps, never.stopped, never.eval_score) == (whole.steps, "", whole.eval_score)


def test_a_run_that_has_converged_ends_there_also_after_a_kill(checkpoint, data, tmp_path):
    """A rate of nearly nothing: no gain, flat losses. What a killed run saw before counts when it goes on."""
    patient = replace(spec_of(train_spec=replace(TRAIN, evaluations=8, patience=3)), step_length=1e-6)
    whole = train(make(checkpoint, data, tmp_path / "whole", patient))
    looks = [line for line in metrics_of(tmp_path / "whole") if "select_score" in line]
    assert whole.stopped in ("converged", "")
    spread = [look["train_loss"] for look in looks]
    assert all(math.isfinite(loss) for loss in spread)
    first = make(checkpoint, data, tmp_path / "killed", patient)
    for rows in micro_batches(data, patient, 0):
        first.advance(rows)
        if first.step in first.evaluate_at:
            first.evaluate()
        if first.step == 5:
            break
    first.save(1.0)
    again = train(make(checkpoint, data, tmp_path / "killed", patient))
    assert (again.stopped, again.steps, again.eval_score) == (whole.stopped, whole.steps, whole.eval_score)
    kept = [line for line in metrics_of(tmp_path / "killed") if "select_score" in line]
    assert kept == looks


KINDS = {
    "did": spec_of(),
    "said": spec_of(replace(INSIDE, method="said")),
    "tensor": spec_of(replace(INSIDE, scope="tensor"), length=3.0),
    "full": spec_of(FULL, d=0, length=0.0, rate=1e-2),
}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_run_learns_and_leaves_its_files(kind, checkpoint, data, tmp_path):
    spec = replace(KINDS[kind], train=replace(TRAIN, epochs=12))
    run = make(checkpoint, data, tmp_path, spec)
    outcome = train(run)
    assert outcome.reason == ""
    assert outcome.steps == 96
    assert outcome.eval_score >= 0.85, "chance is 0.5"
    assert outcome.train_score >= 0.85
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    scored = [line for line in lines if "eval_score" in line]
    assert [line["step"] for line in scored] == list(range(8, 97, 8))
    best, other = (max(scored, key=lambda line: line[half]) for half in ("select_score", "eval_score"))
    assert (outcome.best_step, outcome.other_step) == (best["step"], other["step"])
    assert outcome.half_scores == [best["eval_score"], other["select_score"]]
    assert outcome.eval_score == 0.5 * sum(outcome.half_scores)
    assert outcome.select_score == 0.5 * (best["select_score"] + other["eval_score"])
    assert outcome.eval_loss == 0.5 * (best["eval_loss"] + other["select_loss"])
    kept, _ = load_tensors(tmp_path / ("best.safetensors" if kind == "full" else "z.safetensors"))
    assert ("z" in kept) == (kind != "full")
    answers, _ = load_tensors(tmp_path / "eval.safetensors")
    right = (answers["predictions"] == answers["labels"]).double()
    assert answers["half"].nonzero().flatten().tolist() == data.score_half.tolist()
    for score, rows in zip(outcome.half_scores, (data.score_half, data.select_half), strict=True):
        assert float(right[rows].mean()) == pytest.approx(score)


class Stopped(Exception):
    pass


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("stop", [1, 13])
def test_going_on_from_a_checkpoint_is_bit_for_bit(kind, stop, checkpoint, data, tmp_path):
    spec = KINDS[kind]
    whole = train(make(checkpoint, data, tmp_path / "whole", spec))

    def stopping(step):
        torch.manual_seed(step)
        if run.step == stop and not run.stopped:
            run.stopped = True
            raise Stopped

    run = make(checkpoint, data, tmp_path / "parts", spec, reseed=stopping, every=0.0)
    run.checkpoint.cost = 0.0
    run.stopped = False
    with pytest.raises(Stopped):
        train(run)
    assert (tmp_path / "parts" / "checkpoint.safetensors").exists()
    torch.manual_seed(999)  # whatever state the next process is in
    again = make(checkpoint, data, tmp_path / "parts", spec)
    rest = train(again)
    assert again.total > stop
    assert replace(rest, seconds=whole.seconds) == whole
    file = "best.safetensors" if kind == "full" else "z.safetensors"
    for name in (file, "eval.safetensors"):
        first, second = (load_tensors(tmp_path / part / name)[0] for part in ("whole", "parts"))
        assert all(torch.equal(first[tensor], second[tensor]) for tensor in first)


def test_a_damaged_checkpoint_starts_anew(checkpoint, data, tmp_path):
    whole = train(make(checkpoint, data, tmp_path / "a", KINDS["did"]))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "checkpoint.safetensors").write_bytes(b"torn")
    assert train(make(checkpoint, data, tmp_path / "b", KINDS["did"])).eval_score == whole.eval_score


def test_a_loss_that_is_not_finite_is_a_failed_run(checkpoint, data, tmp_path):
    run = make(checkpoint, data, tmp_path, KINDS["did"])
    with torch.no_grad():
        run.trainable.subspace.theta_0[0] = math.nan
        run.trainable.subspace.theta_0[100:5000] = math.inf
    outcome = train(run)
    assert "not finite at step 1" in outcome.reason
    assert math.isnan(outcome.eval_score)


def test_accumulation_gives_the_same_run(checkpoint, data, tmp_path):
    """Two micro-batches of 4 are one optimiser step of 8 examples."""
    run = make(checkpoint, data, tmp_path, spec_of(train_spec=replace(TRAIN, batch_size=4, accumulation=2)))
    assert train(run).steps == 24


def test_bf16_autocast_runs(checkpoint, data, tmp_path):
    outcome = train(make(checkpoint, data, tmp_path, spec_of(train_spec=replace(TRAIN, precision="bf16", max_steps=4))))
    assert outcome.reason == ""
