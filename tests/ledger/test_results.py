"""What a run leaves behind, written and read."""

from __future__ import annotations

import math

import numpy as np
import pytest
from safetensors.numpy import save_file

from intdim.ledger.results import Answers, RunResult
from intdim.spec import from_dict, to_dict
from tests.ledger.test_store import run_spec
from tests.records import result_of


def test_answers_that_cannot_be_used_are_none(tmp_path) -> None:
    assert Answers.read(tmp_path) is None
    (tmp_path / "eval.safetensors").write_bytes(b"torn")
    assert Answers.read(tmp_path) is None
    save_file({"labels": np.arange(3)}, tmp_path / "eval.safetensors")
    assert Answers.read(tmp_path) is None


def test_answers_go_in_and_come_out(tmp_path) -> None:
    Answers(np.array([1, 0]), np.array([1, 1]), np.array([0, 1], dtype=np.uint8), 7, 9).write(tmp_path)
    read = Answers.read(tmp_path)
    assert read is not None
    assert (read.predictions.tolist(), read.labels.tolist(), read.half.tolist()) == ([1, 0], [1, 1], [0, 1])
    assert (read.step, read.other_step) == (7, 9)


def test_the_score_of_answers_is_the_mean_over_halves() -> None:
    predictions, labels = np.array([1, 1, 1, 1, 0]), np.ones(5, dtype=int)
    accuracy = lambda given, right: float((given == right).mean())  # noqa: E731
    whole = Answers(predictions, labels, np.ones(5))
    assert whole.scores(accuracy) == [0.8] == [whole.score(accuracy)]
    split = Answers(predictions, labels, np.array([0, 0, 0, 1, 1]))
    assert split.scores(accuracy) == [0.5, 1.0], "the half of the kept step first"
    assert split.score(accuracy) == 0.75


def test_a_failed_run_has_no_score() -> None:
    failed = result_of(run_spec(), status="failed", eval_score=None, select_score=None)
    assert failed.failed
    assert math.isnan(failed.score)
    assert math.isnan(failed.selection_score)
    assert not result_of(run_spec()).failed
    assert result_of(run_spec(), stopped="crossed").crossed


@pytest.mark.parametrize("change", [{"eval_score": "0.5"}, {"d": 8.5}, {"extra": 1}, {"seconds": None}])
def test_a_result_of_another_shape_is_refused(change) -> None:
    data = to_dict(result_of(run_spec()))
    assert from_dict(RunResult, data) == result_of(run_spec())
    with pytest.raises(ValueError, match="RunResult"):
        from_dict(RunResult, data | change)
