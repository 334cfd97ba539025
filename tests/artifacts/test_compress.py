"""A finished run certified for real: what is evaluated is the decoded message, and every figure can be made again."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch

import intdim
from intdim.artifacts.compress import certify, certify_job
from intdim.bounds import catoni, occam_binomial, occam_hoeffding, occam_kl
from intdim.coding import decode
from intdim.errors import UserError
from intdim.launch.jobs import CertifyJob
from intdim.ledger.certificate import Certificate
from intdim.request import BoundRequest
from intdim.run.build import fitting
from intdim.run.checkpoint import load_tensors
from intdim.run.evaluation import predict
from intdim.run.objective import Classification
from intdim.spec import SubspaceSpec, from_dict, to_dict
from intdim.tasks.stored import load_task
from tests import finished_runs

ASKED = BoundRequest(0.05, (2, 3, 5), ("uniform", "kmeans"), 8)
KINDS: dict[str, dict[str, Any]] = {
    "did": {},
    "groups-of-no-scales": {"subspace": SubspaceSpec("did", "one_hot", "global", "tensor", ())},
    "said": {"subspace": SubspaceSpec("said", "fastfood", "tensor", "module", ("*LayerNorm*",))},
    "one-coordinate": {"d": 1},
    "one-beside-the-scales": {"d": 5, "subspace": SubspaceSpec("said", "one_hot", "layer", "layer", ())},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compressed")


@pytest.fixture(scope="module", params=sorted(KINDS))
def run(request: pytest.FixtureRequest, folder: Path):
    return finished_runs.make(folder, **KINDS[request.param])


@pytest.fixture(scope="module")
def made(run, folder: Path) -> tuple[Certificate, Path]:
    where = folder / "bounds" / run.spec.run_id
    return certify(run, run.runtime, ASKED, where, lambda facts: None), where


def mistakes(model: torch.nn.Module, run, side: str) -> tuple[int, int]:
    """Count what a model gets wrong on all training examples, or on the half of the evaluation split that is scored."""
    data = fitting(load_task(Path(run.runtime.task_folder)), model)
    split, index = data.evaluation, data.score_half
    if side == "train":
        split, index = data.train, torch.arange(len(data.train.labels))
    found, _ = predict(
        model, split, index, objective=Classification(), pad_id=data.pad_id, batch_size=32, precision="float32",
        device=torch.device("cpu"),
    )  # fmt: skip
    return int((found != split.labels[index]).sum()), len(index)


def test_the_error_is_that_of_the_model_the_message_decodes_to(run, made, folder: Path) -> None:
    found, where = made
    model = intdim.load(where / "model.safetensors", base=folder / "base")
    wrong, n = mistakes(model, run, "train")
    assert n == found.n == 300
    assert wrong / n == found.train_error
    wrong, n = mistakes(model, run, "eval")
    assert (wrong / n, n) == (found.eval_error, found.eval_examples)


def test_the_message_is_the_one_that_was_charged_for(run, made) -> None:
    found, where = made
    data = (where / "message.bin").read_bytes()
    message, bits = decode(data)
    assert bits == found.bits == pytest.approx(sum(found.account.values()), abs=0.01)
    assert len(data) == -(-bits // 8)
    assert (message.d, message.seed) == (run.spec.d, run.spec.seed)
    inside, _ = load_tensors(where / "model.safetensors")
    assert bytes(inside["message"].numpy()) == data
    assert len(message.z.symbols) + (len(message.scales.symbols) if message.scales else 0) == run.spec.d


def test_each_form_follows_from_the_error_and_the_bits(made) -> None:
    found, where = made
    arguments = found.train_error, found.bits, found.n, found.delta
    for bound in (occam_binomial, occam_kl, occam_hoeffding):
        assert getattr(found, bound.__name__) == bound(*arguments)
    assert found.catoni == catoni(*arguments, search="best")
    assert found.form == "occam_binomial"
    assert found.certificate == found.occam_binomial <= found.occam_kl + 1e-9 <= found.occam_hoeffding + 2e-9
    assert found.beats_majority == (found.certificate < found.majority_error_train)
    assert json.loads((where / "certificate.json").read_text()) == to_dict(found)
    assert found.trend == (found.d / 300) ** 0.5


def test_the_same_again_gives_the_same_bytes(run, made, tmp_path: Path) -> None:
    certify(run, run.runtime, ASKED, tmp_path / "again", lambda facts: None)
    for name in ("certificate.json", "message.bin", "model.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (made[1] / name).read_bytes()


def test_a_certificate_that_exists_is_the_answer_and_a_damaged_one_is_made_again(folder: Path, tmp_path: Path) -> None:
    run = finished_runs.make(folder, **KINDS["one-coordinate"])
    slots = dataclasses.replace(run.runtime, threads=2)
    job = to_dict(CertifyJob(str(run.folder), slots, ASKED, str(tmp_path)))
    made = from_dict(Certificate, certify_job(job, lambda facts: None))
    assert torch.get_num_threads() == run.spec.threads == 1, "those of the run"
    assert (made.run_id, made.d) == (run.spec.run_id, 1)
    kept = dataclasses.replace(made, quantisation="from before")
    kept.write(tmp_path)
    assert from_dict(Certificate, certify_job(job, lambda facts: None)) == kept
    (tmp_path / "certificate.json").write_text("{")
    assert from_dict(Certificate, certify_job(job, lambda facts: None)) == made


def test_a_regression_and_a_damaged_z_leave_nothing(folder: Path, tmp_path: Path) -> None:
    run = finished_runs.make(folder)
    scores = dataclasses.replace(run.spec, task=dataclasses.replace(run.spec.task, objective="regression"))
    with pytest.raises(UserError, match="is a regression"):
        certify(dataclasses.replace(run, spec=scores), run.runtime, ASKED, tmp_path / "a", lambda facts: None)
    z = run.z_file.read_bytes()
    try:
        run.z_file.write_bytes(z[:-5])
        with pytest.raises(UserError, match=r"z\.safetensors is damaged"):
            certify(run, run.runtime, ASKED, tmp_path / "a", lambda facts: None)
    finally:
        run.z_file.write_bytes(z)
    assert not (tmp_path / "a").exists()
