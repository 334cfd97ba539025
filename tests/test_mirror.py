"""Every module of the package has a test file of its own at the same place under ``tests``, or a reason not to."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "intdim"

# module -> the file that tests it instead, and why it has none of its own
ELSEWHERE = {
    "__main__.py": ("test_durability.py", "one call, which is run there as `python -m intdim`"),
    "kernels/blocks_triton.py": ("kernels/test_triton.py", "the kernels are products only when they run together"),
    "kernels/butterflies_gluon.py": ("kernels/test_blocks_gluon.py", "what the kernels there are made of"),
    "kernels/dense_triton.py": ("kernels/test_triton.py", "likewise"),
    "kernels/flow_triton.py": ("kernels/test_triton.py", "likewise"),
    "kernels/rounding_triton.py": ("kernels/test_triton.py", "likewise"),
    "kernels/streams_triton.py": ("kernels/test_triton.py", "likewise"),
    "cli/callables.py": ("cli/test_config_files.py", "what configuration files may not name"),
    "cli/keywords.py": ("cli/test_door.py", "keywords are tested through the functions that take them"),
    "cli/lines.py": ("cli/test_view.py", "the lines of the live view"),
    "cli/typed.py": ("cli/test_bad_input.py", "words of the command line that are refused"),
    "cli/overrides.py": ("cli/test_compose.py", "what is typed is tested as it is composed"),
    "cli/search_path.py": ("cli/test_compose.py", "likewise"),
    "cli/answers.py": ("cli/test_list.py", "what a line says of a verdict or a run"),
    "cli/conf_folder.py": ("cli/test_compose.py", "every composition starts there"),
    "cli/sources.py": ("cli/test_show.py", "the sources of numbers are what it shows"),
    "ledger/glance.py": ("ledger/test_overview.py", "how an overview reads"),
    "ledger/layout.py": ("ledger/test_store.py", "part of the ledger, tested through it"),
    "ledger/locks.py": ("ledger/test_store.py", "likewise"),
    "ledger/records.py": ("ledger/test_store.py", "likewise"),
    "ledger/pretrained.py": ("pretrain/test_damage.py", "a pre-training is damaged there in every way"),
    "pretrain/whole.py": ("pretrain/test_damage.py", "likewise"),
    "models/buffers.py": ("run/test_training.py", "what is held still is seen in a training"),
    "models/files.py": ("models/test_load.py", "configuration and tokenizer are loaded with the weights"),
    "models/pooling.py": ("models/test_reference.py", "compared there with transformers alone"),
    "models/weights.py": ("models/test_account.py", "every tensor is accounted for there"),
    "measurement/bar_errors.py": ("measurement/test_record.py", "the errors of the threshold in a verdict"),
    "projections/tensors.py": ("test_tensor_gradients.py", "together with the subspace that uses it"),
    "report/arrows.py": ("report/test_forest.py", "the arrows of that figure"),
    "report/differing.py": ("report/test_summary.py", "what tells rows of that table apart"),
    "report/forest_marks.py": ("report/test_forest.py", "the marks of that figure"),
    "report/forest_rows.py": ("report/test_forest.py", "its rows"),
    "report/latex_table.py": ("report/test_latex.py", "the table there"),
    "report/lengths_panel.py": ("report/test_figures.py", "a panel of a sweep's figure"),
    "report/provenance.py": ("report/test_summary.py", "where the verdicts of that table come from"),
    "report/run_kinds.py": ("report/test_curve.py", "the runs of that figure"),
    "report/spark.py": ("report/test_run_table.py", "the small curves of that table"),
    "run/said.py": ("run/test_execute.py", "what a run's log says"),
    "seals/damage.py": ("ledger/test_damage.py", "a ledger is damaged there in every way"),
    "seals/folders.py": ("ledger/test_damage.py", "likewise"),
    "seals/records.py": ("ledger/test_damage.py", "likewise"),
    "track/entries.py": ("track/test_view.py", "what a tracker receives is what was read"),
    "track/feed.py": ("track/test_view.py", "each thing once, seen from both ends of the process"),
    "track/process.py": ("track/test_view.py", "likewise"),
    "track/sender.py": ("track/test_view.py", "likewise"),
    "tasks/encode.py": ("tasks/test_tokens.py", "texts as tokens"),
    "tasks/folders.py": ("tasks/test_files.py", "folders of files"),
    "tasks/texts.py": ("tasks/test_sources.py", "the checks of text columns"),
    "tasks/whole.py": ("tasks/test_stored.py", "whether a stored task is whole"),
}


def modules(package: Path) -> list[str]:
    """The modules with content of their own; ``__init__.py`` says what a folder gives, and its folder is tested."""
    paths = (path.relative_to(package).as_posix() for path in package.rglob("*.py"))
    return sorted(path for path in paths if not path.endswith("__init__.py"))


def own_file(module: str) -> str:
    folder, _, name = module.rpartition("/")
    return f"{folder}/test_{name}" if folder else f"test_{name}"


def faults(package: Path, tests: Path, elsewhere: dict[str, tuple[str, str]]) -> list[str]:
    """What stands between the two trees and being mirrors of each other, one line each."""
    found, there = [], modules(package)
    for module in there:
        if module not in elsewhere and not (tests / own_file(module)).is_file():
            found.append(f"{module} has no {own_file(module)}")
    for module, (file, _) in elsewhere.items():
        if module not in there:
            found.append(f"{module} is in the table and does not exist")
        elif (tests / own_file(module)).is_file():
            found.append(f"{module} is in the table and has {own_file(module)}")
        elif not (tests / file).is_file():
            found.append(f"{module} is said to be tested by {file}, which does not exist")
    return found


def test_tests_mirror_the_package():
    found = faults(PACKAGE, TESTS, ELSEWHERE)
    assert not found, "\n".join(found)


def test_each_fault_is_found(tmp_path):
    package, tests = tmp_path / "package", tmp_path / "tests"
    for folder in (package / "part", tests / "part"):
        folder.mkdir(parents=True)
    for name in ("__init__.py", "top.py", "part/__init__.py", "part/one.py", "part/two.py"):
        (package / name).touch()
    for name in ("test_top.py", "part/test_one.py"):
        (tests / name).touch()

    missing = faults(package, tests, {})
    assert missing == ["part/two.py has no part/test_two.py"]
    assert faults(package, tests, {"part/two.py": ("part/test_one.py", "")}) == []
    for entry, fault in (
        ({"part/one.py": ("part/test_one.py", "")}, "part/one.py is in the table and has part/test_one.py"),
        ({"part/gone.py": ("part/test_one.py", "")}, "part/gone.py is in the table and does not exist"),
    ):
        assert faults(package, tests, entry) == [*missing, fault]
    assert faults(package, tests, {"part/two.py": ("part/none.py", "")}) == [
        "part/two.py is said to be tested by part/none.py, which does not exist"
    ]
