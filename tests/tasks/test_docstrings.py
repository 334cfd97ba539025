"""The built-in tasks: rows, balance, what is masked, what made them, and that no text is where it must not be."""

from __future__ import annotations

import importlib.util
import json
import re
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest

from intdim.pretrain import docstrings as corpus
from intdim.pretrain.held_out import SHOWN, WORDS, kind_masked, normal, summary_of
from intdim.pretrain.texts import docstring_corpus
from intdim.tasks import docstrings

ROOT = Path(__file__).parents[2]
FILES = [(name, split) for name in docstrings.NAMES for split in docstrings.SPLITS]


def script() -> ModuleType:
    """The script that makes the rows."""
    place = importlib.util.spec_from_file_location("make_tasks", ROOT / "scripts" / "make_tasks.py")
    assert place is not None
    assert place.loader is not None
    made = importlib.util.module_from_spec(place)
    place.loader.exec_module(made)
    return made


make_tasks = script()
RECORDED = json.loads((docstrings.FOLDER / "versions.json").read_text(encoding="utf-8"))
same_versions = pytest.mark.skipif(
    make_tasks.versions() != RECORDED, reason="the rows were made from other versions of Python or of the packages"
)


@pytest.fixture(scope="module")
def tables() -> dict[str, dict[str, pd.DataFrame]]:
    return {name: docstrings.load(name) for name in docstrings.NAMES}


@pytest.fixture(scope="module")
def pretrained() -> list[str]:
    return docstring_corpus().texts


@pytest.mark.parametrize(
    ("name", "train", "validation", "classes"),
    [
        ("docstrings-package", 5766, 1848, ("stdlib", "numpy", "pandas", "matplotlib", "torch")),
        ("docstrings-pair", 5942, 2162, ("mismatched", "matching")),
        ("docstrings-kind", 3142, 1254, ("function", "class")),
    ],
)
def test_sizes_and_balance(
    name: str,
    train: int,
    validation: int,
    classes: tuple[str, ...],
    tables: dict[str, dict[str, pd.DataFrame]],
) -> None:
    assert docstrings.label_names(name) == classes
    assert {split: len(rows) for split, rows in tables[name].items()} == {"train": train, "validation": validation}
    for rows in tables[name].values():
        assert set(rows["label"]) == set(range(len(classes)))
        largest = rows["label"].value_counts(normalize=True).max()
        assert largest < 0.3 if len(classes) == 5 else largest == 0.5
        assert not rows.isna().any().any()


@pytest.mark.parametrize("name", docstrings.NAMES)
def test_the_same_rows_each_time(name: str, tables: dict[str, dict[str, pd.DataFrame]]) -> None:
    for split, rows in docstrings.load(name).items():
        pd.testing.assert_frame_equal(rows, tables[name][split])


# -- the files ---------------------------------------------------------------------------------------------------------


def test_the_files_are_small_whole_and_say_where_they_are_from() -> None:
    files = [file for file in docstrings.FOLDER.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= 3_000_000
    assert {(file.parent.name, file.stem) for file in files if file.suffix == ".parquet"} == set(FILES)
    assert set(RECORDED) == {"python", *corpus.PACKAGES} - {"stdlib"}
    licences = {file.stem: file.read_text(encoding="utf-8") for file in (docstrings.FOLDER / "licences").iterdir()}
    assert set(licences) == set(corpus.PACKAGES)
    assert all("copyright" in text.lower() for text in licences.values())


def test_the_readme_is_the_script_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_tasks, "versions", lambda: RECORDED)
    counts = {name: {split: len(rows) for split, rows in docstrings.load(name).items()} for name in docstrings.NAMES}
    said = (docstrings.FOLDER / "README.md").read_text(encoding="utf-8")
    assert said == make_tasks.readme(docstrings.FOLDER, counts)
    assert all(version in said for version in RECORDED.values())


@pytest.mark.parametrize(("name", "split"), FILES)
def test_a_file_holds_the_rows_and_the_names_of_the_classes(name: str, split: str) -> None:
    stored = pyarrow.parquet.read_table(docstrings.FOLDER / name / f"{split}.parquet")
    assert stored.equals(make_tasks.table(docstrings.load(name)[split], name), check_metadata=True)
    assert stored.schema.field("label").type == pyarrow.int64()
    assert make_tasks.parquet(stored) == make_tasks.parquet(stored)


@same_versions
@pytest.mark.parametrize("name", docstrings.NAMES)
def test_the_script_makes_the_shipped_rows(name: str, tables: dict[str, dict[str, pd.DataFrame]]) -> None:
    made = make_tasks.make(name)
    assert list(made) == list(docstrings.SPLITS)
    for split, rows in made.items():
        pd.testing.assert_frame_equal(rows, tables[name][split])


