"""Specs: complete, typed, named by what they hold; read back only if every field is there and of its type."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass, replace

import pytest

from intdim import spec as room
from intdim.spec import RunSpec, derive_seed, digest, from_dict, to_dict
from tests.measurement.simulated import sweep_spec
from tests.run.test_training import FULL, spec_of


@dataclass(frozen=True)
class Nested:
    """Every kind of field that a record may have."""

    rows: list[float]
    table: dict[str, dict[str, float | None]]
    maybe: int | None
    words: tuple[str, ...]
    value: room.Scalar


@pytest.mark.parametrize("spec", [spec_of(), spec_of(FULL, d=0, length=0.0, rate=0.1), sweep_spec()])
def test_a_spec_survives_json(spec):
    assert from_dict(type(spec), json.loads(json.dumps(to_dict(spec)))) == spec


def test_a_whole_number_and_its_float_are_one_identity():
    assert spec_of(length=2.0).run_id == spec_of(length=2).run_id
    assert replace(spec_of(), stop_at=1).run_id == replace(spec_of(), stop_at=1.0).run_id


def test_everything_that_decides_a_number_changes_the_name():
    base = spec_of()
    others = [
        replace(base, seed=base.seed + 1),
        replace(base, d=base.d + 1),
        replace(base, stop_at=0.5),
        replace(base, task=replace(base.task, metric="f1")),
        replace(base, task=replace(base.task, objective="regression")),
        replace(base, stream_version=base.stream_version + 1),
    ]
    assert len({base.run_id, *(other.run_id for other in others)}) == 7


@pytest.mark.parametrize(
    "change",
    [{"d": 1.5}, {"d": True}, {"seed": "3"}, {"stop_at": "high"}, {"more": 1}, {"model": []}, {"train": None}],
)
def test_another_shape_is_refused(change):
    with pytest.raises(ValueError, match="RunSpec"):
        from_dict(RunSpec, to_dict(spec_of()) | change)
    with pytest.raises(ValueError, match="RunSpec"):
        from_dict(RunSpec, {key: value for key, value in to_dict(spec_of()).items() if key != "seed"})


RUN, BASE_RUN, SWEEP = spec_of(), spec_of(FULL, d=0, length=0.0, rate=0.1), sweep_spec()
SAID = replace(RUN, subspace=replace(RUN.subspace, method="said"))
SAME = [  # of what, and what does not change its id
    (RUN, {"model": replace(RUN.model, name="other", source="hub", reference="a/b", revision="main")}),
    (RUN, {"model": replace(RUN.model, gradient_checkpointing=True, init_seed=7)}),
    (RUN, {"task": replace(RUN.task, name="other", source="hub", text=("sentence",), label="y", train_split="t")}),
    (RUN, {"task": replace(RUN.task, label_names=("no", "yes"))}),
    (RUN, {"subspace": replace(RUN.subspace, groups="tensor")}),
    (RUN, {"train": replace(RUN.train, weight_decay=0.5)}),
    (replace(RUN, train=replace(RUN.train, max_steps=9)), {"train": replace(RUN.train, max_steps=9, epochs=7)}),
    (RUN, {"subspace": replace(RUN.subspace, exclude=())}),
    (BASE_RUN, {"stream_version": 99}),
    (SWEEP, {"step_lengths": SWEEP.step_lengths[::-1]}),
    (SWEEP, {"search": replace(SWEEP.search, grid_points=99)}),
]
OTHER = [  # of what, and what changes its id
    (RUN, {"model": replace(RUN.model, fingerprint="y")}),
    (RUN, {"model": replace(RUN.model, random_init=True)}),
    (replace(RUN, model=replace(RUN.model, random_init=True)),
     {"model": replace(RUN.model, random_init=True, init_seed=7)}),
    (RUN, {"model": replace(RUN.model, overrides={"num_hidden_layers": 1})}),
    (RUN, {"task": replace(RUN.task, label_names=("a", "b", "c"))}),
    (RUN, {"task": replace(RUN.task, positive="a")}),
    (RUN, {"task": replace(RUN.task, max_train=5)}),
    (SAID, {"subspace": replace(SAID.subspace, groups="tensor")}),
    (BASE_RUN, {"train": replace(BASE_RUN.train, weight_decay=0.5)}),
    (RUN, {"train": replace(RUN.train, precision="bf16")}),
    (RUN, {"threads": 2}),
    (RUN, {"stream_version": 99}),
    (RUN, {"training_version": 99}),
    (SWEEP, {"step_lengths": SWEEP.step_lengths[:2]}),
    (SWEEP, {"search": replace(SWEEP.search, seeds=9)}),
]  # fmt: skip

STORED = [
    "fd3dd1fea49868d2",
    "dc74015aee76a95a",
    "598b81119338c9fd",
    "3daf7e3db8c71f4f",
    "ea12dd24ee3e835c",
    "2374655d1c28479a",
    "2196da6cafa4e6f9",
    "7222dbf6fad6ebf4",
    "3150a29d34a29368",
    "03c5e4b1485b86cb",
]


def name_of(spec):
    return spec.run_id if isinstance(spec, RunSpec) else spec.sweep_id


@pytest.mark.parametrize(("spec", "change"), SAME, ids=range(len(SAME)))
def test_what_decides_no_number_is_no_part_of_the_name(spec, change):
    assert name_of(replace(spec, **change)) == name_of(spec)


@pytest.mark.parametrize(("spec", "change"), OTHER, ids=range(len(OTHER)))
def test_what_decides_a_number_is_part_of_the_name(spec, change):
    assert name_of(replace(spec, **change)) != name_of(spec)


def test_ids_are_stored_here_so_that_an_accidental_change_is_seen():
    """Ids change only with a version integer of ``spec.py`` or with what identity means; then say so in CHANGELOG."""
    made = [RUN, SAID, BASE_RUN, SWEEP, *(replace(spec, **change) for spec, change in OTHER[:6])]
    assert [name_of(spec) for spec in made] == STORED


def test_a_projection_whose_numbers_changed_has_a_stream_version_of_its_own():
    """And so have its runs and sweeps alone; what is read back keeps the version under which it was made."""
    other = replace(RUN.subspace, projection="orthogonal")
    assert (room.stream_version("one_hot"), room.stream_version("orthogonal"), room.stream_version("none")) == (4, 3, 3)
    assert RUN.stream_version == SWEEP.stream_version == 4
    assert replace(RUN, subspace=other, stream_version=room.OF_PROJECTION).stream_version == 3
    assert from_dict(RunSpec, to_dict(RUN) | {"stream_version": 3}).stream_version == 3


def test_nested_values_keep_their_types():
    good = {"rows": [1, 2.5], "table": {"8": {"3": None, "1": 1}}, "maybe": None, "words": ["a"], "value": False}
    made = from_dict(Nested, good)
    assert made == Nested([1.0, 2.5], {"8": {"3": None, "1": 1.0}}, None, ("a",), False)
    assert made.value is False
    for wrong in ({"rows": "12"}, {"rows": ["a"]}, {"table": []}, {"table": {"8": 1}}, {"maybe": 1.5}, {"words": "a"}):
        with pytest.raises(ValueError, match="Nested"):
            from_dict(Nested, good | wrong)


def test_digests_and_seeds_are_stored_here_because_results_are_named_by_them():
    assert digest({"b": 1, "a": [1.5, "x"]}) == "27edd5497e48a293"
    assert derive_seed(0, "full", 1) == 1758433489
    assert 0 <= derive_seed(1) < 2**31
    assert derive_seed(1) != derive_seed("1")


@pytest.mark.parametrize("table", [room.PROJECTIONS, room.OBJECTIVES])
def test_the_tables_of_names_lead_to_classes_of_that_name(table):
    for name, place in table.items():
        module, _, kind = place.partition(":")
        assert getattr(importlib.import_module(module), kind).name == name
