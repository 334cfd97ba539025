"""Model, rows and metric as objects: the same ledger and search as with words, and nothing left where it is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf

import intdim
from intdim.cli.keywords import words_of
from intdim.errors import Interrupted, UserError
from intdim.ledger.store import Ledger
from tests import cells, finished_runs, tiny
from tests.cli.command import call

SHORT = {"train.max_steps": 4, "train.step_length": 3, "train.batch_size": 8, "task.max_length": 16, "device": "cpu"}
SEARCH = {"search": "bisection", "search.seeds": 1, "search.max_runs": 6, "search.d_min": 8, "search.d_max": 65536}
TRAIN, VALIDATION = finished_runs.rows(60, 1), finished_runs.rows(40, 2)
ROWS = {"train": TRAIN, "validation": VALIDATION}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("model")
    tiny.save_tokenizer(tiny.save("bert", folder), pad_token="<pad>", unk_token="<unk>")
    return {
        "model": hf.AutoModelForSequenceClassification.from_pretrained(folder),
        "tokenizer": hf.AutoTokenizer.from_pretrained(folder),
    }


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and real jobs in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("intdim.launch.pool.LocalSlots", lambda *arguments, **named: finished_runs.launcher())
    return tmp_path


def recall(predictions: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean([np.mean(predictions[labels == one] == one) for one in np.unique(labels)]))


def test_a_run_of_objects_is_found_again_by_content_and_from_the_command_line(
    model: dict[str, Any], here: Path
) -> None:
    first = intdim.train(d=20, progress=False, task=ROWS, **model, **SHORT)
    assert first.status == "done"
    pairs = {name: list(frame.itertuples(index=False, name=None)) for name, frame in ROWS.items()}
    again = hf.AutoModelForSequenceClassification.from_pretrained(
        next(here.glob("outputs/given/model-*"))
    )  # whose head is another one
    same = intdim.train(d=20, progress=False, task=pairs, model=again, tokenizer=model["tokenizer"], **SHORT)
    assert same == first, "the same content is the same run"
    assert len(list(here.glob("outputs/given/*"))) == 2

    paths = {f"{kind}.path": next(here.glob(f"outputs/given/{name}-*")) for kind, name in
             (("model", "model"), ("task", "rows"))}  # fmt: skip
    ended = call("train", "d=20", *words_of(paths | SHORT))
    assert ended.status == 0, ended.err
    assert first.run_id in ended.out
    assert len(list(here.glob("outputs/runs/*"))) == 1


def test_a_function_scores_and_stays_the_function_of_its_name(model: dict[str, Any], here: Path) -> None:
    keys = {"d": 20, "progress": False, "task": ROWS, **model, **SHORT}
    before = torch.get_rng_state()
    result = intdim.train(metric=("recall", recall), **keys)
    assert torch.equal(before, torch.get_rng_state())
    answers = Ledger(Path("outputs")).answers(result.run_id)
    assert answers is not None
    assert result.metric == "recall"
    assert result.eval_score == answers.score(recall)
    assert intdim.train(metric=("recall", recall), **keys) == result
    with pytest.raises(UserError, match=f"another function than before: run {result.run_id}"):
        intdim.train(metric=("recall", lambda *both: recall(*both) / 2), **keys)
    other = intdim.train(metric=("half", lambda *both: recall(*both) / 2), **keys)
    assert other.run_id != result.run_id

    third = intdim.train(metric=("recall", recall), **{**keys, "d": 24})
    assert f"{result.eval_score:.4f}" in call("show", result.run_id).out
    assert "recall is a function of a Python session" in call("compare", result.run_id, third.run_id).out


def test_a_verdict_whose_chance_is_another_functions_is_refused(
    model: dict[str, Any], here: Path, monkeypatch: pytest.MonkeyPatch, undrawn: None
) -> None:
    from intdim.given.metric import Own

    keys = {"progress": False, "task": ROWS, **model, **SHORT, **SEARCH, "search.d_max": 1000, "search.max_runs": 3}
    keys |= {"train.learning_rate": 1e-3, "train.baseline_seeds": 1}
    verdict = intdim.sweep(metric=("recall", recall), **keys)
    assert verdict.chance == pytest.approx(0.5)
    with pytest.raises(UserError, match="the chance level of sweep"):
        Own("recall", lambda *both: 0.9 * recall(*both)).check_chance(Path("outputs"), verdict)


def raising(predictions: np.ndarray, labels: np.ndarray) -> float:
    raise ValueError("no such class")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"task": {name: frame.assign(label="no") for name, frame in ROWS.items()}}, "all 60 labels of train are"),
        ({"task": TRAIN}, "one table, without rows to evaluate on"),
        (
            {"task": {"text": ["a", "b"], "label": [1]}, "task.holdout": 0.5},
            "length: text has 2, label has 1",
        ),
        ({"task": {"train": TRAIN.assign(more=[object()] * 60), "validation": VALIDATION}}, "cannot be hashed"),
        ({"task": ROWS, "metric": recall}, "a function without a name"),
        ({"task": ROWS, "metric": ("mine", raising)}, "raised ValueError on 40 examples"),
        ({"task": ROWS, "metric": ("mine", lambda *both: float("nan"))}, "gave nan on 40 examples"),
        ({"task": ROWS, "metric": ("mine", recall), "launch.slots": 4}, "launch.slots=4"),
        ({"task": ROWS, "task.path": "here"}, "task= is an object, and task.path=here"),
        ({"task": {"train": TRAIN, "test": VALIDATION}}, "task.eval_split=test"),
        ({"task": [], "task.holdout": 0.5}, "train has no rows"),
        ({"task": (row for row in [("a", 1)]), "task.holdout": 0.5}, "train is a generator without a length"),
        ({"task": {("a", 1), ("b", 0)}, "task.holdout": 0.5}, "train is a set without a length"),
        ({"task": np.zeros((4, 2)), "task.holdout": 0.5}, "train is a ndarray"),
        ({"task": ROWS, "serach": "grid"}, "unknown key 'serach'"),
        ({"task": ROWS, "tokenizer": None}, "without tokenizer="),
    ],
)
def test_what_is_refused_leaves_nothing(keys: dict[str, Any], words: str, model: dict[str, Any], here: Path) -> None:
    with pytest.raises(UserError, match=words) as error:
        intdim.train(d=20, progress=False, **{**model, **SHORT, **keys})
    assert len(str(error.value).splitlines()) <= 3
    assert not (here / "outputs").exists()


def test_a_tokenizer_belongs_to_an_object(model: dict[str, Any], here: Path) -> None:
    with pytest.raises(UserError, match="model= is no object"):
        intdim.train(d=20, model="tiny", tokenizer=model["tokenizer"])


def test_a_metric_by_name_is_a_key(world: cells.Simulated) -> None:
    intdim.train(d=20, progress=False, metric="macro_f1", **{"train.max_steps": 20})
    intdim.train(d=20, progress=False, task={"metric": "macro_f1"}, train={"max_steps": 20})
    assert len(world.made) == 1


def test_an_interrupted_cell_goes_on(model: dict[str, Any], world: cells.Simulated, undrawn: None) -> None:
    keys = {"progress": False, "task": ROWS, **model, **SHORT, **SEARCH}
    world.stop_after = 3
    with pytest.raises(Interrupted):
        intdim.sweep(**keys)
    kept = {folder: folder.stat().st_mtime_ns for folder in Path("outputs/given").iterdir()}
    assert len(kept) == 2
    world.stop_after = None
    verdict = intdim.sweep(**keys)
    assert len(world.made) == verdict.runs, "no run twice"
    assert {folder: folder.stat().st_mtime_ns for folder in Path("outputs/given").iterdir()} == kept
    assert "task.path=" in call("show", verdict.sweep_id[:8]).out, "the command names the folder"
