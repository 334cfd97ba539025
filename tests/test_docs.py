"""What the documents say exists: commands, links, files, keys, fields, layers; figures are those of the results."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
import types
import typing
from pathlib import Path
from typing import Any

import pytest
import yaml

from intdim import __version__
from intdim.cli.main import COMMANDS
from intdim.cli.overrides import choices, dotted, known_keys
from intdim.cli.words import answer
from intdim.ledger.certificate import Certificate
from intdim.ledger.results import RunResult
from intdim.ledger.verdict import Curve, Point, SecondVerdict, Verdict, read_points
from intdim.spec import STATUSES, DataFacts, from_dict, to_dict
from tests.cli.command import call
from tests.documented import DOCUMENTS, ROOT, all_commands, words

TEXT = {path: path.read_text(encoding="utf-8") for path in DOCUMENTS}
README, CONTRIBUTING = TEXT[ROOT / "README.md"], TEXT[ROOT / "CONTRIBUTING.md"]
KEYS, FILES, MEASURING = (TEXT[ROOT / "docs" / f"{name}.md"] for name in ("keys", "files", "measuring"))
SUBJECTS = (
    *("data", "measuring", "keys", "files", "python", "certificates", "seeing", "report", "trackers"),
    *("releasing", "cluster"),
    *("miniature", "pretraining", "performance", "reliability", "not-proven"),
)


def section(text: str, heading: str) -> str:
    """Return what stands under a heading of the second level."""
    found = text.partition(f"\n## {heading}")[2]
    assert found, f"no section {heading!r}"
    return found.partition("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """Return the cells of every table row, without heads and rules."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return [row for row in cells if not set("".join(row)) <= set("-| ")]


def named(cell: str) -> list[str]:
    """Return the words in backticks."""
    return re.findall(r"`([^`]+)`", cell)


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


# -- shape -------------------------------------------------------------------------------------------------------------


def test_the_readme_is_short_and_every_subject_has_its_document() -> None:
    assert len(README.split()) <= 2000
    assert sorted(path.stem for path in (ROOT / "docs").glob("*.md")) == sorted(SUBJECTS)
    for name in SUBJECTS:
        assert f"(docs/{name}.md)" in README
        assert 60 <= len(TEXT[ROOT / "docs" / f"{name}.md"].splitlines()) <= 250, name


def test_the_readme_shows_a_real_verdict() -> None:
    shown = section(README, "A verdict")
    assert "d90" in "".join(re.findall(r"^```.*?^```", shown, flags=re.DOTALL | re.MULTILINE)), "the output is missing"
    assert re.search(r"!\[[^\]]+\]\([^)]+\.(png|svg)\)", shown), "the picture is missing"


def test_the_verdict_that_is_shown_is_a_verdict_of_this_version() -> None:
    kept = json.loads((ROOT / "scripts" / "results" / "default-verdict.json").read_text(encoding="utf-8"))
    since = {one.name: one.default_factory() for one in dataclasses.fields(Verdict) if callable(one.default_factory)}
    later = {name: to_dict(value) if dataclasses.is_dataclass(value) else value for name, value in since.items()}
    verdict = from_dict(Verdict, later | kept)
    assert f": {answer(verdict, (verdict.d_min, verdict.d_max))}\n{verdict.message}\n" in section(README, "A verdict")
    points = read_points((ROOT / "scripts" / "results" / "default-points.csv").read_text(encoding="utf-8"))
    assert sorted(run_id for point in points for run_id in point.run_ids.split()) == sorted(verdict.run_ids)


