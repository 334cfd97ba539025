"""The whole model as a folder: of a run in a subspace, of full fine-tuning, and where padding could be text."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import intdim
from intdim.artifacts.answers import compare, data_of
from intdim.artifacts.export import export
from intdim.artifacts.whole import WEIGHTS
from intdim.errors import UserError
from intdim.ledger.finished import find_run
from intdim.ledger.results import Answers
from intdim.request import ModelRequest
from intdim.spec import SubspaceSpec
from intdim.tasks.stored import load_task
from tests import finished_runs, tiny
from tests.models import normed

FULL = SubspaceSpec("full", "none", "none", "none", ())


def full_run(folder: Path, **changes):
    cell = finished_runs.cell(folder, subspace=FULL, **changes)
    result = finished_runs.train_one(
        cell, 0, 0.0, 1e-2, finished_runs.runtime(folder), launcher=finished_runs.launcher()
    )  # fmt: skip
    return find_run(result.run_id, str(folder / "out"), full=True)


def answers_alone(folder: Path, run, one_by_one: bool = False) -> list[int]:
    """What transformers alone answers on the rows behind the run's score, with the folder's own tokenizer."""
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = pd.read_csv(run.out.parent / "data" / "validation.csv")["text"]
    rows = [texts[int(row)] for row in load_task(Path(run.runtime.task_folder)).score_half]
    batches = [[row] for row in rows] if one_by_one else [rows]
    found: list[int] = []
    with torch.no_grad():
        for batch in batches:
            found += model(**tokenizer(batch, padding=len(batch) > 1, return_tensors="pt")).logits.argmax(-1).tolist()
    return found


def test_a_run_of_full_fine_tuning_is_exported_whole(folder: Path, tmp_path: Path) -> None:
    run = full_run(folder)
    assert (run.folder / WEIGHTS).is_file()
    made = export(run, tmp_path / "a.safetensors", full=True, levels=16)
    assert (made.artifact, made.folder, made.comparison.same) == (None, tmp_path / "a", made.comparison.compared)
    assert not (tmp_path / "a.safetensors").exists()
    assert answers_alone(tmp_path / "a", run) == Answers.read(run.folder).of_kept_step.tolist()
    with pytest.raises(UserError, match=r"there is no z to write down\n--full"):
        export(run, tmp_path / "b.safetensors", full=False, levels=16)
    with pytest.raises(UserError, match="trained all weights"):
        find_run(run.spec.run_id, str(folder / "out"))


def test_weights_that_are_not_kept_or_damaged_are_said(tmp_path: Path) -> None:
    run = full_run(tmp_path)
    data = bytearray((run.folder / WEIGHTS).read_bytes())
    data[-1] ^= 64
    (run.folder / WEIGHTS).write_bytes(data)
    with pytest.raises(UserError, match="changed after it was written"):
        export(run, None, full=True, levels=16)
    (run.folder / WEIGHTS).unlink()
    with pytest.raises(UserError, match=r"kept none of them.*\n.*\nMake it with `intdim train subspace=full"):
        export(run, None, full=True, levels=16)


@pytest.mark.parametrize("kind", ["did", "full"])
def test_a_norm_with_statistics_is_rebuilt_with_its_predictions(kind: str, tmp_path: Path) -> None:
    tiny.save_tokenizer(normed.save(tmp_path / "normed_base"), pad_token="<pad>")
    model = ModelRequest("n", "local", "", "main", str(tmp_path / "normed_base"), False, 0, {}, True, False)
    run = full_run(tmp_path, model=model) if kind == "full" else finished_runs.make(tmp_path, model=model)
    assert "held still" in (run.folder / "log.txt").read_text()
    made = export(run, tmp_path / "x.safetensors", full=True, levels=16)
    assert 0 < made.comparison.same == made.comparison.compared
    if kind == "did":
        loaded = intdim.load(made.artifact, base=tmp_path / "normed_base", trust_remote_code=True)
        assert compare(loaded, run, data_of(run)).same == made.comparison.compared


@pytest.fixture
def wordy(tmp_path: Path):
    """A decoder whose tokenizer names no token: number 0 pads, and ends every third text."""
    base, data = tmp_path / "base", tmp_path / "data"
    tiny.save_tokenizer(tiny.save("llama", base), first="mark")
    data.mkdir()
    for name, rows in (("train", finished_runs.rows(300, 1)), ("validation", finished_runs.rows(120, 2))):
        rows.loc[rows.index % 3 == 0, "text"] += " mark mark"
        rows.to_csv(data / f"{name}.csv", index=False)
    return tmp_path


def test_a_folder_names_no_padding_where_texts_end_with_it(wordy: Path) -> None:
    run = finished_runs.make(wordy, step_length=1.0)
    made = export(run, wordy / "x.safetensors", full=True, levels=16)
    assert "names no padding token" in made.remark
    assert made.comparison.same == made.comparison.compared
    stored = Answers.read(run.folder).of_kept_step.tolist()
    assert answers_alone(made.folder, run, one_by_one=True) == stored
    with pytest.raises(ValueError, match="padding"):
        answers_alone(made.folder, run)
    model = intdim.load(made.artifact, base=wordy / "base")
    assert compare(model, run, data_of(run)).same == made.comparison.compared, "read by the mask"


def test_padding_that_no_text_ends_with_stays(tmp_path: Path) -> None:
    base = tiny.save_tokenizer(tiny.save("llama", tmp_path / "base"), eos_token="</s>")
    cell = finished_runs.cell(tmp_path / "made")
    run = finished_runs.make(
        tmp_path / "made", step_length=1.0, model=dataclasses.replace(cell.model, path=str(base))
    )  # fmt: skip
    made = export(run, tmp_path / "x.safetensors", full=True, levels=16)
    assert made.remark == ""
    assert answers_alone(made.folder, run) == Answers.read(run.folder).of_kept_step.tolist()
