"""A pre-training is damaged, under way and finished: the same command ends with the same weights, or names the file."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from intdim.errors import UserError
from intdim.launch.jobs import PretrainSummary
from intdim.pretrain.loop import run
from tests.ledger.damage import WAYS
from tests.pretrain.small import SMALL, interrupted, small_corpus

pytestmark = pytest.mark.slow  # minutes: a pre-training is damaged and made again many times

PARTS = ("pretrain.json", "hashes.json", "state.safetensors", "tokenizer/tokenizer.json", "metrics.jsonl")
CHECKPOINTS = ("step-5/model.safetensors", "step-5/config.json", "final/model.safetensors", "final/tokenizer.json")


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts = run(small_corpus(), folder / "finished", SMALL)
        with pytest.raises(KeyboardInterrupt), interrupted(8):
            run(small_corpus(), folder / "under way", SMALL)
        run(small_corpus(), folder / "other", replace(SMALL, seed=1))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


def weights(out: Path) -> dict[str, bytes]:
    names = [file.relative_to(out) for file in out.glob("*/*") if "damaged" not in file.parts]
    return {str(name): (out / name).read_bytes() for name in names if (out / name).is_file()}


def again(out: Path) -> tuple[PretrainSummary, list[str]]:
    lines: list[str] = []
    return run(small_corpus(), out, SMALL, tell=lines.append), lines


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("name", PARTS + CHECKPOINTS)
@pytest.mark.parametrize("state", ["under way", "finished"])
def test_a_damaged_pretraining(world: World, tmp_path: Path, state: str, name: str, how: str) -> None:
    out = tmp_path / "out"
    shutil.copytree(world.folder / state, out)
    file, whole = out / name, weights(world.folder / "finished")
    if not file.exists():
        pytest.skip("it is not there yet")
    before = file.read_bytes()
    WAYS[how](file, world.folder / "other" / name)
    if file.is_file() and file.read_bytes() == before:
        pytest.skip("it says the same")

    facts, lines = again(out)
    assert replace(facts, folder="") == replace(world.facts, folder="")
    lost = name.startswith("step-")  # to make it again, all steps would have to be taken again
    assert weights(out) == {key: value for key, value in whole.items() if not (lost and key.startswith("step-5"))}

    if name != "metrics.jsonl" or how in ("a folder", "a link to another", "a dangling link", "a pipe"):
        quiet = how == "missing" and name == "state.safetensors"
        assert any(str(file) in line for line in lines) or quiet, lines
    if how != "missing" and lines:
        kept = [entry for _, folders, files in os.walk(out / "damaged") for entry in folders + files]
        assert Path(name).name in kept or Path(name).parts[0] in kept
    assert again(out)[1] == []


def test_the_damaged_record_of_another_pretraining_is_left_alone(world: World, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(world.folder / "other", out)
    (out / "pretrain.json").write_text("{torn")
    before = {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}
    with pytest.raises(UserError, match="another pre-training"):
        again(out)
    assert before == {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}
