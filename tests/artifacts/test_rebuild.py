"""The rebuilt model: bit for bit, with the same answers as the run's own; refused where anything is not as it was."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import intdim
from intdim.artifacts.rebuild import hash_of
from intdim.errors import UserError
from intdim.run.build import build, fitting
from intdim.run.checkpoint import load_tensors
from intdim.run.evaluation import predict
from intdim.run.objective import find_objective
from intdim.run.trainable import SubspaceTrainable
from intdim.tasks.stored import load_task
from tests.artifacts.forging import forged


def as_it_was_trained(run) -> torch.nn.Module:
    """The run's own model with its own z, as the worker holds it."""
    built = build(run.spec, run.runtime, load_task(Path(run.runtime.task_folder)))
    assert isinstance(built.trainable, SubspaceTrainable)
    state, _ = load_tensors(run.z_file)
    built.trainable.subspace.load_state_dict(state)
    built.trainable.write()
    return built.model


def answers(model: torch.nn.Module, run) -> torch.Tensor:
    data = fitting(load_task(Path(run.runtime.task_folder)), model)
    return predict(
        model, data.evaluation, data.score_half, objective=find_objective(run.spec.task.objective),
        pad_id=data.pad_id, batch_size=64, precision="float32", device=torch.device("cpu"),
    )[0]  # fmt: skip


def test_the_model_is_rebuilt_bit_for_bit_and_answers_as_the_run_did(run, made, folder: Path) -> None:
    model = intdim.load(made.artifact, base=folder / "base")
    assert hash_of(model) == hash_of(as_it_was_trained(run))
    kept, _ = load_tensors(run.folder / "eval.safetensors")
    assert torch.equal(answers(model, run), kept["predictions"][kept["half"] == 1])
    assert not model.training
    assert all(weight.grad is None for weight in model.parameters())
    assert len({weight.untyped_storage().data_ptr() for weight in model.parameters()}) == len(list(model.parameters()))


def test_loading_leaves_the_global_random_state_alone(made, folder: Path) -> None:
    before = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()
    intdim.load(made.artifact, base=folder / "base")
    assert random.getstate() == before[0]
    assert (np.random.get_state()[1] == before[1]).all()
    assert torch.equal(torch.get_rng_state(), before[2])


def test_a_copy_of_the_base_elsewhere_will_do(one, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "base", tmp_path / "copy")
    (tmp_path / "copy" / "notes.json").write_text("{}")  # another fingerprint, the same theta_0
    expected = hash_of(intdim.load(one.artifact, base=folder / "base"))
    assert hash_of(intdim.load(one.artifact, base=str(tmp_path / "copy"))) == expected


# -- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda header, tensors: header.pop("theta_0"),
        lambda header, tensors: header.update(base=None),
        lambda header, tensors: header["base"].update(overrides=7),
        lambda header, tensors: header["subspace"].pop("scope"),
        lambda header, tensors: header["subspace"].update(projection="nothing"),
        lambda header, tensors: header["subspace"].update(method="said"),
        lambda header, tensors: header.update(d=10**12),
        lambda header, tensors: header.update(d=1.5),
        lambda header, tensors: header.update(seed="0"),
        lambda header, tensors: header.update(theta_norm=-1.0),
        lambda header, tensors: header.update(kind="coded"),
        lambda header, tensors: header.update(kind="zip"),
        lambda header, tensors: header.update(objective="prophecy"),
        lambda header, tensors: header.update(outputs=10**9),
        lambda header, tensors: header.update(label_names="yes"),
        lambda header, tensors: tensors.update(z=tensors["z"][:-1].clone()),
        lambda header, tensors: tensors.update(z=tensors["z"] * torch.nan),
        lambda header, tensors: tensors.update(z=tensors["z"].double()),
        lambda header, tensors: tensors.update(z=tensors["z"][None].clone()),
        lambda header, tensors: tensors.update(more=torch.zeros(1)),
    ],
)
def test_a_forged_artifact_is_refused_without_a_traceback(one, change, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        intdim.load(forged(one.artifact, tmp_path / "f.safetensors", change), base=folder / "base")
    assert len(str(caught.value).splitlines()) <= 3


def test_a_forged_message_is_refused(one, folder: Path, tmp_path: Path) -> None:
    def other(header, tensors) -> None:
        tensors["message"] = tensors["message"].roll(1)

    with pytest.raises(UserError):
        intdim.load(forged(one.coded, tmp_path / "f.safetensors", other), base=folder / "base")


def test_code_of_others_runs_only_where_that_is_said(one, folder: Path, tmp_path: Path) -> None:
    asks = forged(
        one.artifact,
        tmp_path / "t.safetensors",
        lambda header, tensors: header["base"].update(trust_remote_code=True),
    )
    with pytest.raises(UserError, match="would run code that comes with its base"):
        intdim.load(asks, base=folder / "base")
    assert intdim.load(asks, base=folder / "base", trust_remote_code=True)


def test_weights_that_come_out_otherwise_are_refused(one, folder: Path, tmp_path: Path) -> None:
    """As on a processor that rounds differently: the header's hash of the weights is not met."""
    changed = forged(
        one.artifact, tmp_path / "r.safetensors", lambda header, tensors: header.update(theta="0" * 64)
    )  # fmt: skip
    with pytest.raises(UserError, match=r"not bit for bit.*\n.*\n.*exact=False"):
        intdim.load(changed, base=folder / "base")
    assert intdim.load(changed, base=folder / "base", exact=False)