def slugs(text: str) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_exists(path: Path) -> None:
    text = re.sub(r"^```.*?^```", "", TEXT[path], flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"!?\[[^\]]*\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        there = path.parent / file if file else path
        assert there.exists(), f"{path.name} links to {target}"
        if anchor:
            assert anchor in slugs(there.read_text(encoding="utf-8")), f"{path.name} links to {target}"


# -- figures -----------------------------------------------------------------------------------------------------------


def tables() -> Any:
    """Load scripts/make_tables.py."""
    file = ROOT / "scripts" / "make_tables.py"
    spec = importlib.util.spec_from_file_location("make_tables", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(file.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(file.parent))
    return module


def test_figures_in_documents_are_those_of_the_results() -> None:
    done = run("scripts/make_tables.py", "--check")
    assert done.returncode == 0, done.stdout + done.stderr + "Run python scripts/make_tables.py."


def test_a_figure_that_was_changed_by_hand_is_found() -> None:
    made = tables()
    text = TEXT[ROOT / "docs" / "measuring.md"]
    assert made.filled(text) == text
    assert made.filled(text.replace("× 1.044", "× 1.000")) == text
    with pytest.raises(KeyError):
        made.filled("<!-- table: no-such-block -->\n<!-- end -->")


def test_every_marker_is_read_by_the_script() -> None:
    made = tables()
    for path, text in TEXT.items():
        begun, ended = (re.findall(rf"^<!-- {word}.* -->$", text, flags=re.MULTILINE) for word in ("table:", "end"))
        assert len(begun) == len(made.BLOCK.findall(text)) == len(ended), path
        assert not begun or path in made.documents(), path


def test_every_script_and_every_result_is_described() -> None:
    described = TEXT[ROOT / "scripts" / "README.md"]
    scripts = {path.name for path in (ROOT / "scripts").glob("*.py")}
    assert set(re.findall(r"^## (\w+\.py)", described, flags=re.MULTILINE)) == scripts
    listed = {named(row[0])[0] if named(row[0]) else row[0][1:].partition("]")[0] for row in rows(described)}
    assert scripts <= listed
    for path in (ROOT / "scripts" / "results").iterdir():
        assert path.name in described, f"{path.name} is described nowhere"


# -- commands and keys -------------------------------------------------------------------------------------------------


def test_help_names_the_documented_commands_and_no_other() -> None:
    documented = {named(row[0])[0].partition(" ")[2] for row in rows(section(README, "The commands"))[1:]}
    assert documented == set(COMMANDS)
    done = run("-m", "intdim.cli.main", "--help")
    assert done.returncode == 0, done.stderr
    listed = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ") and line.split()}
    assert documented <= listed
    files = {path.stem for path in (ROOT / "intdim" / "cli").glob("*.py")}
    assert documented <= files, "one file per command"


def test_every_choice_of_a_group_in_a_shell_block_exists() -> None:
    groups = {path.name for path in (ROOT / "conf").iterdir() if path.is_dir()}
    checked = 0
    for command in all_commands():
        for word in words(command)[2:]:
            key, sign, value = word.partition("=")
            if sign and key in groups:
                for choice in value.split(","):
                    assert choice in choices(key), word
                    checked += 1
    assert checked > 20


def test_every_choice_in_the_tables_of_keys_exists() -> None:
    checked = 0
    for row in rows(KEYS):
        words_here = named(" ".join(row[:2]))
        group = words_here[0].partition("=")[0] if words_here else ""
        if group in ("projection", "subspace", "search", "launch") and "=" in words_here[0]:
            said = [words_here[0].partition("=")[2], *words_here[1:]]
            offered = {choice for choice in said if choice and re.fullmatch(r"\w+", choice)}
            known = set(choices(group))
            assert offered <= known | {"intdim", "train"}, row
            assert known <= offered, row
            checked += 1
    assert checked == 4
    presets = {named(row[0])[0].partition("=")[2] for row in rows(section(KEYS, "Presets"))[1:]}
    assert {name for name in choices("experiment") if "figure" not in name} <= presets
    for named_group in ("model", "task"):
        paragraph = KEYS.partition(f"### {named_group}=")[2].partition("\n|")[0]
        offered = {name for name in named(paragraph) if name != f"conf/{named_group}"}
        assert offered <= set(choices(named_group)), offered


def test_the_tables_of_keys_are_true() -> None:
    known = set().union(*(known_keys(command) for command in COMMANDS)) | {"model.overrides.OPTION", "hydra/launcher"}
    known |= {"model.overrides.num_hidden_layers", "trajectory", "HF_HUB_OFFLINE", "INTDIM_DEBUG", "INTDIM_NATIVE"}
    said = set(re.findall(r"`([\w./]+)=[^`]*`", KEYS))
    assert said <= known


def test_the_error_that_is_shown_is_said() -> None:
    ended = call("sweep", "serach.d_min=8")
    assert (ended.status, ended.out) == (2, "")
    assert f"```text\n{ended.err.strip()}\n```" in TEXT[ROOT / "docs" / "reliability.md"]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_tables_of_keys_have_every_key(command: str) -> None:
    ended = call(command, "--cfg", "job")
    assert ended.status == 0, ended.err
    keys = set(dotted(yaml.safe_load(ended.out)))
    said = set(re.findall(r"`([\w.]+)=[^`]*`", KEYS))
    groups = {key.partition(".")[0] for key in keys if "." in key}
    assert not keys - said - groups, "missing in docs/keys.md"


# -- fields ------------------------------------------------------------------------------------------------------------

WORDS = {str: "text", int: "integer", float: "number", bool: "true or false", types.NoneType: "null"}


def in_words(kind: Any) -> str:
    """Return how the tables of fields call a type."""
    if kind in WORDS:
        return WORDS[kind]
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(in_words(part) for part in parts)
    if origin in (list, tuple):
        return "list of text" if parts[0] is str else "list of numbers"
    return "table"


def fields_of(kind: type) -> dict[str, str]:
    hints = typing.get_type_hints(kind)
    return {field.name: in_words(hints[field.name]) for field in dataclasses.fields(kind)}


RECORDS = [
    (FILES, "## result.json", RunResult),
    (FILES, "## verdict.json", Verdict),
    (FILES, "The table `data` has these fields (in Python: `intdim.spec.DataFacts`):", DataFacts),
    (FILES, "## points.csv", Point),
    (TEXT[ROOT / "docs" / "certificates.md"], "### certificate.json", Certificate),
]


@pytest.mark.parametrize(("text", "heading", "kind"), RECORDS, ids=[kind.__name__ for _, _, kind in RECORDS])
def test_the_tables_of_fields_are_complete_and_true(text: str, heading: str, kind: type) -> None:
    first = re.search(r"(?:^\|.*\n)+", text.partition(f"\n{heading}\n")[2], flags=re.MULTILINE)
    assert first is not None
    table = rows(first.group())[1:]
    assert all(len(row) == 4 and row[3] for row in table), "field, type, unit, meaning"
    said = {name: row[1] for row in table for name in named(row[0])}
    assert said == fields_of(kind)
    assert list(said) == list(fields_of(kind)), "in the order of the file"


def test_the_second_verdict_and_the_curve_are_described() -> None:
    last = section(FILES, "verdict.json").strip().rpartition("\n\n")[2]
    assert named(last)[1:] == list(fields_of(SecondVerdict)), "after `other`"
    same = fields_of(Verdict)
    assert all(same[name] == kind for name, kind in fields_of(SecondVerdict).items())
    described = next(row[3] for row in rows(section(FILES, "verdict.json")) if row[0] == "`curve`")
    assert named(described) == list(fields_of(Curve))


def test_every_status_is_explained() -> None:
    assert tuple(named(row[0])[0] for row in rows(section(MEASURING, "Status words"))[1:]) == STATUSES
    assert all(f"`{status}`" in README for status in STATUSES)


# -- layers and files --------------------------------------------------------------------------------------------------


def layers() -> list[list[str]]:
    """Return the import layers that are checked, the highest first."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = project["tool"]["importlinter"]["contracts"][0]["layers"]
    return [sorted(name.strip().removeprefix("intdim.") for name in layer.split("|")) for layer in contract]


def test_the_layers_are_those_that_are_checked() -> None:
    table = [row for row in rows(section(CONTRIBUTING, "Layers")) if row[0].isdigit()]
    said: dict[int, list[str]] = {}
    for number, where, _ in table:
        said.setdefault(int(number), []).append(Path(named(where)[0]).stem)
    assert list(said) == list(range(len(layers()) - 1, -1, -1))
    assert [sorted(names) for names in said.values()] == layers()


def test_every_module_is_on_a_layer() -> None:
    names = [name for layer in layers() for name in layer]
    files = {Path(name).parts[1] for name in tracked() if name.startswith("intdim/") and name.endswith(".py")}
    assert sorted(names) == sorted(name.removesuffix(".py") for name in files if not name.startswith("__"))


def test_the_tables_of_files_are_complete_and_true() -> None:
    table = section(CONTRIBUTING, "Layers")
    named_files = [
        name for row in rows(table)[1:] for name in named(row[1] if row[0].isdigit() else row[0]) if row[0] != "where"
    ]
    assert len(named_files) == len(set(named_files))
    for name in named_files:
        assert (ROOT / name).exists(), f"{name} is in the table and not in the repository"
    missing = [
        name
        for name in tracked()
        if not name.startswith(".")
        and not any(name == entry or (entry.endswith("/") and name.startswith(entry)) for entry in named_files)
    ]
    assert not missing, f"not in CONTRIBUTING's tables: {missing}"


def test_what_to_touch_is_little_and_exists() -> None:
    for row in rows(section(CONTRIBUTING, "Adding things"))[1:7]:
        python = [name for name in named(row[1]) if name.endswith(".py")]
        assert len(python) <= 3, row
        assert len(named(row[2])) <= 1, row
        for name in [*python, *named(row[2]), *named(row[3])]:
            there = ROOT / name.replace("<name>", "x")
            assert there.exists() or ("<name>" in name and there.parent.is_dir()), name


def test_versions_agree() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f"\nversion: {__version__}\n" in citation
    assert f'\nversion = "{__version__}"\n' in project
    assert f"## {__version__}" in TEXT[ROOT / "CHANGELOG.md"]
