"""Objectives: the contract for each, the losses by their definitions, and one from outside the package."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from intdim.errors import UserError
from intdim.launch.jobs import RunJob
from intdim.request import ModelRequest
from intdim.run.execute import run_job
from intdim.run.objective import Classification, Regression, find_objective, objective_for
from intdim.run.prepare import prepare
from intdim.spec import OBJECTIVES, RunSpec, Runtime, SubspaceSpec, to_dict
from tests import cells, tiny
from tests.run.objective_contract import ObjectiveContract
from tests.run.outside import Margin
from tests.tasks import made


@pytest.mark.parametrize("objective", [find_objective(name) for name in OBJECTIVES] + [Margin()], ids=lambda o: o.name)
class TestContract(ObjectiveContract):
    """The laws for the objectives of the package and for one from outside."""


def test_cross_entropy_and_squared_error():
    logits, labels = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0])
    expected = torch.log(torch.exp(logits).sum(1)) - logits[:, 0]
    torch.testing.assert_close(Classification().loss(logits, labels, reduction="none"), expected)
    scores = Regression().loss(torch.tensor([[1.0], [3.0]]), torch.tensor([0.0, 5.0]), reduction="none")
    assert scores.tolist() == [1.0, 4.0]


def test_auto_is_what_the_metric_scores():
    assert objective_for("auto", "classes").name == "classification"
    assert objective_for("auto", "scores").name == "regression"
    with pytest.raises(UserError, match="regression predicts scores, the metric scores classes"):
        objective_for("regression", "classes")
    with pytest.raises(UserError, match=r"unknown objective 'clasification'\ndid you mean 'classification'"):
        find_objective("clasification")


def test_an_objective_from_outside_is_prepared_and_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The documented way: a class that passes the contract, and a line in ``spec.OBJECTIVES``."""
    monkeypatch.setitem(OBJECTIVES, "margin", "tests.run.outside:Margin")
    monkeypatch.setenv("INTDIM_CACHE", str(tmp_path / "cache"))
    folder = tiny.save("bert", tmp_path / "model")
    tiny.save_tokenizer(folder, pad_token="<pad>")
    task = dataclasses.replace(made.request(made.folder(tmp_path / "data", made.rows(24))), objective="margin")
    model = ModelRequest("m", "local", "", "main", str(folder), True, 0, {}, False, False)
    found = prepare(dataclasses.replace(cells.cell(), model=model, task=task))
    assert found.task.objective == "margin"

    results = {}
    for objective in ("margin", "classification"):
        spec = RunSpec(
            model=found.model,
            task=dataclasses.replace(found.task, objective=objective),
            subspace=SubspaceSpec("did", "one_hot", "global", "layer", ()),
            train=cells.TRAIN,
            d=20,
            step_length=1.0,
            learning_rate=0.0,
            seed=1,
        )
        out = tmp_path / "out"
        runtime = Runtime(str(out), "cpu", 1, 1, found.facts.model_folder, found.facts.task_folder, 60.0)
        results[objective] = run_job(to_dict(RunJob(spec, runtime)), lambda facts: None)
    assert results["margin"]["status"] == "done"
    assert results["margin"]["eval_loss"] != results["classification"]["eval_loss"]
