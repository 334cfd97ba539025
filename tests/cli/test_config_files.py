"""Configuration files of others: none of them calls anything, and none takes long to refuse."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from intdim.cli.config_files import read_config, size_fault
from intdim.errors import UserError
from tests.cli.command import call, composed

pytestmark = pytest.mark.usefixtures("nothing_begins")

MKDIR = "{_target_: os.mkdir, path: called}"
LAUGHS = "a: &a [lol]\n" + "".join(
    f"{y}: &{y} [{', '.join([f'*{x}'] * 10)}]\n" for x, y in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of configuration files, and another to work in, where nothing may appear."""
    folder, work = tmp_path / "mine", tmp_path / "work"
    folder.mkdir()
    work.mkdir()
    monkeypatch.chdir(work)
    return folder


def put(folder: Path, name: str, text: str) -> None:
    """Write a configuration file."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


def refused(folder: Path, *arguments: str, way: str = "--config-dir") -> str:
    """See that a command with these files is refused at once, and calls nothing; return what it said."""
    begun = time.process_time()
    ended = call("sweep", f"{way}={folder}", *arguments)
    assert ended.status == 2, ended.err
    assert 1 <= len(ended.err.splitlines()) <= 3
    assert "Traceback" not in ended.err
    assert list(Path().iterdir()) == [], "nothing was called, nothing is written"
    assert time.process_time() - begun < 10
    return ended.err


CALLS = {
    "experiment/x.yaml": f"# @package _global_\nhydra:\n  callbacks:\n    x: {MKDIR}\n",
    "model/x.yaml": f"# @package hydra.callbacks\nx: {MKDIR}\n",
    "task/x.yaml": "defaults: [local]\nname: {_target_: os.mkdir}\n",
    "search/x.yaml": "# @package hydra.job_logging\nhandlers:\n  x: {(): os.mkdir, path: called}\n",
    "train/x.yaml": "defaults: [paper]\nname: '${oc.decode:\"{_target_: os.mkdir}\"}'\n",
    "launch/x.yaml": "# @package _global_\nhydra: {job: {env_set: {LD_PRELOAD: x.so}}}\n",
    "projection/x.yaml": "# @package _global_\nhydra: {searchpath: [file:///tmp]}\n",
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("way", ["--config-dir", "--config-d", "INTDIM_CONFIG_PATH"])
def test_no_file_calls_anything(mine: Path, name: str, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(mine, name, CALLS[name])
    choice = f"{Path(name).parent}=x"
    if way == "INTDIM_CONFIG_PATH":
        monkeypatch.setenv(way, str(mine))
        err = refused(Path(__file__).parent, choice)
    elif way == "--config-dir" or not choice.startswith("experiment"):  # experiments are looked up by the whole flag
        err = refused(mine, choice, way=way)
    else:
        return
    assert str(mine) in err
    assert any(words in err for words in ("names a callable", "cannot be set", "would set"))


def test_what_files_become_together_is_looked_at(mine: Path) -> None:
    put(mine, "experiment/x.yaml", "# @package _global_\ndefaults:\n  - /model@hydra.callbacks: y\n")
    put(mine, "model/y.yaml", "x: ${oc.decode:${word}}\nword: '{_targ'\n")
    assert "hydra.callbacks is set" in refused(mine, "experiment=x")


@pytest.mark.parametrize("group", ["launcher", "sweeper"])
def test_a_launcher_is_an_installed_one(mine: Path, group: str) -> None:
    put(mine, f"hydra/{group}/x.yaml", "_target_: os.mkdir\npath: called\n")
    assert "_target_ names a callable" in refused(mine, "-m", f"hydra/{group}=x", "seed=1,2")
    put(mine, "hydra/callbacks/x.yaml", f"x: {MKDIR}\n")
    put(mine, "experiment/x.yaml", "# @package _global_\ndefaults:\n  - override /hydra/callbacks: x\n")
    refused(mine, "experiment=x")
    put(
        mine,
        "experiment/y.yaml",
        "# @package _global_\nhydra: {launcher: {x: '${oc.decode:\"{_target_: os.mkdir}\"}'}}\n",
    )
    refused(mine, "-m", "experiment=y", "seed=1,2")


def test_a_name_does_not_lead_out_of_its_folder(mine: Path, tmp_path: Path) -> None:
    put(tmp_path, "elsewhere.yaml", f"hydra:\n  callbacks: {{x: {MKDIR}}}\n")
    put(
        mine,
        "experiment/x.yaml",
        "# @package _global_\ndefaults:\n  - /../../../../../../../../../../../../../.." + f"{tmp_path}/elsewhere\n",
    )
    refused(mine, "experiment=x")


@pytest.mark.parametrize(
    "typed",
    [
        f"hydra.callbacks={{x: {MKDIR}}}",
        f"hydra.callbacks.x={MKDIR}",
        "hydra.callbacks.x._target_=os.mkdir",
        "hydra.launcher._target_=os.mkdir",
        "hydra.sweeper._target_=os.mkdir",
        f"hydra.sweeper.params={MKDIR}",
        "hydra.job_logging={handlers: {x: {class: os.mkdir}}}",
        "hydra.hydra_logging={version: 1}",
        "hydra.job.env_set={LD_PRELOAD: x.so}",
        "hydra.job.env_copy=[HOME]",
        "hydra.searchpath=[file:///tmp]",
        "hydra/callbacks=x",
        f"model.overrides={MKDIR}",
    ],
)
def test_nothing_typed_calls_anything(mine: Path, typed: str) -> None:
    refused(mine, typed)
    refused(mine, "-m", "seed=1,2", typed)


def test_settings_of_launchers_and_places_may_be_set(mine: Path) -> None:
    put(mine, "experiment/x.yaml", "# @package _global_\nhydra:\n  sweep: {subdir: there}\n  job: {name: mine}\n")
    (cfg,) = composed(f"--config-dir={mine}", "experiment=x", "hydra.job.chdir=false", "hydra.verbose=false")
    assert cfg.seed == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LAUGHS, "more than 20,000 values"),
        ("a: &a [1]\nb: {<<: &m {x: 1}, y: [*a, *a]}\nc: &c [*c]\n", "stands inside what it stands for"),
        ("a: " + "[" * 5000 + "]" * 5000, "nested more than 40 deep"),
        ("a: [" + "1, " * 60_000 + "1]", "more than 20,000 values"),
        ("a: " + "x" * (1 << 18), "cannot be read"),
        ("a: [1, 2", "x.yaml, line"),
        ("a: \x07\n", "x.yaml"),
        ("train: {max_steps: 0x" + "f" * 5000 + "}\n", "digits"),
        ("- a\n- b\n", "holds no keys"),
        ("5", "holds no keys"),
        ("\x00", ""),
    ],
)
def test_a_file_that_is_none_ends_at_once(mine: Path, text: str, words: str) -> None:
    put(mine, "experiment/x.yaml", f"# @package _global_\n{text}")
    assert words in refused(mine, "experiment=x")
    assert words in refused(mine, "-m", "experiment=x", "seed=1,2")


@pytest.mark.parametrize("group", ["model", "task", "train", "launch"])
def test_a_list_in_place_of_a_group_is_refused(mine: Path, group: str) -> None:
    put(mine, f"{group}/x.yaml", "[1, 2]")
    assert "x.yaml holds no keys" in refused(mine, f"{group}=x")


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "nothing", "bytes"])
def test_what_is_no_file_ends_at_once(mine: Path, kind: str) -> None:
    place = mine / "experiment" / "x.yaml"
    place.parent.mkdir()
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    elif kind == "device":
        place.symlink_to("/dev/zero")
    elif kind == "bytes":
        place.write_bytes(b"# @package _global_\nseed: \xff\xfe\n")
    else:
        place.symlink_to(mine / "nowhere")
    refused(mine, "experiment=x")


def test_sizes_are_those_of_what_aliases_stand_for() -> None:
    assert size_fault("a: &a [1, 2]\nb: [*a, *a]\n") == ""
    assert size_fault(LAUGHS).startswith("more than")


def test_a_file_that_is_read_alone(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("a: {b: 1}\nc: ${a.b}\n")
    assert read_config(file).c == 1
    for text in ("a: [1, 2", "[1, 2]", "a: \x07"):
        file.write_text(text)
        with pytest.raises(UserError, match=r"x\.yaml"):
            read_config(file)
