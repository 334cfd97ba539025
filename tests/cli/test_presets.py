"""The presets of conf/experiment, each of which composes and asks for what its paper did; what groups offer."""

from __future__ import annotations

import pytest

from intdim.cli.overrides import BASE, choices, conf_folder
from intdim.request import CellRequest
from tests.cli.command import call, composed, requests

PAPER = [name for name in choices("experiment") if name.startswith("paper/")]
# dozens of cells each, composed once, in a test of their own
SAME = ("paper/figure2", "paper/figure4", "paper/figure5")
SIX = {"mrpc", "qqp", "yelp-polarity", "sst2", "mnli", "anli"}


def check(cells: list[CellRequest], of_the_paper: bool) -> None:
    """No cell twice; and a preset of the paper asks for what it did."""
    assert len({repr(cell) for cell in cells}) == len(cells) > 0
    for cell in cells if of_the_paper else ():
        assert (cell.search.fraction, cell.search.threshold) == (0.9, "absolute")
        assert cell.subspace.projection == "fastfood"
        assert cell.baseline_seeds >= 3


@pytest.mark.parametrize("name", [name for name in choices("experiment") if name not in SAME])
def test_every_preset_composes(name: str) -> None:
    check(requests(f"experiment={name}"), name in PAPER)


def test_the_presets_of_the_paper_are_whole() -> None:
    assert PAPER == [
        "paper/figure1",
        "paper/figure2",
        "paper/figure3",
        "paper/figure4",
        "paper/figure5",
        "paper/table1",
    ]


def test_figures_2_4_and_5_are_looks_at_the_same_sweeps() -> None:
    second, fourth, fifth = (requests(f"experiment={name}") for name in SAME)
    assert fourth == fifth == second
    check(second, of_the_paper=True)
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


@pytest.mark.parametrize("group", ["model", "task"])
def test_the_common_file_of_a_group_is_no_choice(group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (conf_folder() / group / f"{BASE}.yaml").exists()
    assert BASE not in choices(group)
    for words in ([f"{group}={BASE}"], ["-m", f"{group}=docstrings-kind,{BASE}"], ["-m", f"{group}=choice({BASE},x)"]):
        ended = call("sweep", *words)
        assert ended.status == 2
        assert f"unknown {group} {BASE!r}" in ended.err
        assert f"Any other {group}" in ended.err
    for words in ([f"{group}=nothing"], ["--help"]):
        ended = call("sweep", *words)
        assert BASE not in ended.out + ended.err
    monkeypatch.setenv("COMP_LINE", f"intdim sweep {group}=")
    offered = call("-sc", "query=bash").out.split()
    assert {word.partition("=")[2] for word in offered} == set(choices(group))
