"""The built-in tasks: sizes, balance, what is masked, and that no text is where it must not be."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from intdim.pretrain import docstrings as corpus
from intdim.tasks import docstrings

TEXT = {"docstrings-package": "text", "docstrings-pair": "summary", "docstrings-kind": "text"}
VISIBLE = {
    "docstrings-package": docstrings.masked,
    "docstrings-pair": docstrings.summary_of,
    "docstrings-kind": docstrings.kind_masked,
}


@pytest.fixture(scope="module")
def tables() -> dict[str, dict[str, pd.DataFrame]]:
    return {name: docstrings.load(name) for name in docstrings.NAMES}


def normal(text: str) -> str:
    return re.sub(r"\W+", " ", text.lower()).strip()


@pytest.mark.parametrize("name", docstrings.NAMES)
def test_sizes_and_balance(name: str, tables: dict[str, dict[str, pd.DataFrame]]) -> None:
    train, validation = tables[name]["train"], tables[name]["validation"]
    assert 3000 <= len(train) <= 10_000
    assert len(validation) >= 1200
    classes = len(docstrings.label_names(name))
    assert classes == (5 if name == "docstrings-package" else 2)
    for rows in (train, validation):
        assert set(rows["label"]) == set(range(classes))
        largest = rows["label"].value_counts(normalize=True).max()
        assert largest < 0.3 if classes == 5 else largest == 0.5
        assert not rows.isna().any().any()


@pytest.mark.parametrize("name", docstrings.NAMES)
def test_the_same_rows_each_time(name: str, tables: dict[str, dict[str, pd.DataFrame]]) -> None:
    for split, rows in docstrings.load(name).items():
        pd.testing.assert_frame_equal(rows, tables[name][split])


@pytest.mark.parametrize("name", docstrings.NAMES)
def test_no_text_stands_in_two_parts(name: str, tables: dict[str, dict[str, pd.DataFrame]]) -> None:
    visible = VISIBLE[name]
    pretrained = {normal(visible(one.text)) for one in corpus.docstrings() if corpus.part_of(one.module) == "pretrain"}
    train, validation = (list(map(normal, tables[name][split][TEXT[name]])) for split in ("train", "validation"))
    assert not set(train) & set(validation)
    assert not pretrained & {*train, *validation}
    assert len(set(validation)) == len(validation)
    assert len(set(train)) == len(train)


def test_the_names_of_packages_are_masked(tables: dict[str, dict[str, pd.DataFrame]]) -> None:
    told = re.compile(r"\b(torch|pytorch|numpy|np|pandas|pd|matplotlib|mpl|plt|pyplot|python)\b", re.IGNORECASE)
    for rows in tables["docstrings-package"].values():
        assert not [text for text in rows["text"] if told.search(text) or ">>>" in text]
        assert rows["text"].str.split().str.len().max() <= docstrings.WORDS


def test_the_kind_is_neither_named_nor_told_by_the_package(tables: dict[str, dict[str, pd.DataFrame]]) -> None:
    told = re.compile(r"\b(class|classes|subclass|function|functions|method|methods)\b", re.IGNORECASE)
    package_of = {docstrings.kind_masked(one.text): one.package for one in corpus.docstrings()}
    for rows in tables["docstrings-kind"].values():
        assert not [text for text in rows["text"] if told.search(text) or ">>>" in text]
        counts = pd.crosstab(rows["text"].map(package_of), rows["label"])
        # the same text may stand in two packages, so the counts of a package may differ by a few
        assert (counts[0] - counts[1]).abs().max() <= 3


def test_a_docstring_that_begins_with_its_own_name_tells_too_much() -> None:
    def made(text: str) -> corpus.Docstring:
        return corpus.Docstring("numpy", "numpy.made", "Box.area", "function", "area(self)", text)

    assert docstrings._names_itself(made("area(self) -> float: the area of it"))
    assert docstrings._names_itself(made("Box.area gives the area"))
    assert docstrings._names_itself(made("An area."))
    assert not docstrings._names_itself(made("Return the area of it"))


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Base class for methods.", "Base thing for thing."),
        ("A dataclass; its subclasses are classified.", "A thing; its thing are classified."),
    ],
)
def test_masking_of_kinds(text: str, masked: str) -> None:
    assert docstrings.kind_masked(text) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Return a torch.Tensor like np.ndarray.", "Return a thing like thing."),
        ("Draw it.\n\n>>> plt.plot(x)\n... more\n\nThen rest.", "Draw it. Then rest."),
        ("PyTorch's DataFrame and Series", "thing's thing and thing"),
        ("Compute the updated index.", "Compute the updated index."),
    ],
)
def test_masking(text: str, masked: str) -> None:
    assert docstrings.masked(text) == masked


@pytest.mark.parametrize(
    ("signature", "words"),
    [
        ("read_csv(file_path, nRows: int = 3)", "read csv ( file path, n Rows )"),
        ("f(self, x: dict[str, tuple[int, bool]] = None, *args, **kw)", "f ( x, args, kw )"),
        ("abs(input, /, *, out=None)", "abs ( input, out )"),
        ("empty(*size, out=None) or (a | b", "empty ( size, out )"),
        ("made(x)\n\nbroken(", "made ( x )"),
        ("HTMLParser", "HTMLParser"),
        ("", ""),
    ],
)
def test_a_signature_as_words(signature: str, words: str) -> None:
    assert docstrings.signature_words(signature) == words


def test_a_mismatched_pair_is_two_true_halves_of_one_package(tables: dict[str, dict[str, pd.DataFrame]]) -> None:
    of_summary: dict[str, set[str]] = {}
    of_signature: dict[str, set[str]] = {}
    matches: dict[str, set[str]] = {}
    for one in corpus.docstrings():
        signature = " ".join(docstrings.signature_words(one.signature).split()[: docstrings.SIGNATURE_WORDS])
        of_summary.setdefault(docstrings.summary_of(one.text), set()).add(one.package)
        of_signature.setdefault(signature, set()).add(one.package)
        matches.setdefault(docstrings.summary_of(one.text), set()).add(signature)
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
    counts = [Counter() for _ in corpus.PACKAGES]
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