@pytest.mark.parametrize("name", docstrings.NAMES)
def test_any_versions_give_rows_of_this_kind(name: str) -> None:
    for rows in make_tasks.make(name).values():
        assert set(rows["label"]) == set(range(len(make_tasks.LABEL_NAMES[name])))
        shown = rows[SHOWN[name][0]]
        assert shown.is_unique
        assert len(rows) > 1000


def test_a_docstring_that_begins_with_its_own_name_tells_too_much() -> None:
    def made(text: str) -> corpus.Docstring:
        return corpus.Docstring("numpy", "numpy.made", "Box.area", "function", "area(self)", text)

    assert make_tasks.names_itself(made("area(self) -> float: the area of it"))
    assert make_tasks.names_itself(made("Box.area gives the area"))
    assert make_tasks.names_itself(made("An area."))
    assert not make_tasks.names_itself(made("Return the area of it"))


# -- the rows ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", docstrings.NAMES)
def test_no_text_stands_in_two_parts(
    name: str, tables: dict[str, dict[str, pd.DataFrame]], pretrained: list[str]
) -> None:
    column, shown = SHOWN[name]
    train, validation = (list(map(normal, tables[name][split][column])) for split in ("train", "validation"))
    assert not set(train) & set(validation)
    assert not {normal(shown(text)) for text in pretrained} & {*train, *validation}
    assert len(set(validation)) == len(validation)
    assert len(set(train)) == len(train)


def test_the_names_of_packages_are_masked(tables: dict[str, dict[str, pd.DataFrame]]) -> None:
    told = re.compile(r"\b(torch|pytorch|numpy|np|pandas|pd|matplotlib|mpl|plt|pyplot|python)\b", re.IGNORECASE)
    for rows in tables["docstrings-package"].values():
        assert not [text for text in rows["text"] if told.search(text) or ">>>" in text]
        assert rows["text"].str.split().str.len().max() <= WORDS


def test_the_kind_is_not_named(tables: dict[str, dict[str, pd.DataFrame]]) -> None:
    told = re.compile(r"\b(class|classes|subclass|function|functions|method|methods)\b", re.IGNORECASE)
    for rows in tables["docstrings-kind"].values():
        assert not [text for text in rows["text"] if told.search(text) or ">>>" in text]


@same_versions
def test_the_kind_is_not_told_by_the_package(tables: dict[str, dict[str, pd.DataFrame]]) -> None:
    package_of = {kind_masked(one.text): one.package for one in corpus.docstrings()}
    for rows in tables["docstrings-kind"].values():
        counts = pd.crosstab(rows["text"].map(package_of), rows["label"])
        # the same text may stand in two packages, so the counts of a package may differ by a few
        assert (counts[0] - counts[1]).abs().max() <= 3


@same_versions
def test_a_mismatched_pair_is_two_true_halves_of_one_package(tables: dict[str, dict[str, pd.DataFrame]]) -> None:
    of_summary: dict[str, set[str]] = {}
    of_signature: dict[str, set[str]] = {}
    matches: dict[str, set[str]] = {}
    for one in corpus.docstrings():
        signature = make_tasks.shown_signature(one)
        of_summary.setdefault(summary_of(one.text), set()).add(one.package)
        of_signature.setdefault(signature, set()).add(one.package)
        matches.setdefault(summary_of(one.text), set()).add(signature)
    for rows in tables["docstrings-pair"].values():
        for row in rows.itertuples():
            assert of_summary[row.summary] & of_signature[row.signature]
            if row.label == 1:
                assert row.signature in matches[row.summary]


def test_neither_half_of_a_pair_gives_the_answer_away(tables: dict[str, dict[str, pd.DataFrame]]) -> None:
    # Lengths alike on both sides: the mean may differ by five standard errors at most.
    train = tables["docstrings-pair"]["train"]
    for column in ("summary", "signature"):
        lengths = train[column].str.split().str.len()
        groups = [lengths[train["label"] == label].to_numpy(float) for label in (0, 1)]
        error = np.sqrt(sum(group.var() / len(group) for group in groups))
        assert abs(groups[0].mean() - groups[1].mean()) < 5 * error


def test_words_alone_beat_the_majority_on_packages(tables: dict[str, dict[str, pd.DataFrame]]) -> None:
    # A task that words cannot tell anything about would measure nothing; one that they solve would be a giveaway.
    train, validation = tables["docstrings-package"]["train"], tables["docstrings-package"]["validation"]
    labels = train["label"].to_numpy()
    counts = [Counter() for _ in docstrings.label_names("docstrings-package")]
    for text, label in zip(train["text"], labels, strict=True):
        counts[label].update(set(normal(text).split()))
    sizes = np.bincount(labels)
    scores = []
    for text in validation["text"]:
        words = set(normal(text).split())
        scores.append(
            [sum(np.log((c[w] + 0.5) / (n + 1)) for w in words) + np.log(n) for c, n in zip(counts, sizes, strict=True)]
        )
    accuracy = (np.argmax(scores, axis=1) == validation["label"].to_numpy()).mean()
    assert 0.45 < accuracy < 0.85
