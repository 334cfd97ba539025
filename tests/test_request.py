"""Requests are plain typed values: they come back from JSON, exactly, and their defaults stand there once."""

from __future__ import annotations

import dataclasses
import json

import pytest

from intdim import request
from intdim.request import (
    BoundRequest,
    CellRequest,
    CorpusRequest,
    ModelRequest,
    PretrainConfig,
    RuntimeRequest,
    Start,
    TaskRequest,
    TrackRequest,
)
from intdim.spec import SearchSpec, SubspaceSpec, TrainSpec, from_dict, to_dict

SAMPLES = {"str": "x", "int": 3, "float": 0.25, "bool": True}


def sample(kind, **changed):
    """A request whose fields all have a value of their type that is not the type's own zero."""
    values = {}
    for field in dataclasses.fields(kind):
        declared = str(field.type)
        if declared.startswith("tuple["):
            one = SAMPLES[declared.removeprefix("tuple[").removesuffix(", ...]")]
            values[field.name] = (one, one)
        elif declared in SAMPLES:
            values[field.name] = SAMPLES[declared]
    return kind(**(values | changed))


MODEL = sample(ModelRequest, overrides={"layers": 2, "act": "gelu", "tied": True, "rate": 0.5})
TASK = sample(TaskRequest)
CELL = sample(
    CellRequest,
    model=MODEL,
    task=TASK,
    subspace=sample(SubspaceSpec),
    train=sample(TrainSpec),
    search=sample(SearchSpec),
)
REQUESTS = [
    MODEL,
    TASK,
    CELL,
    *(sample(kind) for kind in (RuntimeRequest, BoundRequest, CorpusRequest, Start, PretrainConfig, TrackRequest)),
]
each = pytest.mark.parametrize("asked", REQUESTS, ids=lambda asked: type(asked).__name__)


def test_every_request_is_here():
    made = {kind for kind in vars(request).values() if dataclasses.is_dataclass(kind)}
    assert {kind for kind in made if kind.__module__ == "intdim.request"} == {type(asked) for asked in REQUESTS}


@each
def test_it_comes_back_from_json(asked):
    again = from_dict(type(asked), json.loads(json.dumps(to_dict(asked))))
    assert again == asked
    assert type(again) is type(asked)


@each
def test_it_cannot_be_changed(asked):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(asked, dataclasses.fields(asked)[0].name, None)


@each
def test_a_field_too_many_or_too_few_is_refused(asked):
    data = to_dict(asked)
    with pytest.raises(ValueError, match="surplus"):
        from_dict(type(asked), data | {"surplus": 1})
    first = next(iter(data))
    with pytest.raises(ValueError, match=first):
        from_dict(type(asked), {name: value for name, value in data.items() if name != first})


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [(TaskRequest, {"text": "sentence"}), (TaskRequest, {"version": "1"}), (RuntimeRequest, {"offline": "no"})],
)
def test_a_value_of_another_type_is_refused(kind, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        from_dict(kind, to_dict(sample(kind)) | wrong)


def test_tuples_are_lists_in_json_and_tuples_again():
    assert to_dict(TASK)["text"] == ["x", "x"]
    assert from_dict(TaskRequest, to_dict(TASK)).text == ("x", "x")


def test_a_cell_has_its_parts_typed():
    again = from_dict(CellRequest, to_dict(CELL))
    assert [type(part) for part in (again.model, again.task, again.subspace, again.train, again.search)] == [
        ModelRequest, TaskRequest, SubspaceSpec, TrainSpec, SearchSpec,
    ]  # fmt: skip
    assert again.model.overrides == {"layers": 2, "act": "gelu", "tied": True, "rate": 0.5}
    assert type(again.model.overrides["tied"]) is bool


def test_defaults_are_few_and_mean_nothing_chosen():
    """All other defaults stand in ``conf``."""
    defaults = {
        f"{type(asked).__name__}.{field.name}": field.default
        for asked in REQUESTS
        for field in dataclasses.fields(asked)
        if field.default is not dataclasses.MISSING
    }
    assert defaults == {
        "TaskRequest.positive": "", "TaskRequest.holdout": 0.0,
        "Start.kind": "", "Start.config": "", "Start.folder": "",
    }  # fmt: skip
