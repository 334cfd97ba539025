"""Every command in a document is tested as ``tests/documented.py`` says; every block of Python runs."""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch

from intdim.cli import compose
from intdim.cli.main import COMMANDS
from intdim.cli.overrides import check, split
from intdim.config import cell_request, runtime_request
from tests import documented, finished_runs
from tests.cells import Simulated
from tests.cli.command import call
from tests.cli.conftest import world as world  # the fixture
from tests.documented import DOCUMENTS, ROOT, words

TEXT = {path: path.read_text(encoding="utf-8") for path in DOCUMENTS}
NOT_RUN = {"intdim/projections/README.md"}  # a sketch of the interface, whose vectors are the reader's
PYTHON = [
    pytest.param(code, id=f"{path.name}-{number}")
    for path in DOCUMENTS
    if str(path.relative_to(ROOT)) not in NOT_RUN
    for number, code in enumerate(documented.blocks(TEXT[path], "python"))
]
QUICK = ("search=bisection", "search.seeds=1", "search.max_runs=6", "search.d_max=65536", "train.step_length=3")
LISTS = (documented.SIMULATED, documented.EXECUTED, documented.COMPOSED, documented.ELSEWHERE, documented.SHELL)


def is_listed(command: str) -> bool:
    return any(command in listed for listed in LISTS) or command.startswith(documented.SCRIPTS)


def test_every_command_of_the_documents_is_listed_and_no_other() -> None:
    found = documented.all_commands()
    assert len(found) > 40
    assert not [command for command in found if not is_listed(command)], "say in tests/documented.py how it is tested"
    listed = {command for several in (*LISTS, documented.SLOW) for command in several}
    assert not listed - set(found), "listed, and in no document"


def test_tests_that_are_named_exist() -> None:
    for place in documented.ELSEWHERE.values():
        file, _, name = place.partition("::")
        assert f"\ndef {name}(" in (ROOT / file).read_text(encoding="utf-8"), place
    for reason in documented.COMPOSED.values():
        for file in re.findall(r"tests/\S+\.py", reason):
            assert (ROOT / file).exists(), file


def test_every_block_says_its_language_and_no_other_block_hides_a_command() -> None:
    for path, text in TEXT.items():
        assert text.count("```") == 2 * len(documented.fences(text)), f"{path}: a fence that cannot be read"
        for language, content in documented.fences(text):
            assert language in ("sh", "python", "text"), f"{path}: a block in {language or 'no language'}"
            if language == "text":
                hidden = re.findall(r"^\s*(?:\$ |intdim |make |python |pip )", content, flags=re.MULTILINE)
                assert not hidden, f"{path}: a command in a text block"


def test_commands_within_sentences_have_keys_that_exist() -> None:
    checked = 0
    for path, text in TEXT.items():
        prose = documented.FENCE.sub("", text)
        for line in re.findall(r"`intdim ([^`]+)`", prose):
            typed = line.split()
            if typed[0] not in COMMANDS:
                assert re.fullmatch(r"[A-Z]+|<command>|-.*", typed[0]), f"{path.name}: intdim {line}"
                continue
            overrides = [word for word in split(typed[1:])[1] if "=" in word and not word.startswith("[")]
            check([word for word in overrides if not word.endswith("...")], typed[0])
            checked += 1
    assert checked > 20


