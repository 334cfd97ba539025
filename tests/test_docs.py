"""What the documents say exists: commands, make targets, links, files, keys, statuses; and the Python in them runs."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from intdim import __version__
from intdim.cli.overrides import known_keys
from intdim.spec import STATUSES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted(
    path
    for path in [*ROOT.glob("*.md"), *(ROOT / "intdim").rglob("*.md"), *(ROOT / "scripts").rglob("*.md")]
    if ".venv" not in path.parts
)


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def shell_lines(text: str) -> list[list[str]]:
    lines = [line for block in blocks(text, "sh") for line in block.replace("\\\n", " ").splitlines()]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def documented_commands() -> set[str]:
    return set(re.findall(r"^\| `intdim (\w+)`", README, flags=re.MULTILINE))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=environment, cwd=ROOT, check=False
    )


def tracked() -> list[str]:
    """Files under version control, or all files where there is none (an unpacked archive)."""
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 0 and done.stdout:
        return [name for name in done.stdout.splitlines() if (ROOT / name).exists()]
    return [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file() and ".venv" not in path.parts]


def test_help_names_the_documented_commands_and_no_other() -> None:
    done = run("-m", "intdim.cli.main", "--help")
    assert done.returncode == 0, done.stderr
    listed = {words[0] for line in done.stdout.splitlines() if (words := line.split()) and line.startswith("  ")}
    assert documented_commands() <= listed
    files = {path.stem for path in (ROOT / "intdim" / "cli").glob("*.py")}
    assert documented_commands() <= files, "one file per command"


@pytest.mark.parametrize("command", sorted(documented_commands()))
def test_every_documented_command_has_help(command: str) -> None:
    done = run("-m", "intdim.cli.main", command, "--help")
    assert done.returncode == 0, done.stderr
    assert command in done.stdout


def test_every_command_in_a_shell_block_exists() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    seen = set()
    for path in DOCUMENTS:
        for words in shell_lines(path.read_text(encoding="utf-8")):
            while "=" in words[0]:  # an environment variable before the command
                words = words[1:]
            if words[0] == "make":
                assert set(words[1:]) <= targets, f"{path.name}: {' '.join(words)}"
            if words[0] == "intdim":
                assert words[1] in documented_commands(), f"{path.name}: {' '.join(words)}"
                seen.add(words[1])
    assert {"sweep", "report", "fetch"} <= seen


def test_every_choice_of_a_group_in_a_shell_block_exists() -> None:
    groups = {path.name for path in (ROOT / "conf").iterdir() if path.is_dir()}
    checked = 0
    for words in shell_lines(README):
        for word in words[2:]:
            key, sign, value = word.partition("=")
            if sign and key in groups:
                for choice in value.split(","):
                    assert (ROOT / "conf" / key / f"{choice}.yaml").exists(), word
                    checked += 1
    assert checked > 8


def test_every_group_choice_in_the_table_of_keys_exists() -> None:
    rows = re.findall(r"^\| `(\w+)=(\w*)`?(.*)\|", README, flags=re.MULTILINE)
    checked = 0
    for key, first, rest in rows:
        folder = ROOT / "conf" / key
        if folder.is_dir():
            named = [first] if first else []
            named += [word for word in re.findall(r"`([\w.-]+)`", rest) if "/" not in word]
            for choice in named:
                assert (folder / f"{choice}.yaml").exists(), f"{key}={choice}"
                checked += 1
    assert checked > 12


SET_BY_FILES = {  # what choosing a file of a group decides, and what no user sets
    *("launch.name", "model.source", "projection.name", "search.name", "subspace.method", "task.source"),
    *("task.version", "model.overrides"),  # model.overrides.OPTION is what one types
}


def test_the_table_of_keys_is_complete_and_true() -> None:
    section = README.partition("## Keys")[2].partition("\n## ")[0]
    named = set(re.findall(r"`([\w.]+)=[^`]*`", section))
    commands = documented_commands()
    assert named - {"model.overrides.OPTION"} <= set().union(*(known_keys(command) for command in commands))
    for command in commands - {"pretrain"}:
        missing = known_keys(command) - named - SET_BY_FILES
        assert not {key for key in missing if not key.startswith("hydra")}, command
    assert "conf/pretrain.yaml" in section


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_exists(path: Path) -> None:
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"!?\[[^\]]*\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target) and not target.startswith("#"):
            assert (path.parent / target.partition("#")[0]).exists(), f"{path.name} links to {target}"


def test_the_file_table_is_complete_and_true() -> None:
    table = README.partition("## What is in the repository")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])]
    assert len(named) == len(set(named))
    for name in named:
        assert (ROOT / name).exists(), f"{name} is in the table and not in the repository"
    missing = []
    for name in tracked():
        if name.startswith(".") or name == "README.md":
            continue
        covered = any(name == entry or (entry.endswith("/") and name.startswith(entry)) for entry in named)
        if not covered:
            missing.append(name)
    assert not missing, f"not in the README's file table: {missing}"


def test_the_floors_are_those_that_are_checked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    rooms = [[name.strip().removeprefix("intdim.") for name in layer.split("|")] for layer in layers]
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| (\d+) \| ([^|]+) \|", text, flags=re.MULTILINE)
    assert [int(floor) for floor, _ in table] == list(range(len(rooms) - 1, -1, -1))
    assert [sorted(re.findall(r"`(\w+)`", names)) for _, names in table] == [sorted(names) for names in rooms]


def test_every_room_is_on_a_floor() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = " | ".join(project["tool"]["importlinter"]["contracts"][0]["layers"])
    floors = [name.strip().removeprefix("intdim.") for name in layers.split("|")]
    files = {Path(name).parts[1] for name in tracked() if name.startswith("intdim/") and name.endswith(".py")}
    assert sorted(floors) == sorted(name.removesuffix(".py") for name in files if not name.startswith("__"))


def test_every_status_is_explained() -> None:
    table = README.partition("## Status words")[2].partition("\n## ")[0]
    assert tuple(re.findall(r"^\| `(\w+)`", table, flags=re.MULTILINE)) == STATUSES


@pytest.mark.parametrize("number", range(len(blocks(README, "python"))))
def test_the_python_of_the_readme_runs(number: int) -> None:
    code = blocks(README, "python")[number]
    ast.parse(code)
    done = run("-c", "import torch; torch.set_num_threads(1)\n" + code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_versions_agree() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f"\nversion: {__version__}\n" in citation
    assert f'\nversion = "{__version__}"\n' in project
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_readme_shows_a_real_verdict() -> None:
    shown = README.partition("## A verdict")[2].partition("\n## ")[0]
    assert "d90" in "".join(re.findall(r"^```.*?^```", shown, flags=re.DOTALL | re.MULTILINE)), "the output is missing"
    assert re.search(r"!\[[^\]]+\]\([^)]+\.(png|svg)\)", shown), "the picture is missing"
