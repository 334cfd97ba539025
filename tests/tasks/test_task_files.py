"""Every file in conf/task asks for a complete task."""

from __future__ import annotations

import dataclasses
import typing
from pathlib import Path

import pytest

from intdim.cli.overrides import BASE
from intdim.request import TaskRequest
from intdim.tasks import docstrings
from intdim.tasks.metrics import METRICS
from tests.conf_files import names, said, whole

FOLDER = Path(__file__).parents[2] / "conf" / "task"
FILES = names(FOLDER)
COMMON = said(FOLDER / f"{BASE}.yaml")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_task_file_is_a_whole_request(file):
    given = whole(file)
    hints = typing.get_type_hints(TaskRequest)
    assert set(given) == set(COMMON) == {field.name for field in dataclasses.fields(TaskRequest)}
    assert not [key for key, value in said(file).items() if COMMON[key] == value], "a file says only what differs"
    for key, value in given.items():
        assert isinstance(value, list if hints[key] == tuple[str, ...] else hints[key]), key
    assert given["name"] == ("" if file.stem in ("local", "hub") else file.stem)
    assert given["metric"] in METRICS
    assert given["source"] in ("builtin", "hub", "local")
    assert given["selection"] == "half"
    assert given["version"] >= 1
    assert given["path"] == ""
    if METRICS[given["metric"]].needs == "scores":
        assert given["label_names"] == []
    if given["source"] == "builtin":
        assert given["reference"] in docstrings.NAMES
    if given["source"] == "hub" and given["name"]:
        assert given["reference"].count("/") == 1
        assert len(given["text"]) in (1, 2)
    assert file.read_text().startswith("# ")  # says what it is


def test_the_tasks_of_the_paper_are_there():
    wanted = {"mrpc", "qqp", "sst2", "mnli", "qnli", "rte", "cola", "stsb", "anli", "anli-r1", "anli-r2", "anli-r3"}
    wanted |= {"yelp-polarity", "ag-news", "docstrings-package", "docstrings-pair", "docstrings-kind"}
    assert wanted <= {file.stem for file in FILES}