@pytest.mark.parametrize("command", sorted(documented.SIMULATED))
def test_commands_run_with_made_up_runs(command: str, world: Simulated, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = words(command)[1:]
    monkeypatch.setattr("intdim.report.write_curve", lambda out, sweep_id: [])
    # Hydra composes every cell of a grid once to see whether it can, and then once more
    monkeypatch.setattr("hydra.plugins.sweeper.Sweeper.validate_batch_is_legal", lambda self, batch: None)
    quick = QUICK if typed[0] == "sweep" and "search=grid" not in typed else ()
    ended = call(*typed, *quick)
    assert ended.status == 0, ended.err
    assert ended.out.strip()


@pytest.mark.parametrize("command", sorted(documented.COMPOSED))
def test_commands_are_composed_into_typed_requests(command: str, tmp_path: Path) -> None:
    typed = words(command)[1:]
    made: list[Any] = []
    assert compose.cells(typed[0], typed[1:], lambda cfgs: made.extend(cfgs) or 0) == 0
    assert made
    if typed[0] != "pretrain":
        assert [cell_request(cfg) for cfg in made]
        assert runtime_request(made)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return finished_runs.make(tmp_path_factory.mktemp("finished"))


@pytest.mark.parametrize("command", sorted(name for name in documented.EXECUTED if " RUN" in name))
def test_commands_about_a_run_work_on_one(command: str, finished: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("intdim.launch.pool.LocalSlots", lambda *arguments, **named: finished_runs.launcher())
    small = ["finetune_steps=2", "levels=[2]", "codebook=[uniform]"] if " bound " in command else []
    ended = call(*words(command, RUN=finished.spec.run_id)[1:], f"out={finished.out}", *small)
    assert ended.status == 0, ended.err
    assert finished.spec.run_id in ended.out or "confidence" in ended.out


def test_the_doctor_looks() -> None:
    ended = call("doctor", "D=3000", "d=20", "device=cpu")
    assert ended.status == 0, ended.err
    assert "ok (" in ended.out


def parsed(file: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> bool:
    """Load a script and let it parse its arguments; the work does not begin."""

    class Parsed(Exception):
        pass

    parse = argparse.ArgumentParser.parse_args

    def parse_and_leave(self: argparse.ArgumentParser, *given: Any, **named: Any) -> None:
        parse(self, *given, **named)
        raise Parsed

    monkeypatch.setattr(sys, "argv", [str(file), *arguments])
    monkeypatch.setattr(sys, "path", [str(file.parent), *sys.path])
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_leave)
    spec = importlib.util.spec_from_file_location(f"documented_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    with pytest.raises(Parsed):
        module.main()
    return True


@pytest.mark.parametrize("command", [one for one in documented.all_commands() if one.startswith(documented.SCRIPTS)])
def test_scripts_take_the_arguments_that_are_documented(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, name, *arguments = words(command)
    file = ROOT / name
    assert file.exists()
    if "ArgumentParser" in file.read_text(encoding="utf-8"):
        assert parsed(file, arguments, monkeypatch)
    else:
        assert not arguments


def test_what_a_shell_does_exists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for command in documented.SHELL:
        first, *rest = words(command)
        if first == "make":
            done = subprocess.run(["make", "-n", *rest], cwd=ROOT, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            assert any(part in done.stdout for part in ("intdim", "pytest", "scripts/gpu.py"))
        elif (first, rest[-1]) == ("pip", "."):  # test_wheel.py builds one
            assert project["name"] == "intdim"
        elif first == "pip":
            name, extra = re.fullmatch(r"(\w+)\[(\w+)\]", rest[1]).groups()  # type: ignore[union-attr]
            assert (name, extra) == (project["name"], extra)
            assert extra in project["optional-dependencies"]
        else:
            assert (first, rest) == ("source", [".venv/bin/activate"])


@pytest.mark.parametrize("code", PYTHON)
def test_python_blocks_run(
    code: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with torch.random.fork_rng():
        exec(compile(code, "<documented>", "exec"), {"__name__": "documented"})
    assert capsys.readouterr().out.strip()


def reviews(folder: Path) -> None:
    """Write a task whose first word tells the label."""
    folder.mkdir()
    for name, count in (("train", 300), ("validation", 200)):
        finished_runs.rows(count, seed=count).to_csv(folder / f"{name}.csv", index=False)


@pytest.mark.slow
def test_commands_run_for_real(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    for path in documented.DOCUMENTS:
        (tmp_path / "texts" / f"{path.parent.name}-{path.name}").write_text(TEXT[path], encoding="utf-8")
    reviews(tmp_path / "reviews")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    for command, more in documented.SLOW.items():
        added = {word.partition("=")[0]: word for word in more.split()}
        kept = [word for word in words(command)[1:] if word.partition("=")[0] not in added]
        line = [sys.executable, "-m", "intdim", *kept, *added.values()]
        done = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
