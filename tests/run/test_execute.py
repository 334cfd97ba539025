"""The worker's side of a run: what log.txt says, and what is said when a run breaks."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest
import torch

from intdim import durable
from intdim.errors import RunFailed, UserError
from intdim.launch.jobs import RunJob
from intdim.run import execute
from intdim.spec import Runtime, from_dict, to_dict
from tests import tiny
from tests.models.test_load import change
from tests.run.test_training import TRAIN, data, spec_of  # noqa: F401


@pytest.fixture
def payload(tmp_path, monkeypatch, data):  # noqa: F811
    """A run of a few steps on made data."""
    monkeypatch.setattr(execute, "load_task", lambda folder: data)
    model = tiny.save("bert", tmp_path / "model")
    threads = torch.get_num_threads()
    setting = Runtime(str(tmp_path / "out"), "cpu", 1, threads, str(model), str(tmp_path / "task"), 0.0)
    return to_dict(RunJob(tiny.named_after(spec_of(train_spec=replace(TRAIN, epochs=1)), model), setting))


def full_disk(*arguments, **named):
    raise OSError(errno.ENOSPC, "No space left on device")


def run(payload):
    return execute.run_job(payload, lambda facts: None)


def only(tmp_path, name):
    return next((tmp_path / "out" / "runs").glob(f"*/{name}"), None)


def test_the_log_says_which_weights_were_drawn_anew(payload, tmp_path):
    change(tmp_path / "model", lambda name, weight: None if "pooler" in name else weight)
    job = from_dict(RunJob, payload)
    run(to_dict(replace(job, spec=tiny.named_after(job.spec, tmp_path / "model"))))
    text = only(tmp_path, "log.txt").read_text()
    assert "warning: " in text
    assert "bert.pooler.dense.bias, bert.pooler.dense.weight: drawn from the head's seed" in text


def test_weights_that_have_changed_since_they_were_prepared_enter_no_run(payload, tmp_path):
    change(tmp_path / "model", lambda name, weight: weight + 1)
    with pytest.raises(UserError, match="have changed since they were prepared"):
        run(payload)
    assert only(tmp_path, "result.json") is None


def test_the_log_of_a_whole_checkpoint_warns_of_nothing(payload, tmp_path):
    run(payload)
    assert "warning" not in only(tmp_path, "log.txt").read_text()


def test_a_run_that_breaks_leaves_its_traceback(payload, tmp_path, monkeypatch):
    monkeypatch.setattr(execute, "train", lambda run: 1 / 0)
    with pytest.raises(RunFailed, match=r"ZeroDivisionError: division by zero\. The traceback is in .*error\.txt$"):
        run(payload)
    assert "1 / 0" in only(tmp_path, "error.txt").read_text()


def test_a_disk_that_is_full_while_training(payload, tmp_path, monkeypatch):
    monkeypatch.setattr(execute, "train", full_disk)
    with pytest.raises(RunFailed, match=r"the disk under .*out is full.*Finished runs are kept; free some space"):
        run(payload)
    assert "No space left" in only(tmp_path, "error.txt").read_text()


@pytest.mark.parametrize("cause", ["the disk", "something else"])
def test_a_disk_that_has_no_room_for_the_traceback_either(cause, payload, tmp_path, monkeypatch):
    monkeypatch.setattr(execute, "train", full_disk if cause == "the disk" else lambda run: 1 / 0)
    whole = durable.write_text
    monkeypatch.setattr(
        durable, "write_text", lambda path, text: full_disk() if path.name == "error.txt" else whole(path, text)
    )
    with pytest.raises(RunFailed) as caught:
        run(payload)
    said = str(caught.value)
    assert "traceback could not be written" in said
    assert "is full (No space left on device). Finished runs are kept; free some space" in said
    assert said.count("is full") == 1
    assert ("ZeroDivisionError" in said) == (cause != "the disk")
    assert only(tmp_path, "error.txt") is None
