"""The rebuilt model against the run's stored answers: all of them, or nothing is written."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from intdim.artifacts import answers
from intdim.artifacts.answers import Comparison, compare, count_same, data_of
from intdim.artifacts.export import export
from intdim.errors import UserError
from intdim.ledger.results import Answers
from intdim.run.build import build
from intdim.tasks.stored import load_task
from tests import finished_runs


def test_an_export_gives_all_stored_answers(made, run) -> None:
    count = len(Answers.read(run.folder).of_kept_step)
    assert made.comparison == Comparison(count, count)
    assert made.comparison.sentence == f"gives all {count} stored answers of the run"


def test_a_model_that_answers_otherwise_is_not_written(folder: Path, tmp_path: Path) -> None:
    run = finished_runs.make(folder)
    model = build(run.spec, run.runtime, load_task(Path(run.runtime.task_folder))).model
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)))
    with pytest.raises(UserError, match=rf"gives \d+ of 60 answers that run {run.spec.run_id} recorded, not all"):
        compare(model, run, data_of(run))


def test_an_export_that_does_not_answer_alike_leaves_nothing(folder: Path, tmp_path: Path, monkeypatch) -> None:
    run = finished_runs.make(folder)
    monkeypatch.setattr(answers, "count_same", lambda *arguments: 41)
    with pytest.raises(UserError, match="gives 41 of 60 answers"):
        export(run, tmp_path / "a.safetensors", full=True, levels=16)
    assert list(tmp_path.iterdir()) == []


def test_a_task_that_is_gone_is_said(folder: Path, tmp_path: Path) -> None:
    run = finished_runs.make(folder)
    gone = dataclasses.replace(run, runtime=dataclasses.replace(run.runtime, task_folder=str(tmp_path / "gone")))
    made = export(gone, tmp_path / "a.safetensors", full=False, levels=16)
    assert made.comparison.compared == 0
    assert "not compared with the run's stored answers: the prepared task" in made.comparison.sentence


def test_classes_are_the_same_or_not_and_scores_up_to_rounding() -> None:
    classes = np.array([0, 1, 2, 1])
    assert count_same(np.array([0, 1, 1, 1]), classes, classes) == 3
    scores = np.array([0.0, 10.0, 20.0], dtype=np.float32)
    assert count_same(scores + np.array([0.01, 0.0, 1.0]), scores, scores) == 2
