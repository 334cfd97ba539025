"""The presets of conf/experiment: each composes, and asks for what its paper did."""

from __future__ import annotations

import pytest

from intdim.cli.overrides import choices
from tests.cli.command import call, composed, requests

PAPER = [name for name in choices("experiment") if name.startswith("paper/")]
SIX = {"mrpc", "qqp", "yelp-polarity", "sst2", "mnli", "anli"}


@pytest.mark.parametrize("name", choices("experiment"))
def test_every_preset_composes(name: str) -> None:
    cells = requests(f"experiment={name}")
    assert len({repr(cell) for cell in cells}) == len(cells), "no cell twice"


def test_the_presets_of_the_paper_are_whole() -> None:
    assert PAPER == [
        "paper/figure1",
        "paper/figure2",
        "paper/figure3",
        "paper/figure4",
        "paper/figure5",
        "paper/table1",
    ]


@pytest.mark.parametrize("name", PAPER)
def test_a_preset_of_the_paper_asks_for_what_it_did(name: str) -> None:
    for cell in requests(f"experiment={name}"):
        assert (cell.search.fraction, cell.search.threshold) == (0.9, "absolute")
        assert cell.subspace.projection == "fastfood"
        assert cell.baseline_seeds >= 3


def test_figures_2_4_and_5_are_looks_at_the_same_sweeps() -> None:
    second = requests("experiment=paper/figure2")
    assert requests("experiment=paper/figure4") == requests("experiment=paper/figure5") == second
    assert {cell.task.name for cell in second} == SIX
    assert ("multiberts@step_20k", "google/multiberts-seed_0-step_20k") in {
        (c.model.name, c.model.reference) for c in second
    }
    assert len({cell.model.name for cell in second}) == len(second) / 6 >= 8
    assert {(cell.subspace.method, cell.search.name) for cell in second} == {("said", "bisection")}
    assert {(cell.search.d_min, cell.search.d_max) for cell in second} == {(100, 4_000_000)}


def test_the_protocol_of_2018() -> None:
    (cell,) = requests("experiment=li2018")
    assert (cell.subspace.method, cell.subspace.scope) == ("did", "global")
    assert (cell.search.name, cell.search.seeds) == ("grid", 3)
    assert cell.model.random_init
    (other,) = requests("experiment=li2018", "model=bert-base", "task=mrpc")
    assert other.model.random_init, "whatever the model: their networks were not pre-trained"


def test_a_preset_knows_a_stand_in(tmp_path) -> None:
    cells = requests(
        "experiment=paper/table1", f"model.path={tmp_path}", f"task.path={tmp_path}", "model=local", "task=mrpc"
    )
    assert {(cell.model.path, cell.task.path) for cell in cells} == {(str(tmp_path), str(tmp_path))}


def test_the_same_command_has_the_presets(monkeypatch) -> None:
    for command in ("plan", "fetch"):
        assert len(composed("experiment=paper/table1", command=command)) == 16
    ended = call("sweep", "experiment=paper/table2")
    assert ended.status == 2
    assert "did you mean" in ended.err


def test_a_plan_of_the_table_without_its_models_is_one_clear_error(tmp_path, monkeypatch) -> None:
    """The real path, with a cache that holds nothing."""
    empty = {
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path / "hub"),
        "HF_HUB_CACHE": str(tmp_path / "hub"),
        "INTDIM_CACHE": str(tmp_path / "own"),
    }
    for name, value in empty.items():
        monkeypatch.setenv(name, value)
    ended = call("plan", "experiment=paper/table1", "device=cpu", f"out={tmp_path / 'out'}")
    assert ended.status == 2
    assert "google-bert/bert-base-uncased is not in the local cache" in ended.err
    assert len(ended.err.splitlines()) <= 3
    assert not (tmp_path / "out").exists()
